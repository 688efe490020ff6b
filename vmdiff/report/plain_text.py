"""Plain text for a mail: 78 columns, no colour."""

from collections.abc import Sequence
from dataclasses import replace

from vmdiff.comparison.compare import Comparison
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.report.options import ViewOptions
from vmdiff.report.terminal import table_layout
from vmdiff.report.view import compose

WIDTH = 78


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a comparison as plain text."""
    options = replace(options, width=WIDTH)
    return _joined(table_layout.comparison_lines(compose.of_comparison(found, findings, options), options))


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write one snapshot as plain text."""
    options = replace(options, width=WIDTH)
    return _joined(table_layout.snapshot_lines(compose.of_snapshot(taken, findings, options), options))


def _joined(lines: table_layout.Lines) -> str:
    return "".join(table_layout.plain(line) + "\n" for line in lines)

"""Plain text for a mail: 78 columns, no colour."""

from collections.abc import Sequence
from dataclasses import replace

from vmdiff.comparison import Comparison
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.render import layout, view
from vmdiff.render.options import ViewOptions

WIDTH = 78


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a comparison as plain text."""
    options = replace(options, width=WIDTH)
    return _joined(layout.comparison_lines(view.of_comparison(found, findings, options), options))


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write one snapshot as plain text."""
    options = replace(options, width=WIDTH)
    return _joined(layout.snapshot_lines(view.of_snapshot(taken, findings, options), options))


def _joined(lines: layout.Lines) -> str:
    return "".join(layout.plain(line) + "\n" for line in lines)

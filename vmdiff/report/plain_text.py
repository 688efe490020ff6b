"""Plain text for a mail or a log: 78 columns, ASCII, no colour."""

from collections.abc import Sequence
from dataclasses import replace

from vmdiff.comparison.compare import Comparison
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.report.options import ViewOptions
from vmdiff.report.terminal import table_layout
from vmdiff.report.view import compose
from vmdiff.report.view.ascii_words import comparison_in_ascii, snapshot_in_ascii

WIDTH = 78
_CUT = "*"  # stands for what was cut out of a name: read as a shell's pattern, the name still fits


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a comparison as plain text."""
    options = replace(options, width=WIDTH, height=None)
    shown = comparison_in_ascii(compose.of_comparison(found, findings, options))
    return _joined(table_layout.comparison_lines(shown, options))


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write one snapshot as plain text."""
    options = replace(options, width=WIDTH, height=None)
    shown = snapshot_in_ascii(compose.of_snapshot(taken, findings, options))
    return _joined(table_layout.snapshot_lines(shown, options))


def _joined(lines: table_layout.Lines) -> str:
    # The layout marks a cut with one sign of one column.
    return "".join(table_layout.plain(line).replace("…", _CUT) + "\n" for line in lines)

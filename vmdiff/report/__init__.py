"""A comparison or a snapshot as text: one module each, in one literal registry.

`view` chooses the words once; a renderer only dresses them. It gives text and never prints.
"""

from collections import abc
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from vmdiff.report.options import By, Format, ViewOptions

if TYPE_CHECKING:
    from vmdiff.comparison.compare import Comparison
    from vmdiff.findings import Finding
    from vmdiff.model import Snapshot
    from vmdiff.series.trends import Trend

__all__ = ["RENDERERS", "TREND_RENDERERS", "By", "Format", "Renderer", "TrendRenderer", "ViewOptions"]


class Renderer(NamedTuple):
    """Writes comparisons and single snapshots, which get the findings of `find` and `find_in`.

    Its *module* has a function for each, and is imported when one is called: JSON needs no rich.
    """

    module: str

    def comparison(
        self, found: "Comparison", findings: "Sequence[Finding]", options: ViewOptions
    ) -> str | bytes:
        """Write a comparison; only pprof is not text."""
        written: str | bytes = import_module(self.module).comparison(found, findings, options)
        return written

    def snapshot(self, taken: "Snapshot", findings: "Sequence[Finding]", options: ViewOptions) -> str | bytes:
        """Write a single snapshot."""
        written: str | bytes = import_module(self.module).snapshot(taken, findings, options)
        return written


RENDERERS: abc.Mapping[Format, Renderer] = {
    Format.TERMINAL: Renderer("vmdiff.report.terminal.screen"),
    Format.TEXT: Renderer("vmdiff.report.plain_text"),
    Format.MARKDOWN: Renderer("vmdiff.report.markdown"),
    Format.HTML: Renderer("vmdiff.report.html.report_page"),
    Format.JSON: Renderer("vmdiff.report.json.comparison_document"),
    Format.FOLDED: Renderer("vmdiff.report.profiles.folded"),
    Format.PPROF: Renderer("vmdiff.report.profiles.pprof"),
    Format.OPENMETRICS: Renderer("vmdiff.report.profiles.openmetrics"),
}


class TrendRenderer(NamedTuple):
    """Writes trends, with the findings of `find_over_time`; its *module* is imported when it is called."""

    module: str

    def trend(self, found: "Trend", findings: "Sequence[Finding]", options: ViewOptions) -> str:
        """Write a trend."""
        written: str = import_module(self.module).trend(found, findings, options)
        return written


TREND_RENDERERS: abc.Mapping[Format, TrendRenderer] = {
    Format.TERMINAL: TrendRenderer("vmdiff.report.terminal.trend_screen"),
    Format.TEXT: TrendRenderer("vmdiff.report.terminal.trend_screen"),
    Format.MARKDOWN: TrendRenderer("vmdiff.report.trend_markdown"),
    Format.HTML: TrendRenderer("vmdiff.report.html.timeline"),
    Format.JSON: TrendRenderer("vmdiff.report.json.trend_document"),
    Format.OPENMETRICS: TrendRenderer("vmdiff.report.profiles.trend_openmetrics"),
}

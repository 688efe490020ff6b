"""A trend as one HTML page: a stacked area over time, and what changed between two marks on it.

The answer, the findings and the table of verdicts stand in the page without any script. Its script draws the
picture and compares any two moments, out of the figures that `timeline_data` puts beside it.
"""

from collections.abc import Sequence
from dataclasses import replace

from vmdiff.findings import Finding
from vmdiff.report import wording
from vmdiff.report.html import timeline_data
from vmdiff.report.html.report_page import asset, policy, script
from vmdiff.report.options import ViewOptions
from vmdiff.report.view import trend_rows
from vmdiff.series.trends import Trend

_SCRIPT = ("words", "dark", "timeline")


def trend(found: Trend, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a trend as one HTML page that needs nothing else."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only HTML needs it
    from markupsafe import Markup

    view = trend_rows.of_trend(found, findings, replace(options, colour=False))
    drawn = timeline_data.places(found)
    css, js = asset("report.css") + asset("timeline.css"), script(_SCRIPT)
    templates = Environment(
        loader=PackageLoader("vmdiff.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    return templates.get_template("timeline.html").render(
        title=view.title,
        answer=view.answer,
        when=view.when,
        left_out=_left_out(len(found.series.points), len(drawn)),
        heads=trend_rows.HEAD,
        tables=view.tables,
        findings=[
            (finding.severity, wording.printable(finding.message), map(wording.printable, finding.evidence))
            for finding in findings
        ],
        policy=policy(css, js),
        # These four are markup: two are ours, in two nothing from outside is left that could end them.
        css=Markup(css),  # noqa: S704
        js=Markup(js),  # noqa: S704
        data=Markup(timeline_data.head(found, drawn)),  # noqa: S704
        packed=Markup(timeline_data.packed(found, drawn)),  # noqa: S704
    )


def _left_out(points: int, drawn: int) -> str:
    return f"Drawn are {drawn:,} of {points:,} points." if drawn < points else ""

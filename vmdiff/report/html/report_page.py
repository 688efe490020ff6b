"""One HTML file that opens anywhere: no network, no dependency, and the snapshots inside.

The page is written so that it says everything that matters without any script: headline, findings,
groups, the largest changes, facts. Its script then draws the address space and makes the table sortable
and searchable, out of the figures that `report_data` puts beside it. Every text comes from the view
or through `wording`; jinja2 escapes it once more. The content security policy lets nothing run or load
but the one style sheet and the one script, by their hashes.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from vmdiff.comparison.compare import Comparison
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.report import wording
from vmdiff.report.html import facts_table, memory_page_bars, report_data, usage_bars
from vmdiff.report.options import ViewOptions
from vmdiff.report.view import compose
from vmdiff.report.view.compose import ComparisonView, Figure, Row, SnapshotView, Table
from vmdiff.storage import html_embedding

_SCRIPT = (
    "words", "data", "rows", "table", "detail", "filters", "colours", "chart", "choice", "squares", "tree",
    "composition", "space", "picture", "dark", "theme", "page",
)  # fmt: skip
_STATIC_ROWS = 60  # what a reader without scripts sees of the table


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a comparison as one HTML page that carries both snapshots."""
    shown = compose.of_comparison(found, findings, _wide(options))
    return _page(
        shown,
        figures=list(figures_of(_in_order(shown.figures), signed=True)),
        kicker="memory comparison",
        told=[text for text in (shown.when, shown.match) if text],
        counts="; ".join(text for text in (shown.counts, shown.faults) if text),
        noun="changes",
        growth_title="Where the change came from",
        facts_title="The two snapshots",
        sides=("before", "after"),
        fact_groups=facts_table.of(found.before, found.after),
        usage=usage_bars.of_comparison(found),
        pages=memory_page_bars.of_comparison(found),
        data=report_data.of_comparison(found, shown.table),
        carried=(found.before, found.after),
    )


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write one snapshot as an HTML page that carries it."""
    shown = compose.of_snapshot(taken, findings, _wide(options))
    return _page(
        shown,
        figures=list(figures_of(_in_order(shown.figures), signed=False)),
        kicker="memory snapshot",
        told=[shown.when],
        counts=shown.counts,
        noun="mappings",
        growth_title="What it is made of",
        facts_title="The snapshot",
        sides=("value",),
        fact_groups=facts_table.of(taken),
        usage=usage_bars.of_snapshot(taken),
        pages=memory_page_bars.of_snapshot(taken),
        data=report_data.of_snapshot(taken, shown.table),
        carried=(taken,),
    )


def _wide(options: ViewOptions) -> ViewOptions:
    """Ask for every row: the page itself folds, sorts and picks."""
    return replace(options, by=None, show_all=False, rows=None, width=compose.NARROW, colour=False)


def _page(shown: ComparisonView | SnapshotView, *, carried: Sequence[Snapshot], **facts: Any) -> str:
    return rendered(
        "report.html",
        _SCRIPT,
        title=shown.title,
        answer=shown.answer,
        remarks=shown.remarks,
        groups=shown.groups,
        table=shown.table,
        static_rows=_static_rows(shown.table),
        footer=_footer(carried),
        carried=html_embedding.carry([_light(taken) for taken in carried]),
        **facts,
    )


def rendered(template: str, scripts: tuple[str, ...], *, data: str, carried: str, **facts: Any) -> str:
    """Fill a template; *data* and *carried* are markup in which nothing from outside can end an element."""
    # 60 ms that only an HTML report costs
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=PackageLoader("vmdiff.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    css, js, first = asset("report.css"), script(scripts), asset("script/first.js")
    return templates.get_template(template).render(
        policy=policy(css, first, js),
        # These are markup: three are ours, in two nothing from outside is left that could end them.
        css=Markup(css),  # noqa: S704
        first=Markup(first),  # noqa: S704
        js=Markup(js),  # noqa: S704
        data=Markup(data),  # noqa: S704
        carried=Markup(carried),  # noqa: S704
        **facts,
    )


def _static_rows(table: Table) -> list[Row]:
    shown, hidden = table.rows[:_STATIC_ROWS], table.rows[_STATIC_ROWS:]
    more = [compose.summed_row(table, hidden, f"{wording.plural(len(hidden), 'more row')}")] if hidden else []
    return [*shown, *more, *table.folds, table.total]


def _light(taken: Snapshot) -> Snapshot:
    """Leave out the fingerprints of pages: 8 MB for a million, and reports go to people without the key."""
    if taken.pages is None or taken.pages.key is None:
        return taken
    return taken.model_copy(update={"pages": taken.pages.without_fingerprints()})


def _footer(carried: Sequence[Snapshot]) -> str:
    without = ""
    if any(taken.pages is not None and taken.pages.key is not None for taken in carried):
        without = " Left out are the fingerprints of pages, which tell what was written."
    if len(carried) == 1:
        carries = "The snapshot rides inside this file: vmdiff show report.html reads it back."
    else:
        carries = "Both snapshots ride inside this file: vmdiff compare report.html reads them back."
    return f"Made by vmdiff. {carries}{without}"


ADDED_UP = "resident, added up"
_NO_MEMORY = frozenset({"virtual", ADDED_UP})  # addresses, and pages counted several times, are never loudest
_NOTEWORTHY = 100  # a change below a hundredth of what there is, is not loud
_FAR_LESS = 20


def figures_of(figures: Sequence[Figure], *, signed: bool) -> Iterator[dict[str, Any]]:
    """Yield the figures of a headline, the first of them the main one, each as loud as it weighs."""
    amounts = [abs((figure.delta if signed else figure.after) or 0) for figure in figures]
    least = [max(figure.before or 0, figure.after or 0) // _NOTEWORTHY for figure in figures]
    weights = [max(pair) for pair in zip(amounts, least, strict=True)]
    most = max(
        weight for figure, weight in zip(figures, weights, strict=True) if figure.name not in _NO_MEMORY
    )
    for at, (figure, amount) in enumerate(zip(figures, amounts, strict=True)):
        words = _change_words(figure) if signed else _size_words(figure)
        loudness = _loudness(figure.name, amount, most, first=at == 0)
        yield {"name": figure.name, **words, "note": figure.note, "weight": loudness}


def _loudness(name: str, amount: int, most: int, *, first: bool) -> str:
    """Return how large a figure is written, by its share of *most*."""
    if amount * 2 >= most and name not in _NO_MEMORY:
        return "main" if first else "large"
    return "medium" if first or (amount and amount * _FAR_LESS >= most) else "small"


def _change_words(figure: Figure) -> dict[str, str]:
    delta, sides = figure.delta, (figure.before, figure.after)
    tone = "none" if not delta else "up" if delta > 0 else "down"
    small = "" if sides == (0, 0) else " → ".join(map(wording.size, sides))
    return {"big": wording.signed(delta), "tone": tone, "small": small}


def _size_words(figure: Figure) -> dict[str, str]:
    return {"big": wording.size(figure.after), "tone": "", "small": ""}


_ORDER = ("resident", "private", "swap", "virtual")


def _in_order(figures: Sequence[Figure]) -> list[Figure]:
    """Put what is memory first."""
    return sorted(figures, key=lambda figure: _ORDER.index(figure.name))


@cache
def script(names: tuple[str, ...]) -> str:
    """Put a page's script together; its parts share one scope and nothing else sees it."""
    parts = "\n".join(asset(f"script/{name}.js") for name in names)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


@cache
def asset(name: str) -> str:
    """Return a file that pages are made of."""
    return (files("vmdiff.report.html") / "templates" / name).read_text(encoding="utf-8")


def policy(css: str, *scripts: str) -> str:
    """Write the content security policy that lets only this style sheet and these scripts in."""
    allowed = " ".join(f"'{_hash(js)}'" for js in scripts)
    return (
        f"default-src 'none'; style-src '{_hash(css)}'; script-src {allowed};"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

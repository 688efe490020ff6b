"""Sets of processes on the command line: what ``show`` and ``compare`` do with them."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from vmdiff.answer.of_set import answer_of_set, answer_of_sets
from vmdiff.cli import output
from vmdiff.errors import ConditionError
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.report import By, Format, ViewOptions
from vmdiff.report.json.set_record import set_json, sets_json
from vmdiff.report.set_report import (
    MOST_ROWS,
    comparison_sections,
    set_markdown,
    set_sections,
    set_text,
    sets_text,
)
from vmdiff.sets.set_comparison import SetComparison, compare_sets
from vmdiff.sets.set_totals import Grouping

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).

_BY: dict[By | None, Grouping] = {None: "owner", By.OWNER: "owner", By.KIND: "kind", By.OBJECT: "object"}


def check(options: ViewOptions, conditions: Sequence[str] | None) -> None:
    """Refuse what asks about mappings: of a set nothing may be left out or ignored in silence.

    Raises:
        ConditionError: one of the options is given.
    """
    given = {
        "--only": options.only,
        "--min": options.minimum,
        "--sort": options.sort,
        "--fail-on": conditions,
    }
    for name in (name for name, value in given.items() if value):
        raise ConditionError(f"{name} is of one process; of a set there are --by, --all and --exit-code")


def show(snapshots: SnapshotSet, form: Format, options: ViewOptions, to: Path | None, *, force: bool) -> None:
    """Write what a set holds."""
    by = _by(options)
    sections = partial(set_sections, snapshots, by, _most_rows(options))
    writers = _Writers(
        json=lambda: set_json(snapshots),
        markdown=lambda: set_markdown(answer_of_set(snapshots).sentence, sections()),
        text=lambda: set_text(snapshots, by, width=options.width, everything=options.show_all),
        html=lambda: _pages().snapshots(snapshots),
    )
    output.show(_written(form, writers), to, force=force)


def compare(
    before: SnapshotSet,
    after: SnapshotSet,
    form: Format,
    options: ViewOptions,
    to: Path | None,
    *,
    force: bool,
) -> SetComparison:
    """Write what changed between two sets; return the comparison."""
    found, by = compare_sets(before, after), _by(options)
    sections = partial(comparison_sections, found, by, _most_rows(options))
    writers = _Writers(
        json=lambda: sets_json(found),
        markdown=lambda: set_markdown(answer_of_sets(found).sentence, sections()),
        text=lambda: sets_text(found, by, width=options.width, everything=options.show_all),
        html=lambda: _pages().comparison(found),
    )
    output.show(_written(form, writers), to, force=force)
    return found


class _Writers(NamedTuple):
    """How one thing is written in each format that sets have."""

    json: Callable[[], str]
    markdown: Callable[[], str]
    text: Callable[[], str]
    html: Callable[[], str]


def _written(form: Format, writers: _Writers) -> str:
    match form:
        case Format.JSON:
            return writers.json()
        case Format.MARKDOWN:
            return writers.markdown()
        case Format.TERMINAL | Format.TEXT:
            return writers.text()
        case Format.HTML:
            return writers.html()
        case _:
            raise ConditionError(
                f"--format {form}: a set is written as terminal, text, markdown, html or json"
            )


def _pages() -> ModuleType:
    from vmdiff.report.html import set_page  # jinja, which only a page needs

    return set_page


def _most_rows(options: ViewOptions) -> int:
    """Return how many rows of a table are shown."""
    return 1_000_000 if options.show_all else MOST_ROWS


def _by(options: ViewOptions) -> Grouping:
    if options.by not in _BY:
        raise ConditionError(f"--by {options.by}: of a set it is owner, kind or object")
    return _BY[options.by]

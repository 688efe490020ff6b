"""Sets of processes on the command line: what ``snap``, ``show``, ``compare`` and ``redact`` do with them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

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


def snap(
    targets: Sequence[str], to: Path | None, *, force: bool, redact: bool, key: Path | None, **options: Any
) -> None:
    """Take a set and write it; *options* are those of `vmdiff.sources.snap_set`."""
    from vmdiff import sources

    write(sources.snap_set(targets, **options), to, force=force, redact=redact, key=key)


def write(snapshots: SnapshotSet, to: Path | None, *, force: bool, redact: bool, key: Path | None) -> None:
    """Write a set that was taken; from a terminal, to a file with a name of its own."""
    for one in snapshots.missing:
        output.say(f"missing: {one.reason}")
    if redact or key is not None:
        snapshots = redacted(snapshots, key)
    if to is None and output.is_terminal():
        taken_at = snapshots.taken_at or datetime.now(UTC)
        to = Path(f"set-{len(snapshots.members)}-{taken_at:%Y%m%dT%H%M%SZ}.json")
        typer.echo(to)
    save(snapshots, to, force=force)


def save(snapshots: SnapshotSet, to: Path | None, *, force: bool) -> None:
    """Write a set to a file or, without one, to standard output."""
    from vmdiff import sources
    from vmdiff.storage import set_document

    if to is None or output.is_stdout(to):
        output.write_chunks(set_document.dump(snapshots))
    else:
        sources.save_set(snapshots, to, force=force)


def redacted(snapshots: SnapshotSet, key: Path | None) -> SnapshotSet:
    """Redact a set with a key, which is made where there is none."""
    from vmdiff import redaction
    from vmdiff.cli.redacting import read_key

    return redaction.redact_sets([snapshots], key=read_key(key))[0]


def show(snapshots: SnapshotSet, form: Format, options: ViewOptions, to: Path | None, *, force: bool) -> None:
    """Write what a set holds."""
    by, most = _by(options), 1_000_000 if options.show_all else MOST_ROWS
    match form:
        case Format.JSON:
            text = set_json(snapshots)
        case Format.MARKDOWN:
            from vmdiff.answer.of_set import answer_of_set

            text = set_markdown(answer_of_set(snapshots).sentence, set_sections(snapshots, by, most))
        case Format.TERMINAL | Format.TEXT:
            text = set_text(snapshots, by, width=options.width, everything=options.show_all)
        case Format.HTML:
            from vmdiff.report.html import set_page

            text = set_page.snapshots(snapshots)
        case _:
            raise _not_for_sets(form)
    output.show(text, to, force=force)


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
    found = compare_sets(before, after)
    by, most = _by(options), 1_000_000 if options.show_all else MOST_ROWS
    match form:
        case Format.JSON:
            text = sets_json(found)
        case Format.MARKDOWN:
            from vmdiff.answer.of_set import answer_of_sets

            text = set_markdown(answer_of_sets(found).sentence, comparison_sections(found, by, most))
        case Format.TERMINAL | Format.TEXT:
            text = sets_text(found, by, width=options.width, everything=options.show_all)
        case Format.HTML:
            from vmdiff.report.html import set_page

            text = set_page.comparison(found)
        case _:
            raise _not_for_sets(form)
    output.show(text, to, force=force)
    return found


def _by(options: ViewOptions) -> Grouping:
    if options.by not in _BY:
        raise ConditionError(f"--by {options.by}: of a set it is owner, kind or object")
    return _BY[options.by]


def _not_for_sets(form: Format) -> ConditionError:
    return ConditionError(f"--format {form}: a set is written as terminal, text, markdown, html or json")

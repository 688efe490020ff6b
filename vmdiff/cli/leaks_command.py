"""``vmdiff leaks``: which blocks of its allocators nothing in a process points to."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmdiff.cli import output
from vmdiff.cli.result_file import Force, Output
from vmdiff.errors import MatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmdiff.leaks.leak_report import LeakReport

_HEAD = 256  # bytes of a file that tell a core, or a report

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


class LeakFormat(StrEnum):
    """How a report of what is lost is written."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


def leaks(
    target: Annotated[
        str,
        typer.Argument(
            metavar="PID|FILE", help="A process number, name:NAME, a core file, or a report saved as JSON."
        ),
    ],
    since: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An earlier report (JSON): tell what is new since.")
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help="Exit 1 if it holds: 'lost > 1MiB', 'new lost > 0'."),
    ] = None,
    freeze_limit: Annotated[
        str, typer.Option(metavar="TIME", help="Let the process run on after at most TIME.")
    ] = "10s",
    show_all: Annotated[bool, typer.Option("--all", help="Show every group.")] = False,
    form: Annotated[
        LeakFormat, typer.Option("--format", help="How to write the result.")
    ] = LeakFormat.TERMINAL,
    to: Output = None,
    force: Force = False,
) -> None:
    """Find memory that nothing in a process points to; it stands still while it is copied."""
    output.check(to, form, force=force)
    from vmdiff.leaks import leak_condition, leak_report

    for text in fail_on or ():
        leak_condition.parse(text)  # a mistake is said before the process stands still
    earlier = None if since is None else _loaded(since)
    report = _report(target, freeze_limit)
    if earlier is not None:
        report = leak_report.since(earlier, report)
    _show(report, form, fail_on or (), to, force=force, show_all=show_all)


def _show(
    report: "LeakReport",
    form: LeakFormat,
    fail_on: "Sequence[str]",
    to: Path | None,
    *,
    force: bool,
    show_all: bool,
) -> None:
    """Write a report; leave with status 1 if a condition holds."""
    from vmdiff.leaks import leak_condition

    asked = [leak_condition.parse(text) for text in fail_on]
    held = [condition.text for condition in asked if condition.holds(report)]
    output.show(_rendered(report, form, show_all=show_all), to, force=force)
    output.say_what_holds(held)


def is_report(name: str | None) -> bool:
    """Return whether a file is a report of what is lost."""
    from vmdiff.leaks.leak_report import is_leak_report

    try:
        if name is None or not Path(name).is_file():
            return False
        with Path(name).open("rb") as file:
            return is_leak_report(file.read(_HEAD))
    except (OSError, ValueError):
        return False


def compare(
    before: str,
    after: str,
    form: str,
    fail_on: "Sequence[str]",
    to: Path | None,
    *,
    force: bool,
    show_all: bool,
) -> None:
    """Show what is lost in *after* with what is new since *before*, two reports.

    Raises:
        VmdiffError: one is no report, or *form* is none of `LeakFormat`.
    """
    from vmdiff.leaks import leak_report

    if form not in set(LeakFormat):
        raise MatchError(f"what is lost is written as {', '.join(LeakFormat)}, not as {form}")
    if not (is_report(before) and is_report(after)):
        raise MatchError("a report of what is lost is compared with another such report only")
    report = leak_report.since(_loaded(Path(before)), _loaded(Path(after)))
    _show(report, LeakFormat(form), fail_on, to, force=force, show_all=show_all)


def redact(names: "Sequence[str]", targets: "Sequence[Path]", key: bytes | None, *, force: bool) -> None:
    """Write copies of reports for strangers.

    Raises:
        VmdiffError: one is no report, or cannot be written.
    """
    from vmdiff.leaks.report_redaction import redact_reports

    if not all(map(is_report, names)):
        raise MatchError("reports of what is lost are redacted together with such reports only")
    redacted = redact_reports([_loaded(Path(name)) for name in names], key=key)
    for target, report in zip(targets, redacted, strict=True):
        output.show(report.to_json(), target, force=force)


def _report(target: str, freeze_limit: str) -> "LeakReport":
    """Search a process, or read a report that was saved."""
    from vmdiff import units
    from vmdiff.cli.process_target import process_number
    from vmdiff.importers.core_file import core_layout
    from vmdiff.leaks.find_leaks import find_leaks, find_leaks_in_core

    if not target.isdigit() and Path(target).is_file():
        with Path(target).open("rb") as file:
            is_core = core_layout.recognise(file.read(_HEAD))
        return find_leaks_in_core(Path(target)) if is_core else _loaded(Path(target))
    try:
        limit = units.parse_time(freeze_limit)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--freeze-limit") from error
    return find_leaks(process_number(target), limit=limit)


def _loaded(path: Path) -> "LeakReport":
    from vmdiff.leaks.leak_report import load
    from vmdiff.storage import atomic_file

    return load(atomic_file.read(path), source=str(path))


def _rendered(report: "LeakReport", form: LeakFormat, *, show_all: bool) -> str:
    from vmdiff.leaks import leak_text

    if form is LeakFormat.JSON:
        return report.to_json()
    if form is LeakFormat.HTML:
        return leak_text.html(report)
    write = leak_text.markdown if form is LeakFormat.MARKDOWN else leak_text.text
    return write(report, show_all=show_all)

"""``vmdiff snap``: processes -> a snapshot, or a set of them."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vmdiff.cli import document_writing, kept_text, output, redacting, tags
from vmdiff.cli.result_file import Force, Output

if TYPE_CHECKING:
    from vmdiff.model import Snapshot

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


class Detail(StrEnum):
    """How much is read of each mapping."""

    TOTALS = "totals"
    MAPS = "maps"
    SMAPS = "smaps"
    PAGES = "pages"


def snap(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...",
            help="A process number or name:NAME; several, name:GLOB, tree:PID, cgroup:PATH, all: a set.",
        ),
    ],
    to: Output = None,
    force: Force = False,
    label: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A word for this moment, shown with it.")
    ] = None,
    tag: tags.Tags = None,
    detail: Annotated[
        Detail,
        typer.Option(
            help="totals are the kernel's sums alone: PSS, RSS, private, swap of thousands of processes;"
            " maps is cheaper and has no counters; pages reads what private pages hold, too."
        ),
    ] = Detail.SMAPS,
    page_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep a fingerprint of each page, made with this key: compare tells what was written."
            " Made if it does not exist; keep it secret.",
        ),
    ] = None,
    arguments: Annotated[
        bool, typer.Option("--arguments", help="Keep the command line; it may hold secrets.")
    ] = False,
    no_owners: Annotated[
        bool, typer.Option("--no-owners", help="Do not look for who asked for the memory.")
    ] = False,
    inside: Annotated[
        bool,
        typer.Option(
            "--inside", help="Read the records of malloc and runtimes whole, object types included."
        ),
    ] = False,
    freeze: Annotated[
        bool,
        typer.Option(
            "--freeze",
            help="Hold the process still meanwhile; calls that it waits in may return EINTR to it.",
        ),
    ] = False,
    freeze_limit: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Resume the process after at most TIME (e.g. 200ms), even if the snapshot is incomplete.",
        ),
    ] = None,
    via: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Read through a command that runs sh elsewhere: 'ssh db1', 'kubectl exec web-0 --'.",
        ),
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace names and addresses, for showing it to strangers.")
    ] = False,
    key: redacting.Key = None,
) -> None:
    """Save a snapshot of a process's memory mappings, or of several processes together.

    Without -o the document goes to standard output, or from a terminal to NAME-PID-TIME.json here.
    """
    from vmdiff import sources, units
    from vmdiff.capture.process_tree import means_a_set
    from vmdiff.cli.process_target import process_number

    output.check_free(to, force=force)
    try:
        limit = None if freeze_limit is None else units.parse_time(freeze_limit)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--freeze-limit") from error
    options: dict[str, Any] = {
        "detail": detail.value,
        "owners": not no_owners,
        "inside": inside,
        "arguments": arguments,
        "label": None if label is None else kept_text.checked(label, "--label"),
        "tags": tags.parsed(tag),
        "freeze": freeze or limit is not None,
        "freeze_limit": limit,
    }
    _check_pages(detail, page_key, alone=via is None and not means_a_set(targets))
    if detail is Detail.TOTALS and inside:
        raise typer.BadParameter("totals have no allocators to look into", param_hint="--inside")
    if via is not None:
        from vmdiff.cli import via_command

        via_command.snap(via, targets, to, force=force, redact=redact, key=key, **options)
        return
    if means_a_set(targets):
        several = sources.snap_set(targets, **options)
        document_writing.write(several, to, force=force, redact=redact, key=key)
        return
    pid = process_number(targets[0])
    key_of_pages = redacting.read_key(page_key, "compare pages of later snapshots")
    snapshot = sources.snap(pid, notify=output.say, page_key=key_of_pages, **options)
    _say_how_taken(snapshot, pid)
    document_writing.write(snapshot, to, force=force, redact=redact, key=key)


def _check_pages(detail: Detail, page_key: Path | None, *, alone: bool) -> None:
    if page_key is not None and detail is not Detail.PAGES:
        raise typer.BadParameter("fingerprints are of pages: add --detail pages", param_hint="--page-key")
    if detail is Detail.PAGES and not alone:
        raise typer.BadParameter(
            "pages are read of one process of this machine at a time", param_hint="--detail"
        )


def _say_how_taken(snapshot: "Snapshot", pid: int) -> None:
    if snapshot.process.pid not in (None, pid):
        output.say(f"{pid} is a thread of {snapshot.process.pid}; use {snapshot.process.pid}")
    if snapshot.origin.frozen_seconds is not None:
        output.say(f"held still for {snapshot.origin.frozen_seconds * 1000:.1f} ms")

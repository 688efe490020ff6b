"""What is known of each snapshot besides its mappings, in words, one beside the other."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from vmdiff.model import Snapshot
from vmdiff.report import wording
from vmdiff.report.view import fact_words

_LONGEST = 2000  # letters of a command line that anybody reads
_NAMES = frozenset({"pid", "parent", "start_ticks"})  # numbers that nobody adds up
_UNLIMITED = "unlimited"
_OF_THE_MOMENT = "snapshot"


class SideBySide(NamedTuple):
    """A fact of one or two snapshots; a blank value says that it is unknown.

    One value for two snapshots is the same in both. *differs* is not said of what is the taking's own,
    such as the time.
    """

    name: str
    values: tuple[str, ...]
    differs: bool


def of(*snapshots: Snapshot) -> list[tuple[str, list[SideBySide]]]:
    """Return all facts that a snapshot has, in groups; what no snapshot knows is left out."""
    told = [_told(snapshot) for snapshot in snapshots]
    return [
        (name, list(_rows([side[name] for side in told], marked=name != _OF_THE_MOMENT)))
        for name in told[0]
        if any(side[name] for side in told)
    ]


def _rows(sides: list[dict[str, str]], *, marked: bool) -> Iterator[SideBySide]:
    for name in dict.fromkeys(name for side in sides for name in side):
        values = tuple(side.get(name, "") for side in sides)
        same = len(set(values)) == 1
        yield SideBySide(name, values[:1] if same else values, marked and not same)


def _told(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    return {
        "snapshot": dict(_snapshot(snapshot)),
        "process": dict(_process(snapshot)),
        "host": _plain(snapshot.host.model_dump(), "host."),
    }


def _snapshot(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    origin = snapshot.origin
    if snapshot.label:
        yield "label", wording.name(snapshot.label)
    if snapshot.tags:
        told = ", ".join(f"{wording.name(name)} {wording.name(tag)}" for name, tag in snapshot.tags.items())
        yield "tags", wording.shorten(told, _LONGEST)
    if snapshot.taken_at:
        yield "taken at", wording.moment(snapshot.taken_at)
    yield "taken from", wording.name(origin.source) + (f" ({origin.detail})" if origin.detail else "")
    if origin.tool:
        yield "taken by", wording.name(origin.tool)
    if origin.seconds is not None:
        yield "reading took", wording.span(origin.seconds)
    if origin.frozen_seconds is not None:
        yield "process stood still", wording.span(origin.frozen_seconds)
    if origin.consistent is not None:
        yield "layout while it was read", "no change was seen" if origin.consistent else "it moved"
    if origin.redaction:
        yield "redacted", f"names and addresses are pseudonyms, run {wording.name(origin.redaction.run)}"
    yield "mappings", f"{len(snapshot.mappings):,}"
    for number, doubt in enumerate(origin.doubts, start=1):
        yield f"doubt {number}", wording.printable(doubt)


def _process(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    process = snapshot.process.model_dump(exclude={"threads", "arguments", "limits", "started_at"})
    yield from _plain(process, "").items()
    if snapshot.process.started_at:
        yield "started at", wording.moment(snapshot.process.started_at)
    if snapshot.process.arguments is not None:
        arguments = wording.printable(" ".join(snapshot.process.arguments))
        yield "arguments", wording.shorten(arguments, _LONGEST)
    if snapshot.process.threads is not None:
        names = [wording.name(thread.name or "?") for thread in snapshot.process.threads]
        some = ", ".join(dict.fromkeys(names[:200]))
        yield "threads", f"{len(names):,}: {wording.shorten(some, wording.LONGEST_NAME)}"
    if snapshot.process.limits:
        yield "limits", _limits(snapshot.process.limits)


def _limits(limits: dict[str, Any]) -> str:
    """Name the limits that limit anything."""
    told = [
        f"{wording.name(name).replace('_', ' ')} {fact_words.text(f'limits.{name}', value)}"
        for name, value in limits.items()
        if value != _UNLIMITED
    ]
    unlimited = wording.plural(len(limits) - len(told), "other")
    return ", ".join([*told, f"{unlimited} unlimited"] if len(told) < len(limits) else told)


def _plain(values: dict[str, Any], prefix: str) -> dict[str, str]:
    return {
        key.replace("_", " "): str(value) if key in _NAMES else fact_words.text(prefix + key, value)
        for key, value in values.items()
        if value is not None
    }

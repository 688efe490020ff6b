"""What a redacted snapshot still shows, for whoever wants to look before posting it."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from vmdiff.model import Snapshot

_PSEUDONYM = re.compile(r"\b[a-z]{3,8}[-_][g-hj-np-tv-xz]{12,}(?:[0-9]+k)*")
_ADDRESSES = frozenset({"start", "end"})
_OF_THE_FORMAT = {"format", "version", "mappings", "rollup"}
_OUR_OWN = frozenset({"counters", "certainty", "basis", "evidence"})
_PSEUDONYMS = frozenset({"boot_id", "pid_namespace", "device", "inode", "run"})


class Visible(NamedTuple):
    """A text or number of the document that is no pseudonym, and the first place that shows it."""

    place: str
    value: str
    times: int


def told(redacted: Snapshot) -> list[Visible]:
    """List what a redacted snapshot still tells, each once with the number of times.

    Texts that are wholly pseudonyms are left out, and so are addresses, devices, inodes, counters, what
    every mapping has (permissions, kind, flags and offset) and how an owner is known.
    """
    found: dict[tuple[str, str], int] = {}
    document = redacted.model_dump(mode="json", exclude=_OF_THE_FORMAT)
    for place, value in [*_leaves(document, ""), *_of_mappings(redacted)]:
        found[place, value] = found.get((place, value), 0) + 1
    return [Visible(place, value, times) for (place, value), times in found.items()]


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    match value:
        case None | False | True:
            return
        case dict():
            for key, item in value.items():
                if key not in _PSEUDONYMS | _OUR_OWN:
                    yield from _leaves(item, f"{place}.{key}".removeprefix("."))
        case list() | tuple():
            for item in value:
                yield from _leaves(item, f"{place}[]")
        case _:
            if text := _text(str(value)):
                yield place, text


def _of_mappings(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    numbers = set(snapshot.origin.counters) | {"offset", "perms", "kind", "flags", "rss", "swap"}
    for mapping in snapshot.mappings:
        record = {key: item for key, item in mapping.record().items() if key not in numbers | _ADDRESSES}
        for place, value in _leaves(record, "mappings[]"):
            if place.rpartition(".")[2] not in _ADDRESSES:
                yield place, value


def _text(text: str) -> str:
    """Return the text unless only pseudonyms and separators are left in it."""
    rest = _PSEUDONYM.sub("", text)
    return text if re.search(r"\w", rest) else ""

"""Hold owners against what a program says of its own memory: lines ``T START END NAME|NAME``.

The names are the owners that are right, with hyphens for blanks; ``own`` is memory of the program's own.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from vmdiff.model import Owner, Part, Snapshot


class Truth(NamedTuple):
    """A range of memory and the names that are right for it."""

    start: int
    end: int
    names: frozenset[str]


class Verdict(NamedTuple):
    """What was found in a range: ``right``, ``missed`` or ``wrong``, and the owner."""

    word: str
    truth: Truth
    owner: Owner | Part | None
    size: int


def truths(said: Mapping[str, list[str]]) -> Iterator[Truth]:
    """Read the lines of a program."""
    for line in said.get("T", []):
        start, end, names = line.split()[:3]
        yield Truth(
            int(start, 16), int(end, 16), frozenset(name.replace("-", " ") for name in names.split("|"))
        )


def pieces(seen: Snapshot) -> Iterator[tuple[int, int, Owner | Part | None]]:
    """Yield the bounds and the owner of each piece of memory, those without an owner too."""
    for mapping in seen.placed:
        reach = mapping.start
        for part in mapping.owner.parts if mapping.owner else ():
            if reach < part.start:
                yield reach, part.start, None
            yield part.start, part.end, part
            reach = part.end
        if reach < mapping.end:
            yield reach, mapping.end, None if mapping.owner is None or mapping.owner.parts else mapping.owner


def judged(seen: Snapshot, said: Mapping[str, list[str]]) -> list[Verdict]:
    """Judge every piece that overlaps a range of which the program says whose it is."""
    known = list(pieces(seen))
    found = []
    for truth in truths(said):
        for start, end, owner in known:
            low, high = max(start, truth.start), min(end, truth.end)
            if low < high:
                found.append(Verdict(_word(truth, owner), truth, owner, high - low))
    return found


def _word(truth: Truth, owner: Owner | Part | None) -> str:
    if owner is None:
        return "right" if "own" in truth.names else "missed"
    return "right" if owner.name in truth.names else "wrong"


def wrong(verdicts: list[Verdict], certainty: str = "certain") -> list[Verdict]:
    """Return the wrong ones of one certainty."""
    return [v for v in verdicts if v.word == "wrong" and v.owner and v.owner.certainty == certainty]


def share(verdicts: list[Verdict], word: str) -> float:
    """Return the share of a verdict, in bytes."""
    return sum(v.size for v in verdicts if v.word == word) / max(sum(v.size for v in verdicts), 1)

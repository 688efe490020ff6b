"""The words and figures of every view: names made harmless, sizes, signs and times."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from vmdiff import units
from vmdiff.harmless_text import printable as printable  # noqa: PLC0414  # one of the words of a view, too
from vmdiff.model import Mapping, Owner

UNKNOWN = "?"
LONGEST_NAME = 300


def name(text: str) -> str:
    """Make a file's or thread's name harmless, and cut it in the middle where it is absurdly long."""
    return shorten(printable(text), LONGEST_NAME)


def shorten(text: str, longest: int) -> str:
    """Cut the middle out of a text that is too long, keeping its end, which says more."""
    if len(text) <= longest:
        return text
    head = (longest - 1) // 3
    return f"{text[:head]}…{text[len(text) - (longest - 1 - head) :]}"


def plural(count: int, thing: str, things: str | None = None) -> str:
    """Count things: ``1 change``, ``12,000 changes``."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def size(count: int | None) -> str:
    """Write bytes for people, ``?`` where they are unknown."""
    return UNKNOWN if count is None else "0" if count == 0 else units.size(count)


def signed(count: int | None) -> str:
    """Write a change in bytes with its sign, ``?`` where it is unknown."""
    return UNKNOWN if count is None else units.signed(count)


def percent(part: int | None, whole: int | None) -> str:
    """Write a share of a total: ``78%``, ``<1%``; blank where it is unknown or nothing."""
    if not part or not whole:
        return ""
    return "<1%" if part * 100 < whole else f"{part * 100 // whole}%"


def cell(count: int | None, *, sign: bool) -> str:
    """Write a figure of a table: as `signed` or `size`, but zero is blank."""
    if count == 0:
        return ""
    return signed(count) if sign else size(count)


def residency(held: int, able: int) -> str:
    """Return how much of something is resident: ``4 KiB of 954 MiB resident``, ``all of 132 KiB``."""
    if held in (0, able):
        return f"{'all' if held else 'none'} of {size(able)} resident"
    return f"{size(held)} of {size(able)} resident"


def span(seconds: float) -> str:
    """Write a stretch of time: ``40 ms``, ``8.2 s``, ``3 min 20 s``, ``5 h 2 min``, ``12 days``."""
    if round(seconds * 1000) < 1000:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 2 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400:,} days"


def moment(when: datetime) -> str:
    """Write a time to the second, in UTC as the document has it."""
    return f"{when:%Y-%m-%d %H:%M:%S} {'UTC' if not when.utcoffset() else when.strftime('%z')}"


def owner_words(owner: Owner) -> str:
    """Name an owner with its label: ``malloc arena 3``, ``python arena (8 arenas, likely)``.

    Memory of several owners in one mapping goes by theirs, largest first.
    """
    if owner.parts:
        return _parts_words(owner)
    text, label = owner.name, name(owner.label or "")
    last = text.rpartition(" ")[2]
    for start in (f"{text} ", f"{last} "):  # `malloc arena` that is labelled `arena 3`
        if label.startswith(start):
            text, label = f"{text} {label.removeprefix(start)}", ""
    told = [label] if label else []
    if owner.certainty == "likely":
        told.append("likely")
    return f"{name(text)} ({', '.join(told)})" if told else name(text)


def owner_name(owner: Owner | None) -> str:
    """Name an owner without its label, several of one mapping by theirs; blank without one."""
    if owner is None:
        return ""
    return _parts_words(owner) if owner.parts else name(owner.name)


def evidence(owner: Owner | None) -> str:
    """Return what an owner is known by; of several in one mapping, how much each has of it."""
    if owner is None:
        return ""
    if owner.parts:
        sizes = _part_sizes(owner)
        shares = [f"{size(sizes[one])} {name(one)}" for one in sorted(sizes, key=lambda one: -sizes[one])]
        return f"of it {', '.join(shares[:4])}" + (f" and {len(shares) - 4} more" if shares[4:] else "")
    return f"seen: {shorten(printable(owner.evidence), LONGEST_NAME)}" if owner.evidence else ""


def _part_sizes(owner: Owner) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for part in owner.parts:
        sizes[part.name] = sizes.get(part.name, 0) + part.end - part.start
    return sizes


def _parts_words(owner: Owner) -> str:
    sizes = _part_sizes(owner)
    names = sorted(sizes, key=lambda one: (-sizes[one], one))
    return " + ".join(map(name, names[:2])) + (f" + {len(names) - 2} more" if names[2:] else "")


def title(mapping: Mapping) -> str:
    """Name a mapping by what is behind it, else by who asked for it, else by its kind.

    Examples: ``/usr/bin/cat``, ``[heap]``, ``malloc arena 3``, ``/memfd:x (deleted)``, ``anonymous``.
    """
    owner = mapping.owner
    if mapping.path is None or (owner and mapping.path == _TELLS_NOTHING):
        return owner_words(owner) if owner else str(mapping.kind)
    text = name(mapping.path) + (" (deleted)" if mapping.deleted else "")
    if owner is None or owner.name in _TOLD_BY_PATH:
        return text
    if owner.label and mapping.path.endswith(owner.label):
        owner = replace(owner, label=None)
    return f"{text}: {owner_words(owner)}"


def titles(mappings: Iterable[Mapping]) -> str:
    """Name several mappings at once, each title once, at most two of them."""
    found = list(dict.fromkeys(map(title, mappings)))
    if len(found) <= 2:
        return " + ".join(found)
    return f"{found[0]} + {plural(len(found) - 1, 'other')}"


def place(mappings: Sequence[Mapping]) -> str:
    """Return the addresses of neighbouring mappings, ``7f12a000-7f12c000``; blank where unknown."""
    start = min((mapping.start for mapping in mappings if mapping.start is not None), default=None)
    end = max((mapping.end for mapping in mappings if mapping.end is not None), default=None)
    return "" if start is None or end is None else f"{start:x}-{end:x}"


# Owners that the path names already, and a path that says less than its owner.
_TOLD_BY_PATH = frozenset(
    {"malloc heap", "main stack", "named", "kernel", "memfd", "sysv shared memory", "posix shared memory"}
)
_TELLS_NOTHING = "/dev/zero"

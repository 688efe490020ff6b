"""What only its shape tells: generated code and reservations. All of it is merely likely."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene

_SMALLEST_RESERVATION = 16 << 20


_WINDOWS = (".dll", ".exe")


def shapes(scene: Scene) -> Iterator[Claim]:
    """Claim anonymous memory by its permissions, its size and its neighbours alone."""
    no_code = _is_executable_anyway(scene)
    for place in scene.places(_may_be_claimed):
        mapping = scene.mappings[place]
        if mapping.kind is Kind.ANONYMOUS:
            if not (no_code or _has_a_file(mapping) or _fills_a_file(scene.mappings, place)):
                how = "executable memory without a file, apart from any executable or library"
                yield Claim(mapping.start, mapping.end, "jit code", "shape", how)
        elif mapping.size >= _SMALLEST_RESERVATION:
            how = "a large inaccessible range with nothing behind it"
            yield Claim(mapping.start, mapping.end, "reservation", "shape", how)


def _may_be_claimed(perms: str, kind: Kind, path: str | None) -> bool:
    return path is None and (kind is Kind.RESERVED or (kind is Kind.ANONYMOUS and perms[2:] == "xp"))


def _is_executable_anyway(scene: Scene) -> bool:
    """Return whether execute permission says nothing in this process.

    With READ_IMPLIES_EXEC (personality(2)) whatever is readable can be run, variables of programs too; Wine
    reads the sections of Windows programs into anonymous memory.
    """
    images = scene.of_kind(Kind.IMAGE)
    if any(m.perms[:3] == "rwx" or m.path.lower().endswith(_WINDOWS) for m in images if m.path):
        return True
    stacks = scene.of_kind(Kind.STACK, Kind.HEAP)
    return any(mapping.perms[2] == "x" for mapping in stacks) or any("wine" in o.path for o in scene.objects)


def _has_a_file(mapping: PlacedMapping) -> bool:
    """Return whether a listing shows a file behind a mapping whose name it lacks."""
    return bool(mapping.offset) or mapping.inode not in {"0", None} or mapping.device not in {"00:00", None}


def _fills_a_file(mappings: Sequence[PlacedMapping], place: int) -> bool:
    """Return whether what touches a mapping is a file's text, whose hole it fills: copied for huge pages."""
    beside = (
        above if below is mappings[place] else below
        for below, above in pairwise(mappings[max(place - 1, 0) : place + 2])
        if below.end == above.start
    )
    return any(m.kind in {Kind.IMAGE, Kind.FILE} and m.perms[2] == "x" for m in beside)

"""What only its shape tells: generated code and reservations. All of it is merely likely."""

from collections.abc import Iterator, Sequence

from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene

_SMALLEST_RESERVATION = 16 << 20


_WINDOWS = (".dll", ".exe")


def shapes(scene: Scene) -> Iterator[Claim]:
    """Claim anonymous memory by its permissions, its size and its neighbours alone."""
    no_code = _is_executable_anyway(scene)
    for below, mapping, above in _with_neighbours(scene.mappings):
        if mapping.path is not None:
            continue
        if mapping.kind is Kind.ANONYMOUS and mapping.perms[2:] == "xp":
            if not (no_code or _has_a_file(mapping) or _fills_a_file(below, above)):
                how = "executable memory without a file, apart from any executable or library"
                yield Claim(mapping.start, mapping.end, "jit code", "shape", how)
        elif mapping.kind is Kind.RESERVED and mapping.size >= _SMALLEST_RESERVATION:
            how = "a large inaccessible range with nothing behind it"
            yield Claim(mapping.start, mapping.end, "reservation", "shape", how)


def _with_neighbours(
    mappings: Sequence[PlacedMapping],
) -> Iterator[tuple[PlacedMapping | None, PlacedMapping, PlacedMapping | None]]:
    """Yield every mapping between those that touch it."""
    for at, mapping in enumerate(mappings):
        below = mappings[at - 1] if at and mappings[at - 1].end == mapping.start else None
        follows = at + 1 < len(mappings) and mappings[at + 1].start == mapping.end
        yield below, mapping, mappings[at + 1] if follows else None


def _is_executable_anyway(scene: Scene) -> bool:
    """Return whether execute permission says nothing in this process.

    With READ_IMPLIES_EXEC (personality(2)) whatever is readable can be run, variables of programs too; Wine
    reads the sections of Windows programs into anonymous memory.
    """
    images = [mapping for mapping in scene.mappings if mapping.kind is Kind.IMAGE and mapping.path]
    if any(m.perms[:3] == "rwx" or (m.path or "").lower().endswith(_WINDOWS) for m in images):
        return True
    stacks = (mapping for mapping in scene.mappings if mapping.kind in {Kind.STACK, Kind.HEAP})
    return any(mapping.perms[2] == "x" for mapping in stacks) or any("wine" in o.path for o in scene.objects)


def _has_a_file(mapping: PlacedMapping) -> bool:
    """Return whether a listing shows a file behind a mapping whose name it lacks."""
    return bool(mapping.offset) or mapping.inode not in {"0", None} or mapping.device not in {"00:00", None}


def _fills_a_file(below: PlacedMapping | None, above: PlacedMapping | None) -> bool:
    """Return whether what touches a mapping is a file's text, whose hole it fills: copied for huge pages."""
    beside = (neighbour for neighbour in (below, above) if neighbour is not None)
    return any(m.kind in {Kind.IMAGE, Kind.FILE} and m.perms[2] == "x" for m in beside)

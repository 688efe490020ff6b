"""What only its shape tells: generated code, guards, reservations. All of it is merely likely."""

from collections.abc import Iterator

from vmdiff.model import Kind, Mapping
from vmdiff.owners.claims import Claim, Scene

_LARGEST_GUARD = 64 << 10
_SMALLEST_RESERVATION = 16 << 20


def shapes(scene: Scene) -> Iterator[Claim]:
    """Claim anonymous memory by permissions and neighbours alone."""
    for mapping, above in zip(scene.mappings, (*scene.mappings[1:], None), strict=True):
        if mapping.path is not None or not mapping.private:
            continue
        if meaning := _meaning(mapping, above):
            yield Claim(mapping.start or 0, mapping.end or 0, meaning[0], "shape", meaning[1])


def _meaning(mapping: Mapping, above: Mapping | None) -> tuple[str, str] | None:
    if mapping.kind is Kind.ANONYMOUS and mapping.perms[2] == "x":
        return "jit code", "executable memory without a file"
    if mapping.kind is not Kind.RESERVED or mapping.size is None:
        return None
    if mapping.size >= _SMALLEST_RESERVATION:
        return "reservation", "a large inaccessible range with nothing behind it"
    touching = above is not None and above.start == mapping.end and above.kind is Kind.ANONYMOUS
    if mapping.size <= _LARGEST_GUARD and touching:
        return "guard page", "a few inaccessible pages right below accessible memory"
    return None

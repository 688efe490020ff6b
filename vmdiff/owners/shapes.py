"""What only its shape tells: generated code and reservations. All of it is merely likely."""

from collections.abc import Iterator

from vmdiff.model import Kind
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene

_SMALLEST_RESERVATION = 16 << 20


def shapes(scene: Scene) -> Iterator[Claim]:
    """Claim anonymous memory by its permissions and size alone."""
    anonymous, reserved = Kind.ANONYMOUS, Kind.RESERVED
    for mapping in scene.mappings:
        if mapping.path is not None:
            continue
        kind = mapping.kind
        if kind is anonymous and mapping.perms[2:] == "xp":
            how = "executable memory without a file"
            yield Claim(mapping.start, mapping.end, "jit code", "shape", how)
        elif kind is reserved and mapping.size >= _SMALLEST_RESERVATION:
            how = "a large inaccessible range with nothing behind it"
            yield Claim(mapping.start, mapping.end, "reservation", "shape", how)

"""What only its shape tells: generated code and reservations. All of it is merely likely."""

from collections.abc import Iterator

from vmdiff.model import Kind
from vmdiff.owners.claims import Claim, Scene

_SMALLEST_RESERVATION = 16 << 20


def shapes(scene: Scene) -> Iterator[Claim]:
    """Claim anonymous memory by its permissions and size alone."""
    for mapping in scene.mappings:
        if mapping.path is not None:
            continue
        start, end, perms, kind, *_ = mapping
        if perms[2:] == "xp" and kind is Kind.ANONYMOUS:
            yield Claim(start or 0, end or 0, "jit code", "shape", "executable memory without a file")
        elif kind is Kind.RESERVED and (mapping.size or 0) >= _SMALLEST_RESERVATION:
            how = "a large inaccessible range with nothing behind it"
            yield Claim(start or 0, end or 0, "reservation", "shape", how)

"""The memory of musl's malloc (mallocng, since 1.2.1), by its records (src/malloc/mallocng/meta.h).

Every group of slots, and every large block by itself, begins with the address of its `meta`, which
is elsewhere and has the group's address and the length of its mapping.
"""

import struct

from vmdiff.owners.block_headers import BlockReader, FoundBlock, Peek
from vmdiff.owners.scene import Scene

GROUP = "musl malloc"

# struct meta: prev, next, mem, two masks, and a word whose upper 52 bits are the length in pages.
_META = struct.Struct("<3Q2IQ")
_PAGE = 4096  # mallocng counts in these whatever the processor has


def is_musl(scene: Scene) -> bool:
    """Tell whether the C library is or may be musl: it is mapped, or the program is static."""
    known = scene.objects
    return len(known) == 1 or any("musl" in thing.path for thing in known)


def reader(scene: Scene) -> BlockReader:
    """Give what recognises a group that has a mapping, or a part of one, to itself."""

    def group(peek: Peek, address: int) -> FoundBlock | None:
        head = peek.at(address)
        meta = int.from_bytes(head[:8], "little") if head else 0
        if not meta or meta % 8 or peek.word != 8 or scene.at(meta) is None:
            return None
        raw = scene.read(meta, _META.size)
        if raw is None:
            return None
        *_, memory, _, _, bits = _META.unpack(raw)
        end = address + (bits >> 12) * _PAGE
        return FoundBlock(address, end, GROUP) if memory == address < end <= peek.end else None

    return group

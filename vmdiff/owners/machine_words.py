"""Read numbers out of a process's memory: the 64-bit little-endian words of records.

The rules of the runtimes read records that a hostile process may have forged, so every function
here reads a bounded number of bytes and answers None where they cannot be read.
"""

import struct
from collections.abc import Iterator, Sequence

from vmdiff.model import PlacedMapping
from vmdiff.owners.scene import Scene, is_plain

WORD = 8
_MOST_VARIABLES = 16 << 20


def word(scene: Scene, address: int) -> int | None:
    """Return the word at *address*."""
    raw = scene.read(address, WORD)
    return None if raw is None else int.from_bytes(raw, "little")


def words(scene: Scene, address: int, count: int) -> tuple[int, ...] | None:
    """Return *count* words from *address* on."""
    raw = scene.read(address, WORD * count)
    return None if raw is None else struct.unpack(f"<{count}Q", raw)


def word_each(scene: Scene, addresses: Sequence[int], width: int = WORD) -> list[int | None]:
    """Return the number of *width* bytes at every address."""
    return [
        None if raw is None else int.from_bytes(raw, "little") for raw in raw_each(scene, addresses, width)
    ]


def raw_each(scene: Scene, addresses: Sequence[int], length: int) -> list[bytes | None]:
    """Return *length* bytes at every address."""
    if scene.memory is None:
        return [None] * len(addresses)
    return scene.memory.read_many(addresses, length)


def unpacked(raw: bytes | None) -> tuple[int, ...]:
    """Return the whole words in *raw*, none if it could not be read."""
    return struct.unpack(f"<{len(raw) // WORD}Q", raw[: len(raw) // WORD * WORD]) if raw else ()


def zeroed(scene: Scene, image: Sequence[PlacedMapping], most: int = _MOST_VARIABLES) -> tuple[int, bytes]:
    """Return address and bytes of the .bss of the object mapped as *image*, *most* bytes of it.

    Large arrays, which linkers put last, are not read. The .bss begins in the last page of the data;
    the loader has touched that one. Data before it may be untouched, and looking must not change that.
    """
    last, page = image[-1], scene.page_size
    end = last.end
    bss = scene.at(end)
    head = scene.read(end - page, page) if last.perms.startswith("rw") else None
    rest = scene.read(end, min(bss.end - end, most)) if bss and is_plain(bss) else None
    return end - len(head or b""), (head or b"") + (rest or b"")


def data(scene: Scene, image: Sequence[PlacedMapping]) -> Iterator[tuple[int, bytes]]:
    """Yield address and bytes of the writable data of the object mapped as *image*, .bss left out."""
    for mapping in image:
        if mapping.perms.startswith("rw") and (raw := scene.read(mapping.start, mapping.size)):
            yield mapping.start, raw


def is_block(scene: Scene, start: int, end: int, *, files: tuple[str, ...] = ()) -> bool:
    """Return whether ``[start, end)`` is one stretch of unnamed private memory without holes.

    It may hold mappings of files whose path ends in one of *files*. What a record says to be a
    runtime's memory must at least look like it: a forged or misread one seldom does.
    """
    if not 0 < start < end or (start | end) % scene.page_size:
        return False
    reach = start
    for mapping in scene.within(start, end):
        if mapping.start > reach or not _is_unnamed(mapping, files):
            return False
        reach = mapping.end
    return reach >= end


def _is_unnamed(mapping: PlacedMapping, files: tuple[str, ...] = ()) -> bool:
    if mapping.path is None:
        return mapping.perms[3] == "p"
    return mapping.path.startswith("[anon:") or bool(files and mapping.path.endswith(files))

"""Tell CPython's objects from numbers that look like one: what else is true of a block that holds an object.

A reference count and the address of a type are two numbers, and any block may hold them. More is asked of
whatever tells more: the collector's links, the length of what has one and the size of its block, the zero
behind a text, the pointers and counts of containers. A float or a complex has nothing else, which is why
the census is `likely`. Facts: Include/object.h (reference counts), Include/internal/pycore_gc.h,
pycore_long.h and pycore_dict.h, Include/cpython/{unicodeobject,longintrepr,listobject,dictobject,setobject,
bytearrayobject}.h, Objects/typeobject.c (PyType_GenericAlloc) of CPython 3.9 to 3.14.
"""

from collections import abc
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from vmdiff.owners.inside.cpython_types import TypeObject
from vmdiff.owners.inside.pool_view import PoolView
from vmdiff.owners.scene import Scene

_LOWEST, _HIGHEST = 0x10000, 1 << 47  # addresses of user space
_COUNT = 0xFFFFFFFF
_STATE_AT = 2  # of a text's state: what is behind the bits on interning, which were 16 in alphas of 3.14 only
_UPPER = 0xFFFF << 32  # of a count never set, of an address above 4 GiB always; 3.14 has flags above it
_DIGIT = 1 << 30
_MOST = 1 << 40
_COLLECTING = 2
# Bytes of PyASCIIObject and PyCompactUnicodeObject by those of PyUnicodeObject: up to 3.11, later.
_TEXT_HEADS = {80: (48, 72), 64: (40, 56)}


class _Trait(NamedTuple):
    """What some words of every object of a type are; *places* count from the word behind its type."""

    places: tuple[int, ...]
    holds: Callable[..., bool]


class _Ending(NamedTuple):
    """The zeros behind the characters of a text: where they are in the block, and how many bytes."""

    offset: int
    width: int


class BlockEvidence:
    """What the objects of one interpreter are known by."""

    def __init__(self, scene: Scene, version: tuple[int, int] | None) -> None:
        self._scene = scene
        self._version = version or (3, 0)
        self._impossible = _UPPER if self._version >= (3, 14) else ~_COUNT

    def objects(self, view: PoolView, place: int, kinds: abc.Mapping[int, TypeObject]) -> list[int]:
        """Return which blocks are objects of *kinds*, the address of which is their word *place*."""
        found: Sequence[int] = self._named(view, place, kinds)
        if place > 1:  # the collector's two words are right before an object
            found = _having(view, place + 1, _Trait((-4, -3), _is_linked), found)
        by_type: dict[int, list[int]] = {}
        for index in found:
            by_type.setdefault(view.columns[place][index], []).append(index)
        held: list[int] = []
        for at, some in by_type.items():
            held += self._of_type(view, place + 1, kinds[at], some)
        return held

    def _named(self, view: PoolView, place: int, kinds: abc.Mapping[int, TypeObject]) -> list[int]:
        """Return the blocks with the address of a type behind what can be a reference count.

        An address can be one only where it is below 4 GiB, in a program that is mapped at a fixed place:
        there a list of types would look like objects.
        """
        taken, impossible, counts = view.taken, self._impossible, view.column(place - 1)
        found = [
            index
            for index, (count, at) in enumerate(zip(counts, view.columns[place], strict=True))
            if at in kinds and count & _COUNT and not count & impossible and index not in taken
        ]
        large = {counts[index] & _COUNT for index in found if counts[index] >= _LOWEST}
        mapped = {count for count in large if self._scene.at(count) is not None}
        return [index for index in found if counts[index] & _COUNT not in mapped] if mapped else found

    def _of_type(self, view: PoolView, first: int, kind: TypeObject, found: Sequence[int]) -> Sequence[int]:
        """Return those blocks whose words from *first* on an object of a type may have."""
        if kind.is_text or kind.is_bytes:
            found = _having(view, first, _Trait((1,), self._is_hash), found)
        if kind.has_inline_values:
            found = _having(view, first, _inline_values(kind, view.pool.size - kind.head), found)
        if kind.is_text:
            return self._texts(view, first, kind, found)
        for trait in self._traits(kind, view.pool.size):
            found = _having(view, first, trait, found)
        if kind.is_bytes and found:
            at = kind.head + kind.basic_size - 1
            ends = [at + length for length in view.column(first)]
            return [index for index in found if not any(view.bytes_at(index, ends[index], 1))]
        return found

    def _traits(self, kind: TypeObject, block: int) -> Iterator[_Trait]:
        room = block - kind.head
        if kind.has_length:
            yield _Trait((0,), lambda length: self._fits(kind, room, length))
        if kind.is_int:  # a digit has 30 bits, zero none
            zero = int(self._version >= (3, 12))
            yield _Trait((0, 1), lambda length, digit: length == zero or digit & _COUNT < _DIGIT)
        if kind.layout in _TRAITS:
            yield _TRAITS[kind.layout]

    def _fits(self, kind: TypeObject, room: int, length: int) -> bool:
        """Return whether an object with the word *length* behind its type takes a block with this *room*."""
        count = abs(length - (1 << 64) if length >> 63 else length)
        if kind.is_int and self._version >= (
            3,
            12,
        ):  # the sign is in two bits (1 for zero), a third is unused
            count = length >> 3
            if length & 3 == 3 or (length & 3 == 1 and count):
                return False
        # An instance of a subclass has room for one item more (PyType_GenericAlloc).
        counts = {count, max(count, 1), count + 1}
        return any(room - 16 < kind.basic_size + some * kind.item_size <= room for some in counts)

    def _is_hash(self, word: int) -> bool:
        """Return whether a word is a hash, or -1 for none: hardly one in 100,000 is an address, too."""
        return not _LOWEST <= word < _HIGHEST or self._scene.at(word) is None

    def _texts(self, view: PoolView, first: int, kind: TypeObject, found: Sequence[int]) -> list[int]:
        """Return those blocks that hold a text of the size that it says, with zeros behind its characters."""
        if first + 2 >= view.stride:
            return []
        said = [(n, state >> _STATE_AT & 31) for n, state in _rows(view, first, (0, 2))]
        ends = {one: _ending(kind, view.pool.size, *one) for one in {said[index] for index in found}}
        return [
            index
            for index in found
            if (end := ends[said[index]]) is not None and not any(view.bytes_at(index, *end))
        ]


def _ending(kind: TypeObject, block: int, length: int, state: int) -> _Ending | None:
    """Return where a text of *length* characters ends in its block; None if it does not take such a block.

    The characters of an instance of a subclass are elsewhere, and none of its bytes is looked at; since 3.14
    it may have the values of its attributes behind it.
    """
    width, compact, ascii_only = state & 7, state & 8, state & 16
    if width not in {1, 2, 4} or (ascii_only and width > 1):
        return None
    if not compact:
        is_whole = kind.has_inline_values or 0 <= block - kind.head - kind.basic_size < 16
        return _Ending(0, 0) if is_whole and kind.name != "str" else None
    heads = _TEXT_HEADS.get(kind.basic_size)
    if heads is None:
        return None
    end = heads[not ascii_only] + length * width
    return _Ending(end, width) if 0 <= block - end - width < 16 else None


def _rows(view: PoolView, first: int, places: Sequence[int]) -> list[tuple[int, ...]]:
    """Return of each block the words at some *places*, counted from word *first*."""
    return [*zip(*(view.column(first + place) for place in places), strict=True)]


def _having(view: PoolView, first: int, trait: _Trait, found: Sequence[int]) -> Sequence[int]:
    """Return those blocks that have a trait; a block that is too short for it has not."""
    if first + max(trait.places) >= view.stride or not found:
        return ()
    rows = _rows(view, first, trait.places)
    holds = {row: trait.holds(*row) for row in {rows[index] for index in found}}
    return [index for index in found if holds[rows[index]]]


def _is_address(word: int, flags: int = 0) -> bool:
    return _LOWEST <= word < _HIGHEST and not word & 7 & ~flags


def _is_linked(after: int, before: int) -> bool:
    """Return whether two words are the collector's: both links, or none if it does not track the object.

    While it collects, the second has a count instead. The lowest bits of both are flags.
    """
    if not after:
        return not before & ~3
    return _is_address(after, flags=1) and (bool(before & _COLLECTING) or _is_address(before, flags=3))


def _is_list(size: int, items: int, room: int) -> bool:
    return size <= room < _MOST and (_is_address(items) or not (room or items))


def _is_dict(used: int, keys: int, values: int) -> bool:
    return used < _MOST and _is_address(keys) and (not values or _is_address(values))


def _is_set(fill: int, used: int, mask: int, table: int) -> bool:
    return used <= fill <= mask < _MOST and not mask & mask + 1 and _is_address(table)


def _is_bytearray(size: int, room: int, raw: int, start: int) -> bool:
    return size <= room < _MOST and raw <= start <= raw + room and (_LOWEST <= raw < _HIGHEST or not room)


def _inline_values(kind: TypeObject, room: int) -> _Trait:
    """Return the trait of instances with values behind them: the first word there has their capacity."""
    return _Trait((kind.basic_size // 8 - 2,), lambda word: _holds_values(kind, room, word))


def _holds_values(kind: TypeObject, room: int, word: int) -> bool:
    """Return whether the values of an instance lie in its own block (PyDictValues): their number says so.

    The first instances of a type have room for one more than they say (_PyObject_InitInlineValues).
    """
    sizes = (kind.basic_size + -(-held // 8) * 8 + 8 + held * 8 for held in (word & 0xFF, (word & 0xFF) + 1))
    return word >> 16 & 0xFF == 1 and any(0 <= room - size < 16 for size in sizes)


_TRAITS = {
    "list": _Trait((0, 1, 2), _is_list),
    "dict": _Trait((0, 2, 3), _is_dict),
    "set": _Trait((0, 1, 2, 3), _is_set),
    "frozenset": _Trait((0, 1, 2, 3), _is_set),
    "bytearray": _Trait((0, 1, 2, 3), _is_bytearray),
}

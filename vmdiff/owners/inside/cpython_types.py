"""Recognise CPython's type objects, and what their flags say of where an object's type is in its block.

A block begins with what the garbage collector keeps of an object (two words, if the type has
`Py_TPFLAGS_HAVE_GC`), before that with the pre-header (two words, from 3.11 on, if the type has a managed
dict or, from 3.12 on, managed weak references); then come the reference count and the type. Facts:
Include/object.h, Include/cpython/object.h, Include/internal/pycore_object.h of CPython 3.9 to 3.14.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vmdiff.owners.machine_words import raw_each, unpacked
from vmdiff.owners.scene import Scene

_TYPE_OBJECT = 176  # bytes up to tp_flags
_NAME, _BASIC_SIZE, _ITEM_SIZE, _FLAGS = 3, 4, 5, 21  # words
_LONGEST_NAME = 128
_MANAGED, _HAVE_GC, _READY = 0b11 << 3, 1 << 14, 1 << 12
_LIST, _DICT, _TYPE = 1 << 25, 1 << 29, 1 << 31
_INT, _TUPLE, _BYTES, _TEXT = 1 << 24, 1 << 26, 1 << 27, 1 << 28
_INLINE_VALUES = 1 << 2
_LARGEST = 1 << 20
_MOST_TYPES = 1 << 18


@dataclass(frozen=True, slots=True)
class TypeObject:
    """A type: its name, sizes and flags."""

    name: str
    basic_size: int
    item_size: int
    flags: int

    @property
    def collected(self) -> bool:
        """Whether the garbage collector's two words come before an object."""
        return bool(self.flags & _HAVE_GC)

    @property
    def managed(self) -> bool:
        """Whether a pre-header of two words comes before that."""
        return bool(self.flags & _MANAGED)

    @property
    def head(self) -> int:
        """The bytes before the object in its block."""
        return 16 * (self.collected + self.managed)

    @property
    def is_type(self) -> bool:
        """Whether its objects are types."""
        return bool(self.flags & _TYPE)

    @property
    def layout(self) -> str | None:
        """The built-in type whose layout its objects begin with, if the census knows their buffers."""
        for flag, name in ((_LIST, "list"), (_DICT, "dict")):
            if self.flags & flag:
                return name
        return self.name if self.name in {"set", "frozenset", "bytearray", "numpy.ndarray"} else None

    @property
    def is_text(self) -> bool:
        """Whether its objects are texts."""
        return bool(self.flags & _TEXT)

    @property
    def is_bytes(self) -> bool:
        """Whether its objects are bytes."""
        return bool(self.flags & _BYTES)

    @property
    def is_int(self) -> bool:
        """Whether its objects are whole numbers, which have their sign in the word of their length."""
        return bool(self.flags & _INT)

    @property
    def has_length(self) -> bool:
        """Whether the length of an object says exactly how many bytes it takes."""
        return bool(self.flags & (_INT | _TUPLE | _BYTES))

    @property
    def has_inline_values(self) -> bool:
        """Whether the values of an instance's attributes follow the instance itself."""
        return bool(self.flags & _INLINE_VALUES)

    def fits(self, block: int) -> bool:
        """Return whether a block of *block* bytes is one that some object of this type may take."""
        if self.item_size or self.is_text or self.has_inline_values:
            return block >= _rounded(self.head + 16)
        return _rounded(self.head + self.basic_size) == block


def _rounded(size: int) -> int:
    return -(-size // 16) * 16


@dataclass(eq=False)
class Types:
    """The types of one interpreter, each looked at once; *root* is the address of `type` itself."""

    scene: Scene
    root: int
    known: dict[int, TypeObject | None] = field(default_factory=dict)
    found: dict[int, TypeObject] = field(default_factory=dict)

    def learn(self, addresses: Iterable[int]) -> None:
        """Find out which of *addresses* are types, with their metaclasses first."""
        new = [at for at in addresses if at not in self.known and not at % 8]
        if len(self.known) + len(new) > _MOST_TYPES * 64:
            return
        raws = [unpacked(raw) for raw in raw_each(self.scene, new, _TYPE_OBJECT)]
        metas = {words[1] for words in raws if words} - self.known.keys() - {self.root}
        likely = [at for at in metas if not at % 8 and self.scene.at(at)]
        for at, words in zip(likely, self._read(likely), strict=True):
            if words and words[1] == self.root:
                self._settle([at], [words])
        self._settle(new, raws)

    def _read(self, places: Sequence[int]) -> list[tuple[int, ...]]:
        return [unpacked(raw) for raw in raw_each(self.scene, places, _TYPE_OBJECT)]

    def _settle(self, places: Sequence[int], raws: Sequence[tuple[int, ...]]) -> None:
        """Remember of each place which type is there, None where there is none."""
        fits = [bool(words) and self._fits(words) for words in raws]
        names = iter(
            raw_each(self.scene, [w[_NAME] for w, fit in zip(raws, fits, strict=True) if fit], _LONGEST_NAME)
        )
        for at, words, fit in zip(places, raws, fits, strict=True):
            name = _text(next(names)) if fit else None
            self.known[at] = None
            if name:
                kind = TypeObject(name, words[_BASIC_SIZE], words[_ITEM_SIZE], words[_FLAGS])
                self.known[at] = self.found[at] = kind

    def _fits(self, words: tuple[int, ...]) -> bool:
        meta = self.known.get(words[1])
        return (
            (words[1] == self.root or (meta is not None and meta.is_type))
            and bool(words[_FLAGS] & _READY)
            and 16 <= words[_BASIC_SIZE] < _LARGEST
            and words[_ITEM_SIZE] < _LARGEST
        )


def _text(raw: bytes | None) -> str | None:
    text, end, _ = (raw or b"").partition(b"\0")
    name = text.decode("utf-8", "replace")
    return name if end and name and name.isprintable() else None

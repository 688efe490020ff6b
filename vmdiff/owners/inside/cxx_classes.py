"""The C++ class of an object by its first word, in stripped programs too.

An object of a class with virtual functions begins with a pointer into a table; the word before it leads to
the type's record, which begins with a pointer into a table of its own, and whose second word is the mangled
name. The word before that one is the offset to the whole object, 0 in the table that a whole object begins
with (Itanium C++ ABI, 2.5.2 and 2.9.5).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable

from vmdiff.elf.type_names import readable
from vmdiff.owners.scene import Scene

_LONGEST = 1024
_MANGLED = re.compile(rb"[A-Za-z0-9_]+\Z")


class CxxClasses:
    """The classes of one process, each looked up once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._word = scene.word_size
        self._found: dict[int, str | None] = {}
        files = [one for one in scene.mappings if one.path is not None and one.path.startswith("/")]
        self.ranges = tuple((one.start, one.end) for one in files)  # programs keep these tables there
        self._starts = [start for start, _ in self.ranges]

    def among(self, firsts: Iterable[int]) -> dict[int, str]:
        """Return the classes of those first words that lead to a table of one."""
        found = {first: self.name(first) for first in firsts if self._is_constant(first)}
        return {first: name for first, name in found.items() if name is not None}

    def name(self, first: int) -> str | None:
        """Return the class of an object whose first word is *first*; None where it has none."""
        if first not in self._found:
            self._found[first] = self._name(first)
        return self._found[first]

    def _name(self, first: int) -> str | None:
        head = self._pair(first - 2 * self._word)
        if head is None or head[0] != 0:
            return None
        record = self._pair(head[1])
        if record is None or not self._is_constant(record[0]) or not self._is_constant(record[1]):
            return None
        text = self._text(record[1])
        return readable(text.decode()) if text is not None and _MANGLED.match(text) else None

    def _is_constant(self, address: int) -> bool:
        at = bisect_right(self._starts, address) - 1
        return at >= 0 and address < self.ranges[at][1]

    def _pair(self, address: int) -> tuple[int, int] | None:
        """Return two words of a table or record."""
        word = self._word
        raw = None if address % word or not self._is_constant(address) else self._read(address, 2 * word)
        if raw is None:
            return None
        return int.from_bytes(raw[:word], "little"), int.from_bytes(raw[word:], "little")

    def _text(self, address: int) -> bytes | None:
        """Return a mangled name; a local type's has a ``*`` in front."""
        length = min(_LONGEST, self.ranges[bisect_right(self._starts, address) - 1][1] - address)
        text, end, _ = (self._read(address, length) or b"").partition(b"\0")
        return text.removeprefix(b"*") if end else None

    def _read(self, address: int, length: int) -> bytes | None:
        """Read the process's memory, or, as core files leave constants out, the file that is mapped there."""
        found = self._scene.read(address, length)
        mapping = self._scene.at(address)
        if found is not None or mapping is None or self._scene.memory is None or "w" in mapping.perms:
            return found
        file = self._scene.memory.open_object(mapping)
        if file is None:
            return None
        with file:
            file.seek((mapping.offset or 0) + address - mapping.start)
            found = file.read(length)
            return found if len(found) == length else None

"""Strings in the Java heap.

An object is a mark word, its class and its fields; references and classes are 8 bytes, or 4 that are
shifted and added to a base (src/hotspot/share/oops/{oop,compressedOops,compressedKlass}.hpp). The
layout of a class is the JVM's own business: strings are recognised by their class.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from vmdiff.owners.machine_words import raw_each
from vmdiff.owners.runtimes.hotspot_structs import HotSpot
from vmdiff.owners.scene import Scene

_MARK = 8
_COMPACT_SHIFT = 42  # the class in the mark word, with -XX:+UseCompactObjectHeaders
_STRING = 32  # bytes of a java.lang.String
_LONGEST = 256  # bytes of text that are read


class JavaHeap(NamedTuple):
    """How to follow references in the heap ``[start, end)``."""

    scene: Scene
    start: int
    end: int
    base: int
    shift: int
    string: int  # the class of strings
    narrow_string: int  # the same as 4 bytes

    @classmethod
    def of(cls, machine: HotSpot) -> "JavaHeap | None":
        """Read what is needed from the JVM's tables; None where it is not there."""
        bounds = machine.heap
        references, classes = machine.narrow("oop"), machine.narrow("klass")
        string = machine.string_class
        if not bounds or not string or references is None or classes is None:
            return None
        return cls(machine.scene, *bounds, *references, string, string - classes[0] >> classes[1])

    def text_in(self, raw: bytes) -> str | None:
        """Return the text of the first String that the object *raw* refers to."""
        for string in raw_each(self.scene, self._references(raw), _STRING):
            at = self._end_of_header(string)
            if string and at:
                return next(self._texts(string, at), None)
        return None

    def _end_of_header(self, raw: bytes | None) -> int:
        """Return where the fields of *raw* begin if it is a String, else 0."""
        if raw and int.from_bytes(raw[_MARK : _MARK + 4], "little") == self.narrow_string:
            return _MARK + 4
        if raw and int.from_bytes(raw[_MARK : _MARK + 8], "little") == self.string:
            return _MARK + 8
        if raw and int.from_bytes(raw[:_MARK], "little") >> _COMPACT_SHIFT == self.narrow_string:
            return _MARK
        return 0

    def _texts(self, string: bytes, header: int) -> Iterator[str]:
        """Yield what the fields after a String's header may refer to as text: Latin-1, or else UTF-16.

        An array has its length after the header, and its bytes after that.
        """
        for array in raw_each(self.scene, self._references(string, header), header + 4 + _LONGEST):
            length = int.from_bytes(array[header : header + 4], "little") if array else 0
            if array and 0 < length <= _LONGEST:
                text = array[header + 4 : header + 4 + length]
                decoded = text.decode("utf-16-le" if text[1:2] == b"\0" else "latin-1", "replace")
                if decoded.isprintable():
                    yield decoded

    def _references(self, raw: bytes, header: int = _MARK) -> list[int]:
        """Return every address in the heap that a field after the header could mean, in order."""
        narrow = struct.unpack_from(f"<{len(raw) // 4}I", raw)[header // 4 :]
        wide = struct.unpack_from(f"<{len(raw) // 8}Q", raw)[-(-header // 8) :]
        meant = [*(self.base + (value << self.shift) for value in narrow if value), *wide]
        return [at for at in meant if self.start <= at < self.end]

"""Find the CPython interpreter in a process: its variables, its version, whether it has the GIL.

`PyType_Type` and `_PyRuntime` are dynamic symbols of every CPython since 3.7. From 3.13 on `_PyRuntime`
begins with a description of itself (Include/internal/pycore_runtime.h, 3.13; pycore_debug_offsets.h, 3.14),
before that `Py_Version` (3.11 and later) or the name of the library has the version.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from vmdiff.model import Kind, Mapping
from vmdiff.owners.machine_words import WORD, data, unpacked, word, words, zeroed
from vmdiff.owners.mapped_objects import MappedObject
from vmdiff.owners.scene import Scene, is_plain

_NAMES = ("_PyRuntime", "PyType_Type", "Py_Version")
_PROGRAM = re.compile(r"python\d")
_COOKIE = int.from_bytes(b"xdebugpy", "little")
_VERSIONED_NAME = re.compile(r"python(\d)\.(\d+)(t?)")


@dataclass(frozen=True, eq=False)
class Interpreter:
    """A CPython: the object that it is in, its symbols, and its version as (3, 11), None where unknown."""

    scene: Scene
    library: MappedObject
    symbols: dict[str, int]
    version: tuple[int, int] | None
    free_threaded: bool

    @property
    def name(self) -> str:
        """``CPython 3.11``, or ``CPython`` if the version is unknown."""
        return "CPython {}.{}".format(*self.version) if self.version else "CPython"

    def remembered(self, what: str) -> int | None:
        """Return what the variable holds that led to *what* in another process of this library, if any."""
        address = self.scene.known.variable(self.library.file, what)
        bias = self.library.bias
        return None if address is None or bias is None else word(self.scene, bias + address)

    def remember(self, what: str, value: int) -> None:
        """Keep which variable of the library holds *value*, which leads to *what*."""
        wanted, bias = value.to_bytes(WORD, "little"), self.library.bias
        for start, raw in self._variables() if bias is not None else ():
            at = raw.find(wanted)
            if at >= 0:
                self.scene.known.remember(self.library.file, what, start + at - (bias or 0))
                return

    def _variables(self) -> Iterator[tuple[int, bytes]]:
        """Yield the address and the bytes of what the library has of variables."""
        image = self.library.mappings
        yield zeroed(self.scene, image)
        yield from data(self.scene, image)

    def pointers(self) -> list[int]:
        """Return, in order, the distinct words of its variables that point to aligned writable memory."""
        ordered = sorted(set().union(*(unpacked(raw) for _, raw in self._variables())))
        found = []
        for mapping in self.scene.mappings:
            if holds_records(mapping):
                low, high = (bisect_left(ordered, bound) for bound in (mapping.start, mapping.end))
                found += [value for value in ordered[low:high] if not value % 8]
        return found


def holds_records(mapping: Mapping) -> bool:
    """Return whether malloc or mmap may have returned this memory to the interpreter."""
    path = mapping.path
    named = path is not None and (path == "[heap]" or path.startswith("[anon:"))
    return is_plain(mapping) or (named and mapping.perms == "rw-p")


def interpreter(scene: Scene) -> Interpreter | None:
    """Return the interpreter that is mapped, initialised or not; None if there is none."""
    # Of an interpreter, its library and extension modules (.cpython-311-...) each has it in its name.
    if scene.word_size != 8 or scene.find_object("python") is None:
        return None
    for library in _libraries(scene):
        symbols = library.symbols(_NAMES)
        if "PyType_Type" in symbols:
            return _described(scene, library, symbols)
    return None


def _libraries(scene: Scene) -> Iterator[MappedObject]:
    """Yield what may be the interpreter: its library, then the program.

    Where the loader was run by name, it is the executable, and the program is found by its own name.
    """
    yield from (thing for thing in scene.objects if "libpython" in thing.name)
    yield from (thing for thing in scene.objects if thing == scene.executable or _PROGRAM.match(thing.name))


def _described(scene: Scene, library: MappedObject, symbols: dict[str, int]) -> Interpreter:
    head = words(scene, symbols["_PyRuntime"], 3) if "_PyRuntime" in symbols else None
    if head and head[0] == _COOKIE:  # version as in Py_Version, then whether it is free-threaded
        return Interpreter(scene, library, symbols, _version(head[1]), head[2] != 0)
    number = word(scene, symbols["Py_Version"]) if "Py_Version" in symbols else None
    if number:
        return Interpreter(scene, library, symbols, _version(number), False)
    name = _name(scene)
    version = (int(name[1]), int(name[2])) if name else None
    return Interpreter(scene, library, symbols, version, bool(name and name[3]))


def _version(number: int) -> tuple[int, int] | None:
    major, minor = number >> 24 & 0xFF, number >> 16 & 0xFF
    return (major, minor) if major == 3 else None


def _name(scene: Scene) -> "re.Match[str] | None":
    paths = (mapping.path or "" for mapping in scene.mappings if mapping.kind is Kind.IMAGE)
    found = (_VERSIONED_NAME.search(path.rpartition("/")[2]) for path in paths)
    return next((match for match in found if match), None)

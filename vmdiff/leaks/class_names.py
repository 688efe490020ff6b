"""The C++ class of an object by its first word, in stripped programs too.

An object of a class with virtual functions begins with a pointer into a table; the word before it leads to
the type's record, whose second word is the mangled name. The word before that one is the offset to the whole
object, 0 in the table that a whole object begins with (Itanium C++ ABI, 2.5.2 and 2.9.5).
"""

import re

from vmdiff.owners import Scene

_LONGEST = 200
_MANGLED = re.compile(rb"[A-Za-z0-9_]+\Z")
_NESTED = re.compile(r"N?(?:\d+[A-Za-z_]\w*)+E?\Z")


def class_name(scene: Scene, first: int) -> str | None:
    """Return the class of an object whose first word is *first*; None where it has none."""
    word = scene.word_size
    if first % word or not _is_constant(scene, first - 2 * word):
        return None
    head = _words(scene, first - 2 * word)
    if head is None or head[0] != 0 or not _is_constant(scene, head[1]):
        return None
    record = _words(scene, head[1])
    if record is None or not _is_constant(scene, record[1]):
        return None
    raw = scene.read(record[1], _LONGEST) or b""
    text = raw.split(b"\0")[0].removeprefix(b"*")
    return _readable(text.decode()) if len(text) < _LONGEST and _MANGLED.match(text) else None


def _is_constant(scene: Scene, address: int) -> bool:
    """Tell whether an address is in a file's mapping: programs keep these tables there."""
    mapping = scene.at(address)
    return mapping is not None and mapping.path is not None and mapping.path.startswith("/")


def _words(scene: Scene, address: int) -> tuple[int, int] | None:
    if address % scene.word_size:
        return None
    raw = scene.read(address, 2 * scene.word_size)
    if raw is None:
        return None
    half = scene.word_size
    return int.from_bytes(raw[:half], "little"), int.from_bytes(raw[half:], "little")


def _readable(mangled: str) -> str | None:
    """Return ``app::Node`` for ``N3app4NodeE``; what is not as plain stays mangled."""
    if not mangled[:1].isdigit() and not mangled.startswith(("N", "S")):
        return None
    if not _NESTED.match(mangled):
        return mangled
    rest, parts = mangled.removeprefix("N"), []
    while rest and rest != "E":
        number = re.match(r"\d+", rest)
        if number is None:
            return mangled
        end = number.end() + int(number[0][:4])
        parts.append(rest[number.end() : end])
        rest = rest[end:]
    return "::".join(parts)

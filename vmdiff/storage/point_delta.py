"""A snapshot document written as what differs from another one, its keyframe.

Two documents of one process differ in few of their lines, and these in a few digits. So a delta names the
lines that it shares with its keyframe, and compresses the others with the lines that they replace as preset
dictionary (RFC 1950). It opens with its keyframe alone.

    vmdiff-delta 1 KEYFRAME CRC32OFKEYFRAME COPIES
    zlib data of the lines that are not copied, each after a line feed

COPIES is a list of ``lines to take from what follows:first line of the keyframe:lines of it``, in order.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import NamedTuple

from vmdiff.errors import InputError

MAGIC = b"vmdiff-delta 1 "
_DICTIONARY = 32_000  # bytes: deflate looks back 32 KiB (RFC 1951), less what zlib keeps for itself
_COPY = rb"[0-9]{1,9}:[0-9]{1,9}:[0-9]{1,9}"
_HEAD = re.compile(
    rb"vmdiff-delta 1 ([^\s/]{1,255}) ([0-9a-f]{8}) ((?:" + _COPY + rb"(?:," + _COPY + rb")*)?)\n"
)
_LARGEST = 1 << 30
_MOST_LINES = 1_100_000  # a mapping a line; see `vmdiff.model.MOST_MAPPINGS`


class Copy(NamedTuple):
    """Some fresh lines, then *lines* lines of the keyframe from *first*."""

    fresh: int
    first: int
    lines: int


def is_delta(data: bytes) -> bool:
    """Return whether this is a delta, however broken."""
    return data.startswith(MAGIC)


def keyframe_of(data: bytes, *, source: str) -> str:
    """Return the file name of the keyframe that a delta needs.

    Raises:
        InputError: it is damaged.
    """
    return _head(data, source)[1].decode(errors="replace")


class Keyframe:
    """The document in the file *name*, made ready for the points that are written as what they differ in."""

    def __init__(self, name: str, document: bytes) -> None:
        self._lines = document.split(b"\n")
        self._places: dict[bytes, int] = {}  # of each line, the first where it is there twice
        for at, line in enumerate(self._lines):
            self._places.setdefault(line, at)
        self._head = MAGIC + f"{name} {zlib.crc32(document):08x} ".encode()

    def delta_of(self, document: bytes) -> bytes:
        """Write a document as its difference from this one."""
        lines = document.split(b"\n")
        copies = list(self._copies(lines))
        packer = zlib.compressobj(9, zdict=_dictionary(self._lines, copies))
        packed = packer.compress(b"".join(b"\n" + line for line in _fresh(lines, copies))) + packer.flush()
        told = ",".join(f"{copy.fresh}:{copy.first}:{copy.lines}" for copy in copies)
        return self._head + told.encode() + b"\n" + packed

    def _copies(self, lines: Sequence[bytes]) -> Iterator[Copy]:
        """Find runs of lines that both have, each line in the place nearest after the one before it."""
        places, theirs = self._places, self._lines
        at = fresh = 0
        while at < len(lines):
            first = places.get(lines[at])
            if first is None:
                fresh, at = fresh + 1, at + 1
                continue
            count = 1
            while lines[at + count : at + count + 1] == theirs[first + count : first + count + 1] != []:
                count += 1
            yield Copy(fresh, first, count)
            fresh, at = 0, at + count


def decoded(data: bytes, keyframe: bytes, *, source: str) -> bytes:
    """Read a document back from its delta and its keyframe.

    Raises:
        InputError: it is damaged, or that is not its keyframe.
    """
    head = _head(data, source)
    if head[2] != f"{zlib.crc32(keyframe):08x}".encode():
        raise InputError(f"{source}: its keyframe {head[1].decode(errors='replace')} is another by now")
    theirs = keyframe.split(b"\n")
    copies = [Copy(*map(int, text.split(b":"))) for text in head[3].split(b",") if text]
    unpacker = zlib.decompressobj(zdict=_dictionary(theirs, copies))
    try:
        text = unpacker.decompress(data[head.end() :], _LARGEST)
    except zlib.error as error:
        raise InputError(f"{source}: damaged ({error})") from error
    if not unpacker.eof:
        raise InputError(f"{source}: cut short")
    if sum(len(theirs[copy.first : copy.first + copy.lines]) for copy in copies) > _MOST_LINES:
        raise InputError(f"{source}: has more than {_MOST_LINES:,} lines; this is no snapshot")
    return b"\n".join(_joined(text.split(b"\n")[1:], theirs, copies))


def _head(data: bytes, source: str) -> "re.Match[bytes]":
    found = _HEAD.match(data)
    if found is None:
        raise InputError(f"{source}: the head of this point is damaged")
    return found


def _fresh(lines: Sequence[bytes], copies: Sequence[Copy]) -> list[bytes]:
    """Return the lines that no copy brings."""
    fresh: list[bytes] = []
    at = 0
    for copy in copies:
        fresh += lines[at : at + copy.fresh]
        at += copy.fresh + copy.lines
    return fresh + list(lines[at:])


def _dictionary(theirs: Sequence[bytes], copies: Sequence[Copy]) -> bytes:
    """Return the keyframe's lines that are not copied: what the fresh ones replace."""
    left = bytearray(b"\1") * len(theirs)
    for first, last in ((copy.first, min(copy.first + copy.lines, len(theirs))) for copy in copies):
        left[first:last] = bytes(max(last - first, 0))
    return b"\n".join(compress(theirs, left))[-_DICTIONARY:] or b"\n"


def _joined(fresh: Sequence[bytes], theirs: Sequence[bytes], copies: Sequence[Copy]) -> Iterator[bytes]:
    at = 0
    for copy in copies:
        yield from fresh[at : at + copy.fresh]
        yield from theirs[copy.first : copy.first + copy.lines]
        at += copy.fresh
    yield from fresh[at:]

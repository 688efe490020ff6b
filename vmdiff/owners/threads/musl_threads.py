"""musl's record of a thread, ``struct pthread`` (src/internal/pthread_impl.h, 1.2), above the thread's stack.

It points to itself, is in one circular list of all threads, and bounds its mapping and the stack.
64-bit x86 only: elsewhere the record is laid out otherwise.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.owners.machine_words import unpacked, zeroed
from vmdiff.owners.scene import Scene
from vmdiff.owners.threads.thread_record import ENDED, ThreadRecord, is_one_piece

_WORD = 8
_BEFORE, _AFTER, _TID = 16, 24, 48
_LENGTH = 160
_LONGEST_BSS = 256 << 10
_FIRST_BOUND = 64 // _WORD
_SMALLEST_STACK = 2048  # PTHREAD_STACK_MIN


class _Bounds(NamedTuple):
    """Five fields of the record that follow each other."""

    map_base: int
    map_size: int
    stack: int
    stack_size: int
    guard_size: int


class MuslThreads:
    """How musl keeps its threads."""

    after_at, before_at = _AFTER, _BEFORE

    def records_in(self, scene: Scene, base: int, head: bytes) -> Iterator[ThreadRecord]:
        """Yield the records in a piece of memory that begins at *base*."""
        words = memoryview(head[: len(head) // _WORD * _WORD]).cast("Q")
        for at in range(len(words) - _LENGTH // _WORD, -1, -1):
            address = base + at * _WORD
            if words[at] == address and (record := self._record(scene, address, head[at * _WORD :])):
                yield record
                return

    def record_at_link(self, scene: Scene, link: int) -> ThreadRecord | None:
        """Return the record at *link*: the list leads from record to record."""
        raw = scene.read(link, _LENGTH)
        return None if raw is None else self._record(scene, link, raw)

    def main_links(self, scene: Scene, pid: int) -> Iterator[int]:
        """Yield the list entry of the main thread: its record is in musl's .bss (``builtin_tls``)."""
        for thing in scene.objects:
            if not thing.is_musl and len(scene.objects) > 1:
                continue
            start, raw = zeroed(scene, thing.mappings, _LONGEST_BSS)
            for at, value in enumerate(unpacked(raw)):
                address = start + at * _WORD
                place = at * _WORD + _TID
                if value == address and int.from_bytes(raw[place : place + 4], "little") == pid:
                    yield address

    def other_lists(self, scene: Scene, head: int) -> Sequence[int]:  # noqa: ARG002  # the protocol's
        """Return nothing: there is one list."""
        return ()

    def _record(self, scene: Scene, address: int, raw: bytes) -> ThreadRecord | None:
        words = memoryview(raw[:_LENGTH]).cast("Q") if len(raw) >= _LENGTH else ()
        if not words or words[0] != address:
            return None
        tid = int.from_bytes(raw[_TID : _TID + 4], "little")
        for at in range(_FIRST_BOUND, len(words) - len(_Bounds._fields) + 1):
            if (bounds := _range(_Bounds(*words[at : at + 5]), address, scene.page_size)) and is_one_piece(
                scene, *bounds
            ):
                after, before = words[_AFTER // _WORD], words[_BEFORE // _WORD]
                return ThreadRecord(address, *bounds, tid or ENDED, address, after, before)
        return None


def _range(found: _Bounds, address: int, page: int) -> tuple[int, int] | None:
    """Return the bounds of the memory of a thread, if these fields can be what they are taken for."""
    low = found.stack - found.stack_size
    if not 0 < low < found.stack <= address or found.stack_size < _SMALLEST_STACK or found.guard_size % page:
        return None
    if found.map_base:
        fits = found.map_base <= low - found.guard_size and address < found.map_base + found.map_size
        return (
            (found.map_base, found.map_base + found.map_size) if fits and not found.map_base % page else None
        )
    # A stack that the program supplied: the record lies in its last pages.
    return (low // page * page, -(-(address + _LENGTH) // page) * page) if not found.guard_size else None

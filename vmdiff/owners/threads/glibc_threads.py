"""glibc's record of a thread, ``struct pthread`` (nptl/descr.h), at the top of the thread's stack.

It begins with a ``tcbhead_t`` that points to itself, has the thread's entry in one of three lists (stacks in
use, stacks supplied by the user, stacks kept for the next thread: nptl/allocatestack.c) right before the
thread id, and the block, size and guard size of the stack. A supplied stack leaves its list when the thread
ends, a stack of glibc's own stays listed with the id cleared. x86 only: other processors have another form.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.scene import Scene, is_plain
from vmdiff.owners.threads.thread_record import DESCRIPTOR, ENDED, ThreadRecord, is_one_piece, pointer

_LARGEST_TLS = 64 << 10  # how far below the end of a stack its record may lie, with static TLS
_SMALLEST_STACK = 16 << 10  # PTHREAD_STACK_MIN
_MAIN_TLS = 64 << 10  # how much memory beside an object may hold the main thread's record
_MOST_RECORDS = 4  # in one piece of memory
_MOST_FILES = 64  # beside which the main thread's record is looked for; a locale has 13
_GONE = frozenset({0, 0xFFFFFFFF})  # what the kernel and pthread_join leave as the id

# By the bytes of a word: where the record points to itself, and where it holds the thread id.
_SELF_AT = {8: 16, 4: 8}
_TID_AT = {8: 0x2D0, 4: 0x68}


class GlibcThreads:
    """How glibc keeps its threads in a process whose words have *word* bytes."""

    def __init__(self, word: int) -> None:
        self._word = word
        self._tid_at = _TID_AT[word]
        self.link_at = self._tid_at - 2 * word  # list_t list; pid_t tid;
        self.after_at, self.before_at = 0, word

    def records_in(self, scene: Scene, base: int, head: bytes) -> Iterator[ThreadRecord]:
        """Yield the records in a piece of memory that begins at *base*."""
        found = 0
        for at in self.descriptors(base, head):
            if record := self._record(scene, base + at, head[at : at + DESCRIPTOR]):
                yield record
                found += 1
                if found == _MOST_RECORDS:
                    return

    def descriptors(self, base: int, head: bytes) -> Iterator[int]:
        """Yield where in *head* something points to itself as a record does, the last one first."""
        word = self._word
        words = _words(head, word)
        step, self_at = 64 // word, _SELF_AT[word] // word
        first = -base % 64 // word
        last = (len(head) - self._tid_at - 4) // word
        for at in range(first + (last - first) // step * step, first - 1, -step):
            if words[at] == base + at * word == words[at + self_at]:
                yield at * word

    def tid_in(self, record: bytes) -> int:
        """Return the thread id in a record."""
        return int.from_bytes(record[self._tid_at : self._tid_at + 4], "little")

    def record_at_link(self, scene: Scene, link: int) -> ThreadRecord | None:
        """Return the record whose list entry is at *link*."""
        address = link - self.link_at
        raw = scene.read(address, DESCRIPTOR) if address > 0 else None
        if raw is None or 0 not in self.descriptors(address, raw):
            return None
        return self._record(scene, address, raw)

    def main_links(self, scene: Scene, pid: int) -> Iterator[int]:
        """Yield the list entry of the main thread, whose id is *pid* in the process's own namespace."""
        yield from (at + self.link_at for at in self.main_records(scene, pid))

    def main_records(self, scene: Scene, pid: int) -> Iterator[int]:
        """Yield where the main thread's record is: in memory of the dynamic linker.

        It is mapped beside an object; where libc maps the locale's files later they may come between.
        """
        for mapping in chain(_beside_objects(scene), _beside_files(scene)):
            for base, length in _both_ends(mapping):
                head = scene.read(base, length) or b""
                yield from (base + at for at in self.descriptors(base, head) if self.tid_in(head[at:]) == pid)

    def other_lists(self, scene: Scene, head: int) -> Sequence[int]:
        """Return the heads of the other two lists, which lie right beside (``_rtld_global``, since 2.34)."""
        step = 2 * self._word
        beside = [head + distance * step for distance in (-2, -1, 1, 2)]
        return [at for at in beside if self._is_linked(scene, at)]

    def _is_linked(self, scene: Scene, head: int) -> bool:
        """Return whether both neighbours of a list's entry lead back to it."""
        after, before = pointer(scene, head), pointer(scene, head + self._word)
        return (
            after != 0
            and pointer(scene, after + self._word) == head
            and before != 0
            and pointer(scene, before) == head
        )

    def _record(self, scene: Scene, address: int, raw: bytes) -> ThreadRecord | None:
        bounds = self._bounds(scene, raw, address)
        if bounds is None:
            return None
        tid = self.tid_in(raw)
        link = address + self.link_at
        after, before = (
            int.from_bytes(raw[at : at + self._word], "little")
            for at in (self.link_at, self.link_at + self._word)
        )
        return ThreadRecord(address, *bounds, ENDED if tid in _GONE else tid, link, after, before)

    def _bounds(self, scene: Scene, record: bytes, address: int) -> tuple[int, int] | None:
        """Find the stack's block, size and guard size in a record, wherever this glibc has them."""
        words = _words(record, self._word)
        for at in range(self._tid_at // self._word, len(words) - 2):
            block, size, guard = words[at : at + 3]
            if not 0 < block < address or size < _SMALLEST_STACK or guard >= size or guard % 4096:
                continue
            end = block + size
            if address < end <= address + _LARGEST_TLS and is_one_piece(scene, block, end):
                return block, end
        return None


def _words(raw: bytes, word: int) -> memoryview:
    whole = memoryview(raw[: len(raw) // word * word])
    return whole.cast("Q") if word == 8 else whole.cast("I")


def _beside_objects(scene: Scene) -> Iterator[PlacedMapping]:
    edges = (
        edge for thing in scene.objects for edge in (thing.mappings[0].start - 1, thing.mappings[-1].end)
    )
    yield from {m.start: m for m in map(scene.at, edges) if m and is_plain(m)}.values()
    if len(scene.objects) == 1:
        yield from (m for m in scene.mappings if m.path == "[heap]")


def _beside_files(scene: Scene) -> Iterator[PlacedMapping]:
    """Yield small memory beside the first files that are only data."""
    files = islice((m for m in scene.mappings if m.kind is Kind.FILE), _MOST_FILES)
    edges = (edge for file in files for edge in (file.start - 1, file.end))
    beside = {m.start: m for m in map(scene.at, edges) if m and is_plain(m)}
    yield from (mapping for mapping in beside.values() if mapping.size <= _MAIN_TLS)


def _both_ends(mapping: PlacedMapping) -> Iterator[tuple[int, int]]:
    if mapping.size <= 2 * _MAIN_TLS:
        yield mapping.start, mapping.size
    else:
        yield mapping.start, _MAIN_TLS
        yield mapping.end - _MAIN_TLS, _MAIN_TLS

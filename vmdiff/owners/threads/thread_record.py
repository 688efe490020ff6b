"""What a C library's record of a thread says, and what makes it one: links of a list that lead back to it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

from vmdiff.model import Kind
from vmdiff.owners.scene import Scene, is_plain

ENDED = 0
DESCRIPTOR = 0x900  # longer than the record of any version
_MOST_ZONES = 16  # HotSpot cuts a stack into a few zones of its own
_MOST_LISTED = 65_536


class ThreadRecord(NamedTuple):
    """A record at *address*: the stack that it bounds, guard included, and where its list goes on.

    *tid* is the id in the process's own pid namespace, `ENDED` where the thread has ended. *link* is the
    address of the list's entry in the record, *after* and *before* are what the entry holds.
    """

    address: int
    start: int
    end: int
    tid: int
    link: int
    after: int
    before: int


class ThreadLibrary(Protocol):
    """A C library's way of keeping its threads: how to read a record, and where a list's entry has what."""

    @property
    def after_at(self) -> int:
        """Where in a list's entry the address of the next one is."""

    @property
    def before_at(self) -> int:
        """Where in a list's entry the address of the one before is."""

    def records_in(self, scene: Scene, base: int, head: bytes) -> Iterator[ThreadRecord]:
        """Yield the records in a piece of memory that begins at *base*."""

    def record_at_link(self, scene: Scene, link: int) -> ThreadRecord | None:
        """Return the record whose list entry is at *link*."""

    def main_links(self, scene: Scene, pid: int) -> Iterator[int]:
        """Yield the list entry of the main thread, whose id is *pid* in the process's own namespace."""

    def other_lists(self, scene: Scene, head: int) -> Sequence[int]:
        """Return the heads of the library's other lists, by the *head* of one."""


def linked(scene: Scene, records: Iterable[ThreadRecord], library: ThreadLibrary) -> list[ThreadRecord]:
    """Return the records that a neighbour in their list leads back to.

    What resembles a record (an old one in memory that was a stack, a copy, other data) is in no list. One
    neighbour is enough, since the list may change while it is read.
    """
    listed = list(records)
    known = {record.link: record for record in listed}
    unsure: list[ThreadRecord] = []
    proven: list[ThreadRecord] = []
    for record in listed:
        after, before = known.get(record.after), known.get(record.before)
        follows = after is not None and after is not record and after.before == record.link
        precedes = before is not None and before is not record and before.after == record.link
        (proven if follows or precedes else unsure).append(record)
    width = scene.word_size
    places = [at for r in unsure for at in (r.after + library.before_at, r.before + library.after_at)]
    raw = scene.memory.read_many(places, width) if scene.memory else []
    for number, record in enumerate(unsure):
        back = [int.from_bytes(word, "little") for word in raw[2 * number : 2 * number + 2] if word]
        alone = record.after == record.link and record.before == record.link
        if record.link in back and not alone:
            proven.append(record)
    return proven


def follow(
    scene: Scene, library: ThreadLibrary, entry: int | None, known: Sequence[ThreadRecord]
) -> Iterator[ThreadRecord]:
    """Yield the records that the list of *entry* and its library's other lists have, but for *known* ones."""
    seen = {record.link for record in known}
    heads = [] if entry is None else [entry]
    left = _MOST_LISTED
    while heads:
        link = heads.pop()
        visited: set[int] = set()
        while link and link not in visited and left:
            visited.add(link)
            left -= 1
            if link not in seen:
                seen.add(link)
                record = library.record_at_link(scene, link)
                if record is not None:
                    yield record
                else:  # the head of the list, or the main thread
                    heads += [head for head in library.other_lists(scene, link) if head not in seen]
            link = pointer(scene, link + library.after_at)


def own_ids(scene: Scene) -> dict[int, int]:
    """Return the thread ids of the snapshot by the ids that the process itself has for its threads."""
    tids = list(scene.thread_names)
    return {tid: tid for tid in tids} if scene.memory is None else scene.memory.own_ids(tids)


def pointer(scene: Scene, address: int) -> int:
    """Return the word at *address*, 0 where it cannot be read."""
    raw = scene.read(address, scene.word_size)
    return int.from_bytes(raw, "little") if raw else 0


def is_one_piece(scene: Scene, start: int, end: int) -> bool:
    """Return whether anonymous memory, some of it inaccessible perhaps, fills a range without holes."""
    pieces = scene.within(start, end)
    if not 0 < len(pieces) <= _MOST_ZONES or pieces[0].start > start or pieces[-1].end < end:
        return False
    touching = all(below.end == above.start for below, above in pairwise(pieces))
    return touching and all(is_plain(piece) or piece.kind in {Kind.RESERVED, Kind.HEAP} for piece in pieces)

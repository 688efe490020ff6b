"""What each thread keeps in its static thread-local storage, such as glibc's pointer to its arena.

On x86 the storage lies below the C library's record of the thread (``struct pthread``), which points to
itself twice and holds the thread's id (nptl/descr.h, sysdeps/x86_64/nptl/tls.h). It is at the top of the
thread's stack; the first thread's is in a small mapping that the loader made. Other processors have it
elsewhere: there nothing is found.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, compress, count, islice
from operator import eq

from vmdiff.owners.allocators.glibc_state import words
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.scene import Scene

_TOP = 16 << 10  # bytes of a stack that hold the record, and the storage of most programs
_NEAR = 512  # words; libc.so is loaded early, so its variables are near the record
_MOST_THREADS = 4096
_LARGEST_TLS = 256 << 10  # of a mapping that the loader made, and of what the kernel merged with it
_MOST_SMALL = 256

_TID_AT = {8: 0x2D0, 4: 0x68}  # by the bytes of a word, in the record


def thread_variables(scene: Scene) -> dict[int, frozenset[int]]:
    """Return, by thread id, the words that a thread has right below its record."""
    return {**dict(_first(scene)), **dict(_others(scene))}


def _others(scene: Scene) -> Iterator[tuple[int, frozenset[int]]]:
    number = 0
    for start, end, owner in owned_ranges(scene, "thread stack"):
        if owner.tid is None or number >= _MOST_THREADS:
            continue
        number += 1
        if found := _near_record(scene, max(start, end - _TOP), end):
            yield owner.tid, found


def _first(scene: Scene) -> Iterator[tuple[int, frozenset[int]]]:
    """Yield the first thread's: in memory that the loader is known to have for it, else in small mappings."""
    pid = scene.snapshot.process.pid or 0
    proven = main_storage(scene, _TOP)
    small = (held.range for held in reversed(scene.touched) if held.size <= _LARGEST_TLS)
    for start, end in chain(proven, islice(small, _MOST_SMALL)):  # the loader's is among the last
        if found := _near_record(scene, start, end):
            yield pid, found
            return


def main_storage(scene: Scene, size: int) -> Iterator[tuple[int, int]]:
    """Yield where the first thread's storage may be by its owner, of *size* bytes at most.

    The owner covers the record, and below it what surely is storage; libraries may have more there.
    """
    for start, end, owner in owned_ranges(scene, "loader"):
        mapping = scene.at(start) if owner.label == "main thread" else None
        if mapping is not None:
            yield max(mapping.start, end - size), end


def _near_record(scene: Scene, low: int, high: int) -> frozenset[int] | None:
    """Return the words below the record of a thread that lies in ``[low, high)``."""
    held = words(scene, low, (high - low) // scene.word_size)
    at = None if held is None else _record(held, low, scene.word_size)
    return None if held is None or at is None else frozenset(held[max(at - _NEAR, 0) : at])


def _record(held: Sequence[int], low: int, word: int) -> int | None:
    """Return the index of the word where the record begins."""
    tid_at = _TID_AT[word] // word
    own_addresses = map(eq, held, count(low, word))  # compared without Python's loop: hardly a word does
    for at in reversed([*compress(range(len(held) - tid_at), own_addresses)]):
        if held[at + 2] == held[at] and held[at + tid_at] & 0xFFFFFFFF:  # in a container another id than here
            return at
    return None

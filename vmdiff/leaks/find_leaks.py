"""A live process or a core file -> what of its allocators' blocks nothing in it points to.

A process stands still while its memory is copied; what follows is done with the copy, while it runs on.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

from vmdiff import units
from vmdiff.leaks.leak_report import LeakReport, LostAmount, SearchedMemory
from vmdiff.leaks.lost_groups import LostGroups
from vmdiff.leaks.reachable import BlockGraph, numpy
from vmdiff.leaks.still_process import StillProcess, dumped, held_still
from vmdiff.leaks.thread_registers import ThreadRegisters
from vmdiff.owners import RULES, Scene, assigned
from vmdiff.owners.inside.block_listers import used_blocks
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.inside.used_blocks import UsedBlocks

HELD_STILL = 10.0  # seconds at most
# Owners whose memory has blocks, and is searched as roots where nobody lists them.
_ALLOCATORS = ("malloc heap", "malloc arena", "jemalloc", "tcmalloc", "mimalloc", "musl malloc")


def find_leaks(pid: int, *, limit: float = HELD_STILL) -> LeakReport:
    """Search a process, which stands still for at most *limit* seconds.

    Raises:
        MissingExtraError: numpy is not installed.
        ProcessError: it cannot be observed, is too large, or parts of it are swapped out.
    """
    numpy()
    with held_still(pid, limit) as still:
        return _report(still)


def find_leaks_in_core(path: Path) -> LeakReport:
    """Search a core file.

    Raises:
        MissingExtraError: numpy is not installed.
        InputError: the file is no core of a process.
    """
    numpy()
    with dumped(path) as still:
        return _report(still)


def _report(still: StillProcess) -> LeakReport:
    scene = assigned(Scene(still.snapshot, still.memory), RULES)
    bases = [base for raw in still.registers.values() if (base := ThreadRegisters(raw).base)]
    blocks = tuple(used_blocks(scene, bases, objects=True))
    guard = _guard(still)
    graph = BlockGraph(blocks, scene.word_size, guard)
    for raw in still.registers.values():
        graph.add_roots(raw)
    _add_memory(graph, still, scene)
    lost = graph.lost()
    groups = LostGroups(scene, graph, lost)
    return LeakReport(
        process=still.snapshot.process,
        taken_at=still.snapshot.taken_at,
        frozen_seconds=None if still.seconds is None else round(still.seconds, 6),
        searched=SearchedMemory.model_validate(
            {
                "blocks": len(graph.starts),
                "bytes": int(graph.sizes.sum()),
                "not": tuple(_not_searched(scene, blocks, still, mangled=guard is not None)),
            }
        ),
        lost=LostAmount(blocks=int(lost.which.sum()), bytes=int(graph.sizes[lost.which].sum())),
        groups=groups.rows(),
        others=groups.others(),
    )


def _add_memory(graph: BlockGraph, still: StillProcess, scene: Scene) -> None:
    dead = sorted(_below_stacks(scene, still.registers))
    for piece in still.pieces:
        for start, end in _alive(piece.start, piece.end, dead):
            if data := piece.read(start, end):
                graph.add_memory(start, data)


def _guard(still: StillProcess) -> int | None:
    """Return the number that glibc mixes saved pointers with."""
    for raw in still.registers.values():
        place = ThreadRegisters(raw).guard
        found = None if place is None else still.memory.read(place, 8)
        if found is not None:
            return int.from_bytes(found, "little")
    return None


def _below_stacks(scene: Scene, registers: dict[int, bytes]) -> Iterator[tuple[int, int]]:
    """Yield the part of each thread's stack below its pointer: what calls that ended left there."""
    stacks = [(start, end) for start, end, _ in owned_ranges(scene, "thread stack")]
    stacks = sorted([*stacks, *((one.start, one.end) for one in scene.mappings if one.path == "[stack]")])
    for raw in registers.values():
        at = ThreadRegisters(raw).lowest_used
        below = 0 if at is None else bisect_right(stacks, (at, 0)) - 1
        if at is not None and below >= 0 and stacks[below][0] < at < stacks[below][1]:
            yield stacks[below][0], at


def _alive(start: int, end: int, dead: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what of ``[start, end)`` is not in one of the *dead* ranges, which are in order."""
    for low, high in dead[max(bisect_right(dead, (start, 0)) - 1, 0) :]:
        if low >= end:
            break
        if high > start:
            if low > start:
                yield start, low
            start = max(start, high)
    if start < end:
        yield start, end


def _not_searched(
    scene: Scene, blocks: Sequence[UsedBlocks], still: StillProcess, *, mangled: bool
) -> Iterator[str]:
    """Yield what was not looked at, a sentence each."""
    if not any(one.starts for one in blocks):
        yield "malloc: no blocks of an allocator that vmdiff lists were found"
    for one in blocks:
        yield from one.unread
    yield from _unlisted(scene, blocks)
    if still.missing:
        yield f"{units.size(still.missing)} that could not be read: what only they point to looks lost"
    if len(still.registers) < len(scene.snapshot.process.threads or ()):
        yield "registers of some threads: what only they point to looks lost"
    if not mangled and scene.find_object("libc.so.6", "libc-2.") is not None:
        yield "pointers that glibc mangles: what only they point to looks lost"
    yield from still.doubts
    yield "pointers that are kept encoded, compressed, by the kernel or by another process"


def _unlisted(scene: Scene, blocks: Sequence[UsedBlocks]) -> Iterator[str]:
    """Yield the memory of allocators in which no blocks were listed."""
    grounds = sorted(ground for one in blocks for ground in one.grounds)
    sizes: dict[str, int] = {}
    for start, end, owner in owned_ranges(scene, *_ALLOCATORS):
        at, mapping = bisect_right(grounds, (end, 0)) - 1, scene.at(start)
        if mapping is None or mapping.perms[0] != "r" or mapping.values.get("rss") == 0:
            continue
        if at < 0 or grounds[at].end <= start:
            sizes[owner.name] = sizes.get(owner.name, 0) + end - start
    for name, size in sizes.items():
        yield f"{name}: the blocks in {units.size(size)} of it are not listed, their contents count as roots"

"""A live process -> what of its malloc's blocks nothing in it points to.

The process stands still while its memory is copied; what follows is done with the copy, while it runs on.
"""

import platform
from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from vmdiff.capture import ProcessFolder, read
from vmdiff.capture.freeze import frozen
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.capture.memory_copy import CopiedPiece, MemoryCopy, pieces_of
from vmdiff.errors import ProcessError
from vmdiff.leaks.class_names import class_name
from vmdiff.leaks.leak_report import LeakReport, LostAmount, LostGroup, SearchedMemory
from vmdiff.leaks.reachable import BlockGraph, LostBlocks, numpy
from vmdiff.model import PlacedMapping, Snapshot
from vmdiff.model.usage import MOST_GROUPS
from vmdiff.owners import RULES, Scene, assign
from vmdiff.owners.inside.glibc_blocks import UsedBlocks, glibc_blocks
from vmdiff.owners.inside.owned_ranges import owned_ranges

if TYPE_CHECKING:
    import numpy as np

LARGEST = 4 << 30  # bytes that are copied
HELD_STILL = 10.0  # seconds at most
_OTHERS = ("jemalloc", "tcmalloc", "mimalloc", "musl heap")
_MOST_CLASSES = 4096
# struct user_regs_struct: words of 8 bytes (arch/x86/include/asm/user_64.h)
_STACK_POINTER, _THREAD_BASE, _REGISTERS = 19, 21, 27
_RED_ZONE = 128
_GUARD_AT = 0x30  # pointer_guard in tcbhead_t (sysdeps/x86_64/nptl/tls.h)


class _StillCopy(NamedTuple):
    """What was copied while the process stood still."""

    snapshot: Snapshot
    pieces: list[CopiedPiece]
    registers: dict[int, bytes]
    seconds: float
    doubts: tuple[str, ...]


def find_leaks(pid: int, *, limit: float = HELD_STILL) -> LeakReport:
    """Search a process, which stands still for at most *limit* seconds.

    Raises:
        MissingExtraError: numpy is not installed.
        ProcessError: it cannot be observed, is too large, or parts of it are swapped out.
    """
    numpy()
    with ProcessFolder(pid) as folder:
        with frozen(folder, limit, registers=True) as freeze:
            snapshot = read(folder, detail="smaps")
            with LiveMemory(folder.pid, folder=folder, mappings=snapshot.mappings) as live:
                _check_size(snapshot)
                pieces = [piece for one in _searched(snapshot) for piece in pieces_of(live, one)]
        if any(doubt.startswith("let go") for doubt in freeze.doubts):
            raise ProcessError(
                f"process {pid} ran on after {limit:g} s, before it was copied: --freeze-limit allows more"
            )
        taken = _StillCopy(snapshot, pieces, freeze.registers, freeze.seconds, tuple(freeze.doubts))
        with LiveMemory(folder.pid, folder=folder, mappings=snapshot.mappings) as live:
            return _report(taken, MemoryCopy(live, pieces))


def _searched(snapshot: Snapshot) -> Iterator[PlacedMapping]:
    """Yield the mappings that may hold pointers: what is writable, and what was written."""
    for one in snapshot.placed:
        written = one.perms[1] == "w" or one.values.get("anonymous") or one.values.get("private_dirty")
        if one.perms[0] == "r" and written:
            yield one


def _check_size(snapshot: Snapshot) -> None:
    held = sum(snapshot.value(one, "rss") or 0 for one in _searched(snapshot))
    swapped = sum(snapshot.value(one, "swap") or 0 for one in _searched(snapshot))
    if swapped:
        raise ProcessError(
            f"{swapped >> 10:,} KiB of it are swapped out and stay there:"
            " what only they point to would look lost"
        )
    if held > LARGEST:
        raise ProcessError(
            f"{held >> 20:,} MiB would be copied; vmdiff leaks copies {LARGEST >> 20:,} at most"
        )


def _report(taken: _StillCopy, memory: MemoryCopy) -> LeakReport:
    scene = Scene(taken.snapshot, memory)
    scene = Scene(assign(scene, RULES), memory)
    blocks = glibc_blocks(scene) or UsedBlocks(_none(), _none(), (), ())
    graph = BlockGraph(blocks, scene.word_size, _guard(taken, memory))
    for raw in taken.registers.values():
        graph.add_roots(raw[: _REGISTERS * 8])
    dead = sorted(_below_stacks(scene, taken.registers))
    for piece in taken.pieces:
        for start, end in _alive(piece, dead):
            if data := piece.data and piece.read(start, end):
                graph.add_memory(start, data)
    lost = graph.lost()
    where = lost.which
    return LeakReport(
        process=taken.snapshot.process,
        taken_at=taken.snapshot.taken_at,
        frozen_seconds=round(taken.seconds, 6),
        searched=SearchedMemory.model_validate(
            {
                "blocks": len(graph.starts),
                "bytes": int(graph.sizes.sum()),
                "not": tuple(_not_searched(scene, blocks, taken)),
            }
        ),
        lost=LostAmount(blocks=int(where.sum()), bytes=int(graph.sizes[where].sum())),
        groups=tuple(_groups(scene, graph, lost)),
    )


def _none() -> "array[int]":
    return array("Q")


def _guard(taken: _StillCopy, memory: MemoryCopy) -> int | None:
    """Return the number that glibc mixes saved pointers with."""
    raw = taken.registers.get(taken.snapshot.process.pid or 0)
    if raw is None or platform.machine() != "x86_64" or len(raw) < _REGISTERS * 8:
        return None
    found = memory.read(_register(raw, _THREAD_BASE) + _GUARD_AT, 8)
    return None if found is None else int.from_bytes(found, "little")


def _register(raw: bytes, number: int) -> int:
    return int.from_bytes(raw[number * 8 : number * 8 + 8], "little")


def _below_stacks(scene: Scene, registers: dict[int, bytes]) -> Iterator[tuple[int, int]]:
    """Yield the part of each thread's stack below its pointer: what calls that ended left there."""
    if platform.machine() != "x86_64":
        return
    stacks = [(start, end) for start, end, _ in owned_ranges(scene, "thread stack")]
    stacks += [(one.start, one.end) for one in scene.mappings if one.path == "[stack]"]
    for raw in registers.values():
        at = _register(raw, _STACK_POINTER) - _RED_ZONE
        yield from ((start, at & ~7) for start, end in stacks if start < at < end)


def _alive(piece: CopiedPiece, dead: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what of a piece is not dead."""
    at = piece.start
    for start, end in dead:
        if start < piece.end and end > at:
            if start > at:
                yield at, start
            at = max(at, min(end, piece.end))
    if at < piece.end:
        yield at, piece.end


def _not_searched(scene: Scene, blocks: UsedBlocks, taken: _StillCopy) -> Iterator[str]:
    """Yield what was not looked at, a sentence each."""
    if not blocks.starts:
        yield "malloc: no blocks of glibc's malloc were found"
    yield from blocks.unread
    for name in dict.fromkeys(held.owner.name for held in owned_ranges(scene, *_OTHERS)):
        yield f"{name}: its blocks are not listed, its memory counts as roots"
    missing = sum(piece.end - piece.start for piece in taken.pieces if piece.data is None)
    if missing:
        yield f"{missing:,} bytes that could not be read: what only they point to looks lost"
    if len(taken.registers) < len(scene.snapshot.process.threads or ()):
        yield "registers of some threads"
    yield from taken.doubts
    yield "pointers that are kept encoded, compressed, by the kernel or by another process"


def _groups(scene: Scene, graph: BlockGraph, lost: LostBlocks) -> list[LostGroup]:
    """Return the lost blocks by class and size: those with the largest trees first."""
    np = numpy()
    where = np.nonzero(lost.which)[0]
    if not len(where):
        return []
    names = _names(scene, graph.first[where])
    keys = list(zip(names, graph.sizes[where].tolist(), strict=True))
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    group_of = np.full(len(lost.which), -1)
    group_of[where] = [numbers[key] for key in keys]
    counts = np.bincount(group_of[where], minlength=len(numbers))
    tops = lost.tops()
    begin = [tops[group_of[tops] == number] for number in range(min(len(numbers), MOST_GROUPS))]
    order = sorted(range(len(begin)), key=lambda number: -len(begin[number]))
    behind = dict(zip(order, lost.behind([begin[number] for number in order]), strict=True))
    found = [
        LostGroup(
            name=name,
            size=size,
            blocks=int(counts[number]),
            bytes=int(counts[number]) * size,
            roots=len(begin[number]),
            held=LostAmount(blocks=len(behind[number]), bytes=int(graph.sizes[behind[number]].sum())),
        )
        for (name, size), number in numbers.items()
        if number in behind
    ]
    return sorted(found, key=lambda one: (not one.roots, -(one.held.bytes if one.held else 0), -one.bytes))


def _names(scene: Scene, first: "np.ndarray[Any, Any]") -> list[str | None]:
    """Return the class of each block by its first word."""
    np = numpy()
    values, inverse, counts = np.unique(first, return_inverse=True, return_counts=True)
    known: dict[int, str | None] = {}
    for index in np.argsort(-counts)[:_MOST_CLASSES].tolist():
        known[index] = class_name(scene, int(values[index]))
    return [known.get(index) for index in inverse.tolist()]

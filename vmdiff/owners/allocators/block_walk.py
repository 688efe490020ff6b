"""Blocks that begin with a header of their own, wherever the kernel merged them into one mapping.

A mapping of private anonymous memory is walked block by block: a reader that knows the header at
an address gives the block, and the next one begins where it ends. What no reader knows is passed
over a page at a time, within a budget, so that forged headers and huge mappings cost little. Runs
of blocks must be anchored: at an end of the mapping or at memory that a stronger record explains.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from vmdiff.owners.allocators import musl
from vmdiff.owners.allocators.glibc import LARGE_BLOCK, chunk
from vmdiff.owners.allocators.musl import is_musl
from vmdiff.owners.block_headers import HEADER, BlockReader, FoundBlock, Peek
from vmdiff.owners.claim import Claim, Settled
from vmdiff.owners.runtimes.cpython import ARENA, arena, is_python
from vmdiff.owners.scene import Scene

_THRESHOLD = 128 << 10  # malloc gives smaller requests a mapping of their own only when told to
_MOST_UNKNOWN = 512  # pages without a header that are looked at in one mapping
_BUDGET = 4096  # and in all of them
_MOST_BLOCKS = 65_536
_FREE = 16
_POOL = 16 << 10  # the largest alignment of what an arena begins with
_KNOWN = "known"  # the kind of a stretch that another rule claims

_SEEN = {
    LARGE_BLOCK: (
        "chunk headers of malloc with only IS_MMAPPED set, each as long as up to the next",
        "blocks",
    ),
    musl.GROUP: ("groups of musl's malloc, whose records elsewhere lead back to them", "groups"),
    ARENA: ("pool headers of CPython's allocator, all of one arena", "arenas"),
}


def blocks(scene: Scene) -> Iterator[Claim]:
    """Claim large blocks of malloc, arenas of CPython and groups of musl, several in a mapping or not."""
    if scene.memory is None:
        return
    readers = list(_readers(scene))
    large = [m for m in scene.touched if m.end - m.start > _THRESHOLD]
    budget = SearchBudget(min(_FREE, _BUDGET // max(len(large), 1)))
    heads = scene.memory.read_many([mapping.start for mapping in large], HEADER)
    for mapping, head in zip(large, heads, strict=True):
        if budget.is_spent and head and any(head[:8]):
            continue  # no large block begins here, and nothing else may be looked at
        peek = Peek(scene, mapping, head)
        runs = list(_runs(_walk(peek, readers, scene.settled, budget)))
        limits = [*(run[0].start for run in runs[1:]), peek.end]
        for run, limit in zip(runs, limits, strict=False):
            yield from _claims(peek, run, limit)


def _readers(scene: Scene) -> Iterator[BlockReader]:
    """Give the readers of what may be in a process."""
    yield chunk
    if is_python(scene):
        yield arena
    if is_musl(scene):
        yield musl.reader(scene)


class SearchBudget:
    """How many pages without a header may be looked at: *free* ones in each mapping, *rest* in all."""

    def __init__(self, free: int, rest: int = _BUDGET) -> None:
        self.free = free
        self.rest = rest
        self.blocks = _MOST_BLOCKS

    def allows_more(self, block: FoundBlock) -> bool:
        """Tell whether another block may follow; small ones of malloc are rare, so they use up the rest."""
        self.blocks -= 1
        if block.kind == LARGE_BLOCK and block.end - block.start < _THRESHOLD:
            self.rest -= 1
        return self.blocks > 0 and self.rest >= 0

    @property
    def is_spent(self) -> bool:
        """Whether no page beyond the first of a mapping may be looked at any more."""
        return self.rest <= 0 and not self.free

    def allows(self, missed: int) -> bool:
        """Tell whether a mapping where *missed* pages had no header may have another."""
        if missed <= self.free:
            return True
        self.rest -= 1
        return self.rest >= 0 and missed <= _MOST_UNKNOWN


def _walk(
    peek: Peek, readers: Sequence[BlockReader], known: Settled, budget: SearchBudget
) -> Iterator[FoundBlock]:
    """Yield the blocks of a mapping, lowest first."""
    address, missed = peek.start, 0
    while address < peek.end:
        block = _explained(known, address)
        for reader in readers if block is None else ():
            block = block or reader(peek, address)
        if block is not None:
            yield block
            address = block.end
            if not budget.allows_more(block):
                return
            continue
        missed += 1
        if not budget.allows(missed):
            return
        address += peek.page
        peek.fetch(address)


def _explained(known: Settled, address: int) -> FoundBlock | None:
    end = known.end_at(address)
    return None if end is None else FoundBlock(address, end, _KNOWN)


def _runs(found: Iterable[FoundBlock]) -> Iterator[list[FoundBlock]]:
    """Group blocks that follow each other without a gap."""
    run: list[FoundBlock] = []
    for block in found:
        if run and run[-1].end != block.start:
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def _claims(peek: Peek, run: list[FoundBlock], limit: int) -> Iterator[Claim]:
    """Claim a run of blocks that is anchored, neighbours of one kind together; *limit* is what follows."""
    at_start, at_end = run[0].start == peek.start, run[-1].end >= peek.end
    if run[0].kind == ARENA and not at_start:
        run = _fitted(run, limit)
    elif {block.kind for block in run} == {LARGE_BLOCK} and not (at_start or at_end):
        return
    whole = at_start and at_end
    for kind, alike in groupby(run, key=lambda block: block.kind):
        same = list(alike)
        if kind == _KNOWN or (kind == LARGE_BLOCK and not whole and _is_small(same)):
            continue
        evidence, plural = _SEEN[kind]
        label = f"{len(same)} {plural}" if len(same) > 1 else None
        yield Claim(same[0].start, same[-1].end, kind, "record", evidence, label)


def _is_small(run: Sequence[FoundBlock]) -> bool:
    return any(block.end - block.start < _THRESHOLD for block in run)


def _fitted(run: list[FoundBlock], limit: int) -> list[FoundBlock]:
    """Move arenas to what follows them: they may begin a few pages later, since pools are aligned.

    Where that does not fit, only what lies between the first and the last pool is certain.
    """
    missing = limit - run[-1].end
    if 0 <= missing < _POOL:
        return [FoundBlock(block.start + missing, block.end + missing, block.kind) for block in run]
    first, last = -(-run[0].start // _POOL) * _POOL, run[-1].end // _POOL * _POOL
    return [
        FoundBlock(max(block.start, first), last if block is run[-1] else block.end, block.kind)
        for block in run
    ]

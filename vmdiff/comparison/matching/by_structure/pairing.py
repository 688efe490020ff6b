"""Which blocks of two snapshots have been paired so far, and what each pairing rests on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from vmdiff.comparison.matching.by_structure.assignment import Pair
from vmdiff.comparison.matching.by_structure.fingerprint import Block
from vmdiff.comparison.matching.region import Region
from vmdiff.model import Mapping


class Entry(NamedTuple):
    """Blocks that belong together, and why; *replaced*: they are of two builds of one object."""

    before: tuple[Block, ...]
    after: tuple[Block, ...]
    because: str
    replaced: bool = False


@dataclass
class Ledger:
    """Two snapshots on their way to being paired.

    Each block is taken at most once. *anchors* are the pairs that others are placed by, *pids* the
    processes' numbers, *same_boot* says that inodes mean the same on both sides.
    """

    before: list[Block]
    after: list[Block]
    pids: tuple[int | None, int | None]
    same_boot: bool
    anchors: list[Pair] = field(default_factory=list)
    _entries: dict[int, Entry] = field(default_factory=dict)  # by the place of their first block before
    _left: tuple[list[Block], list[Block]] = ([], [])
    _taken: tuple[set[int], set[int]] = field(default_factory=lambda: (set(), set()))

    def __post_init__(self) -> None:
        before, after = (
            [block for block in side if block.family.anonymous] for side in (self.before, self.after)
        )
        self._left = before, after

    def left(self) -> tuple[list[Block], list[Block]]:
        """Return the anonymous blocks that nothing has taken yet."""
        before, after = (
            [block for block in side if block.at not in taken]
            for side, taken in zip(self._left, self._taken, strict=True)
        )
        self._left = before, after  # whoever asks next looks at these only
        return before, after

    def entries(self) -> list[Entry]:
        """Return what belongs together so far."""
        return list(self._entries.values())

    def couple(self, before: Block, after: Block, because: str, *, replaced: bool = False) -> None:
        """Make a pair of two blocks."""
        self._entries[before.at] = Entry((before,), (after,), because, replaced)
        self._taken[0].add(before.at)
        self._taken[1].add(after.at)

    def gather(self, before: Sequence[Block], after: Sequence[Block], because: str) -> None:
        """Make one region of blocks that have no counterparts one by one."""
        entry = Entry(_in_order(before), _in_order(after), because)
        self._entries[entry.before[0].at] = entry
        self._taken[0].update(block.at for block in before)
        self._taken[1].update(block.at for block in after)

    def replace(
        self, entries: Sequence[Entry], before: Sequence[Block], after: Sequence[Block], because: str
    ) -> None:
        """Make one region in the place of some entries, whose blocks are among *before* and *after*."""
        for entry in entries:
            del self._entries[entry.before[0].at]
        self.gather(before, after, because)

    def regions(self) -> list[Region]:
        """Return every region: the pairs, then what is left; in the order of the snapshots."""
        placed = []
        mates = {}
        for before, after, because, replaced in self._entries.values():
            region = Region(_mappings(before), _mappings(after), because, replaced=replaced)
            mates[before[0].at] = after[0].at
            placed.append((after[0].at, 1, before[0].at, region))
        mate = -1
        for block in self.before:
            mate = mates.get(block.at, mate)
            if block.at not in self._taken[0]:
                placed.append((mate, 2, block.at, Region((block.mapping,), ())))
        alone = [block for block in self.after if block.at not in self._taken[1]]
        placed += [(block.at, 0, 0, Region((), (block.mapping,))) for block in alone]
        placed.sort(key=lambda entry: entry[:3])
        return [entry[3] for entry in placed]


def _mappings(blocks: tuple[Block, ...]) -> tuple[Mapping, ...]:
    if len(blocks) == 1:
        return (blocks[0].mapping,)
    return tuple([block.mapping for block in blocks])


def _in_order(blocks: Sequence[Block]) -> tuple[Block, ...]:
    return tuple(sorted(blocks, key=lambda block: block.at))

"""Pair the mappings of two different runs, whose addresses mean nothing.

Each step takes what the steps before left over:

1. **Objects.** Files, libraries and what the kernel names (``[heap]``, ``[stack]``, ``[vdso]``) are paired
   object by object (`objects` decides when two are the same), and within an object segment
   by segment in the order of offsets, so that a library with one more segment is seen as such. What
   continues the data of a program or library goes with it.
2. **Labels.** Anonymous memory that can be told from all other by whose it is: the stack of the only
   thread of its name, an arena by its rank, memory with a name of its own.
3. **Crowds.** Equal blocks in numbers have no identity. Those that are alike in everything are pairs; if
   more than one change remains, all that remains is one region, n -> m.
4. **Owners and names.** What has the same owner or name on both sides, in order.
5. **Unusual sizes.** What is large and the only one of its size on both sides is the same, wherever it is.
6. **Place.** What is left lies between neighbours that have been paired. Between the same two, an
   assignment that keeps the order and costs least (`vmdiff.comparison.matching.by_structure.assignment`).
7. **Size.** The kernel fills holes, so neighbours change places from run to run. What has lost one neighbour
   is paired by its size, next to the other or anywhere; then by the other neighbour alone; then by order
   with what has about the same size.
8. **Permissions.** What is as large as what is missing between the same neighbours has been reprotected.
9. **Borders.** What the kernel merged differently, and the two parts of a reservation, become one region
   (`vmdiff.comparison.matching.by_structure.merges`).

Whatever is left then is new or removed.

Ties cannot depend on which snapshot is called before: the two are put into an order that follows from
their contents alone, paired, and turned back.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from vmdiff.comparison.matching.by_structure import objects
from vmdiff.comparison.matching.by_structure.assignment import Fits, Pair, assign
from vmdiff.comparison.matching.by_structure.fingerprint import (
    Block,
    Family,
    Traits,
    agree,
    base_name,
    blocks,
    terms,
)
from vmdiff.comparison.matching.by_structure.gaps import Neighbours, above, below, between, gaps
from vmdiff.comparison.matching.by_structure.merges import LARGE, join_merged, join_reservations
from vmdiff.comparison.matching.by_structure.order import stand_in_order
from vmdiff.comparison.matching.by_structure.pairing import Ledger
from vmdiff.comparison.matching.region import Region
from vmdiff.model import Snapshot

CROWD = 8  # so many equal blocks on a side are a crowd


def pair(before: Snapshot, after: Snapshot) -> list[Region]:
    """Give every region of two snapshots of different runs; each mapping lies in exactly one.

    ``pair(after, before)`` gives the same regions with their sides exchanged.
    """
    compared = terms(before, after)
    known: dict[Traits, Family] = {}
    ours, theirs = blocks(before, compared, known), blocks(after, compared, known)
    pids = before.process.pid, after.process.pid
    same_boot = before.host.boot_id is not None and before.host.boot_id == after.host.boot_id
    if stand_in_order((ours, before), (theirs, after)):
        return _regions(Ledger(ours, theirs, pids, same_boot))
    turned = _regions(Ledger(theirs, ours, pids[::-1], same_boot))
    return [region._replace(before=region.after, after=region.before) for region in turned]


def _regions(ledger: Ledger) -> list[Region]:
    for step in (
        _objects,
        _attached,
        _labels,
        _crowds,
        _owners,
        _unusual,
        _place,
        _equal_size,
        _neighbour,
        _other_permissions,
        join_reservations,
        join_merged,
    ):
        step(ledger)
    return ledger.regions()


def _objects(ledger: Ledger) -> None:
    """Pair what files and the kernel's names are behind, segment by segment."""
    ours = objects.things(ledger.before, ledger.pids[0])
    theirs = objects.things(ledger.after, ledger.pids[1])
    for match in objects.match(ours, theirs):
        segments = objects.segments(match)
        replaced = objects.is_other_build(match, segments, same_boot=ledger.same_boot)
        for old, new in segments:
            ledger.couple(old, new, objects.because(match, old, new), replaced=replaced)
        ledger.anchors += segments


def _attached(ledger: Ledger) -> None:
    """Pair what continues the data of a program or library: ``.bss``, and what the kernel merged with it."""
    left = tuple({block.at: block for block in side if block.placed} for side in ledger.left())
    for below_old, below_new in ledger.anchors:
        old, new = left[0].get(below_old.at + 1), left[1].get(below_new.at + 1)
        if old and new and _may_pair(old, new):
            name = base_name(below_old.family.object or "")
            ledger.couple(old, new, f"the memory that continues {name}")


def _labels(ledger: Ledger) -> None:
    """Pair memory that is the only one of its owner and label, or the only one of its name."""
    for family, ours, theirs in _shared(ledger, _label):
        if len(ours) == len(theirs) == 1:
            ledger.couple(ours[0], theirs[0], f"the only {_called(family)}")


def _crowds(ledger: Ledger) -> None:
    """Settle equal blocks in numbers: pairs of those that are alike, one region of what differs."""
    for _, ours, theirs in _shared(ledger, _equal_blocks):
        if max(len(ours), len(theirs)) < CROWD:
            continue
        alike, olds, news = _pairs_alike(ours, theirs)
        because = "as equal blocks in numbers"
        if max(len(olds), len(news)) > 1 and len(ours) != len(theirs):
            ledger.gather(ours, theirs, because)
            continue
        for old, new in alike:
            ledger.couple(old, new, because)
        if max(len(olds), len(news)) > 1:
            ledger.gather(olds, news, because)


def _pairs_alike(
    ours: Sequence[Block], theirs: Sequence[Block]
) -> tuple[list[Pair], list[Block], list[Block]]:
    """Pair what is alike in everything, in order; give the pairs and what is left of either side.

    Names with the same numbers go first.
    """
    pairs: list[Pair] = []
    for key in (_contents, _likeness):
        waiting = _grouped(reversed(theirs), key)
        olds = []
        for block in ours:
            if held := waiting.get(key(block)):
                pairs.append((block, held.pop()))
            else:
                olds.append(block)
        left = {block.at for held in waiting.values() for block in held}
        ours, theirs = olds, [block for block in theirs if block.at in left]
    return pairs, list(ours), list(theirs)


def _contents(block: Block) -> Hashable:
    return block.contents


def _likeness(block: Block) -> Hashable:
    return block.likeness


def _owners(ledger: Ledger) -> None:
    """Pair what has the same owner or name, in order."""
    for family, ours, theirs in _shared(ledger, _owner):
        called = _called(family.kin)
        because = f"the only {called}" if len(ours) == len(theirs) == 1 else f"by order among: {called}"
        _couple(ledger, ours, theirs, because)


def _unusual(ledger: Ledger) -> None:
    """Pair what is large and the only one of its size, wherever it is."""
    for _, ours, theirs in _shared(ledger, _large):
        if len(ours) == len(theirs) == 1:
            ledger.couple(ours[0], theirs[0], "the only one of its size")


def _place(ledger: Ledger) -> None:
    """Pair what has equal permissions between the same neighbours, in order and at the least cost."""
    _fill(ledger, between, _may_pair)


def _equal_size(ledger: Ledger) -> None:
    """Pair what has the same size, next to the same neighbour if it can be, else anywhere."""
    _fill(ledger, above, _may_pair_at_equal_size)
    _fill(ledger, below, _may_pair_at_equal_size)
    for _, ours, theirs in _shared(ledger, _family_and_size):
        _couple(ledger, ours, theirs, "by size")


def _neighbour(ledger: Ledger) -> None:
    """Pair what has the same neighbour on one side at least, or else about the same size."""
    _fill(ledger, above, _may_pair)
    _fill(ledger, below, _may_pair)
    _couple(ledger, *ledger.left(), "by order and size", _may_pair_at_similar_size)


def _other_permissions(ledger: Ledger) -> None:
    """Pair what has the same size at the same place, and other permissions."""
    _fill(ledger, between, _may_be_reprotected)


def _fill(ledger: Ledger, telling: Callable[[Neighbours], Hashable], fits: Fits) -> None:
    for gap in gaps(ledger.anchors, *ledger.left(), telling):
        _couple(ledger, gap.before, gap.after, f"by order {gap.where}", fits)


def _couple(
    ledger: Ledger,
    ours: Sequence[Block],
    theirs: Sequence[Block],
    because: str,
    fits: Fits = lambda _old, _new: True,
) -> None:
    for old, new in assign(ours, theirs, fits):
        ledger.couple(old, new, because)


def _shared(
    ledger: Ledger, key: Callable[[Block], Hashable]
) -> Iterator[tuple[Family, list[Block], list[Block]]]:
    """Yield what is left on both sides and has the same *key* (None: none), with the family of the first."""
    ours, theirs = (_grouped(side, key) for side in ledger.left())
    for shared, blocks_before in ours.items():
        if shared in theirs:
            yield blocks_before[0].family, blocks_before, theirs[shared]


def _grouped(side: Iterable[Block], key: Callable[[Block], Hashable]) -> dict[Hashable, list[Block]]:
    groups: dict[Hashable, list[Block]] = {}
    for block in side:
        if (shared := key(block)) is not None:
            groups.setdefault(shared, []).append(block)
    return groups


def _label(block: Block) -> Hashable:
    family = block.family
    return (family.kin, family.label) if family.label or family.name else None


def _equal_blocks(block: Block) -> Hashable:
    return None if block.placed else _family_and_size(block)


def _family_and_size(block: Block) -> Hashable:
    return (block.family.kin, block.size)


def _large(block: Block) -> Hashable:
    return _family_and_size(block) if block.size >= LARGE else None


def _owner(block: Block) -> Hashable:
    family = block.family
    return family.kin if family.owner or family.name else None


def _called(family: Family) -> str:
    """Give the words for one of a family: ``malloc arena (arena 3)``, ``[anon:dalvik]``."""
    if family.owner is None:
        return family.name or str(family.kind)
    return f"{family.owner} ({family.label})" if family.label else family.owner


def _may_pair(old: Block, new: Block) -> bool:
    """Say whether two blocks may be the same; of two sizes, a block and a thread's stack are not."""
    one, other = old.family, new.family
    if old.guarded != new.guarded and old.size != new.size and one.name is other.name is None:
        return False
    return one is other or (one.kind is other.kind and agree(one, other) and _same_owner(one, other))


def _may_pair_at_equal_size(old: Block, new: Block) -> bool:
    return old.size == new.size and _may_pair(old, new)


def _may_pair_at_similar_size(old: Block, new: Block) -> bool:
    return old.size <= 2 * new.size and new.size <= 2 * old.size and _may_pair(old, new)


def _may_be_reprotected(old: Block, new: Block) -> bool:
    one, other = old.family, new.family
    return old.size == new.size and one.perms[3] == other.perms[3] and _same_owner(one, other)


def _same_owner(one: Family, other: Family) -> bool:
    """Say whether the owners and names are the same, as far as they are known."""
    owners = one.owner is None or other.owner is None or one.owner == other.owner
    return owners and (one.name is None or other.name is None or one.name == other.name)

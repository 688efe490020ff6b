"""Pair the mappings of two different runs, whose addresses mean nothing.

Each step takes what the steps before left over:

0. **Names.** What has a name of its own, spelled alike to the last digit, on both sides.
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
    blocks,
    terms,
)
from vmdiff.comparison.matching.by_structure.gaps import Neighbours, above, below, between, gaps
from vmdiff.comparison.matching.by_structure.merges import LARGE, join_merged, join_reservations
from vmdiff.comparison.matching.by_structure.order import stand_in_order
from vmdiff.comparison.matching.by_structure.pairing import Ledger
from vmdiff.comparison.matching.region import Region
from vmdiff.model import Snapshot, base_name

_MANY = 8  # so many equal blocks on a side are a crowd


def pair(before: Snapshot, after: Snapshot) -> list[Region]:
    """Return every region of two snapshots of different runs; each mapping lies in exactly one.

    ``pair(after, before)`` gives the same regions with their sides exchanged.
    """
    compared = terms(before, after)
    known: dict[Traits, Family] = {}
    blocks_before, blocks_after = blocks(before, compared, known), blocks(after, compared, known)
    pids = before.process.pid, after.process.pid
    same_boot = before.host.boot_id is not None and before.host.boot_id == after.host.boot_id
    if stand_in_order((blocks_before, before), (blocks_after, after)):
        return _regions(Ledger(blocks_before, blocks_after, pids, same_boot))
    turned = _regions(Ledger(blocks_after, blocks_before, pids[::-1], same_boot))
    return [region._replace(before=region.after, after=region.before) for region in turned]


def _regions(ledger: Ledger) -> list[Region]:
    for step in (
        _exact_names,
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
    before = objects.things(ledger.before, ledger.pids[0])
    after = objects.things(ledger.after, ledger.pids[1])
    for match in objects.match(before, after):
        segments = objects.segments(match)
        replaced = objects.is_other_build(match, segments, same_boot=ledger.same_boot)
        for one, other in segments:
            ledger.couple(one, other, objects.because(match, one, other), replaced=replaced)
        ledger.anchors += segments


def _exact_names(ledger: Ledger) -> None:
    """Pair anonymous memory whose name is there once on both sides, numbers in it included."""
    for _, ours, theirs in _shared(ledger, lambda block: block.mapping.path):
        if len(ours) == len(theirs) == 1 and agree(ours[0].family, theirs[0].family):
            ledger.couple(ours[0], theirs[0], f"the only {ours[0].mapping.path}")


def _attached(ledger: Ledger) -> None:
    """Pair what continues the data of a program or library: ``.bss``, and what the kernel merged with it."""
    left = tuple({block.at: block for block in side if block.placed} for side in ledger.left())
    for below_before, below_after in ledger.anchors:
        before, after = left[0].get(below_before.at + 1), left[1].get(below_after.at + 1)
        if before and after and _may_pair(before, after):
            name = base_name(below_before.family.object or "")
            ledger.couple(before, after, f"the memory that continues {name}")


def _labels(ledger: Ledger) -> None:
    """Pair memory that is the only one of its owner and label, or the only one of its name."""
    for family, before, after in _shared(ledger, _label):
        if len(before) == len(after) == 1:
            ledger.couple(before[0], after[0], f"the only {_called(family)}")


def _crowds(ledger: Ledger) -> None:
    """Settle equal blocks in numbers: pairs of those that are alike, one region of what differs."""
    for _, before, after in _shared(ledger, _equal_blocks):
        if max(len(before), len(after)) < _MANY:
            continue
        alike, left_before, left_after = _pairs_alike(before, after)
        because = "as equal blocks in numbers"
        if max(len(left_before), len(left_after)) > 1 and len(before) != len(after):
            ledger.gather(before, after, because)
            continue
        for one, other in alike:
            ledger.couple(one, other, because)
        if max(len(left_before), len(left_after)) > 1:
            ledger.gather(left_before, left_after, because)


def _pairs_alike(
    before: Sequence[Block], after: Sequence[Block]
) -> tuple[list[Pair], list[Block], list[Block]]:
    """Pair what is alike in everything, in order; give the pairs and what is left of either side.

    Names with the same numbers go first.
    """
    pairs: list[Pair] = []
    for key in (_contents, _likeness):
        waiting = _grouped(reversed(after), key)
        left_before = []
        for block in before:
            if held := waiting.get(key(block)):
                pairs.append((block, held.pop()))
            else:
                left_before.append(block)
        left = {block.at for held in waiting.values() for block in held}
        before, after = left_before, [block for block in after if block.at in left]
    return pairs, list(before), list(after)


def _contents(block: Block) -> Hashable:
    return block.contents


def _likeness(block: Block) -> Hashable:
    return block.likeness


def _owners(ledger: Ledger) -> None:
    """Pair what has the same owner or name, in order."""
    for family, before, after in _shared(ledger, _owner):
        called = _called(family.kin)
        because = f"the only {called}" if len(before) == len(after) == 1 else f"by order among: {called}"
        _couple(ledger, before, after, because)


def _unusual(ledger: Ledger) -> None:
    """Pair what is large and the only one of its size, wherever it is."""
    for _, before, after in _shared(ledger, _large):
        if len(before) == len(after) == 1:
            ledger.couple(before[0], after[0], "the only one of its size")


def _place(ledger: Ledger) -> None:
    """Pair what has equal permissions between the same neighbours, in order and at the least cost."""
    _fill(ledger, between, _may_pair)


def _equal_size(ledger: Ledger) -> None:
    """Pair what has the same size, next to the same neighbour if it can be, else anywhere."""
    _fill(ledger, above, _may_pair_at_equal_size)
    _fill(ledger, below, _may_pair_at_equal_size)
    for _, before, after in _shared(ledger, _family_and_size):
        _couple(ledger, before, after, "by size")


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
    before: Sequence[Block],
    after: Sequence[Block],
    because: str,
    fits: Fits = lambda _before, _after: True,
) -> None:
    for one, other in assign(before, after, fits):
        ledger.couple(one, other, because)


def _shared(
    ledger: Ledger, key: Callable[[Block], Hashable]
) -> Iterator[tuple[Family, list[Block], list[Block]]]:
    """Yield what is left on both sides and has the same *key* (None: none), with the family of the first."""
    before, after = (_grouped(side, key) for side in ledger.left())
    for shared, held in before.items():
        if shared in after:
            yield held[0].family, held, after[shared]


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
    """Return the words for one of a family: ``malloc arena (arena 3)``, ``[anon:dalvik]``."""
    if family.owner is None:
        return family.name or str(family.kind)
    return f"{family.owner} ({family.label})" if family.label else family.owner


def _may_pair(before: Block, after: Block) -> bool:
    """Return whether two blocks may be the same; of two sizes, a block and a thread's stack are not."""
    one, other = before.family, after.family
    if _known_apart(before, after):
        return False
    if before.guarded != after.guarded and before.size != after.size and one.name is other.name is None:
        return False
    return one is other or (one.kind is other.kind and agree(one, other) and _same_owner(one, other))


def _may_pair_at_equal_size(before: Block, after: Block) -> bool:
    return before.size == after.size and _may_pair(before, after)


def _may_pair_at_similar_size(before: Block, after: Block) -> bool:
    return before.size <= 2 * after.size and after.size <= 2 * before.size and _may_pair(before, after)


def _may_be_reprotected(before: Block, after: Block) -> bool:
    one, other = before.family, after.family
    if _known_apart(before, after):
        return False
    return before.size == after.size and one.perms[3] == other.perms[3] and _same_owner(one, other)


def _known_apart(before: Block, after: Block) -> bool:
    """Return whether an owner is proven on one side, and was looked for and not found on the other."""
    return (before.sure and after.unowned) or (before.unowned and after.sure)


def _same_owner(one: Family, other: Family) -> bool:
    """Return whether the owners and names are the same, as far as they are known."""
    owners = one.owner is None or other.owner is None or one.owner == other.owner
    return owners and (one.name is None or other.name is None or one.name == other.name)

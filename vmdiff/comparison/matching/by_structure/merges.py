"""What two runs have alike and the kernel cut differently.

The kernel merges private memory that comes to lie side by side, and in another run it comes to lie elsewhere:
one block there is two blocks here. Nobody can tell for sure that they are the same, but where sizes that
are no accident add up to the same on both sides, one region says more than a block that grew and
another that is gone. A reservation is the same the other way round: its border moved, its size did not.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from vmdiff.comparison.matching.by_structure.fingerprint import Block
from vmdiff.comparison.matching.by_structure.pairing import Entry, Ledger
from vmdiff.model import Kind

LARGE = 64 << 10  # bytes from which on it is no accident that sizes are equal
_TRIED = 8  # of many pairs that were resized by as much

# Memory with borders of its own: guard pages, or a reservation around it.
_APART = frozenset({"thread stack", "main stack", "guard page", "malloc arena"})


def join_merged(ledger: Ledger) -> None:
    """Join what is left with what was resized, where together they have the same size on both sides."""
    for perms in dict.fromkeys(block.family.perms for side in ledger.left() for block in side):
        _join_each(ledger, perms)
        for owner in _owners_left(ledger, perms):
            _join_all(ledger, perms, partial(_is_of, owner))
        _join_all(ledger, perms, lambda _: True)
    for perms in dict.fromkeys(entry.before[0].family.perms for entry in ledger.entries()):
        _join_opposites(ledger, perms)


def join_reservations(ledger: Ledger) -> None:
    """Join neighbours, one of them inaccessible, between which a border moved on otherwise equal ground."""
    partners = {
        (entry.before[0].at, entry.after[0].at): entry for entry in ledger.entries() if _is_resized(entry)
    }
    for before, after in sorted(
        partners
    ):  # lowest first: of three in a row the upper one may go with a fourth
        low, high = partners.get((before, after)), partners.get((before + 1, after + 1))
        if low and high and _share_a_reservation(low, high):
            del partners[before + 1, after + 1]
            ledger.replace([low, high], [*low.before, *high.before], [*low.after, *high.after], low.because)


def _share_a_reservation(low: Entry, high: Entry) -> bool:
    if not (high.before[0].touches and high.after[0].touches) or _growth(low) != -_growth(high):
        return False
    return all(
        _is_border(*ends) for ends in zip(low.before + low.after, high.before + high.after, strict=True)
    )


def _is_border(low: Block, high: Block) -> bool:
    kinds = {low.family.kind, high.family.kind}
    return kinds == {Kind.ANONYMOUS, Kind.RESERVED} and low.family.perms[3] == high.family.perms[3]


def _owners_left(ledger: Ledger, perms: str) -> list[str]:
    """Return the owners that surely have some of what is left."""
    left = (block for side in ledger.left() for block in side if _merges(block, perms))
    return list(dict.fromkeys(block.family.owner for block in left if block.sure and block.family.owner))


def _is_of(owner: str, block: Block) -> bool:
    return block.sure and block.family.owner == owner


def _join_each(ledger: Ledger, perms: str) -> None:
    """Join each large block that is left with a pair that grew or shrank by just its size."""
    resized: dict[int, list[Entry]] = {}
    for entry in _resized(ledger, perms):
        resized.setdefault(_growth(entry), []).append(entry)
    for sign, blocks in zip((1, -1), ledger.left(), strict=True):
        for block in blocks:
            if block.size < LARGE or not _merges(block, perms):
                continue
            more = ((block,), ()) if sign > 0 else ((), (block,))
            held = resized.get(sign * block.size, [])
            for at, entry in enumerate(held[:_TRIED]):
                before, after = entry.before + more[0], entry.after + more[1]
                if _owners_agree(before, after):
                    ledger.replace([held.pop(at)], before, after, _BECAUSE)
                    break


def _join_opposites(ledger: Ledger, perms: str) -> None:
    """Join a pair that grew with one that shrank by as much: what lay beside one lies beside the other."""
    waiting: dict[int, list[Entry]] = {}
    for entry in list(_resized(ledger, perms)):
        growth = _growth(entry)
        if abs(growth) < LARGE:
            continue
        held = waiting.get(-growth, [])
        for at, other in enumerate(held[:_TRIED]):
            before, after = other.before + entry.before, other.after + entry.after
            if _owners_agree(before, after):
                ledger.replace([held.pop(at), entry], before, after, _BECAUSE)
                break
        else:
            waiting.setdefault(growth, []).append(entry)


def _join_all(ledger: Ledger, perms: str, chosen: Callable[[Block], bool]) -> None:
    """Join everything *chosen* that is left or was resized, if its size is the same on both sides."""
    before, after = (
        [block for block in side if _merges(block, perms) and chosen(block)] for side in ledger.left()
    )
    if max([block.size for block in (*before, *after)], default=0) < LARGE:
        return
    resized = [
        entry for entry in _resized(ledger, perms) if chosen(entry.before[0]) and chosen(entry.after[0])
    ]
    before += [entry.before[0] for entry in resized]
    after += [entry.after[0] for entry in resized]
    if before and after and _size(before) == _size(after) and _owners_agree(before, after):
        ledger.replace(resized, before, after, _BECAUSE)


_BECAUSE = "by sizes that add up to the same"


def _owners_agree(before: Sequence[Block], after: Sequence[Block]) -> bool:
    """Return whether each owner has as much on both sides; where an owner is uncertain nobody can say."""
    if not all(block.sure or block.unowned for block in (*before, *after)):
        proven, unowned = (
            [any(getattr(block, fact) for block in side) for side in (before, after)]
            for fact in ("sure", "unowned")
        )
        return not (proven[0] and unowned[1]) and not (unowned[0] and proven[1])
    return _by_owner(before) == _by_owner(after)


def _by_owner(blocks: Sequence[Block]) -> Counter[str | None]:
    sizes: Counter[str | None] = Counter()
    for block in blocks:
        sizes[block.family.owner] += block.size
    return sizes


def _resized(ledger: Ledger, perms: str) -> Iterator[Entry]:
    """Yield the pairs of mergeable blocks that differ in size."""
    for entry in ledger.entries():
        if _is_resized(entry) and _merges(entry.before[0], perms) and _merges(entry.after[0], perms):
            yield entry


def _is_resized(entry: Entry) -> bool:
    return len(entry.before) == len(entry.after) == 1 and entry.before[0].size != entry.after[0].size


def _merges(block: Block, perms: str) -> bool:
    """Return whether the kernel would merge a block with others of these permissions beside it."""
    family = block.family
    mergeable = family.kind is Kind.ANONYMOUS and family.name is None and family.owner not in _APART
    return mergeable and family.perms == perms


def _growth(entry: Entry) -> int:
    return _size(entry.after) - _size(entry.before)


def _size(blocks: Sequence[Block]) -> int:
    return sum(block.size for block in blocks)

"""What two runs have alike and the kernel cut differently.

The kernel merges private memory that comes to lie side by side, and in another run it comes to lie elsewhere:
one block there is two blocks here. Nobody can tell for sure that they are the same, but where sizes that
are no accident add up to the same on both sides, one region says more than a block that grew and
another that is gone. A reservation is the same the other way round: its border moved, its size did not.
"""

from collections.abc import Iterator, Sequence

from vmdiff.comparison.matching.by_structure.fingerprint import Block
from vmdiff.comparison.matching.by_structure.pairing import Entry, Ledger
from vmdiff.model import Kind

LARGE = 64 << 10  # bytes from which on it is no accident that sizes are equal

# Memory with borders of its own: guard pages, or a reservation around it.
_APART = frozenset({"thread stack", "main stack", "guard page", "malloc arena"})


def join_merged(ledger: Ledger) -> None:
    """Join what is left with what was resized, where together they have the same size on both sides."""
    for perms in dict.fromkeys(block.family.perms for side in ledger.left() for block in side):
        _join_each(ledger, perms)
        _join_all(ledger, perms)
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


def _join_each(ledger: Ledger, perms: str) -> None:
    """Join each large block that is left with a pair that grew or shrank by just its size."""
    resized: dict[int, list[Entry]] = {}
    for entry in _resized(ledger, perms):
        resized.setdefault(_growth(entry), []).append(entry)
    for sign, blocks in zip((1, -1), ledger.left(), strict=True):
        for block in blocks:
            held = resized.get(sign * block.size)
            if held and block.size >= LARGE and _merges(block, perms):
                entry = held.pop(0)
                more = ([block], []) if sign > 0 else ([], [block])
                ledger.replace([entry], [*entry.before, *more[0]], [*entry.after, *more[1]], _BECAUSE)


def _join_opposites(ledger: Ledger, perms: str) -> None:
    """Join a pair that grew with one that shrank by as much: what lay beside one lies beside the other."""
    waiting: dict[int, list[Entry]] = {}
    for entry in list(_resized(ledger, perms)):
        growth = _growth(entry)
        if abs(growth) < LARGE:
            continue
        if held := waiting.get(-growth):
            other = held.pop(0)
            before, after = [*other.before, *entry.before], [*other.after, *entry.after]
            ledger.replace([other, entry], before, after, _BECAUSE)
        else:
            waiting.setdefault(growth, []).append(entry)


def _join_all(ledger: Ledger, perms: str) -> None:
    """Join everything that is left or was resized, if its size is the same on both sides."""
    before, after = ([block for block in side if _merges(block, perms)] for side in ledger.left())
    if max([block.size for block in (*before, *after)], default=0) < LARGE:
        return
    resized = list(_resized(ledger, perms))
    before += [entry.before[0] for entry in resized]
    after += [entry.after[0] for entry in resized]
    if before and after and _size(before) == _size(after):
        ledger.replace(resized, before, after, _BECAUSE)


_BECAUSE = "by sizes that add up to the same"


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

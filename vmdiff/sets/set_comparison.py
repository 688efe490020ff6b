"""What changed between two sets: processes that are new, ended or restarted, and where the growth is.

The same process is paired first, then processes of a role by rank, the largest with the largest: a restart,
or another host. Every byte of the change of PSS is in one process, and in one owner of it.
"""

from collections import abc
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from vmdiff.model import Snapshot, add
from vmdiff.model.piece import NOT_SPLIT
from vmdiff.model.snapshot_set import SnapshotSet, role_of
from vmdiff.sets.set_totals import Grouping, Held, held_by, known_pss, total


class Became(StrEnum):
    """What became of a member."""

    SAME = "same"
    RESTARTED = "restarted"
    NEW = "new"
    ENDED = "ended"


class MemberPair(NamedTuple):
    """A process before and after; one side is None where it is new or ended."""

    became: Became
    role: str
    before: Snapshot | None
    after: Snapshot | None

    @property
    def delta(self) -> int | None:
        """The change of PSS in bytes; None where a side does not know its."""
        sides = (self.after, 1), (self.before, -1)
        return add(_signed(held_by(side).pss, sign) for side, sign in sides if side is not None)


class Moved(NamedTuple):
    """What one owner (or kind, or object) of one role's processes grew by: bytes of PSS surely its own."""

    role: str
    name: str
    delta: int | None


@dataclass(frozen=True)
class SetComparison:
    """Two sets and their members, paired."""

    before: SnapshotSet
    after: SnapshotSet
    pairs: tuple[MemberPair, ...]

    @cached_property
    def totals(self) -> tuple[Held, Held]:
        """What all processes held before, and hold after."""
        return total(self.before), total(self.after)

    @property
    def delta(self) -> int | None:
        """The change of the sum of PSS in bytes."""
        before, after = self.totals
        return add((after.pss, _signed(before.pss, -1)))

    @property
    def differs(self) -> bool:
        """Whether a process is new, ended or restarted, or one holds more or less memory."""
        return any(pair.became is not Became.SAME or pair.delta != 0 for pair in self.pairs)

    def moved(self, by: Grouping) -> list[Moved]:
        """Return where the change of PSS is, role by role; it adds up to `delta`, the largest first.

        Of a process that has only totals on one side it is not split.
        """
        sums: dict[tuple[str, str], int | None] = {}
        for pair in self.pairs:
            sides = [(side, sign) for side, sign in ((pair.after, 1), (pair.before, -1)) if side is not None]
            whole = any(side.totals_only for side, _ in sides)
            for side, sign in sides:
                for name, pss in ({NOT_SPLIT: held_by(side).pss} if whole else known_pss(side, by)).items():
                    key = pair.role, name
                    sums[key] = add((sums.get(key, 0), _signed(pss, sign)))
        rows = [Moved(role, name, delta) for (role, name), delta in sums.items() if delta != 0]
        return sorted(rows, key=lambda row: (-abs(row.delta or 0), row.role, row.name))


def compare_sets(before: SnapshotSet, after: SnapshotSet) -> SetComparison:
    """Pair the members of two sets; where only totals are known on one side, by totals on both."""
    if any(one.totals_only for one in (*before.members, *after.members)):
        before, after = _by_totals(before), _by_totals(after)
    left, right = list(before.members), list(after.members)
    pairs = list(_same(left, right))
    done = {id(side) for pair in pairs for side in (pair.before, pair.after)}
    left, right = ([one for one in side if id(one) not in done] for side in (left, right))
    pairs += _by_role(left, right)
    return SetComparison(before, after, tuple(sorted(pairs, key=_weight)))


def _by_totals(snapshots: SnapshotSet) -> SnapshotSet:
    """Return a set with the kernel's own totals alone, where they are known.

    They are above the sum of the mappings' PSS, which smaps rounds down: that is no change.
    """
    members = (
        one if one.rollup is None else one.model_copy(update={"mappings": ()}) for one in snapshots.members
    )
    return snapshots.model_copy(update={"members": tuple(members)})


def _same(before: abc.Sequence[Snapshot], after: abc.Sequence[Snapshot]) -> abc.Iterator[MemberPair]:
    """Yield the processes that are in both."""
    known = {identity: one for one in before if (identity := _identity(one)) is not None}
    for one in after:
        identity = _identity(one)
        if identity is not None and identity in known:
            yield MemberPair(Became.SAME, role_of(one), known[identity], one)


def _identity(snapshot: Snapshot) -> tuple[object, ...] | None:
    """Return what no two processes have in common; None where it is not known whole."""
    process = snapshot.process
    told = snapshot.host.boot_id, process.pid_namespace, process.innermost_pid, process.start_ticks
    return None if None in told else told


def _by_role(before: abc.Sequence[Snapshot], after: abc.Sequence[Snapshot]) -> abc.Iterator[MemberPair]:
    """Pair the others by role and rank."""
    sides = _ranked(before), _ranked(after)
    for role in dict.fromkeys((*sides[0], *sides[1])):
        left, right = sides[0].get(role, []), sides[1].get(role, [])
        for at in range(max(len(left), len(right))):
            one = left[at] if at < len(left) else None
            other = right[at] if at < len(right) else None
            became = Became.NEW if one is None else Became.ENDED if other is None else Became.RESTARTED
            yield MemberPair(became, role, one, other)


def _ranked(snapshots: abc.Sequence[Snapshot]) -> dict[str, list[Snapshot]]:
    ranked: dict[str, list[Snapshot]] = {}
    for one in sorted(snapshots, key=lambda one: (-(held_by(one).pss or 0), one.process.pid or 0)):
        ranked.setdefault(role_of(one), []).append(one)
    return ranked


def _signed(value: int | None, sign: int) -> int | None:
    return None if value is None else sign * value


def _weight(pair: MemberPair) -> tuple[int, str, int]:
    some = pair.after or pair.before
    return -abs(pair.delta or 0), pair.role, (some.process.pid or 0) if some else 0

"""What changed between two snapshots.

One invariant explains this package: **the changes add up**. For every counter that both snapshots
know throughout, the deltas of all changes sum to the delta of the totals, and so does every column of
groups. Whatever is not listed as a change did not change.
"""

from collections import abc
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from vmdiff.comparison import differing_facts
from vmdiff.comparison.change import Change, ChangeName
from vmdiff.comparison.crowds import number_crowds
from vmdiff.comparison.match_mode import Match
from vmdiff.comparison.matching import Region, by_address, same_space
from vmdiff.comparison.matching.by_structure import steps
from vmdiff.comparison.moved import join_moved
from vmdiff.comparison.naming import Namer, StructureNamer
from vmdiff.comparison.page_change import MovedPages, PageMoves, moved_pages, moves_by_owner
from vmdiff.comparison.pieces import cut_where_owners_end
from vmdiff.comparison.shared_labels import share_labels
from vmdiff.comparison.tally import GROUPINGS, Choice, Grouping, Tally, tallied
from vmdiff.comparison.totals import Group, Total, all_totals, groups, unknown_on
from vmdiff.comparison.usage_change import UsageChange, usage_changes
from vmdiff.errors import MatchError
from vmdiff.model import Snapshot


@dataclass(frozen=True)
class Comparison:
    """Two snapshots and what changed between them.

    *match* is how the mappings were paired, *reason* the sentence that says why. *same* are the
    regions in which nothing changed. *paired* are the two snapshots as their mappings were paired: those of
    different runs with mappings of several owners cut where an owner ends.
    """

    before: Snapshot
    after: Snapshot
    match: Match
    reason: str
    changes: tuple[Change, ...]
    same: tuple[Region, ...]
    paired: tuple[Snapshot, Snapshot]

    @property
    def unchanged(self) -> int:
        """The number of regions in which nothing changed."""
        return len(self.same)

    @property
    def differs(self) -> bool:
        """Whether anything changed; PSS that moves because a neighbour process started is no difference."""
        if self.before.totals_only or self.after.totals_only:
            return any(total.delta for total in self.totals.values())
        return any(change.change is not ChangeName.RECOUNTED for change in self.changes)

    @cached_property
    def totals(self) -> abc.Mapping[str, Total]:
        """Every counter that either side knows."""
        return all_totals(self.before, self.after)

    @cached_property
    def groups(self) -> abc.Mapping[str, tuple[Group, ...]]:
        """The totals cut up by kind, by owner and by object; every column adds up to the total."""
        return {by: self.grouped(by) for by in GROUPINGS}

    def grouped(self, by: str, *, only: Choice | None = None) -> tuple[Group, ...]:
        """Return the groups of one of `GROUPINGS`; each is made when it is first asked for.

        *only* chooses the pieces that are counted.
        """
        if only is not None:
            return self._groups(by, (tallied(self.before, only=only), tallied(self.after, only=only)))
        if by not in self._grouped:
            self._grouped[by] = self._groups(by, self._tallies)
        return self._grouped[by]

    def _groups(self, by: str, sides: tuple[Tally, Tally]) -> tuple[Group, ...]:
        found = groups(self.totals, sides, Grouping(by))
        if by != Grouping.OWNER or self.before.origin.owners == self.after.origin.owners:
            return found
        return unknown_on("after" if self.before.origin.owners else "before", found, self.totals)

    @cached_property
    def _grouped(self) -> dict[str, tuple[Group, ...]]:
        return {}

    @cached_property
    def _tallies(self) -> tuple[Tally, Tally]:
        before = tallied(self.before)
        return before, before if self.after is self.before else tallied(self.after)

    @cached_property
    def usage(self) -> tuple[UsageChange, ...] | None:
        """How the allocators' own figures changed; None where one side has none."""
        return usage_changes(self.before, self.after)

    @cached_property
    def moved_pages(self) -> tuple[MovedPages, ...] | None:
        """What became of pages, lowest address first; None where that cannot be told."""
        return moved_pages(self.before, self.after) if self.match is Match.ADDRESS else None

    @cached_property
    def pages(self) -> tuple[PageMoves, ...] | None:
        """What became of the pages of each owner; None where that cannot be told."""
        if self.moved_pages is None or self.after.pages is None:
            return None
        return moves_by_owner(self.before, self.after, self.moved_pages, self.after.pages.page_size)

    @cached_property
    def process(self) -> tuple[differing_facts.FactChange, ...]:
        """What differs besides the mappings."""
        return differing_facts.differences(self.before, self.after)


def compare(
    before: Snapshot, after: Snapshot, *, match: Match | Literal["auto", "address", "structure"] = Match.AUTO
) -> Comparison:
    """Return what changed from *before* to *after*.

    Raises:
        MatchError: the two cannot be matched in the way that was asked for.
    """
    chosen, reason = _choose(before, after, Match(match))
    by_address = chosen is Match.ADDRESS
    if by_address:
        before, after = share_labels(before, after)
    paired = (before, after) if by_address else cut_where_owners_end(before, after)
    namer = (Namer if by_address else StructureNamer)(*paired)
    changes, same = [], []
    for region in _regions(*paired, chosen):
        if by_address and region.before == region.after:  # by far the most
            same.append(region)
            continue
        name, end = namer.name(region)
        if name is None:
            same.append(region)
        else:
            delta = namer.delta(region)
            changes.append(Change(name, region.before, region.after, delta, region.because, end))
    if by_address:
        changes = join_moved(changes)
    return Comparison(before, after, chosen, reason, tuple(number_crowds(changes)), tuple(same), paired)


def _regions(before: Snapshot, after: Snapshot, match: Match) -> list[Region]:
    if before.totals_only or after.totals_only:
        return []  # which mappings came or went is unknown: only the totals can be compared
    if match is Match.STRUCTURE:
        return steps.pair(before, after)
    return by_address.regions(before.mappings, after.mappings)


def _choose(before: Snapshot, after: Snapshot, match: Match) -> same_space.Recognition:
    """Decide how to match, and say in a sentence why."""
    if match is Match.AUTO:
        return same_space.recognise(before, after)
    if match is Match.ADDRESS and (obstacle := same_space.obstacle_to_addresses(before, after)):
        raise MatchError(f"cannot match by address: {obstacle}; use --match structure")
    return same_space.Recognition(match, "as asked for")

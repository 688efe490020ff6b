"""What holds for every pair of runs, whatever they have mapped."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.comparison.matching.runs import Piece, programs, related, run
from tests.spaces import snapshots
from vmdiff.comparison.change import MIRRORS
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.comparison.matching.by_structure.steps import pair
from vmdiff.comparison.matching.region import Region
from vmdiff.model import Mapping, Snapshot

draws = st.integers(1, 1000)


def law(*strategies: st.SearchStrategy[Any]) -> Any:
    """Try the test on drawn input; a loaded machine is no reason to fail."""
    return lambda test: settings(deadline=None)(given(*strategies)(test))


def by_structure(before: Snapshot, after: Snapshot) -> Comparison:
    return compare(before, after, match="structure")


def told(mapping: Mapping) -> tuple[Any, ...]:
    """Everything of a mapping but where it is."""
    label = mapping.owner and (mapping.owner.name, mapping.owner.label)
    return (
        mapping.size,
        mapping.perms,
        mapping.path,
        mapping.offset,
        label,
        sorted(mapping.values.items(), key=repr),
    )


def shown(comparison: Comparison, *, mirrored: bool = False) -> Counter[str]:
    """Everything of the changes but where they are, whichever of equal mappings they are about."""
    return Counter(_change(change, mirrored=mirrored) for change in comparison.changes)


def _change(change: Any, *, mirrored: bool) -> str:
    before, after = (sorted(repr(told(m)) for m in side) for side in (change.before, change.after))
    if mirrored:
        delta = {name: None if value is None else -value for name, value in sorted(change.delta.items())}
        return repr((str(MIRRORS[change.change]), after, before, delta, change.because))
    return repr((str(change.change), before, after, dict(sorted(change.delta.items())), change.because))


@law(programs(), draws)
def test_two_runs_of_one_program_do_not_differ(program: list[Piece], draw: int) -> None:
    assert shown(by_structure(run(program), run(program, draw))) == Counter()


@law(related(), draws)
def test_another_draw_of_the_addresses_changes_nothing(
    runs: tuple[list[Piece], list[Piece]], draw: int
) -> None:
    before, after = runs

    assert shown(by_structure(run(before), run(after))) == shown(by_structure(run(before), run(after, draw)))
    assert shown(by_structure(run(before), run(after))) == shown(by_structure(run(before, draw), run(after)))


@law(related())
def test_the_comparison_the_other_way_round_is_the_mirror(runs: tuple[list[Piece], list[Piece]]) -> None:
    before, after = run(runs[0], 1), run(runs[1], 2)

    assert shown(by_structure(before, after)) == shown(by_structure(after, before), mirrored=True)


@law(programs(), programs())
def test_unrelated_programs_mirror_too(one: list[Piece], other: list[Piece]) -> None:
    before, after = run(one, 1), run(other, 2)
    there = [(region.before, region.after, region.because) for region in pair(before, after)]
    back = [(region.after, region.before, region.because) for region in pair(after, before)]

    assert there == back


@law(related())
def test_every_mapping_lies_in_exactly_one_region(runs: tuple[list[Piece], list[Piece]]) -> None:
    before, after = run(runs[0], 1), run(runs[1], 2)
    regions = pair(before, after)

    assert sorted(m.start for r in regions for m in r.before) == [m.start for m in before.mappings]
    assert sorted(m.start for r in regions for m in r.after) == [m.start for m in after.mappings]
    assert all(_has_a_shape(region) for region in regions)


def _has_a_shape(region: Region) -> bool:
    """One-sided regions are of one mapping; what is paired says why."""
    if region.before and region.after:
        return bool(region.because)
    return len(region.before) + len(region.after) == 1


@law(related())
def test_the_changes_add_up_to_the_totals(runs: tuple[list[Piece], list[Piece]]) -> None:
    comparison = by_structure(run(runs[0], 1), run(runs[1], 2))

    for name, total in comparison.totals.items():
        assert sum(change.delta[name] or 0 for change in comparison.changes) == total.delta


@law(programs(), draws, st.data())
def test_one_mapping_less_is_reported_as_that_or_one_equal_to_it(
    program: list[Piece], draw: int, data: st.DataObject
) -> None:
    if not program:
        return
    whole = run(program)
    lost = data.draw(st.integers(0, len(program) - 1))
    rest = run(program, draw)
    rest = rest.model_copy(update={"mappings": rest.mappings[:lost] + rest.mappings[lost + 1 :]})

    [change] = by_structure(whole, rest).changes

    assert str(change.change) == "removed"
    assert [told(mapping) for mapping in change.before] == [told(whole.mappings[lost])]


@law(snapshots(unknowns=True))
def test_no_snapshot_differs_from_itself(taken: Snapshot) -> None:
    assert by_structure(taken, taken).changes == ()


@law(snapshots(unknowns=True), snapshots(unknowns=True))
def test_unknown_counters_mirror_and_stay_unknown(before: Snapshot, after: Snapshot) -> None:
    there, back = by_structure(before, after), by_structure(after, before)

    assert shown(there) == shown(back, mirrored=True)
    for name, total in there.totals.items():
        deltas = [change.delta[name] for change in there.changes]
        if total.delta is None:
            assert set(deltas) <= {None}
        else:
            assert None not in deltas
            assert sum(delta or 0 for delta in deltas) == total.delta


@law(related())
def test_a_cheap_listing_compares_in_what_it_tells(runs: tuple[list[Piece], list[Piece]]) -> None:
    before, after = run(runs[0], 1), run(runs[1], 2)
    cheap = before.model_copy(
        update={
            "origin": before.origin.model_copy(update={"counters": (), "owners": False}),
            "mappings": tuple(mapping._replace(values={}, owner=None) for mapping in before.mappings),
        }
    )

    assert by_structure(cheap, run(runs[0], 3)).changes == ()
    assert by_structure(cheap, after).totals["size"].delta == sum(
        change.delta["size"] or 0 for change in by_structure(cheap, after).changes
    )

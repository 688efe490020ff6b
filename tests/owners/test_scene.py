"""What is rare among many mappings is found without a look at each of them, and nothing is missed."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vmdiff.model import Kind, Mapping, Origin, PlacedMapping, Snapshot
from vmdiff.owners import Scene
from vmdiff.owners.allocators.plain_runs import plain_runs
from vmdiff.owners.scene import is_guard, is_plain

PAGE = 0x1000

_looks = st.tuples(
    st.integers(min_value=1, max_value=3),  # pages
    st.sampled_from(["rw-p", "r-xp", "---p"]),
    st.sampled_from([None, "/lib/a.so", "[heap]"]),
    st.booleans(),  # a hole below it
    st.integers(min_value=0, max_value=1),  # pages in memory
)


def scene(looks: Sequence[tuple[int, str, str | None, bool, int]]) -> Scene:
    mappings, at = [], PAGE
    for pages, perms, path, apart, resident in looks:
        at += PAGE * apart
        kind = Kind.RESERVED if perms == "---p" and path is None else Kind.IMAGE if path else Kind.ANONYMOUS
        values = {"rss": resident * PAGE} if resident else {}
        mappings.append(Mapping(at, at + pages * PAGE, perms, kind, path=path, values=values))
        at += pages * PAGE
    return Scene(Snapshot(origin=Origin(source="test", counters=("rss",)), mappings=tuple(mappings)))


@given(st.lists(_looks, max_size=20))
def test_a_selection_has_what_a_look_at_each_mapping_would_find(
    looks: list[tuple[int, str, str | None, bool, int]],
) -> None:
    seen = scene(looks)
    mappings = seen.mappings

    assert seen.plain == tuple(filter(is_plain, mappings))
    assert seen.of_kind(Kind.IMAGE, Kind.RESERVED) == tuple(m for m in mappings if m.kind != Kind.ANONYMOUS)
    assert set(seen.paths) == {m.path for m in mappings if m.path}
    assert seen.guarded == tuple(
        (below, above) for below, above in pairwise(mappings) if is_guard(below, above) and is_plain(above)
    )


def test_a_question_is_asked_once_for_all_mappings_that_are_alike() -> None:
    asked: list[tuple[str, Kind, str | None]] = []
    seen = scene([(1, "rw-p", None, True, 1), (1, "r-xp", "/lib/a.so", True, 1)] * 500)

    seen.select(lambda *traits: bool(asked.append(traits)))

    assert len(asked) == 2


@given(st.lists(_looks, max_size=20), st.integers(min_value=0, max_value=8))
def test_runs_join_what_touches_and_hold_all_plain_memory_that_is_in_use(
    looks: list[tuple[int, str, str | None, bool, int]], pages: int
) -> None:
    seen = scene(looks)
    runs = plain_runs(seen)
    edges = {edge for mapping in seen.plain for edge in mapping.range}

    assert sorted([*plain_runs(seen, pages * PAGE), *plain_runs(seen, limit=pages * PAGE)]) == runs
    assert all(below.end < above.start for below, above in pairwise(runs))
    assert {edge for run in runs for edge in run} <= edges
    for mapping in seen.plain:
        held = [run for run in runs if run.start <= mapping.start and mapping.end <= run.end]
        assert len(held) == 1 or (not held and not resident(mapping))


def resident(mapping: PlacedMapping) -> object:
    return mapping.values.get("rss")

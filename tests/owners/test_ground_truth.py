"""A program that says where its memory is finds every piece labelled right, and nothing else labelled."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.owners.living import compiled, owned, owner_at, running
from vmdiff.model import Owner, Part, Snapshot

PROGRAM = Path(__file__).parent / "programs" / "ground.c"


class Ground(NamedTuple):
    seen: Snapshot
    said: dict[str, list[tuple[int, int]]]

    def owners(self, word: str) -> list[Owner | Part | None]:
        return [owner_at(self.seen, address) for address, _ in self.said[word]]


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with running([compiled(PROGRAM)]) as (process, lines):
        said = {
            word: [(int(address, 16), int(number)) for address, number in map(str.split, rest)]
            for word, rest in lines.items()
        }
        yield Ground(owned(process.pid), said)


@pytest.mark.parametrize(
    ("word", "name", "count"),
    [
        ("stack", "thread stack", 4),
        ("main-stack", "main stack", 1),
        ("heap", "malloc heap", 1),
        ("arena", "malloc arena", 8),
        ("block", "malloc large block", 7),
        ("bss", "bss", 1),
    ],
)
def test_each_piece_has_its_owner_for_certain(ground: Ground, word: str, name: str, count: int) -> None:
    found = ground.owners(word)

    assert [owner and owner.name for owner in found] == [name] * count
    assert all(owner and owner.certainty == "certain" and owner.evidence for owner in found)


def test_a_stack_names_its_thread_even_one_that_never_waits(ground: Ground) -> None:
    found = ground.owners("stack")

    assert [owner and owner.tid for owner in found] == [tid for _, tid in ground.said["stack"]]
    assert sorted(str(owner and owner.label) for owner in found) == [f"worker {n}" for n in range(4)]


def test_the_stack_of_a_thread_that_ended_is_unused(ground: Ground) -> None:
    unused = [m.owner for m in ground.seen.mappings if m.owner and m.owner.label == "unused"]

    assert {owner.name for owner in unused} == {"guard page", "thread stack"}
    assert all(owner.tid is None for owner in unused)


def test_arenas_are_grouped_by_what_their_heaps_say(ground: Ground) -> None:
    by_thread: dict[int, set[str | None]] = {}
    for (_, thread), owner in zip(ground.said["arena"], ground.owners("arena"), strict=True):
        by_thread.setdefault(thread, set()).add(owner and owner.label)
    heaps = [m for m in ground.seen.mappings if m.owner and m.owner.name == "malloc arena"]

    assert all(owner and owner.evidence.endswith("for 1 thread") for owner in ground.owners("arena"))
    assert sorted(by_thread.values(), key=str) == [{f"arena {n}"} for n in range(1, 5)]
    assert sum(m.size or 0 for m in heaps) == 5 * (64 << 20), "one thread needed a second heap"


def test_each_part_of_a_merged_mapping_has_its_share_of_what_is_resident(ground: Ground) -> None:
    mixed = [m for m in ground.seen.mappings if m.owner and m.owner.name == "mixed"]
    parts = [part for m in mixed if m.owner for part in m.owner.parts]

    assert parts
    for mapping in mixed:
        assert mapping.owner
        covered = sum(part.end - part.start for part in mapping.owner.parts)
        resident = [part.rss for part in mapping.owner.parts]
        assert all(rss is not None for rss in resident)
        if covered == mapping.size:
            assert sum(rss or 0 for rss in resident) == mapping.values["rss"]


def test_memory_that_no_rule_knows_has_no_owner(ground: Ground) -> None:
    assert ground.owners("mine") == [None]


def test_shapes_are_merely_likely(ground: Ground) -> None:
    found = [*ground.owners("code"), *ground.owners("reserve")]

    assert [(owner and owner.name, owner and owner.certainty) for owner in found] == [
        ("jit code", "likely"),
        ("reservation", "likely"),
    ]


def test_everything_resident_but_the_foreign_memory_is_owned(ground: Ground) -> None:
    (mine, _), *_ = ground.said["mine"]
    for mapping in ground.seen.mappings:
        if mapping.kind == "anonymous" and mapping.values.get("rss") and mapping.start and mapping.end:
            assert mapping.owner or mapping.start <= mine < mapping.end

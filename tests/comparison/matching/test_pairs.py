"""Pairs of real listings give what the discussions around them concluded."""

import os
from pathlib import Path

import pytest

from vmdiff.comparison.compare import Comparison, compare
from vmdiff.importers import read as parse
from vmdiff.sources import load

KIB = 1024


def _pairs() -> Path | None:
    named = os.environ.get("VMDIFF_CASES")
    folders = [Path(named)] if named else [up / "shared/cases" for up in Path(__file__).resolve().parents]
    return next((folder / "pairs" for folder in folders if (folder / "pairs").is_dir()), None)


PAIRS = _pairs()
pytestmark = pytest.mark.skipif(PAIRS is None, reason="the folder of real listings is not here")

ARENA = (
    "1-before-malloc",
    "2-after-malloc-1000",
    "3-after-free",
    "4-thread-started",
    "5-thread-after-malloc",
    "6-thread-after-free",
)


def between(folder: str, before: str, after: str, match: str = "auto") -> Comparison:
    assert PAIRS is not None
    listings = [load(PAIRS / folder / f"{name}.txt") for name in (before, after)]
    return compare(listings[0], listings[1], match=match)  # type: ignore[arg-type]


def told(comparison: Comparison) -> list[tuple[str, int]]:
    """Give each change and by how many KiB it moved the size."""
    return [(str(change.change), (change.delta["size"] or 0) // KIB) for change in comparison.changes]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(0, [("new", 132)], id="malloc-makes-a-heap"),
        pytest.param(1, [], id="free-keeps-it"),
        pytest.param(2, [("grown", 8192), ("new", 4)], id="a-thread-has-a-stack-and-a-guard"),
        pytest.param(3, [("new", 132), ("new", 892)], id="its-malloc-makes-an-arena"),
        pytest.param(4, [], id="free-keeps-that-too"),
    ],
)
def test_an_arena_of_glibc(step: int, expected: list[tuple[str, int]]) -> None:
    names = [f"{name}.maps" for name in ARENA[step : step + 2]]

    assert sorted(told(between("glibc-thread-arena-i386", *names))) == expected


def test_a_stack_in_the_place_of_a_freed_block_is_no_growth_of_it() -> None:
    comparison = between(
        "glibc-mmap-threshold-x86_64", "A-after-malloc-6553500.maps", "C-thread-started.maps"
    )

    assert sorted(told(comparison)) == [("new", 4), ("new", 8192), ("removed", -6400)]


def test_a_stack_in_the_place_of_a_freed_block_replaces_it() -> None:
    comparison = between(
        "glibc-mmap-threshold-x86_64", "A-after-malloc-6553500.maps", "C-thread-started.maps", "address"
    )

    assert sorted(told(comparison)) == [("new", 4), ("replaced", 1792)]


@pytest.mark.parametrize("match", ["address", "structure"])
def test_a_page_in_migration_is_resident_and_no_allocation(match: str) -> None:
    [change] = between("thp-migration-entries", "before.smaps", "after.smaps", match).changes

    assert (change.change, change.delta["rss"], change.delta["size"]) == ("resident", 2048 * KIB, 0)


def test_holes_of_a_file_are_no_longer_resident_in_another_run() -> None:
    comparison = between("dax-zero-page-holes", "before.smaps", "after.smaps")

    [change] = comparison.changes
    assert comparison.match == "structure"
    assert (change.change, change.path, change.delta["rss"]) == (
        "resident",
        "/root/dax/data",
        -1024 * 1024 * KIB,
    )


def test_an_allocator_that_begins_to_name_its_memory_has_not_grown() -> None:
    assert PAIRS is not None
    rows = (PAIRS / "mimalloc-1032-renamed/ranges.tsv").read_text().splitlines()[1:]
    listings = [
        "".join(
            f"{row.split(chr(9))[0]} rw-p 00000000 00:00 0  {row.split(chr(9))[column]}\n" for row in rows
        )
        for column in (2, 3)
    ]
    snapshots = [parse(text.encode(), source="rows") for text in listings]

    for match in ("address", "structure"):
        assert told(compare(snapshots[0], snapshots[1], match=match)) == [("relabelled", 0)] * len(rows)

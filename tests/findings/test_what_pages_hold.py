"""Findings of what pages hold, each beside a snapshot that looks like its case and is not."""

import pytest

from tests.report.worlds import MIB, NOON, mapping
from vmdiff.comparison.compare import compare
from vmdiff.findings import find, find_in
from vmdiff.model import Origin, Snapshot
from vmdiff.model import owner as owned_by
from vmdiff.model.held_memory import CachedFile, DeviceMemory
from vmdiff.model.page_map import PAGE_COUNTERS, PageContents

COUNTERS = ("rss", "anonymous", *PAGE_COUNTERS)
HEAP = owned_by("jvm heap", "record", "seen")


def held(pages: PageContents | None = None, **values: int | None) -> Snapshot:
    """A process with 64 MiB of one owner in memory; *values* are of its pages."""
    whole = {"rss": 64 * MIB, "anonymous": 64 * MIB, **values}
    one = mapping(0x7F0000000, 64 * MIB // 4096, "rw-p")._replace(owner=HEAP, values=whole)
    return Snapshot(
        taken_at=NOON,
        origin=Origin(source="linux-proc", detail="smaps", counters=COUNTERS, owners=True),
        mappings=(one,),
        pages=pages or PageContents(page_size=4096),
    )


def ids(snapshot: Snapshot) -> set[str]:
    return {one.id for one in find_in(snapshot)}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"zero_filled": 40 * MIB}, True),
        ({"zero_filled": 20 * MIB}, False),  # less than half: a program clears memory, too
        ({"zero_filled": 70 * MIB}, False),  # the memory grew between its size and its pages
        ({"zero_filled": None}, False),  # some page could not be read
        ({}, False),
    ],
)
def test_zeros_are_found_where_they_are_most_of_an_owners_memory(values, found) -> None:
    assert ("zero-pages" in ids(held(**values))) == found


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"zero_filled": 32 * MIB, "huge_zero": 32 * MIB}, True),
        ({"zero_filled": 32 * MIB}, False),  # zeros in small pages: no huge page brought them
        ({"zero_filled": 2 * MIB, "huge_zero": 2 * MIB}, False),  # one huge page: nothing to gain
    ],
)
def test_huge_pages_are_blamed_for_zeros_in_huge_pages_only(values, found) -> None:
    assert ("huge-page-waste" in ids(held(**values))) == found


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"duplicate": 32 * MIB}, True),
        ({"duplicate": 70 * MIB}, False),  # more than was there when it was counted
        ({"duplicate": 32 * MIB, "anonymous": 600 * MIB}, False),  # a twentieth: merging costs more
        ({"zero_filled": 32 * MIB}, False),  # zeros are another finding
    ],
)
def test_what_repeats_is_found_where_merging_it_would_gain(values, found) -> None:
    assert ("repeated-pages" in ids(held(**values))) == found


def cached(path: str = "/data/big", cached: int = 64 * MIB, *, in_memory: bool = False) -> CachedFile:
    return CachedFile(path=path, size=100 * MIB, cached=cached, dirty=0, mapped=False, in_memory=in_memory)


@pytest.mark.parametrize(
    ("file", "found"),
    [
        (cached(), True),
        (cached(in_memory=True), False),  # tmpfs: the kernel cannot drop it
        (cached(cached=MIB), False),
    ],
)
def test_page_cache_that_can_be_dropped_is_found(file, found) -> None:
    assert ("page-cache" in ids(held(PageContents(page_size=4096, files=(file,))))) == found


def test_graphics_memory_is_named_and_a_page_of_it_is_not() -> None:
    large, small = (
        PageContents(page_size=4096, devices=(DeviceMemory(device="amdgpu", region="vram", bytes=size),))
        for size in (300 * MIB, 4096)
    )
    (message,) = [one.message for one in find_in(held(large)) if one.id == "graphics-memory"]

    assert "amdgpu vram 300 MiB" in message
    assert "graphics-memory" not in ids(held(small))


def test_without_a_look_at_pages_nothing_is_said_of_them() -> None:
    blind = held().model_copy(update={"pages": None})

    assert not ids(blind) & {
        "page-cache",
        "graphics-memory",
        "zero-pages",
        "huge-page-waste",
        "repeated-pages",
    }


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ((None, None), "not both have fingerprints"),
        (("a", None), "not both have fingerprints"),
        (("a", "b"), "different keys"),
        (("a", "a"), None),  # compared
    ],
)
def test_it_is_said_why_what_was_written_is_unknown(keys, said) -> None:
    before, after = (held(PageContents(page_size=4096, key=key)) for key in keys)
    found = {one.id: one.message for one in find(compare(before, after, match="address"))}

    assert ("pages-not-compared" in found) == (said is not None)
    if said is not None:
        assert said in found["pages-not-compared"]


def test_of_two_runs_nothing_is_said_of_pages() -> None:
    one, other = held(PageContents(page_size=4096)), held(PageContents(page_size=4096))

    assert "pages-not-compared" not in {found.id for found in find(compare(one, other, match="structure"))}

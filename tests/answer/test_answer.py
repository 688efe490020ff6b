"""The first sentence says what moved, and never what did not."""

import pytest
from hypothesis import given

from tests.report.worlds import KIB, MIB, NOON, PAGE, comparisons, mapping, snapshot
from vmdiff.answer import answer, summary
from vmdiff.answer.movement import ENOUGH, movement
from vmdiff.answer.sentence import Mover
from vmdiff.comparison.compare import compare as compare_snapshots
from vmdiff.model import Mapping, Origin, Owner, Part, Process, Snapshot, Usage
from vmdiff.model import owner as owned_by

COUNTERS = (
    "rss",
    "pss",
    "private_clean",
    "private_dirty",
    "shared_clean",
    "shared_dirty",
    "swap",
    "lazy_free",
    "private_hugetlb",
    "shared_hugetlb",
)


def taken(*mappings: Mapping, counters=COUNTERS, owners=True, source="linux-proc", **process) -> Snapshot:
    return Snapshot(
        taken_at=NOON,
        origin=Origin(source=source, counters=counters, owners=owners),
        process=Process(**{"pid": 7, "start_ticks": 1} | process),
        mappings=tuple(sorted(mappings, key=lambda one: one.start)),
    )


def plain(at: int, pages: int = 0x10000, path: str | None = None, perms: str = "rw-p", **values) -> Mapping:
    return mapping(at, pages, perms, path, **values)


def dirty(at: int, held: int, pages: int = 0x10000, **values) -> Mapping:
    return plain(at, pages, rss=held, private_dirty=held, **values)


def owned(name: str, at: int, held: int, label: str | None = None) -> Mapping:
    return dirty(at, held)._replace(owner=owned_by(name, "record", "seen", label=label))


def sentence(before, after, *, match="address", facts=({}, {})) -> str:
    sides = (taken(*mappings, **fact) for mappings, fact in zip((before, after), facts, strict=True))
    return answer(compare_snapshots(*sides, match=match)).sentence


A, B, C, D, E = (0x100000 * at for at in range(1, 6))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param([], [], "nothing changed", id="nothing"),
        pytest.param([dirty(A, 40 * MIB)], [dirty(A, 40 * MIB + 12 * KIB)], "resident unchanged (+12 KiB)", id="noise"),
        pytest.param(
            [owned("jemalloc", A, MIB)],
            [owned("jemalloc", A, 118 * MIB)],
            "resident +117 MiB: jemalloc +117 MiB",
            id="an-owner",
        ),
        pytest.param(
            [owned("jvm heap", A, 590 * MIB), owned("jvm metaspace", B, 130 * MIB)],
            [owned("jvm heap", A, MIB), owned("jvm metaspace", B, MIB)],
            "resident -718 MiB: jvm heap -589 MiB, jvm metaspace -129 MiB",
            id="shrinking",
        ),
        pytest.param(
            [], [dirty(A, 50 * MIB)], "resident +50.0 MiB: mapped by the program itself +50.0 MiB", id="unowned"
        ),
        pytest.param(
            [dirty(A, 50 * MIB)],
            [owned("malloc heap", B, 2 * MIB)],
            "resident -48.0 MiB: mapped by the program itself -50.0 MiB",
            id="not-the-one-that-grew",
        ),
        pytest.param(
            [owned("jemalloc", A, MIB), owned("jvm heap", B, 51 * MIB)],
            [owned("jemalloc", A, 51 * MIB), owned("jvm heap", B, MIB)],
            "resident unchanged: jemalloc +50.0 MiB, jvm heap -50.0 MiB",
            id="against-each-other",
        ),
        pytest.param(
            [plain(A, path="/data/big", perms="r--s")],
            [plain(A, path="/data/big", perms="r--s", rss=9 * MIB)],
            "resident +9,216 KiB: /data/big +9,216 KiB (file pages, droppable)",
            id="a-file",
        ),
        pytest.param(
            [dirty(A, 95 * MIB)._replace(end=(A * PAGE) + 95 * MIB)],
            [plain(A, swap=95 * MIB)._replace(end=(A * PAGE) + 95 * MIB)],
            "resident -95.0 MiB: mapped by the program itself -95.0 MiB; swap +95.0 MiB (swapped out, not freed)",
            id="swapped-out",
        ),
        pytest.param(
            [dirty(A, 30 * MIB)],
            [plain(A, swap=10 * MIB)],
            "resident -30.0 MiB: mapped by the program itself -30.0 MiB; swap +10.0 MiB"
            " (part of it may be swapped out, not freed)",
            id="freed-and-others-swapped",
        ),
        pytest.param(
            [plain(A)], [plain(A, private_hugetlb=16 * MIB)], "resident +16.0 MiB: mapped by the program itself +16.0 MiB (in hugetlb pages)", id="hugetlb"
        ),
        pytest.param(
            [dirty(A, 8 * MIB)],
            [dirty(A, 8 * MIB, lazy_free=8 * MIB)],
            "resident unchanged; 8,192 KiB more is freed (MADV_FREE) and counted until the kernel needs it",
            id="freed-lazily",
        ),
        pytest.param(
            [dirty(A, 238 * MIB)],
            [plain(A, rss=238 * MIB, shared_dirty=238 * MIB)],
            "private -238 MiB: became shared with a child (fork), nothing was freed; mapped by the program itself -238 MiB",
            id="a-fork",
        ),
    ],
)  # fmt: skip
def test_the_sentence_names_what_moved(before, after, expected):
    still = plain(0x50, 16, "/bin/x", "r-xp")
    assert sentence([still, *before], [still, *after]) == expected


def test_a_movement_that_nobody_accounts_for_is_said_to_be_spread():
    many = [owned(f"owner {at:02}", A + 0x10000 * at, 2 * MIB) for at in range(41)]

    assert sentence([], many).startswith(
        "resident +82.0 MiB, spread over 41 owners; the largest: owner 00 +2,048 KiB, owner 01"
    )


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        (60_000, "copied on write since a fork (likely)"),
        (10, "no longer shared: another process copied it on write, or ended"),
        (None, "copied on write, or no longer shared because another process ended"),
    ],
)
def test_what_is_no_longer_shared_was_copied_only_if_pages_were_faulted_in(faults, why):
    before, after = [plain(A, rss=220 * MIB, shared_dirty=220 * MIB)], [dirty(A, 220 * MIB)]
    facts = ({"minor_faults": 0}, {"minor_faults": faults})

    assert sentence(before, after, facts=facts).startswith(f"private +220 MiB: {why}; ")


def test_memory_that_went_and_other_that_came_is_no_copy_on_write():
    before, after = [plain(A, rss=50 * MIB, shared_dirty=50 * MIB)], [dirty(B, 50 * MIB)]

    assert "cop" not in sentence(before, after)


def test_what_was_not_measured_is_said():
    blind = taken(counters=(), source="maps")
    more = taken(plain(A, 256), counters=(), source="maps")

    assert answer(compare_snapshots(blind, more, match="address")).sentence == (
        "virtual +1,024 KiB: anonymous memory +1,024 KiB; resident memory was not measured"
    )


def test_another_run_is_said_to_be():
    before, after = taken(dirty(A, MIB), name="x"), taken(dirty(B, 9 * MIB), name="x", start_ticks=2)

    assert answer(compare_snapshots(before, after)).sentence.startswith("another run: resident +8,192 KiB: ")


def test_an_owner_known_on_one_side_only_is_no_movement():
    before, after = taken(dirty(A, 9 * MIB), owners=False), taken(owned("jemalloc", A, 9 * MIB))

    assert answer(compare_snapshots(before, after, match="address")).movers == ()


def test_new_threads_are_counted():
    stacks = [owned("thread stack", A + at * 0x10000, 16 * KIB, f"worker {at}") for at in range(300)]

    assert "thread stack +4,800 KiB (300 more stacks)" in sentence([], stacks)


def test_malloc_beside_a_java_heap_is_off_heap():
    java = owned("jvm heap", A, MIB)
    grown = sentence([java, owned("malloc heap", B, MIB)], [java, owned("malloc heap", B, 99 * MIB)])

    assert "malloc heap +98.0 MiB (off-heap)" in grown


def using(owner: str, in_use: int, free: int) -> Usage:
    return Usage(owner=owner, source="its records", certainty="certain", in_use=in_use, free=free)


def with_usage(snapshot: Snapshot, *usages: Usage) -> Snapshot:
    return snapshot.model_copy(update={"usage": usages})


def test_a_file_that_was_deleted_is_told_also_where_its_pages_were_written_back():
    before = plain(A, path="/data/big", perms="rw-s", rss=9 * MIB, shared_dirty=9 * MIB)
    after = plain(A, path="/data/big", perms="rw-s", rss=9 * MIB, shared_clean=9 * MIB)._replace(deleted=True)

    assert (
        sentence([before], [after])
        == "resident unchanged; /data/big (256 MiB) was deleted and is still mapped"
    )


def test_a_snapshot_says_what_of_an_owner_was_freed_and_is_kept():
    held = taken(owned("jemalloc", A, 117 * MIB), owned("jvm heap", B, 100 * MIB))
    said = summary(with_usage(held, using("jemalloc", 18 * MIB, 95 * MIB), using("jvm heap", 99 * MIB, MIB)))

    assert "jemalloc 117 MiB (18.0 MiB in use, 95.0 MiB freed and kept), jvm heap 100 MiB" in said.sentence
    assert "jvm heap 100 MiB (" not in said.sentence


def test_what_is_in_use_is_named_where_it_is_not_of_all_that_moved():
    before = taken(owned("jvm heap", A, 10 * MIB), owned("malloc arena", B, 10 * MIB))
    after = taken(owned("jvm heap", A, 40 * MIB), owned("malloc arena", B, 70 * MIB))
    known = (with_usage(before, using("jvm heap", MIB, 0)), with_usage(after, using("jvm heap", 31 * MIB, 0)))

    assert answer(compare_snapshots(*known)).sentence.endswith(
        "jvm heap +30.0 MiB; jvm heap in use +30.0 MiB"
    )


def test_what_is_in_use_of_all_that_moved_needs_no_name():
    before, after = taken(owned("jemalloc", A, 10 * MIB)), taken(owned("jemalloc", A, 70 * MIB))
    known = (
        with_usage(before, using("jemalloc", 9 * MIB, 0)),
        with_usage(after, using("jemalloc", 69 * MIB, 0)),
    )

    assert answer(compare_snapshots(*known)).sentence.endswith("jemalloc +60.0 MiB; in use +60.0 MiB")


def uncounted(at: int, held: int, *names: tuple[str, int]) -> Mapping:
    """Return memory of several owners whose pages were not counted."""
    whole = dirty(at, held, pages=sum(size for _, size in names) // PAGE)
    parts, start = [], whole.start
    for name, size in names:
        parts.append(Part(start, start + size, name, "certain", "record", ""))
        start += size
    return whole._replace(owner=Owner("mixed", parts=tuple(parts)))


def test_one_page_that_moved_meanwhile_does_not_hide_whose_the_others_are():
    pieces = ("malloc arena", 63 * MIB), ("loader", 4 * KIB)
    before, after = uncounted(A, 2 * MIB, *pieces), uncounted(A, 62 * MIB, *pieces)

    assert sentence([before], [after]) == "resident +60.0 MiB: malloc arena at least +60.0 MiB"
    assert summary(taken(after)).sentence.startswith("62.0 MiB resident: malloc arena at least 62.0 MiB")


def test_memory_of_which_nothing_is_proven_names_those_who_may_have_it():
    pieces = ("malloc arena", 64 * MIB), ("thread stack", 64 * MIB)
    before, after = uncounted(A, 2 * MIB, *pieces), uncounted(A, 62 * MIB, *pieces)

    assert sentence([before], [after]) == "resident +60.0 MiB: malloc arena or thread stack +60.0 MiB"


def test_a_snapshot_says_what_it_consists_of_and_what_stands_out():
    gone = plain(C, path="/tmp/gone", perms="r--s", rss=2 * MIB)._replace(deleted=True)
    threads = tuple({"tid": at, "name": "t"} for at in range(362))
    told = summary(taken(owned("jemalloc", A, 90 * MIB), dirty(B, MIB, swap=5 * MIB), gone, threads=threads))

    assert told.sentence == (
        "93.0 MiB resident: jemalloc 90.0 MiB; 5,120 KiB in swap;"
        " /tmp/gone (256 MiB) deleted and still mapped; 362 threads"
    )
    assert told.movers[0].record() == {"owner": "jemalloc", "delta": 90 * MIB}


@given(comparisons())
def test_the_figures_are_those_of_the_comparison(found):
    told = answer(found)

    assert told.sentence
    assert "\n" not in told.sentence
    if told.counter == "rss":
        assert told.delta == found.totals["rss"].delta
    names = {by: {group.name for group in found.grouped(by)} for by in ("owner", "kind", "object")}
    for mover in told.movers:
        assert mover.name in names[mover.by] or f"({mover.name})" in names["owner"]


@given(comparisons())
def test_nothing_is_said_of_two_equal_sides(found):
    assert (
        answer(compare_snapshots(found.before, found.before, match="address")).sentence == "nothing changed"
    )


@pytest.mark.parametrize(
    ("delta", "moved", "named", "enough"),
    [
        (100, [100], 1, True),
        (100, [95, 5], 1, True),
        (100, [85, 15], 2, True),
        (100, [50, 30, 9, 6, 5], 2, True),
        (80, [100, -20], 2, True),  # one alone would be a quarter off
        (0, [50, -50], 2, True),
        (100, [10] * 10, 3, False),
        (0, [], 0, True),
    ],
)
def test_movers_are_named_until_they_explain_the_movement(delta, moved, named, enough):
    found = movement(delta, [Mover("owner", f"{at}", one) for at, one in enumerate(moved)])

    assert (len(found.movers), found.enough) == (named, enough)
    assert not moved or not enough or found.explained >= ENOUGH


def test_the_answer_of_a_small_snapshot_is_its_kinds():
    assert summary(snapshot(mapping(1, 4, rss=4 * KIB))).sentence.startswith("4 KiB resident: ")

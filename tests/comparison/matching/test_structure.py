"""What two different runs have in common, each step of the pairing by example."""

from typing import Any

import pytest

from tests.comparison.matching.runs import HEAP, KERNEL, STACK, Piece, library, run
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.comparison.matching.by_structure.steps import pair
from vmdiff.errors import MatchError
from vmdiff.model import Host, Origin, Owner, Snapshot, Thread

LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
PAGE = 4096


def between(before: list[Piece], after: list[Piece], **hosts: Any) -> Comparison:
    """Compare two runs of different luck."""
    return compare(run(before, 1, pid=100), run(after, 2, pid=200), match="structure")


def named(comparison: Comparison) -> list[tuple[str, str | None, int | None]]:
    return [(str(c.change), c.path, c.delta["size"]) for c in comparison.changes]


def reasons(before: list[Piece], after: list[Piece]) -> list[str | None]:
    return [region.because for region in pair(run(before, 1, pid=100), run(after, 2, pid=200))]


def arena(label: str, evidence: str = "") -> Owner:
    return Owner("malloc arena", "certain", "record", evidence, label)


def test_a_library_is_paired_by_path_and_offset() -> None:
    assert reasons(library(LIBC), library(LIBC)) == ["by path and offset"] * 4


def test_a_library_with_one_more_segment_is_seen_as_such() -> None:
    before = library(LIBC)
    after = [*before[:3], Piece(1, "r--p", LIBC, offset=14, touches=True), before[3]]

    assert named(between(before, after)) == [("new", LIBC, PAGE)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("/lib/libssl.so.1.1", "/lib/libssl.so.3", id="soname"),
        pytest.param("/lib/libc-2.31.so", "/lib/libc.so.6", id="glibc-before-2.34"),
        pytest.param("/lib/ld-2.31.so", "/lib64/ld-linux-x86-64.so.2", id="loader"),
        pytest.param("/usr/bin/python3.11", "/usr/bin/python3.12", id="program"),
        pytest.param(
            "/usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so",
            "/usr/lib/python3.12/lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so",
            id="extension-module",
        ),
        pytest.param("/a/libgfortran-040039e1.so.5.0.0", "/b/libgfortran-91cc3cb1.so.3.0.0", id="build-hash"),
        pytest.param("/lib/libavcodec.so.59.37.100", "/lib/libavcodec.so.60.3.100", id="version"),
    ],
)
def test_another_version_of_an_object_replaces_it(before: str, after: str) -> None:
    comparison = between(library(before, text=10), library(after, text=12))

    assert [change.change for change in comparison.changes] == ["replaced"] * 4
    assert sorted(c.delta["size"] or 0 for c in comparison.changes) == [0, 0, 0, 2 * PAGE]


def test_versions_of_two_libraries_with_alike_names_are_not_confused() -> None:
    before = library("/lib/libx264.so.155") + library("/lib/libx265.so.199", text=90)
    after = library("/lib/libx265.so.209", text=90) + library("/lib/libx264.so.164")

    paths = {(c.before[0].path, c.after[0].path) for c in between(before, after).changes}

    assert paths == {
        ("/lib/libx264.so.155", "/lib/libx264.so.164"),
        ("/lib/libx265.so.199", "/lib/libx265.so.209"),
    }


def test_an_upgraded_library_is_replaced_though_its_path_is_the_same() -> None:
    before = library(LIBC, build_id="aa", deleted=True)
    after = library(LIBC, build_id="bb")

    assert [change.change for change in between(before, after).changes] == ["replaced"] * 4


@pytest.mark.parametrize(("boot", "expected"), [("b1", ["replaced"] * 4), (None, [])])
def test_another_inode_is_another_build_on_one_host_only(boot: str | None, expected: list[str]) -> None:
    sides = [
        run(library(LIBC, inode=inode), draw).model_copy(update={"host": Host(boot_id=boot)})
        for draw, inode in enumerate(("7", "8"))
    ]

    assert [change.change for change in compare(*sides, match="structure").changes] == expected


def test_the_same_build_unlinked_is_relabelled() -> None:
    before = library(LIBC, build_id="aa")
    after = library(LIBC, build_id="aa", deleted=True)

    assert [change.change for change in between(before, after).changes] == ["relabelled"] * 4


def test_a_library_in_a_container_is_the_same_object() -> None:
    before = library(LIBC, build_id="aa")
    after = library("/var/lib/docker/overlay2/0123/merged" + LIBC, build_id="aa")

    assert reasons(before, after) == ["by build id and offset"] * 4


def test_a_prefix_is_seen_through_without_build_ids() -> None:
    assert reasons(library(LIBC), library("/rootfs" + LIBC)) == ["by file name and offset"] * 4


def test_a_second_data_file_is_not_another_version_of_the_first() -> None:
    before = [Piece(4, "r--s", "/data/journal-0001")]
    after = [Piece(9, "r--s", "/data/journal-0002")]

    assert sorted(c.change for c in between(before, after).changes) == ["new", "removed"]


def test_a_file_named_after_the_process_is_the_same() -> None:
    before = [Piece(8, "rw-s", "/tmp/hsperfdata_me/100")]
    after = [Piece(8, "rw-s", "/tmp/hsperfdata_me/200")]

    assert named(between(before, after)) == [("relabelled", None, 0)]


def test_a_temporary_file_with_a_random_name_is_known_by_folder_and_layout() -> None:
    before = [Piece(8, "rw-s", "/tmp/ffiAbCdEf", deleted=True)]
    after = [Piece(8, "rw-s", "/tmp/ffiUvWxYz", deleted=True)]

    assert reasons(before, after) == ["by folder and layout and offset"]


def test_another_stretch_of_a_data_file_is_another_mapping() -> None:
    before, after = [Piece(4, "r--s", "/data/a")], [Piece(4, "r--s", "/data/a", offset=64)]

    assert sorted(c.change for c in between(before, after).changes) == ["new", "removed"]


def test_the_heap_and_the_stack_are_the_only_ones() -> None:
    before, after = [HEAP, STACK, *KERNEL], [HEAP._replace(pages=66), STACK, *KERNEL]

    assert reasons(before, after) == ["the only heap", "the only stack", "the only vvar", "the only vdso"]
    assert named(between(before, after)) == [("grown", "[heap]", 33 * PAGE)]


def test_a_heap_where_there_was_none_is_new() -> None:
    assert named(between([STACK], [HEAP, STACK])) == [("new", "[heap]", HEAP.pages * PAGE)]


def test_arenas_are_paired_by_rank_and_not_by_order() -> None:
    one, two = Piece(40, owner=arena("arena 1")), Piece(90, owner=arena("arena 2"))

    assert named(between([one, two], [two, one._replace(owner=arena("arena 1", "at another address"))])) == []


def test_thread_stacks_are_paired_by_the_names_of_their_threads() -> None:
    stacks = [Piece(2048, owner=Owner("thread stack", "certain", "register", tid=tid)) for tid in (7, 8)]
    names = {7: "reader", 8: "writer"}
    before = run(stacks, 1, threads=tuple(Thread(tid=tid, name=names[tid]) for tid in (7, 8)))
    after = run(stacks, 2, threads=tuple(Thread(tid=tid, name=names[15 - tid]) for tid in (7, 8)))

    found = {
        r.before[0].owner.tid: (r.after[0].owner.tid, r.because)
        for r in pair(before, after)
        if r.before[0].owner and r.after[0].owner
    }

    assert found == {7: (8, "the only thread stack (reader)"), 8: (7, "the only thread stack (writer)")}


def test_what_only_one_side_knows_of_an_owner_is_no_equality() -> None:
    mixed = Piece(1, owner=Owner("mixed"))

    assert named(between([mixed, *[Piece(1)] * 5], [Piece(1)] * 5)) == [("removed", None, -PAGE)]
    assert between([mixed, Piece(1)], [Piece(1)]).changes[0].before[0].owner == mixed.owner


def test_owners_that_only_one_side_looked_for_are_not_compared() -> None:
    program = [*library(LIBC), *[Piece(40, owner=arena(f"arena {n}")) for n in range(9)]]
    bare = run([piece._replace(owner=None) for piece in program], 2)
    cheap = bare.model_copy(update={"origin": bare.origin.model_copy(update={"owners": False})})

    assert compare(run(program, 1), cheap, match="structure").changes == ()


def test_a_crowd_is_compared_in_what_both_listings_tell() -> None:
    crowd = run([Piece(64, rss=n) for n in range(30)], 1)
    told = tuple(mapping._replace(flags=("rd", "wr")) for mapping in crowd.mappings)
    bare = tuple(mapping._replace(values={}) for mapping in run([Piece(64)] * 30, 2).mappings)
    smaps = crowd.model_copy(update={"mappings": told})
    maps = Snapshot(origin=Origin(source="maps", owners=True), mappings=bare)

    assert compare(smaps, maps, match="structure").changes == ()


def test_naming_anonymous_memory_is_no_growth() -> None:
    before = [*library(LIBC), Piece(2), Piece(2)]
    after = [*library(LIBC), *[Piece(2, path="[anon:mimalloc]")] * 2]

    assert named(between(before, after)) == [("relabelled", None, 0)] * 2


def test_memory_is_placed_between_its_neighbours() -> None:
    before = [*library(LIBC), Piece(5), Piece(7), *library("/lib/ld.so"), Piece(5)]
    after = [*library(LIBC), Piece(7), *library("/lib/ld.so"), Piece(6)]
    comparison = between(before, after)

    assert sorted(named(comparison)) == [("grown", None, PAGE), ("removed", None, -5 * PAGE)]


def test_the_reason_names_the_neighbours() -> None:
    before = [*library(LIBC), Piece(5), *library("/lib/ld.so")]
    after = [*library(LIBC), Piece(6), *library("/lib/ld.so")]

    assert "by order between libc.so.6 and ld.so" in reasons(before, after)


def test_memory_that_continues_a_library_goes_with_it_wherever_it_went() -> None:
    one, other = library("/lib/liba.so", bss=3), library("/lib/libb.so", bss=4)
    comparison = between([*one, *other], [*library("/lib/libb.so", bss=9), *one])

    [change] = comparison.changes
    assert (change.change, change.because) == ("grown", "the memory that continues libb.so")


def test_memory_with_other_permissions_at_the_same_place_is_reprotected() -> None:
    comparison = between([*library(LIBC), Piece(5)], [*library(LIBC), Piece(5, "r-xp")])

    assert [change.change for change in comparison.changes] == ["reprotected"]


def test_a_large_crowd_is_one_change_with_its_counts() -> None:
    before = [Piece(64, rss=n % 9) for n in range(60)]
    after = [Piece(64, rss=n % 7) for n in range(172)]

    [change] = between(before, after).changes

    assert (change.change, len(change.before), len(change.after)) == ("grown", 60, 172)
    assert change.delta["size"] == 112 * 64 * PAGE
    assert change.because == "as equal blocks in numbers"


def test_a_crowd_that_only_lost_one_block_lost_that_block() -> None:
    crowd = [Piece(64, rss=1)] * 30

    assert named(between(crowd, crowd[1:])) == [("removed", None, -64 * PAGE)]


def test_a_crowd_of_the_same_number_pairs_what_is_alike() -> None:
    before = [Piece(64, rss=n) for n in range(30)]
    after = [Piece(64, rss=n + 2) for n in range(30)]
    comparison = between(before, after)

    [change] = comparison.changes
    assert (change.change, len(change.before), len(change.after)) == ("resident", 2, 2)
    assert comparison.unchanged == 28


def test_an_arena_that_commits_more_of_its_reservation_is_one_change() -> None:
    before = [Piece(1000), Piece(15384, "---p", touches=True)]
    after = [Piece(1200), Piece(15184, "---p", touches=True)]

    [change] = between(before, after).changes

    assert (change.change, change.delta["size"], change.delta["accessible"]) == ("grown", 0, 200 * PAGE)


def test_two_reservations_side_by_side_whose_borders_moved_alike_are_two_changes() -> None:
    def heaps(committed: int) -> list[Piece]:
        one = [Piece(committed), Piece(16384 - committed, "---p", touches=True)]
        return [HEAP, *one, one[0]._replace(touches=True), one[1], STACK, *KERNEL]

    found = between(heaps(3041), heaps(3074))

    assert [(str(c.change), len(c.before), len(c.after)) for c in found.changes] == [("grown", 2, 2)] * 2
    assert [c.delta["accessible"] for c in found.changes] == [33 * PAGE] * 2


def test_blocks_that_the_kernel_merged_in_one_run_only_are_merged() -> None:
    before = [*library(LIBC), Piece(1480), *library("/lib/ld.so"), Piece(256)]
    after = [*library(LIBC), Piece(1736), *library("/lib/ld.so")]

    [change] = between(before, after).changes

    assert (change.change, change.delta["size"]) == ("merged", 0)
    assert change.because == "by sizes that add up to the same"


def test_what_lay_beside_one_block_and_lies_beside_another_now_is_one_change() -> None:
    """The kernel merged 20 pages with the first of two blocks in one run, with the second in the other."""
    before = [*library(LIBC), Piece(40), HEAP, *library("/lib/b.so"), Piece(110)]
    after = [*library(LIBC), Piece(60), HEAP, *library("/lib/b.so"), Piece(90)]
    [change] = between(before, after).changes

    assert (change.change, change.delta["size"]) == ("redrawn", 0)
    assert change.because == "by sizes that add up to the same"


def test_without_addresses_there_is_only_structure() -> None:
    bare = run([*library(LIBC), HEAP, Piece(5)])
    rows = tuple(m._replace(start=None, end=None, values={**m.values, "size": m.size}) for m in bare.mappings)
    listing = bare.model_copy(update={"mappings": rows})

    assert compare(listing, bare).changes == ()
    assert "gives no addresses" in compare(listing, bare).reason
    with pytest.raises(MatchError, match="--match structure"):
        compare(listing, bare, match="address")


@pytest.mark.parametrize("name", ["a" * 60_000, "1." * 30_000, "-f" * 30_000, "lib" + "0" * 60_000 + ".so.1"])
def test_hostile_names_take_no_longer_than_others(name: str) -> None:
    """Without a bound the names alone take hours."""
    before, after = library(f"/lib/{name}.so.1"), library(f"/opt/{name}.so.2")

    assert len(pair(run(before), run(after))) == 4


def test_nothing_and_nothing_do_not_differ() -> None:
    assert pair(run([]), run([])) == []
    assert [len(region.after) for region in pair(run([]), run([HEAP]))] == [1]

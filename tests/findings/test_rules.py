"""A finding is there where the figures show it, and nowhere else."""

import pytest

from tests.report.worlds import KIB, MIB, NOON, PAGE, compare, mapping, snapshot
from vmdiff.comparison.compare import compare as compare_snapshots
from vmdiff.findings import COMPARISON_RULES, find, find_in
from vmdiff.model import Host, Origin, Owner, Part, Process, Snapshot, Thread
from vmdiff.model import owner as owned_by

BASE = mapping(1, 4, "r-xp", "/bin/x", rss=4 * KIB)


RARER = ("shared_clean", "shared_dirty", "anon_huge_pages", "lazy_free", "locked")


def ids(before, after):
    return [finding.id for finding in find(compare(taken(*before), taken(*after)))]


def taken(*mappings):
    """A snapshot for which the rarer counters were read, too."""
    origin = snapshot(BASE).origin
    more = origin.model_copy(update={"counters": (*origin.counters, *RARER)})
    told = (one if one.flags else one._replace(flags=("rd",)) for one in (BASE, *mappings))
    every = sorted(told, key=lambda one: one.start)
    return Snapshot(taken_at=NOON, origin=more, mappings=tuple(every))


def heap(size, rss):
    return mapping(0x100, size // 4096, "rw-p", "[heap]", rss=rss, private_dirty=rss)


def file(size, rss, **values):
    return mapping(0x100000, size // 4096, "r--s", "/data/big", rss=rss, private_clean=rss, **values)


def reserved(size):
    return mapping(0x8000000, size // 4096, "---p")


def owned(name, rss):
    return mapping(0x9000, rss // 4096, rss=rss)._replace(owner=owned_by(name, "record", "seen"))


def stacks(count):
    owner = owned_by("thread stack", "register", "seen", label="worker")
    return [mapping(0x20000 + 512 * at, 256)._replace(owner=owner) for at in range(count)]


def merged_stacks(*tids, threads):
    """One mapping with the stacks of some threads, as glibc 2.42 and later make them, in a process of *threads*."""
    start = 0x20000 << 12
    parts = tuple(
        Part(start=start + at * MIB, end=start + (at + 1) * MIB, name="thread stack", basis="register",
             certainty="certain", evidence="", label=f"worker {tid}", tid=tid)
        for at, tid in enumerate(tids)
    )  # fmt: skip
    whole = mapping(0x20000, len(tids) * MIB // 4096)
    owner = Owner(name="mixed", certainty="certain", basis="record", parts=parts)
    listed = tuple(Thread(tid=tid) for tid in threads)
    process = Process(pid=1, start_ticks=5, threads=listed or None)
    return taken(whole._replace(owner=owner)).model_copy(update={"process": process})


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        pytest.param(((1,), (1,)), ((1, 2, 3), (1, 2, 3)), True, id="two-threads-more"),
        pytest.param(((1,), (1,)), ((1, 2), (1, 2)), False, id="one-more"),
        pytest.param(((1,), (1, 2, 3)), ((1, 2, 3), (1, 2, 3)), False, id="stacks-that-were-not-known"),
        pytest.param(((1,), ()), ((1, 2, 3), (1, 2, 3)), False, id="threads-that-were-not-listed"),
        pytest.param(((1,), (1,)), ((1, 2, 3), (1,)), False, id="threads-that-ended"),
        pytest.param(
            ((1, 8, 9), (1, 8, 9)), ((1, 2, 3), (1, 2, 3)), False, id="threads-on-stacks-that-were-there"
        ),
    ],
)
def test_stacks_in_one_mapping_are_new_where_their_threads_are(before, after, found):
    comparison = compare_snapshots(
        *(merged_stacks(*tids, threads=threads) for tids, threads in (before, after)), match="address"
    )
    assert ("new-threads" in {finding.id for finding in find(comparison)}) is found


def arenas(count):
    return [
        mapping(0x40000 + 512 * at, 33)._replace(
            owner=owned_by("malloc arena", "record", "", label=f"arena {at}")
        )
        for at in range(count)
    ]


def plain(perms="rw-p", **values):
    return mapping(0x9000, 4096, perms, **values)


def locked(held):
    return plain(rss=held, locked=held)._replace(flags=("rd", "lo"))


def library(*, deleted):
    return mapping(0x300, 4, "r-xp", "/lib/libx.so")._replace(deleted=deleted)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([heap(MIB, MIB)], [heap(64 * MIB, 64 * MIB)], ["heap-growth"], id="the-heap-grew"),
        pytest.param([heap(MIB, MIB)], [heap(64 * MIB, MIB)], [], id="the-heap-grew-untouched"),
        pytest.param([heap(64 * MIB, 64 * MIB)], [heap(MIB, MIB)], [], id="the-heap-shrank"),
        pytest.param([], [file(64 * MIB, 4 * KIB)], ["lazily-read-file"], id="a-file-mapped"),
        pytest.param(
            [file(64 * MIB, 0)], [file(64 * MIB, 64 * MIB)], ["file-backed-growth"], id="a-file-read"
        ),
        pytest.param(
            [file(64 * MIB, 0)],
            [file(64 * MIB, 0)._replace(values={"rss": 64 * MIB, "private_dirty": 64 * MIB})],
            ["file-pages-written"],
            id="a-file-written",
        ),
        pytest.param([], [file(64 * MIB, 64 * MIB)], ["file-backed-growth"], id="a-file-mapped-and-read"),
        pytest.param([], [reserved(1 << 30)], ["reservation"], id="a-reservation"),
        pytest.param([mapping(0x8000000, 1 << 18)], [reserved(1 << 30)], [], id="no-longer-usable"),
        pytest.param([], [mapping(0x8000000, 1 << 18)], [], id="usable-and-untouched"),
        pytest.param([reserved(1 << 30)], [], [], id="a-reservation-gone"),
        pytest.param([], [owned("jemalloc", 8 * MIB)], ["owner-growth"], id="an-owner-grew"),
        pytest.param([owned("jemalloc", 8 * MIB)], [], [], id="an-owner-shrank"),
        pytest.param(
            [], [owned("malloc large block", 8 * MIB)], ["heap-growth", "large-blocks"], id="a-block"
        ),
        pytest.param([], [mapping(0x9000, 2048, rss=8 * MIB)], [], id="nobody-knows-who-grew"),
        pytest.param([], stacks(3), ["new-threads"], id="threads-started"),
        pytest.param([], stacks(1), [], id="a-thread-started"),
        pytest.param(stacks(3), [], [], id="threads-ended"),
        pytest.param(arenas(3), arenas(12), ["many-arenas"], id="many-arenas"),
        pytest.param(arenas(3), arenas(5), [], id="a-few-arenas"),
        pytest.param(arenas(12), arenas(12), [], id="many-arenas-as-before"),
        pytest.param([plain(perms="rw-p")], [plain(perms="rwxp")], ["writable-code"], id="writable-code"),
        pytest.param(
            [plain(perms="rwxp")], [plain(perms="rwxp", rss=PAGE)], [], id="writable-code-as-before"
        ),
        pytest.param(
            [plain(rss=16 * MIB)], [plain(rss=MIB, swap=15 * MIB)], ["swapped-out"], id="swapped-out"
        ),
        pytest.param([plain(rss=8 * MIB)], [plain(rss=MIB)], [], id="freed"),
        pytest.param(
            [plain(shared_dirty=4 * MIB, rss=4 * MIB)],
            [plain(private_dirty=4 * MIB, rss=4 * MIB)],
            ["sharing-broken"],
            id="copied-on-write",
        ),
        pytest.param([], [plain(rss=4 * MIB, anon_huge_pages=4 * MIB)], ["huge-pages"], id="huge-pages"),
        pytest.param(
            [plain(rss=4 * MIB)], [plain(rss=4 * MIB, lazy_free=4 * MIB)], ["freed-but-resident"], id="lazy"
        ),
        pytest.param([plain(rss=4 * MIB)], [locked(4 * MIB)], ["locked"], id="locked"),
        pytest.param([], [library(deleted=True)], ["deleted-files"], id="an-upgraded-library"),
        pytest.param([library(deleted=True)], [library(deleted=True)], [], id="upgraded-long-ago"),
        pytest.param([], [library(deleted=False)], [], id="a-library"),
    ],
)
def test_a_finding_appears_where_it_holds(before, after, expected):
    assert ids(before, after) == expected


def test_what_was_not_measured_on_one_side_is_said_first():
    blind = snapshot(BASE).model_copy(update={"origin": Origin(source="maps")})
    findings = find(compare(blind, snapshot(BASE)))

    assert [(finding.id, finding.severity) for finding in findings] == [("different-counters", "warning")]
    assert (
        findings[0].message
        == "only “after” measured rss, pss, private_clean and 2 more: what changed in them is unknown"
    )


def test_a_layout_that_moved_is_a_warning_and_a_doubt_is_not():
    def taken(**origin):
        return snapshot(BASE).model_copy(update={"origin": Origin(source="x", **origin)})

    moved, doubtful = taken(consistent=False, doubts=("it moved",)), taken(doubts=("one", "two"))
    assert [(f.id, f.severity, f.evidence) for f in find_in(moved)] == [
        ("inconsistent-snapshot", "warning", ("it moved",))
    ]
    assert [(f.id, f.message) for f in find_in(doubtful)] == [("doubts", "one (and 1 more)")]
    assert [f.message.split(":")[0] for f in find(compare(moved, doubtful))] == ["before", "after"]


def process(**facts):
    """Two snapshots of one process that differ in nothing but facts."""
    sides = ({name: value[at] for name, value in facts.items()} for at in (0, 1))
    return compare(*(snapshot(BASE, **side) for side in sides))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"peak_rss": (8 * KIB, 64 * MIB)}, ["peak-between"]),
        ({"peak_rss": (64 * MIB, 64 * MIB)}, []),
        ({"page_tables": (KIB, 4 * MIB)}, ["page-tables"]),
        ({"page_tables": (KIB, 2 * KIB)}, []),
        ({"limits": ({"address_space": 64 * KIB}, {"address_space": 17 * KIB})}, ["limit-near"]),
        ({"limits": ({"address_space": 17 * KIB}, {"address_space": 17 * KIB})}, []),
        ({"limits": ({"address_space": "unlimited"}, {"address_space": "unlimited"})}, []),
    ],
)
def test_the_facts_of_a_process_make_findings_too(facts, expected):
    assert [finding.id for finding in find(process(**facts))] == expected


def test_nearly_as_many_mappings_as_there_may_be_is_a_warning():
    def of(most):
        return snapshot(BASE).model_copy(update={"host": Host(max_map_count=most)})

    assert [(f.id, f.severity) for f in find_in(of(1))] == [("mapping-count", "warning")]
    assert find_in(of(65530)) == ()


def test_different_runs_are_said_to_be():
    finding = find(compare_snapshots(snapshot(BASE), snapshot(BASE), match="structure"))[0]

    assert finding.id == "different-runs"
    assert "compared as different runs, matched by structure" in finding.message


def test_the_registry_names_every_rule_once():
    assert len(set(COMPARISON_RULES)) == len(COMPARISON_RULES)


def test_what_was_not_measured_is_in_no_finding():
    """Two cheap listings know no resident memory, so none is claimed: not even that there is none."""
    known, unknown = (
        Snapshot(origin=Origin(source="x", detail="maps"), mappings=mappings)
        for mappings in ((), (owned("malloc large block", 64 * MIB)._replace(values={}),))
    )
    (found,) = find(compare(known, unknown))

    assert found.id == "large-blocks"
    assert "resident" not in found.message
    assert not [one for one in found.evidence if "rss" in one]


def test_a_large_block_that_the_kernel_merged_with_its_neighbour_is_found():
    block = Part(0x9000000, 0x9000000 + 64 * MIB, "malloc large block", "certain", "record", "", rss=64 * MIB)
    arena = Part(block.end, block.end + MIB, "python arena", "certain", "record", "", rss=MIB)
    alone = mapping(arena.start // PAGE, MIB // PAGE, rss=MIB)._replace(
        owner=owned_by("python arena", "record", "")
    )
    merged = mapping(block.start // PAGE, 65 * MIB // PAGE, rss=65 * MIB)._replace(
        owner=Owner("mixed", parts=(block, arena))
    )

    assert "large-blocks" in ids([alone], [merged])

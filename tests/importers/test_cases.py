"""Real listings, and the numbers that are known of them (EXPECTED.md and MANIFEST.tsv of that folder)."""

from itertools import pairwise

import pytest

from tests.importers.conftest import CASES
from vmdiff import importers
from vmdiff.errors import InputError
from vmdiff.model import Kind
from vmdiff.storage.json_document import dump, load

KIB = 1024
MINE = (
    "maps",
    "maps-malformed",
    "smaps",
    "smaps_rollup",
    "pmap",
    "pmap-x",
    "pmap-X",
    "pmap-XX",
    "pmap-d",
    "pairs",
)


@pytest.fixture
def read(case):
    return lambda name, **options: importers.read(case(name), source=name, **options)


def _listings():
    if CASES is None:
        return []
    names = [path.relative_to(CASES).as_posix() for path in CASES.rglob("*.txt")]
    return sorted(name for name in names if not name.endswith("CONCLUSION.txt"))


@pytest.mark.parametrize("name", _listings())
def test_every_listing_is_read_or_refused_with_a_reason(read, name):
    refusal = None
    try:
        snapshot = read(name)
    except InputError as error:
        refusal = str(error)
    if refusal is None:
        assert load(b"".join(dump(snapshot)), source=name) == snapshot
    else:
        assert refusal.startswith(name)
        assert "\n" not in refusal


@pytest.mark.parametrize(
    ("name", "totals"),
    [
        ("smaps/aosp-smaps_short.txt", {"size": 67192, "rss": 32900, "pss": 19119, "shared_clean": 4212, "shared_dirty": 11496, "private_clean": 260, "private_dirty": 16932, "locked": 19119, "swap": 0}),
        ("smaps/aosp-smaps-inline-one-vma.txt", {"size": 8448, "rss": 2652, "pss": 2652, "shared_clean": 840, "shared_dirty": 40, "private_clean": 84, "private_dirty": 2652, "swap": 102, "swap_pss": 70}),
        ("smaps/pixie-789-smaps.txt", {"rss": 2432, "pss": 2432}),
        ("smaps/psutil-issue1222-header-without-range.txt", {"private_clean": 6, "private_dirty": 7, "private_hugetlb": 14, "pss": 3, "swap": 15}),
        ("smaps/pypy-2.6.2x-i386-7-fields.txt", {"private_clean": 808, "private_dirty": 1032, "shared_clean": 60, "shared_dirty": 0, "pss": None, "swap": None}),
        ("smaps/ppc64le-64k-pages-4.14.txt", {"rss": 2048, "pss": 404, "locked": 340}),
        ("smaps/ksm-patch-unknown-lowercase-fields.txt", {"rss": 51212, "pss": 8276, "swap": 202016, "swap_pss": 3882, "ksm": 41376}),
        ("smaps/first-smaps-proposal-2005.txt", {"size": 936, "rss": 788, "pss": None}),
        ("smaps/openj9-rssanalyzer-old-order.txt", {"rss": 12, "pss": 12, "private_clean": 12, "swap": 0}),
        ("smaps_rollup/pixie-123-smaps_rollup.txt", {"pss": 5797, "size": None}),
        ("smaps_rollup/aosp-rollup-inline.txt", {"rss": 331908, "pss": 202052, "private_clean": 90472, "private_dirty": 64016, "swap_pss": 442, "locked": 1523537, "lazy_free": None}),
        ("smaps_rollup/chromium-rollup-6.x.txt", {"rss": 1908, "pss": 573, "pss_dirty": 144, "pss_anon": 100, "pss_file": 469, "pss_shmem": 12, "shared_clean": 1356, "private_clean": 448, "private_dirty": 104, "referenced": 1900, "anonymous": 105, "swap": 10, "swap_pss": 20}),
        ("pmap/ostep-centos7-memory-user-70.txt", {"size": 75732, "rss": None}),
        ("pmap-X/ostep-centos7-memory-user-10.txt", {"size": 14292, "rss": 10716, "pss": 10340, "referenced": 10716, "anonymous": 10328, "swap": 0, "locked": 0, "private_dirty": None}),
        ("pmap-x/kernel5.15-bash-swapped.txt", {"size": 7824, "rss": 1776, "dirty": 128, "pss": None}),
        ("pmap-XX/kernel5.15-bash-swapped.txt", {"size": 7824, "rss": 1776, "pss": 424, "shared_clean": 1584, "private_clean": 64, "private_dirty": 128, "referenced": 1716, "anonymous": 188, "swap": 184}),
        ("pmap-d/rhel4-i386-init.txt", {"size": 1700, "rss": None}),
        ("pmap-x/rhel4-i386-init-dashes.txt", {"size": 1700, "rss": None, "anonymous": None, "locked": None}),
        ("pmap-x/ostep-memory_use-10MB.txt", {"size": 13024, "rss": 11964, "dirty": 10344}),
        ("pmap-x/ostep-memory_use-65536MB.txt", {"size": 2780, "rss": 1716, "dirty": 96}),
        ("pairs/madvise-dontneed/before.pmap-x.txt", {"size": 8016, "rss": 4548}),
        ("pairs/madvise-dontneed/after.pmap-x.txt", {"size": 8016, "rss": 452}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_totals(read, name, totals):
    snapshot = read(name)

    found = {counter: snapshot.total(counter) for counter in totals}

    assert found == {counter: size and size * KIB for counter, size in totals.items()}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("maps/blazesym-map-lines.txt", 39),
        ("maps/chromium-weird-but-correct.txt", 5),
        ("maps/go-pprof-cat-ubuntu1404.txt", 19),
        ("maps/hiboma-centos6-cat.txt", 20),
        ("maps/lib-users-drm-mm-objects.txt", 617),
        ("maps/minidump-writer-cat.txt", 37),
        ("maps/minidump-writer-firefox-android-x86.txt", 7),
        ("maps/pixie-123-maps.txt", 44),
        ("maps/procmaps-rs-golden.txt", 25),
        ("maps/prometheus-procfs-26232-maps.txt", 9),
        ("maps/prometheus-procfs-26234-maps.txt", 4),
        ("maps/rbspy-proc-maps-map.txt", 4),
        ("maps/sentry-native-unsorted-no-trailing-blank.txt", 4),
        ("maps/uutils-procps-map-lines.txt", 7),
        ("maps-malformed/otel-ebpf-profiler-mixed.txt", 9),
        ("pmap-x/dockerd-full-paths-excerpt.txt", 13),
        ("pmap-x/sorted-by-size-no-header.txt", 9),
        ("pmap-d/rhel4-i386-init-quiet.txt", 18),
        ("pmap-X/ostep-centos7-memory-user-10.txt", 17),
        ("smaps/aosp-smaps_short.txt", 6),
        ("smaps/ppc64le-64k-pages-4.14.txt", 7),
    ],
)
def test_numbers_of_mappings(read, name, count):
    assert len(read(name).mappings) == count


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("maps-malformed/blazesym-malformed-lines.txt", 1),
        ("maps-malformed/chromium-missing-and-invalid-fields.txt", 1),
        ("maps-malformed/google-smaps-wrong-format.txt", 1),
        ("maps/minidump-writer-whitespace-names.txt", 3),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(read, name, line):
    with pytest.raises(InputError, match=f"{name}:{line}: expected "):
        read(name)


def test_each_malformed_line_is_refused_alone(case):
    names = (
        "maps-malformed/blazesym-malformed-lines.txt",
        "maps-malformed/chromium-missing-and-invalid-fields.txt",
    )
    for line in b"\n".join(map(case, names)).splitlines():
        with pytest.raises(InputError):
            importers.read(line + b"\n", source="x")


def test_each_valid_line_is_read_alone(case):
    for name in (
        "chromium-valid-lines",
        "chromium-permission-letters",
        "blazesym-map-lines",
        "lib-users-odd-deleted-lines",
    ):
        for line in case(f"maps/{name}.txt").splitlines():
            assert len(importers.read(line + b"\n", source="x").mappings) == 1


def test_unreadable_lines_among_readable_ones_are_named(read):
    assert read("maps-malformed/otel-ebpf-profiler-mixed.txt").origin.doubts == (
        "lines 8, 9, 10 and 11: not read, expected START-END PERMS OFFSET MAJOR:MINOR INODE [PATH]",
    )


@pytest.mark.parametrize(("number", "totals"), [(1, (8164, 4428, 4084)), (2, (4164, 152, 84))])
def test_two_processes_in_one_text(read, number, totals):
    snapshot = read("pmap-x/two-processes-in-one-text-dontfork.txt", choice=number)

    assert snapshot.process.pid == 9689 + number
    assert tuple(snapshot.total(name) // KIB for name in ("size", "rss", "dirty")) == totals


def test_every_value_of_a_record_lands_under_its_name(read):
    first = read("smaps/uutils-procps-smaps-cases.txt", choice=1).mappings[0]

    assert (first.size, first.values["rss"], first.values["pss"]) == (180 * KIB, 3 * KIB, 4 * KIB)
    assert (first.values["swap_pss"], first.values["locked"]) == (20 * KIB, 21 * KIB)
    assert first.values["thp_eligible"] == 22
    assert first.values["some_unknown_field_kb"] == 23 * KIB
    assert first.values["some_unknown_field"] == 24


def test_names_of_old_and_strange_kernels(read):
    vpn = read("maps/lib-users-openvz-deleted-prefix.txt")
    deleted = {m.path.rpartition("/")[2] for m in vpn.mappings if m.deleted}
    segments = [m for m in read("maps/ia64-shm-attributes-rfc.txt").mappings if m.kind is Kind.SHARED_MEMORY]

    assert deleted == {"openvpn", "libc-2.15.so", "libdl-2.15.so", "liblzo2.so.2.0.0", "ld-2.15.so"}
    assert [(m.path, m.deleted, m.inode) for m in segments][1] == ("/SYSV00000000", True, "32769")


def test_the_vsyscall_page_keeps_its_offset(read):
    assert read("maps/go-pprof-cat-ubuntu1404.txt").mappings[-1].offset == 0x90


def test_the_page_size_is_the_hosts(read):
    snapshot = read("smaps/ppc64le-64k-pages-4.14.txt")

    assert snapshot.host.page_size == 64 * KIB
    assert all(snapshot.attribute(m, "kernel_page_size") == 64 * KIB for m in snapshot.mappings)


def test_other_systems_maps_are_not_taken_for_linux_silently(read):
    snapshot = read("maps/ruby-crash-macos-three-letter-perms.txt")

    assert [m.perms for m in snapshot.mappings] == ["r-x?", "r--?"]
    assert any("less than Linux's maps do" in doubt for doubt in snapshot.origin.doubts)


@pytest.mark.parametrize(
    ("name", "start", "size"),
    [
        ("pmap-d/rhel4-i386-init.txt", 0x84E1000, 132),
        ("pmap-d/arm32-tmux-dev-0b3.txt", 0x1A8A000, 132),
        ("pmap-d/centos5-php-cgi-squeezed.txt", 0xF678000, 1980),
        ("pmap-x/aarch64-glibc-arenas-annotated.txt", 0xAAAB11E73000, 132),
        ("pmap-x/ostep-memory_use-10MB.txt", 0x5D02E24A5000, 132),
        ("pmap-x/kernel5.15-bash-swapped.txt", 0x55A63A960000, 264),
        ("pmap/ostep-android-studio-elided.txt", 0x146E000, 6572),
    ],
)
def test_the_heap_that_is_not_named_is_found(read, name, start, size):
    heaps = [m for m in read(name).mappings if m.owner and m.owner.name == "malloc heap"]

    assert [(m.start, m.size, m.owner.certainty) for m in heaps][:1] == [(start, size * KIB, "likely")]
    assert all(below.end == above.start for below, above in pairwise(heaps))


@pytest.mark.parametrize(
    "name", ["pmap-x/dockerd-full-paths-excerpt.txt", "pmap/ostep-centos7-memory-user-70.txt"]
)
def test_no_heap_is_found_where_there_is_none(read, name):
    assert not [m for m in read(name).mappings if m.owner and m.owner.name == "malloc heap"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "pmap-d/arm32-tmux-dev-0b3.txt",
            "size: the rows add up to 1,588 KiB, the listing states 9,160 KiB (7,572 KiB more)",
        ),
        (
            "pmap-d/centos5-php-cgi-squeezed.txt",
            "lines 13, 14 and 15: rows are missing: the listing is truncated here",
        ),
        ("pmap/ostep-firefox-elided.txt", "the listing states 4,135,392 KiB"),
        ("pmap-x/aarch64-glibc-arenas-annotated.txt", "lines 4, 6 and 10: remarks after the name, ignored"),
        ("maps/sentry-native-unsorted-no-trailing-blank.txt", "not in the order of addresses"),
        ("smaps/ppc64le-64k-pages-4.14.txt", "Locked is Pss"),
    ],
)
def test_doubts(read, name, sentence):
    assert any(sentence in doubt for doubt in read(name).origin.doubts)


def test_totals_without_rows_are_totals(read):
    snapshot = read("pmap-d/rhel4-loop-footers-only.txt", choice=13)

    assert snapshot.mappings == ()
    assert snapshot.total("size") == 5412 * KIB
    with pytest.raises(InputError, match="holds 13 listings"):
        read("pmap-d/rhel4-loop-footers-only.txt")

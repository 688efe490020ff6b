"""Small address spaces for the renderers' tests, drawn or generated."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.compare import compare as compare_snapshots
from vmdiff.findings import Finding, find
from vmdiff.model import Mapping, Origin, Process, Snapshot, kind_of
from vmdiff.model import owner as owned_by

PAGE = 4096
KIB = 1 << 10
MIB = 1 << 20
COUNTERS = ("rss", "pss", "private_clean", "private_dirty", "swap")
NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)

# Names that have broken a renderer somewhere.
HOSTILE = (
    "[heap]",
    "/tmp/[/foo] [bold red]x",
    "/tmp/\x1b[31mred\x1b]0;title\x07",
    "/tmp/two\nlines\r\x0bthree",
    "/tmp/\u202egpj.exe\u2066\u200b",
    "/tmp/@torvalds and #1 see https://evil.example/",
    "/tmp/a|b`c``d```",
    "/tmp/<script>alert(1)</script><!-- </details> &amp; -->",
    "/tmp/" + "x" * 3000,
    "/tmp/漢字" * 20,
    "/tmp/\x7f e\u0301\udcff\x85\u2028end",
    "anon_inode:[eventpoll]",
    "/tmp/ | --- | \\\\| **b** _i_ ~~s~~ $x$ \\| \\",
    "",
)


def compare(before: Snapshot, after: Snapshot) -> Comparison:
    """Compare by address: these snapshots say too little of themselves to be recognised."""
    return compare_snapshots(before, after, match="address")


def mapping(start: int, pages: int, perms: str = "rw-p", path: str | None = None, **values: int) -> Mapping:
    """Build a mapping of *pages* pages at page *start*; a file has an inode made of its name."""
    named = path is not None and not path.startswith("[")
    return Mapping(
        start * PAGE,
        (start + pages) * PAGE,
        perms,
        kind_of(path, perms),
        0,
        "fe:00" if named else "00:00",
        str(sum(map(ord, path or "")) + 1) if named else "0",
        path,
        values={key: value for key, value in values.items() if value},
    )


def snapshot(*mappings: Mapping, later: float = 0, label: str | None = None, **process: object) -> Snapshot:
    """Build a snapshot of process 812, *later* seconds after noon."""
    return Snapshot(
        taken_at=NOON + timedelta(seconds=later),
        label=label,
        origin=Origin(source="linux-proc", counters=COUNTERS, consistent=True, owners=True),
        process=Process(**{"pid": 812, "name": "server", "start_ticks": 77} | process),
        mappings=tuple(sorted(mappings, key=lambda mapping: mapping.start or 0)),
    )


def example() -> Comparison:
    """A server that grew its heap, mapped a file, lost a mapping and had a page shared."""
    image = mapping(
        0x400, 64, "r-xp", "/usr/bin/server", rss=200 * KIB, pss=200 * KIB, private_clean=200 * KIB
    )
    shared = image._replace(values={"rss": 200 * KIB, "pss": 100 * KIB})
    stack = mapping(0x9000, 33, "rw-p", "[stack]", rss=16 * KIB, pss=16 * KIB, private_dirty=16 * KIB)
    arena = mapping(0x6000, 33, rss=64 * KIB, pss=64 * KIB, private_dirty=64 * KIB)
    arena = arena._replace(owner=owned_by("malloc arena", "record", "a heap_info record", label="arena 3"))
    before = snapshot(
        image,
        mapping(0x800, 33, "rw-p", "[heap]", rss=40 * KIB, pss=40 * KIB, private_dirty=40 * KIB),
        mapping(0x2000, 8, "r--s", "/var/cache/old", rss=8 * KIB, pss=8 * KIB, private_clean=8 * KIB),
        mapping(0x5000, 4096, "---p"),
        stack,
        minor_faults=100,
        major_faults=0,
    )
    after = snapshot(
        shared,
        mapping(0x800, 1057, "rw-p", "[heap]", rss=4000 * KIB, pss=4000 * KIB, private_dirty=4000 * KIB),
        mapping(
            0x2100, 8192, "r--s", "/var/cache/new | big", rss=8 * KIB, pss=8 * KIB, private_clean=8 * KIB
        ),
        mapping(0x5200, 3584, "---p"),
        arena,
        stack,
        later=8.2,
        minor_faults=1100,
        major_faults=2,
    )
    return compare(before, after)


def hostile() -> Comparison:
    """Everything that a file name may be, mapped anew; threads and labels too."""
    files = [
        mapping(0x100 * at, 2, "rw-p", path or None, rss=PAGE, private_dirty=PAGE)
        for at, path in enumerate(map(_storable, HOSTILE), start=1)
    ]
    owned = mapping(0x9000, 4, rss=PAGE)._replace(
        owner=owned_by("thread stack", "register", HOSTILE[2], label=HOSTILE[5])
    )
    before = snapshot(label=HOSTILE[3], name=HOSTILE[2], threads=({"tid": 1, "name": "a"},))
    threads = ({"tid": 1, "name": "a"}, {"tid": 2, "name": HOSTILE[4]})
    after = snapshot(*files, owned, later=1, label=HOSTILE[7], name=HOSTILE[6], threads=threads)
    return compare(before, after)


def _storable(path: str) -> str:
    """Leave out what a snapshot's printable path cannot hold."""
    return path.replace("\udcff", "")


def findings_of(comparison: Comparison) -> tuple[Finding, ...]:
    return find(comparison)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    """Two snapshots of one address space with a handful of mappings each, some of them alike."""
    return compare(draw(_snapshots()), draw(_snapshots()))


@st.composite
def _snapshots(draw: st.DrawFn) -> Snapshot:
    places = draw(st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True).map(sorted))
    found = []
    for at, page in enumerate(places):
        room = (places[at + 1] if at + 1 < len(places) else page + 3) - page
        found.append(_drawn(draw, 1 + page, draw(st.integers(1, room))))
    return snapshot(*found, later=draw(st.integers(-5, 5)))


def _drawn(draw: st.DrawFn, page: int, pages: int) -> Mapping:
    held = draw(st.sampled_from([0, 1, 1, pages])) * PAGE
    swapped = draw(st.sampled_from([0, 0, 0, 1])) * PAGE
    perms = draw(st.sampled_from(["rw-p", "r--p", "---p"]))
    path = draw(st.sampled_from([None, None, "/a", "/b", "[heap]"]))
    shared = draw(st.booleans())
    private = 0 if shared else held
    return mapping(
        page,
        pages,
        perms,
        path,
        rss=held,
        pss=held // (2 if shared else 1),
        private_dirty=private,
        swap=swapped,
    )

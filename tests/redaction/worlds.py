"""Snapshots to redact: a small one drawn by hand, and strategies for all others."""

from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import strategies as st

from vmdiff.model import Kind, Mapping, Origin, Owner, Part, Snapshot, owner

PAGE = 0x1000
COUNTERS = ("rss", "pss", "swap")


_moments = count()


def snapshot(*mappings: Mapping, **facts: object) -> Snapshot:
    """Build a snapshot; each is taken a second later than the one before it."""
    origin = Origin(source="linux-proc", counters=COUNTERS, attributes=("thp_eligible", "name"), owners=True)
    taken_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(_moments))
    return Snapshot(**{"origin": origin, "mappings": mappings, "taken_at": taken_at, **facts})


_PATHS = (
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/libsecret-1.so.0",
    "/home/alice/lib/libc.so.6",
    "/home/alice/project/libsecret-1.so.0",
    "/home/bob/project/libsecret-1.so.0",
    "/opt/acme/data.db",
    "/memfd:alice",
    "/dev/shm/alice",
    "[heap]",
    "[stack]",
    "[anon:alice]",
    "libc.so.6",
)
_OWNERS = (
    None,
    owner("malloc arena", "record", "heap_info at 7f00", label="arena 1"),
    owner("malloc arena", "record", "heap_info at 7f01", label="arena 2"),
    owner("thread stack", "register", "SP of alice", label="alice", tid=7),
    owner("named", "name", "prctl", label="alice"),
)


@st.composite
def mappings(draw: st.DrawFn, most: int = 12) -> tuple[Mapping, ...]:
    """Draw an address space: in order, disjoint, some touching, in all parts of 64 bits."""
    found = []
    address = draw(st.sampled_from([0x10000, 0x400000, 0x5555_5555_4000, 0x7F00_0000_0000]))
    for _ in range(draw(st.integers(0, most))):
        gap = draw(st.sampled_from([0, 0, PAGE, 5 * PAGE, 1 << 21, 1 << 26, 1 << 32, 1 << 44]))
        start = address + gap
        if draw(st.booleans()) and draw(st.booleans()):
            start += -start % (1 << 26)
        size = PAGE * draw(st.sampled_from([1, 2, 33, 512, 1 << 14]))
        if start + size > 1 << 47:
            break
        found.append(_mapping(draw, start, start + size))
        address = start + size
    return tuple(found)


def _mapping(draw: st.DrawFn, start: int, end: int) -> Mapping:
    path = draw(st.none() | st.sampled_from(_PATHS))
    backed = path is not None and not path.startswith("[")
    kind = Kind.FILE if backed else Kind.ANONYMOUS
    return Mapping(
        start,
        end,
        draw(st.sampled_from(["rw-p", "---p", "r-xp", "rw-s"])),
        kind,
        offset=draw(st.sampled_from([0, PAGE])) if backed else 0,
        device="fe:00" if backed else "00:00",
        inode=draw(st.sampled_from(["17", "2146353"])) if backed else "0",
        path=path,
        deleted=draw(st.booleans()) if backed else False,
        owner=None if backed else draw(st.sampled_from(_OWNERS)),
        values={
            "rss": draw(st.sampled_from([0, PAGE, end - start])),
            "name": draw(st.sampled_from(["x", "y"])),
        },
    )


@st.composite
def changed(draw: st.DrawFn, space: tuple[Mapping, ...]) -> tuple[Mapping, ...]:
    """Draw what may have become of an address space: gone, shortened, grown into, filled, renamed."""
    after, reach = [], 0
    for mapping in space:
        start, end = max(mapping.start or 0, reach), mapping.end or 0
        fate = draw(st.sampled_from(["same", "same", "gone", "short", "low", "fuller", "path"]))
        if fate == "short":
            end = max(end - PAGE, start + PAGE)
        if fate == "low" and start - PAGE >= max(reach, 0x10000):
            start -= PAGE
        values = mapping.values
        if fate == "fuller":
            values = {**mapping.values, "rss": 2 * PAGE}
        path = draw(st.sampled_from(_PATHS)) if fate == "path" and mapping.path else mapping.path
        if fate != "gone" and start < end:
            after.append(mapping._replace(start=start, end=end, path=path, values=values))
            reach = end
    return tuple(after)


def mixed(mapping: Mapping) -> Mapping:
    """Give a mapping whose halves have owners of their own."""
    start, end = mapping.start or 0, mapping.end or 0
    middle = (start + end) // 2
    parts = (
        Part(start, middle, "malloc large block", "certain", "record", "a chunk", rss=4096),
        Part(middle, end, "thread stack", "certain", "register", "SP of bob", label="bob", tid=9),
    )
    return mapping._replace(owner=Owner("mixed", parts=parts))

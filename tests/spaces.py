"""Address spaces for property tests: small, but with everything that can differ."""

from itertools import pairwise

from hypothesis import strategies as st

from tests.draw import COUNTERS, PAGE
from vmdiff.model import Kind, Mapping, Origin, Owner, Part, Snapshot, kind_of

PATHS = (None, None, "[heap]", "[anon:x]", "/lib/a.so", "/data/file", "/memfd:m")
OWNERS = (
    None,
    Owner("malloc arena", "certain", "record", "heap_info", "arena 1"),
    Owner("thread stack", "certain", "register", "sp", tid=7),
    Owner("jvm heap", "likely", "shape", "size"),
)

counters = st.dictionaries(
    st.sampled_from(COUNTERS), st.integers(1, 9).map(lambda pages: pages * PAGE), max_size=4
)


@st.composite
def owners(draw: st.DrawFn, start: int, end: int) -> Owner | None:
    """Draw one owner of a mapping, none, or several, whose counted pages may or may not add up."""
    borders = sorted(draw(st.sets(st.integers(start // PAGE, end // PAGE), max_size=4)))
    if len(borders) < 2 or draw(st.booleans()):
        return draw(st.sampled_from(OWNERS))
    parts = []
    for low, high in pairwise(borders):
        if owner := draw(st.sampled_from(OWNERS)):
            rss = draw(st.none() | st.integers(0, high - low).map(lambda pages: pages * PAGE))
            told = (owner.name, owner.certainty or "likely", owner.basis or "shape", owner.evidence)
            parts.append(Part(low * PAGE, high * PAGE, *told, owner.label, owner.tid, rss, 0, rss))
    return Owner("mixed", parts=tuple(parts)) if parts else None


@st.composite
def mappings(draw: st.DrawFn, *, unknowns: bool = False) -> tuple[Mapping, ...]:
    """Draw an ordered, disjoint list of mappings over few pages, so that two of them often meet."""
    borders = sorted(draw(st.sets(st.integers(0, 24), max_size=9)))
    drawn = []
    for start, end in pairwise(borders):
        if not draw(st.booleans()):
            continue
        path = draw(st.sampled_from(PATHS))
        perms = draw(st.sampled_from(("rw-p", "r--p", "---p", "r--s", "rw-p")))
        values = dict(draw(counters))
        if unknowns and draw(st.integers(0, 5)) == 0:
            values["pss"] = None
        kind = kind_of(path, perms)
        drawn.append(
            Mapping(
                start * PAGE,
                end * PAGE,
                perms,
                kind,
                draw(st.sampled_from((0, start * PAGE))) if path and path.startswith("/") else 0,
                "08:01" if path and path.startswith("/") else "00:00",
                "7" if path and path.startswith("/") else "0",
                path,
                flags=draw(st.sampled_from((None, ("rd",), ("rd", "wr")))),
                owner=draw(owners(start * PAGE, end * PAGE)) if kind is Kind.ANONYMOUS else None,
                values=values,
            )
        )
    return tuple(drawn)


@st.composite
def snapshots(draw: st.DrawFn, *, unknowns: bool = False) -> Snapshot:
    """Draw a snapshot; with *unknowns* some counters are unknown in places or throughout."""
    drawn = draw(mappings(unknowns=unknowns))
    known = COUNTERS
    if unknowns and draw(st.integers(0, 5)) == 0:
        known = COUNTERS[:2]
        drawn = tuple(m._replace(values={k: v for k, v in m.values.items() if k in known}) for m in drawn)
    return Snapshot(origin=Origin(source="drawn", counters=known, owners=True), mappings=drawn)

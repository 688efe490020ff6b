"""Conditions: what they select and bound, and what they refuse to decide."""

import pytest

from tests.draw import PAGE
from vmdiff import conditions
from vmdiff.comparison.compare import compare
from vmdiff.errors import ConditionError
from vmdiff.model import Kind, Mapping, Origin, Owner, Part, Snapshot

MIB = 1 << 20
COUNTERS = ("rss", "private_clean", "private_dirty", "swap")


def taken(*mappings: Mapping, counters: tuple[str, ...] = COUNTERS, owners: bool = True) -> Snapshot:
    origin = Origin(source="test", counters=counters, owners=owners)
    return Snapshot(origin=origin, mappings=mappings)


def anonymous(start: int, size: int, owner: Owner | None = None, **values: int) -> Mapping:
    return Mapping(start, start + size, "rw-p", Kind.ANONYMOUS, owner=owner, values=values)


def shared(rest: int) -> Snapshot:
    """A mapping of a thread's stack and of memory that nobody claims, which is *rest* bytes resident."""
    stack = Part(0, 8 * MIB, "thread stack", "certain", "record", "", rss=PAGE, swap=0, private=PAGE)
    owner = Owner("mixed", parts=(stack,))
    return taken(anonymous(0, 400 * MIB, owner, rss=PAGE + rest, private_dirty=PAGE + rest))


def holds(text: str, before: Snapshot, after: Snapshot) -> bool:
    return conditions.parse(text).holds(compare(before, after, match="address"))


def test_an_owner_does_not_answer_for_its_neighbours_in_a_mapping() -> None:
    before, after = shared(PAGE), shared(100 * MIB)

    assert not holds("owner:'thread stack' rss > +0", before, after)
    assert not holds("owner:'thread stack' private > +0", before, after)
    assert holds("rss > +99MiB", before, after)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("rss > 15MiB", True, id="level"),
        pytest.param("rss > 25MiB", False, id="level-not-reached"),
        pytest.param("rss > +5MiB", True, id="change"),
        pytest.param("rss > +15MiB", False, id="change-less"),
        pytest.param("rss < -1", False, id="negative"),
        pytest.param("rss >= 100%", True, id="percent"),
        pytest.param("rss > 100%", False, id="percent-exactly"),
        pytest.param("resident == 20MiB", True, id="resident"),
        pytest.param("virtual == 32MiB", True, id="virtual"),
        pytest.param("private == 20MiB", True, id="private"),
        pytest.param("owner:jemalloc rss == 20MiB", True, id="owner"),
        pytest.param("owner:'go heap' rss == 0", True, id="an-owner-that-there-could-be"),
    ],
)
def test_values_bound_levels_and_changes(text: str, expected: bool) -> None:
    jemalloc = Owner("jemalloc", "certain", "record", "")
    before, after = (
        taken(anonymous(0, 32 * MIB, jemalloc, rss=n * MIB, private_dirty=n * MIB)) for n in (10, 20)
    )

    assert holds(text, before, after) is expected


def test_huge_pages_are_resident_and_private() -> None:
    counters = (*COUNTERS, "private_hugetlb")
    before, after = (
        taken(anonymous(0, 64 * MIB, private_hugetlb=n * MIB), counters=counters) for n in (0, 32)
    )

    assert holds("rss == +32MiB", before, after)
    assert holds("kind:anonymous private == 32MiB", before, after)
    assert [str(c.change) for c in compare(before, after, match="address").changes] == ["resident"]


def test_huge_pages_of_several_owners_are_no_owners_nothing() -> None:
    parts = [
        Part(n * 32 * MIB, (n + 1) * 32 * MIB, name, "certain", "record", "") for n, name in enumerate("ab")
    ]
    both = anonymous(0, 64 * MIB, Owner("mixed", parts=tuple(parts)), private_hugetlb=32 * MIB)
    seen = taken(both, counters=(*COUNTERS, "private_hugetlb"))

    with pytest.raises(ConditionError, match="cannot be split"):
        holds("owner:a rss < 1MiB", seen, seen)


def test_new_mappings_are_counted_one_by_one_in_a_crowd_too() -> None:
    before = taken(*(anonymous(n * 4 * MIB, MIB) for n in range(10)))
    after = taken(*(anonymous(n * 8 * MIB, MIB) for n in range(70)))
    crowd = compare(before, after, match="structure")

    assert len(crowd.changes) == 1
    assert conditions.parse("new kind:anonymous == 60").holds(crowd)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("owner:jemaloc rss > +1", "did you mean 'jemalloc'", id="no-such-owner"),
        pytest.param("kind:hep rss > +1", "no kind 'hep'", id="no-such-kind"),
        pytest.param("path:*/nothing* rss > +1", "no mapping of the path", id="no-such-path"),
        pytest.param("privat > +1", "did you mean 'private'", id="no-such-counter"),
        pytest.param("ksm > +1", "ksm is not known", id="unknown"),
        pytest.param("rss > 1MiB/h", "vmdiff trend", id="a-rate"),
        pytest.param("new > +1", "whole number", id="a-signed-number"),
    ],
)
def test_what_cannot_be_decided_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(ConditionError, match=reason):
        holds(text, taken(anonymous(0, MIB)), taken(anonymous(0, MIB)))


def test_owners_that_were_looked_for_on_one_side_only_decide_nothing() -> None:
    stack = Owner("thread stack", "certain", "record", "")
    before, after = taken(anonymous(0, MIB, stack)), taken(anonymous(0, MIB), owners=False)

    with pytest.raises(ConditionError, match="not looked for in the snapshot after"):
        holds("owner:'thread stack' rss > +0", before, after)


def test_what_cannot_be_split_is_unknown() -> None:
    parts = Part(0, MIB, "jemalloc", "certain", "record", "")
    mixed = taken(anonymous(0, 2 * MIB, Owner("mixed", parts=(parts,)), rss=MIB // 2))

    with pytest.raises(ConditionError, match="cannot be split"):
        holds("owner:jemalloc rss > +0", mixed, mixed)
    assert not holds("rss > +0", mixed, mixed)


def test_one_snapshot_has_levels_only() -> None:
    one = taken(anonymous(0, MIB, rss=PAGE))

    assert conditions.parse("rss >= 4KiB").holds_in(one)
    assert not conditions.parse("rss > 4KiB").holds_in(one)
    for text in ("rss > +4KiB", "rss > 5%", "new > 0"):
        with pytest.raises(ConditionError, match="about a change"):
            conditions.parse(text).holds_in(one)

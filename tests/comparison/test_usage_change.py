"""The allocators' own figures are compared where both sides know them, and conditions ask for them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.test_usage import USAGES
from vmdiff import conditions
from vmdiff.comparison.compare import compare
from vmdiff.comparison.usage_change import FIGURES, by_owner
from vmdiff.errors import ConditionError
from vmdiff.findings import find
from vmdiff.model import Mapping, Origin, Snapshot, Usage, owner
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.report.json.schema import adapter


def usage(**fields: Any) -> Usage:
    known = dict.fromkeys(FIGURES, 0)
    return Usage(**{"owner": "malloc heap", "source": "test", "certainty": "certain", **known, **fields})


def snapshot(*usages: Usage, looked: bool = True, mappings: tuple[Mapping, ...] = ()) -> Snapshot:
    return Snapshot(
        origin=Origin(source="test", owners=True), usage=usages if looked else None, mappings=mappings
    )


HEAP = Mapping(0x1000, 0x9000, "rw-p", owner=owner("malloc heap", "name", "seen"))


def test_a_change_has_the_sizes_that_grew_largest_first() -> None:
    before = usage(in_use=480, free=0, blocks=10, sizes=((48, 10, 0),))
    after = usage(in_use=4832, free=96, blocks=101, sizes=((32, 1, 0), (48, 100, 2)))

    (change,) = compare(snapshot(before), snapshot(after)).usage or ()

    assert change.delta == dict.fromkeys(FIGURES, 0) | {"in_use": 4352, "free": 96, "blocks": 91}
    assert change.sizes == ((48, 90, 2), (32, 1, 0))


def test_what_is_partial_is_not_compared() -> None:
    (change,) = compare(snapshot(usage()), snapshot(usage(partial="it moved"))).usage or ()

    assert set(change.delta.values()) == {None}


def test_memory_that_one_side_did_not_have_is_compared_with_nothing() -> None:
    (change,) = compare(snapshot(), snapshot(usage(in_use=100))).usage or ()

    assert change.delta["in_use"] == 100


def test_memory_that_was_not_read_on_one_side_is_not_compared() -> None:
    assert compare(snapshot(mappings=(HEAP,)), snapshot(usage(in_use=100))).usage == ()


def test_without_usage_on_a_side_nothing_is_known() -> None:
    assert compare(snapshot(looked=False), snapshot(usage())).usage is None


def test_arenas_are_joined_by_owner() -> None:
    sides = [snapshot(*(usage(label=f"arena {n}", in_use=size * n) for n in (1, 2))) for size in (10, 100)]

    (joined,) = by_owner(compare(*sides).usage or ())

    assert joined.delta["in_use"] == 270


@given(st.lists(USAGES, max_size=3), st.lists(USAGES, max_size=3))
def test_the_document_is_as_its_schema_says(before: list[Usage], after: list[Usage]) -> None:
    found = compare(snapshot(*before), snapshot(*after))

    written = RENDERERS[Format.JSON].comparison(found, find(found), ViewOptions())

    adapter().validate_python(json.loads(written))


@given(st.lists(USAGES, max_size=3), st.lists(USAGES, max_size=3))
def test_the_other_way_round_is_the_mirror(before: list[Usage], after: list[Usage]) -> None:
    one = compare(snapshot(*before), snapshot(*after)).usage or ()
    other = {
        (change.owner, change.label): change
        for change in compare(snapshot(*after), snapshot(*before)).usage or ()
    }

    for change in one:
        mirror = other.pop((change.owner, change.label))
        assert {name: None if d is None else -d for name, d in change.delta.items()} == mirror.delta
    assert not other


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("owner:'malloc heap' in_use > +10MiB", True),
        ("owner:'malloc heap' in_use > +11MiB", False),
        ("owner:'malloc *' free < -1KiB", False),
        ("in_use > 50%", True),
    ],
)
def test_a_condition_asks_for_what_is_in_use(text: str, holds: bool) -> None:
    found = compare(snapshot(usage(in_use=1 << 20)), snapshot(usage(in_use=(1 << 20) + (21 << 19))))

    assert conditions.parse(text).holds(found) is holds


@pytest.mark.parametrize(
    ("side", "text", "reason"),
    [
        (snapshot(usage(partial="it moved")), "owner:'malloc heap' in_use > +1MiB", "it moved"),
        (snapshot(usage(in_use=None)), "in_use > +1MiB", "do not tell"),
        (snapshot(looked=False), "in_use > +1MiB", "was not read"),
        (snapshot(mappings=(HEAP,)), "owner:'malloc heap' free > +1MiB", "was not read"),
        (snapshot(usage()), "kind:heap in_use > +1MiB", "goes by owner"),
    ],
)
def test_a_condition_on_what_is_unknown_is_an_error(side: Snapshot, text: str, reason: str) -> None:
    found = compare(snapshot(usage()), side)

    with pytest.raises(ConditionError, match=reason):
        conditions.parse(text).holds(found)

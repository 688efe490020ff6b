"""A usage that contradicts itself cannot be built, and one that stands is written and read back whole."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vmdiff.model import Origin, Snapshot, Usage
from vmdiff.storage import json_document

BYTES = st.none() | st.integers(0, 1 << 50)
SIZES = st.lists(st.tuples(*[st.integers(0, 1 << 40)] * 3), unique_by=lambda one: one[0]).map(
    lambda sizes: tuple(sorted(sizes))
)
TYPES = st.lists(
    st.tuples(st.text(min_size=1, max_size=9), *[st.integers(0, 1 << 40)] * 2), unique_by=lambda one: one[0]
).map(tuple)
USAGES = st.builds(
    Usage,
    owner=st.sampled_from(["malloc heap", "jemalloc"]),
    label=st.none() | st.text(max_size=9),
    tid=st.none() | st.integers(0, 1 << 22),
    source=st.text(max_size=9),
    certainty=st.sampled_from(["certain", "likely"]),
    in_use=BYTES,
    free=BYTES,
    cached=BYTES,
    overhead=BYTES,
    releasable=BYTES,
    reserved=BYTES,
    blocks=BYTES,
    sizes=SIZES,
    types=TYPES,
    partial=st.none() | st.text(max_size=9),
)


def usage(**fields: Any) -> Usage:
    return Usage(owner="malloc heap", source="test", certainty="certain", **fields)


@given(st.none() | st.lists(USAGES, max_size=3).map(tuple))
def test_what_is_written_is_read_back_exactly(usages: tuple[Usage, ...] | None) -> None:
    taken = Snapshot(origin=Origin(source="test"), usage=usages)

    assert json_document.load(b"".join(json_document.dump(taken)), source="x") == taken


def test_where_nobody_looked_the_document_has_no_usage() -> None:
    written = b"".join(json_document.dump(Snapshot(origin=Origin(source="test"))))

    assert b"usage" not in written


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"sizes": ((48, 1, 0), (32, 1, 0))}, id="sizes-out-of-order"),
        pytest.param({"sizes": ((48, 1, 0), (48, 2, 0))}, id="size-twice"),
        pytest.param({"types": (("dict", 1, 64), ("dict", 2, 128))}, id="type-twice"),
        pytest.param({"in_use": -1}, id="negative"),
        pytest.param({"free": 1.5}, id="no-whole-number"),
        pytest.param({"freed": 1}, id="unknown-key"),
    ],
)
def test_a_contradiction_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        usage(**fields)

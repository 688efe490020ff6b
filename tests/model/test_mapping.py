"""A mapping cannot be changed, and one whose bounds are known has a type that says so."""

import copy
import pickle

import pytest

from vmdiff.model import (
    InvariantError,
    Mapping,
    Origin,
    PlacedMapping,
    Snapshot,
    Values,
    content,
    looks,
    place,
)
from vmdiff.storage import json_document

PAGE = 4096
ORIGIN = Origin(source="test", counters=("rss",))


def snapshot(*mappings: Mapping) -> Snapshot:
    return Snapshot(origin=ORIGIN, mappings=mappings)


def test_values_refuse_every_change() -> None:
    values = Values(rss=PAGE)

    changes = [
        lambda: values.__setitem__("rss", 0),
        lambda: values.__delitem__("rss"),
        lambda: values.__ior__({"rss": 0}),
        lambda: values.update(rss=0),
        lambda: values.setdefault("pss", 0),
        lambda: values.pop("rss"),
        values.popitem,
        values.clear,
    ]

    for change in changes:
        with pytest.raises(TypeError, match="cannot be changed"):
            change()
    assert values == {"rss": PAGE}


def test_values_can_be_pickled_and_copied() -> None:
    taken = snapshot(Mapping(0, PAGE, "rw-p", values={"rss": PAGE}))

    assert pickle.loads(pickle.dumps(taken)) == taken  # noqa: S301  # our own
    assert copy.deepcopy(taken) == taken
    assert taken.model_copy(deep=True) == taken


def test_a_snapshot_does_not_keep_what_its_maker_can_change() -> None:
    values = {"rss": PAGE}
    taken = snapshot(Mapping(0, PAGE, "rw-p", values=values))

    values["rss"] = 0

    assert taken.mappings[0].values == {"rss": PAGE}


def test_loading_a_file_again_gives_what_it_says() -> None:
    """Loads share what is equal in them, so an edit of one would show in the next."""
    data = b"".join(json_document.dump(snapshot(Mapping(0, PAGE, "rw-p", values={"rss": PAGE}))))
    first = json_document.load(data, source="a")

    with pytest.raises(TypeError):
        first.mappings[0].values["rss"] = 0  # type: ignore[index]

    assert json_document.load(data, source="a") == first


def test_sharing_survives_sealing() -> None:
    values = {"rss": PAGE}
    one, other = snapshot(
        Mapping(0, PAGE, "rw-p", values=values), Mapping(PAGE, 2 * PAGE, "rw-p", values=values)
    ).mappings

    assert one.values is other.values


def test_mappings_of_a_snapshot_are_placed_if_both_bounds_are_known() -> None:
    taken = snapshot(Mapping(None, None, "rw-p"), Mapping(0, PAGE, "rw-p"), Mapping(None, PAGE, "rw-p"))
    later = taken.model_copy(update={"mappings": (Mapping(0, PAGE, "r--p"),)})

    assert [type(mapping) for mapping in taken.mappings] == [Mapping, PlacedMapping, Mapping]
    assert taken.placed == taken.mappings[1:2]
    assert later.placed == later.mappings
    assert later.by_address.at(PAGE - 1) is later.placed[0]
    assert later.by_address.at(PAGE) is None


def test_place_is_the_reverse_of_content() -> None:
    mapping = PlacedMapping(0, PAGE, "rw-p", values=Values(rss=PAGE))

    assert place([0], [PAGE], [content(mapping)]) == [mapping]


def test_neighbours_that_differ_in_their_bounds_alone_have_the_very_same_look() -> None:
    first, second, other = (PlacedMapping(at, at + PAGE, "rw-p") for at in (0, PAGE, 2 * PAGE))
    pieces = [other._replace(path="/f", inode="7", offset=offset) for offset in (0, PAGE)]
    counted = second.with_values(Values())

    alike, again, changed, one, another = looks([first, second, counted, *pieces])

    assert alike is again
    assert changed != alike  # equal values that are not shared: comparing them would cost more
    assert one == another != alike


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (Values(), ()),
        (Values(rss=0, pss=1 << 64), ("rss", "pss")),
        (Values(rss=(1 << 64) + 1), None),
        (Values(rss=-1), None),
        (Values(rss=True), None),
        (Values(rss=None), None),
        (Values(rss=1, state="text"), None),
    ],
)
def test_values_that_are_all_amounts_have_names(values: Values, names: tuple[str, ...] | None) -> None:
    assert values.amounts == values.amounts == names
    assert copy.copy(values) == values


@pytest.mark.parametrize(
    "mapping",
    [
        pytest.param(Mapping(0, PAGE, "zz"), id="permissions"),
        pytest.param(Mapping(0, PAGE, "rw-p", values={"rss": "abc"}), id="a counter that is text"),
        pytest.param(Mapping(0, PAGE, "rw-p", values={"rss": -1}), id="a counter below nothing"),
        pytest.param(Mapping(0, PAGE, "rw-p", values={"rss": True}), id="a counter that is a truth value"),
        pytest.param(Mapping(0, PAGE, "rw-p", values={"size": PAGE}), id="a size beside bounds"),
    ],
)
def test_a_snapshot_of_impossible_mappings_cannot_be_built(mapping: Mapping) -> None:
    with pytest.raises((ValueError, InvariantError), match=r"mappings\[0\]"):
        snapshot(mapping)

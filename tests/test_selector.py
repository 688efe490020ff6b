"""Selectors say which mappings are meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.worlds import mapping
from vmdiff import selector
from vmdiff.errors import ConditionError
from vmdiff.model import Owner, Part
from vmdiff.model import owner as owned_by

HEAP = mapping(1, 1, "rw-p", "[heap]")
LIBC = mapping(2, 1, "r-xp", "/usr/lib/libc.so.6")
ARENA = mapping(3, 1)._replace(owner=owned_by("malloc arena", "record", "", label="arena 3"))
PARTS = tuple(
    Part(at, at + 1, name, "certain", "record", "") for at, name in enumerate(("python arena", "bss"))
)
MIXED = mapping(4, 1)._replace(owner=Owner("mixed", parts=PARTS))
ALL = {"heap": HEAP, "libc": LIBC, "arena": ARENA, "mixed": MIXED}


def chosen(text):
    return [name for name, one in ALL.items() if selector.parse(text).matches(one)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind:heap", ["heap"]),
        ("kind:*a*", ["heap", "libc", "arena", "mixed"]),
        ("path:*/libc.so*", ["libc"]),
        ("path:[[]heap]", ["heap"]),
        ("path:[heap]", ["heap"]),
        ("owner:'malloc arena'", ["arena"]),
        ('owner:"malloc arena"', ["arena"]),
        ("owner:malloc arena", ["arena"]),
        ("owner:malloc*", ["arena"]),
        ("owner:'malloc arena arena 3'", ["arena"]),
        ("owner:bss", ["mixed"]),
        ("kind:anonymous owner:python*", ["mixed"]),
        ("owner:malloc arena kind:anonymous", ["arena"]),
        ("kind:image path:*nothing*", []),
    ],
)
def test_a_selector_chooses(text, expected):
    assert chosen(text) == expected


@pytest.mark.parametrize("text", ["", "heap", "size:4", "kind:", "kind:hep", "hello kind:heap", "rss > 5"])
def test_what_is_none_is_refused(text):
    with pytest.raises(ConditionError):
        selector.parse(text)


def test_a_selector_is_taken_off_the_front():
    taken, rest = selector.split("kind:heap owner:'malloc heap' rss > 5%")

    assert (str(taken), rest) == ("kind:heap owner:'malloc heap'", "rss > 5%")
    assert selector.split("rss > 5%") == (selector.Selector(), "rss > 5%")


@given(st.text(st.characters(exclude_characters="\"'"), min_size=1).filter(str.strip))
def test_what_is_written_is_read_again(pattern):
    meant = selector.Selector((selector.Term("path", pattern),))

    assert selector.parse(str(meant)) == meant

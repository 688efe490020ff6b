"""What matching looks at in a name is the same of two pseudonyms where it was of the two names."""

import re
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.effort import times
from vmdiff.comparison.matching.by_structure.objects import stem
from vmdiff.model import base_name
from vmdiff.redaction.paths import Paths
from vmdiff.redaction.pseudonyms import Pseudonyms

HASH = "040039e1"
_WORDS = st.sampled_from(["tool", "libssl", "x", "py"])
_MORE = st.sampled_from(["-tool", "_x", "-py2k", ".plain", " copy"])
_NUMBERS = st.sampled_from(["1", "-1", "-2.31", "_2024", f"-{HASH}", "-4711", ".7"])
_ENDINGS = st.sampled_from(
    ["", ".so", ".so.1", ".so.2.0", ".db", ".cpython-311-x86_64-linux-gnu.so", ".abi3.so"]
)
names = st.builds(  # as files are called: words, a version or a number, an extension
    "{}{}{}{}".format,
    _WORDS,
    st.lists(_MORE, max_size=2).map("".join),
    st.lists(_NUMBERS, max_size=2).map("".join),
    _ENDINGS,
)


def without_numbers(path: str) -> str:
    return re.sub("[0-9]+", "#", path)


def without_pid(path: str) -> str:
    return re.sub("[0-9]+", lambda number: "#" if number[0] == "4711" else number[0], path)


def library_name(path: str) -> str | None:
    name, dot, _ = base_name(path).partition(".so")
    return name if dot else None


@pytest.mark.parametrize("seen", [base_name, stem, without_numbers, without_pid, library_name])
@given(one=names, other=names, system=st.booleans())
@settings(max_examples=times(400), deadline=None)
def test_names_that_match_still_match_and_no_others(
    seen: Callable[[str], object], one: str, other: str, system: bool
) -> None:
    assume(
        seen is not without_numbers or HASH not in one + other
    )  # its letters are numbers too, and not kept
    paths = Paths(Pseudonyms(b"key", ids=[4711]), ["tool-1.so"] if system else [], everywhere=True)
    originals = f"/opt/acme/{one}", f"/opt/acme/{other}"
    redacted = tuple(map(paths, originals))

    assert (seen(redacted[0]) == seen(redacted[1])) == (seen(originals[0]) == seen(originals[1])), redacted


_RANDOM = st.text("abcxyz0123456789_", min_size=4, max_size=9).map("tmp{}".format)


@given(one=_RANDOM, other=_RANDOM)
@settings(max_examples=times(300), deadline=None)
def test_names_of_temporary_files_are_as_long_as_each_other_where_they_were(one: str, other: str) -> None:
    for temporary in (None, [one, other]):
        paths = Paths(Pseudonyms(b"key"), temporary=temporary)
        for place in ("/tmp/{}", "/memfd:{}"):
            lengths = [len(paths(place.format(name))) for name in (one, other)]
            assert (lengths[0] == lengths[1]) == (len(one) == len(other))

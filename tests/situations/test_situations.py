"""The first sentence of each situation is right: it names what the program itself knows."""

import os
import sys

import pytest

from tests.situations.catalogue import FIELD, SITUATIONS, right

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes live processes")

SLOW = ("JVM", "postgres", "Go", "memcached")


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param(one, id=one.title, marks=[pytest.mark.changes_machine] if one.machine else [])
        for one in SITUATIONS
    ],
)
def test_the_first_sentence_is_right(situation, tmp_path):
    if situation.title.startswith(SLOW) and not os.environ.get("CI"):
        pytest.skip("takes a while to start; python -m tests.situations plays it")
    played = situation.play(tmp_path)

    assert right(situation, played.sentence), played.sentence


def test_what_people_ask_is_among_the_situations():
    assert set(FIELD.values()) <= {one.title for one in SITUATIONS}

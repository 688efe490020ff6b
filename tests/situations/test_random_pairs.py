"""No first sentence, and no finding, contradicts the totals: processes of the test machine, as they are."""

import sys

import pytest

import vmdiff
from tests.effort import times
from tests.situations.random_pairs import contradictions, pairs
from vmdiff.answer import answer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes live processes")


def test_pairs_of_real_processes_have_no_false_sentence():
    for before, after in pairs(times(24)):
        found = vmdiff.compare(before, after)

        assert list(contradictions(found)) == [], answer(found).sentence

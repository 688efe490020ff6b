"""What users ask of growing memory: the first sentence and the findings name what happened."""

import subprocess
from collections.abc import Sequence

import pytest

from tests.owners.inside.glibcs import PROGRAMS
from tests.owners.inside.looking import ask, at_rest
from tests.owners.living import compiled, running
from vmdiff.answer import answer
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.findings import find
from vmdiff.model import Snapshot
from vmdiff.sources import snap


def taken(process: "subprocess.Popen[str]") -> Snapshot:
    at_rest(process.pid)
    return snap(process.pid, inside=True)


def between(first: Sequence[str], then: Sequence[str]) -> Comparison:
    """Compare a program before and after some steps."""
    with running([compiled(PROGRAMS / "situations.c", "-w")]) as (process, _):
        for step in first:
            ask(process, step)
        before = taken(process)
        for step in then:
            ask(process, step)
        return compare(before, taken(process))


def message(found: Comparison, name: str) -> str:
    return next((finding.message for finding in find(found) if finding.id == name), "")


@pytest.mark.parametrize("step", ["free_all", "free_15_of_16", "free_but_one_a_page"])
def test_what_was_freed_and_is_kept_is_named_so(step: str) -> None:
    found = between(["load"], [step])

    sentence = answer(found).sentence
    assert sentence.startswith("resident ")
    assert "malloc heap in use -" in sentence
    assert "freed and kept +" in sentence
    assert "no leak" in message(found, "freed-and-kept")
    assert not message(found, "in-use-growth")


def test_all_that_was_freed_can_be_returned() -> None:
    found = message(between(["load"], ["free_all"]), "freed-and-kept")

    assert "malloc_trim(0) would return that" in found
    assert "between blocks in use" not in found


@pytest.mark.parametrize("step", ["free_15_of_16", "free_but_one_a_page"])
def test_what_lies_between_survivors_cannot_be_returned(step: str) -> None:
    assert "between blocks in use" in message(between(["load"], [step]), "freed-and-kept")


def test_what_malloc_trim_returned_is_not_kept_any_more() -> None:
    found = between(["load", "free_all"], ["trim"])

    assert answer(found).sentence.startswith("resident -")
    assert not message(found, "freed-and-kept")


def test_a_leak_of_one_size_is_named_with_its_size() -> None:
    found = between([], ["leak"])

    assert "malloc heap in use +" in answer(found).sentence
    assert "+200,000 blocks of 48 bytes" in answer(found).sentence
    assert "+200,000 blocks of 48 bytes" in message(found, "in-use-growth")
    assert not message(found, "freed-and-kept")


def test_an_arena_for_each_thread_keeps_memory() -> None:
    found = between([], ["threads"])

    assert "malloc arena" in answer(found).sentence
    assert "freed and kept +" in answer(found).sentence
    assert "MALLOC_ARENA_MAX" in message(found, "freed-and-kept")


def test_where_nothing_happens_nothing_is_said() -> None:
    found = between(["load", "free_15_of_16"], [])

    assert answer(found).sentence in {"nothing changed", "resident unchanged"}
    assert not message(found, "freed-and-kept")
    assert not message(found, "in-use-growth")

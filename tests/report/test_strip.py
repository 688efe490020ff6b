"""The strip shows both address spaces in the width there is, and marks what differs."""

import re

import pytest
from hypothesis import given, settings

from tests.effort import times
from tests.report.worlds import MIB, PAGE, compare, comparisons, example, mapping, snapshot
from vmdiff.findings import find
from vmdiff.model import Origin, Snapshot
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.report.terminal import strip


def drawn(comparison, width=108):
    return [
        "".join(text for text, _ in line) for line in strip.of_comparison(comparison, width, colour=False)
    ]


@settings(max_examples=times(40), deadline=None)
@given(comparisons())
def test_every_line_but_the_legend_fills_the_width_exactly(comparison):
    for width in (100, 133):
        before, after, marks, _ = drawn(comparison, width)
        assert {len(before), len(after), len(marks)} == {width}


@settings(max_examples=times(40), deadline=None)
@given(comparisons())
def test_marks_stand_where_the_sides_say_so(comparison):
    before, after, marks, _ = (line[8:] for line in drawn(comparison))

    for was, now, mark in zip(before, after, marks, strict=True):
        assert mark != "+" or (was == " " and now != " ")
        assert mark != "-" or (was != " " and now == " ")


def test_a_strip_of_a_heap_that_appeared():
    image = mapping(0x10, 256, "r-xp", "/bin/x", rss=MIB)
    heap = mapping(0x200, 256, "rw-p", "[heap]", rss=64 * PAGE)
    stack = mapping(0x7FFFF00, 256, "rw-p", "[stack]", rss=PAGE)
    reserved = mapping(0x7000000, 1 << 30, "---p")
    before, after, marks, _ = drawn(compare(snapshot(image, stack), snapshot(image, heap, stack)))

    assert re.fullmatch("before  █{19,21} {60,62}░{19,21}", before)
    assert re.fullmatch("after   █{19,21}▒{59,61} ░{19,21}", after), "a wide gap is one column"
    assert re.fullmatch(r" {27,29}\+{59,61} +", marks), "what changed is three times as wide"
    assert "·" in "".join(
        "".join(t for t, _ in line) for line in strip.of_snapshot(snapshot(reserved), 100, colour=False)
    )


def test_what_was_not_measured_is_drawn_as_unknown_and_not_as_empty():
    cheap = Snapshot(
        origin=Origin(source="x", detail="maps"),
        mappings=(
            mapping(0x10, 256, "rw-p")._replace(values={}),
            mapping(0x200, 256, "---p")._replace(values={}),
        ),
    )
    whole = snapshot(mapping(0x10, 256, "rw-p", rss=PAGE), mapping(0x200, 256, "---p"))

    line, legend = ("".join(text for text, _ in line) for line in strip.of_snapshot(cheap, 100, colour=False))
    assert set(line) <= set("?· ")
    assert "unknown" in legend
    before, after, _, legend = drawn(compare(cheap, whole))
    assert "?" in before
    assert "░" not in before
    assert "?" not in after
    assert "fuller" in legend


@pytest.mark.parametrize("width", [80, 99])
def test_a_narrow_terminal_gets_none(width):
    assert drawn(example(), width) == []


def test_a_wide_terminal_gets_one_and_a_mail_does_not():
    def shown(target):
        return RENDERERS[target].comparison(example(), find(example()), ViewOptions(width=120))

    assert "the more resident the fuller" in shown(Format.TERMINAL)
    assert "the more resident the fuller" not in shown(Format.TEXT)


def test_without_addresses_there_is_nothing_to_draw():
    loose = mapping(1, 4)._replace(start=None, end=None, values={"size": PAGE})

    assert list(strip.of_snapshot(snapshot(loose), 120, colour=True)) == []
    assert list(strip.of_snapshot(snapshot(), 120, colour=True)) == []

"""C++ objects are counted by class, in stripped programs too, and nothing else is called an object."""

from pathlib import Path

import pytest

from tests.owners.inside.glibcs import PROGRAMS as C_PROGRAMS
from tests.owners.inside.looking import ask, at_rest, inside, of
from tests.owners.living import compiled, running
from tests.owners.real import library
from vmdiff.comparison.usage_change import UsageChange
from vmdiff.model.usage import NO_CLASS
from vmdiff.owners.inside import QUICK

CLASSES = Path(__file__).parent / "programs" / "classes.cc"


def _types(pid, owner):
    at_rest(pid)
    (usage,) = of(inside(pid), owner)
    assert usage.partial is None
    assert sum(held for _, _, held in usage.types) == usage.in_use
    assert sum(count for _, count, _ in usage.types) == usage.blocks
    return usage


def _objects(usage):
    return {name: count for name, count, _ in usage.types if name.startswith("app::")}


@pytest.mark.parametrize(
    ("options", "owner"),
    [
        pytest.param((), "malloc heap", id="glibc"),
        pytest.param(("-s",), "malloc heap", id="stripped"),
        pytest.param(("-s", "-ljemalloc"), "jemalloc", id="jemalloc"),
        pytest.param(("-no-pie",), "malloc heap", id="fixed-address"),
        pytest.param(("-static-libstdc++",), "malloc heap", id="library-inside"),
    ],
)
def test_objects_are_counted_as_the_program_counts_them(options, owner):
    if "-ljemalloc" in options:
        library("libjemalloc.so")
    with running([compiled(CLASSES, *options, compiler="g++")]) as (process, said):
        before = _types(process.pid, owner)
        told = ask(process, "")
        after = _types(process.pid, owner)

    first = {name: int(values[0]) for name, values in said.items()}
    assert _objects(before) == first
    assert _objects(after) == told
    change = UsageChange(owner, None, (before,), (after,))
    grown = {name: count for name, count, _ in change.types if name.startswith("app::")}
    assert grown == {name: told[name] - first[name] for name in told}


def test_a_program_in_c_has_no_classes():
    with running([compiled(C_PROGRAMS / "like_malloc.c")]) as (process, _):
        at_rest(process.pid)
        assert all(not usage.types for usage in inside(process.pid))


def test_only_a_whole_look_inside_counts_objects():
    with running([compiled(CLASSES, compiler="g++")]) as (process, _):
        at_rest(process.pid)
        assert all(not usage.types for usage in inside(process.pid, QUICK))


def test_a_table_that_is_only_pointed_to_is_no_object():
    with running([compiled(CLASSES, compiler="g++")]) as (process, _):
        usage = _types(process.pid, "malloc heap")
    assert all(name.startswith(("app::", "std::", NO_CLASS)) for name, _, _ in usage.types)

"""CPython's objects are counted by type, and nothing that only looks like an object is."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.owners.inside.reading import read_inside
from tests.owners.inside.test_cpython_heap import VERSIONS
from tests.owners.living import running, wait_until_waiting
from tests.owners.test_python import interpreter
from vmdiff.model import Usage
from vmdiff.owners.inside import QUICK
from vmdiff.owners.inside.cpython_census import NO_OBJECT
from vmdiff.owners.inside.cpython_heap import cpython

MADE = """
import gc, os, signal
class Node:
    def __init__(self, n): self.n = n
class Slot:
    __slots__ = ("x",)
    def __init__(self): self.x = 1
def make():
    return [
        [Node(n) for n in range(10_000)], [Slot() for _ in range(11_000)], [str(n) + "!" for n in range(30_000)],
        [float(n) for n in range(12_000)], [(n, n) for n in range(7_000)], [b"b%d" % n for n in range(4_000)],
        [10**12 + n for n in range(20_000)], [{n: n} for n in range(5_000)], [[n] for n in range(3_000)],
        [{n} for n in range(2_000)], [bytearray(100) for _ in range(1_000)], [complex(n) for n in range(900)],
    ]
make() if WHAT == "before" else None
kept = make() if WHAT == "made" else None
del make
gc.collect()
os.write(1, b"ready\\n")
signal.pause()
"""
EXPECTED = {
    "Node": 10_000, "Slot": 11_000, "str": 30_000, "float": 12_000, "tuple": 7_000, "bytes": 4_000, "int": 20_000,
    "dict": 5_000, "list": 3_013, "set": 2_000, "bytearray": 1_000, "complex": 900,
}  # fmt: skip


WAITING = """
import gc, os, signal
kept = KEPT
gc.collect()
os.write(1, b"ready\\n")
signal.pause()
"""


@contextmanager
def python(code: str, program: str = sys.executable, **environment: str) -> Iterator[int]:
    with running([program, "-c", code], **environment) as (process, _):
        wait_until_waiting(process.pid, 1)
        yield process.pid


def counted(code: str, program: str = sys.executable, **environment: str) -> Usage:
    with python(code, program, PYTHONHASHSEED="0", **environment) as pid:
        (usage,) = read_inside(pid, cpython)
    return usage


def objects(usage: Usage) -> dict[str, int]:
    return {name: count for name, count, _ in usage.types}


def program_of(version: tuple[int, int]) -> str:
    """Return the interpreter of a version; skip the test where there is none."""
    program = interpreter(version)
    if program is None:
        pytest.skip("this version of Python is not here")
    # A first start compiles its library, and 252 more dicts stay.
    subprocess.run([program, "-c", "import gc, os, signal"], check=True)
    return program


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: "{}.{}".format(*version))
def test_the_objects_that_were_made_are_counted(version: tuple[int, int]) -> None:
    """Against the same program that makes none; instances have dicts of their own up to 3.10."""
    program = program_of(version)
    without, made = (counted(f"WHAT = {what!r}" + MADE, program) for what in ("none", "made"))
    before, after = objects(without), objects(made)
    expected = EXPECTED | ({"dict": 15_000} if version < (3, 11) else {})

    assert made.partial is None
    grown = {name: after[name] - before.get(name, 0) for name in expected}
    shared = {"int", "str", "tuple", "bytes"}  # numbers are shared, constants and names a few more
    assert {name: grown[name] for name in grown if name not in shared} == {
        name: expected[name] for name in grown if name not in shared
    }
    assert all(0 <= grown[name] - EXPECTED[name] < 70_000 if name == "int" else 200 for name in shared)


def test_all_blocks_in_use_are_in_one_row() -> None:
    usage = counted("WHAT = 'none'" + MADE)

    assert objects(usage)[NO_OBJECT] >= 0
    assert sum(size for name, _, size in usage.types if name == NO_OBJECT) < (usage.in_use or 0)


def test_what_was_freed_is_not_counted() -> None:
    none, before = (counted(f"WHAT = {what!r}" + MADE) for what in ("none", "before"))

    names = ("Node", "Slot", "complex", "set", "bytearray")
    assert [objects(before).get(name, 0) for name in names] == [objects(none).get(name, 0) for name in names]


ALIKE = """
import os, signal
from array import array
class Node: pass
one = Node()
pairs = {int: [4], float: [4], complex: [4]}
pairs |= dict.fromkeys((str, bytes, tuple, list, dict, set, bytearray, Node), range(1, 33))
kept = [array("Q", [1, id(kind)] * count) for kind in pairs for count in pairs[kind] for _ in range(COUNT)]
os.write(1, b"ready\\n")
signal.pause()
"""


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: "{}.{}".format(*version))
def test_numbers_that_look_like_objects_are_none(version: tuple[int, int]) -> None:
    """Arrays of an object's first words, the very pattern that is looked for: a count and a type.

    In blocks of every size, if its objects have more than these; else of one that none of them takes.
    """
    program = program_of(version)
    none, some = (objects(counted(ALIKE.replace("COUNT", count), program)) for count in ("1", "500"))

    assert some["array.array"] - none["array.array"] == (3 + 8 * 32) * 499
    names = ("int", "float", "complex", "str", "bytes", "tuple", "list", "dict", "set", "bytearray", "Node")
    mistaken = {name: some.get(name, 0) - none.get(name, 0) for name in names}
    assert {name: count for name, count in mistaken.items() if count >= 100} == {}


TRACKED = """
import collections, dataclasses, datetime, decimal, enum, fractions, gc, os, signal
Pair = collections.namedtuple("Pair", "a b")
Single = collections.namedtuple("Single", "a")
Number, Text, Raw, Row = (type(name, (base,), {}) for name, base in
    [("Number", int), ("Text", str), ("Raw", bytes), ("Row", tuple)])
class Weekday(enum.IntEnum):
    MONDAY, TUESDAY = 0, 1
@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
class Wide:
    def __init__(self):
        for n in range(25): setattr(self, "x%d" % n, n)
kept = [[make(n) for n in range(1000)] for make in (
    lambda n: Pair(n, n), lambda n: Single(n), lambda n: Number(n ** (n % 9)), lambda n: Text("x" * (n % 40)),
    lambda n: Raw(b"x" * (n % 40)), lambda n: Row(range(n % 20)), Point, lambda n: Wide(), lambda n: [*range(n % 30)],
    lambda n: {n: 1, "s": 2}, lambda n: set(range(n % 9)), lambda n: frozenset(range(n % 9)), lambda n: vars(Point(n)),
    lambda n: collections.OrderedDict(a=n), lambda n: collections.deque([n]), lambda n: collections.Counter("ab"),
    lambda n: (lambda: n), lambda n: (n for _ in "a"), lambda n: memoryview(b"abc"), lambda n: [].append,
    lambda n: iter([n]), lambda n: slice(n, n), fractions.Fraction, decimal.Decimal, lambda n: ValueError(n))]
gc.collect()
known = collections.Counter(type(one).__name__ for one in gc.get_objects() if not isinstance(one, type))
for name, count in known.items():
    os.write(1, (name + " " + str(count) + "\\n").encode())
os.write(1, b"ready\\n")
signal.pause()
"""


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: "{}.{}".format(*version))
def test_every_object_that_the_collector_knows_is_counted(version: tuple[int, int]) -> None:
    """Types, and instances of more than 512 bytes, are malloc's; of the others a few ended since."""
    with running([program_of(version), "-c", TRACKED]) as (process, said):
        wait_until_waiting(process.pid, 1)
        (usage,) = read_inside(process.pid, cpython)

    have = Counter[str]()
    for name, count, _ in usage.types:
        have[name.rpartition(".")[2]] += count
    known = {name: int(count) for name, (count,) in said.items()}
    assert len(known) > 50
    assert {name: (count, have[name]) for name, count in known.items() if have[name] < count - 3} == {}
    assert usage.types_certainty == "likely"


def test_lists_of_types_are_no_objects() -> None:
    code = WAITING.replace("KEPT", "[[int, TYPE, dict, float] for _ in range(COUNT)]")
    for name in ("int", "list", "dict"):
        none, some = (
            counted(code.replace("TYPE", name).replace("COUNT", count)) for count in ("1", "10_001")
        )
        assert abs(objects(some)[name] - objects(none)[name] - (10_000 if name == "list" else 0)) < 100


def test_the_table_of_a_large_dict_is_the_dicts() -> None:
    code = WAITING.replace("KEPT", "dict.fromkeys(range(COUNT))")
    none, some = (counted(code.replace("COUNT", count)) for count in ("1", "100_000"))
    size = {name: bytes_ for name, _, bytes_ in some.types}["dict"] - {name: b for name, _, b in none.types}[
        "dict"
    ]

    assert sys.getsizeof(dict.fromkeys(range(100_000))) - 64 <= size + 400 < 6 << 20


def test_the_data_of_arrays_is_numpys() -> None:
    pytest.importorskip("numpy") if not os.environ.get("CI") else __import__("numpy")
    code = """
import os, signal, numpy
kept = [numpy.ones((100, 1000)), numpy.zeros((50, 1000), order="F")[:, ::2], numpy.arange(10)]
os.write(1, b"ready\\n")
signal.pause()
"""
    (row,) = [row for row in counted(code).types if row[0] == "numpy.ndarray"]
    assert 800_000 + 400_000 <= row[2] < 1_200_000 + 100_000


def test_a_quick_look_counts_no_types() -> None:
    with python("WHAT = 'none'" + MADE) as pid:
        (usage,) = read_inside(pid, cpython, QUICK)

    assert usage.types == ()
    assert usage.in_use

"""Symbols and segments of mapped objects are where the dynamic linker says, and hostile files do no harm."""

import ctypes
import os
import struct
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.owners.living import snapshot
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.elf.headers import SegmentType, read_headers
from vmdiff.owners import Scene

PROGRAM = Path(sys.executable).read_bytes()[:2048]


def test_symbols_are_where_the_linker_put_them() -> None:
    with LiveMemory(os.getpid()) as memory:
        libc = Scene(snapshot(os.getpid()), memory).find_object("libc.so")
        assert libc is not None
        found = libc.symbols(["malloc", "getpid", "no_such_symbol", "environ"])

        assert set(found) == {"malloc", "getpid", "environ"}
        for name in ("malloc", "getpid"):
            assert found[name] == ctypes.cast(getattr(ctypes.CDLL("libc.so.6"), name), ctypes.c_void_p).value
        assert libc.symbols(["malloc"]) == {"malloc": found["malloc"]}


def test_the_program_is_one_of_the_objects() -> None:
    with LiveMemory(os.getpid()) as memory:
        scene = Scene(snapshot(os.getpid()), memory)
        program = scene.executable

        assert program in scene.objects
        assert program is not None
        assert program.headers is not None
        assert any(segment.type == SegmentType.LOAD for segment in program.headers.segments)
        assert program.bias is not None


def test_without_memory_there_are_objects_but_no_addresses() -> None:
    scene = Scene(snapshot(os.getpid()))

    assert scene.objects
    assert all(thing.headers is None and thing.symbols(["malloc"]) == {} for thing in scene.objects)


@settings(max_examples=times(200), deadline=None)
@given(st.integers(0, 120), st.binary(min_size=1, max_size=8))
def test_any_header_is_read_or_refused(at: int, damage: bytes) -> None:
    layout = read_headers(PROGRAM[:at] + damage + PROGRAM[at + len(damage) :])

    assert layout is None or len(layout.segments) <= 256


def test_a_header_of_the_other_width_and_order_is_understood() -> None:
    head = b"\x7fELF\x01\x02\x01".ljust(16, b"\0")
    head += struct.pack(">HHIIIIIHHHHHH", 2, 20, 1, 0x100, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    head += struct.pack(">8I", SegmentType.LOAD, 0x1000, 0x2000, 0, 0x30, 0x40, 6, 0x1000)
    layout = read_headers(head)

    assert layout is not None
    assert layout.segments == ((SegmentType.LOAD, 6, 0x1000, 0x2000, 0x30, 0x40),)

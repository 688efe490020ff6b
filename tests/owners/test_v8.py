"""V8's heap is known by the headers of its chunks, and nothing else is taken for it."""

import contextlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.owners.living import compiled, owned, running, snapshot
from tests.owners.lying import lied_to
from tests.owners.real import program
from tests.owners.truth import judged
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Mapping, Snapshot
from vmdiff.owners import Scene
from vmdiff.owners.runtimes.v8 import _LONGEST_HEAD, _size, v8

SCRIPT = Path(__file__).parent / "programs" / "grow.js"
CHUNK = 256 << 10
V8 = ("node", "chrom", "v8", "electron")  # in the paths of programs that hold one


def heap(seen: Snapshot) -> list[Mapping]:
    return [m for m in seen.mappings if m.owner and m.owner.name == "v8 heap"]


def resident(seen: Snapshot) -> int:
    return sum(mapping.values.get("rss", 0) for mapping in heap(seen))


def test_the_heap_grows_by_chunks_and_as_v8_says() -> None:
    with running([program("node"), "--expose-gc", SCRIPT]) as (process, said):
        before = owned(process.pid)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("200000\n")
        process.stdin.flush()
        grown = int(process.stdout.readline().split()[1])
        assert process.stdout.readline() == "ready\n"
        after = owned(process.pid)

    chunks = [m.start for m in heap(after) if m.size == CHUNK]
    assert len(chunks) - sum(m.size == CHUNK for m in heap(before)) > 30
    assert all(start is not None and start % CHUNK == 0 for start in chunks)
    unsure = [m for m in heap(after) if m.owner and m.owner.certainty != "certain"]
    assert len(unsure) <= 2, "read-only chunks belong to no heap"
    for seen, physical in ((before, int(said["physical"][0])), (after, grown)):
        assert resident(seen) == pytest.approx(physical, rel=0.25)


def test_a_large_buffer_is_mallocs() -> None:
    with running([program("node"), "--expose-gc", SCRIPT]) as (process, _):
        seen = owned(process.pid)

    pieces = [(part, part.end - part.start) for m in seen.mappings if m.owner for part in m.owner.parts]
    pieces += [(m.owner, m.size or 0) for m in seen.mappings if m.owner and not m.owner.parts]
    blocks = [owner for owner, size in pieces if owner.name == "malloc large block" and size >= 50 << 20]
    assert [owner.certainty for owner in blocks] == ["certain"]


def test_forged_headers_neither_hang_nor_break_it() -> None:
    with running([program("node"), "--expose-gc", SCRIPT]) as (process, _):
        for scene, claims in lied_to(process.pid, v8):
            assert all(scene.within(claim.start, claim.end) for claim in claims)


def others() -> Iterator[tuple[int, Snapshot]]:
    """Yield processes of this machine that hold no V8."""
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            taken = snapshot(int(folder.name)) if folder.name.isdigit() else None
            names = " ".join(mapping.path or "" for mapping in taken.mappings) if taken else ""
            if taken and not any(name in names for name in V8):
                yield int(folder.name), taken


def test_no_other_process_here_has_any() -> None:
    for pid, taken in islice(others(), times(25)):
        with contextlib.suppress(OSError), LiveMemory(pid) as memory:
            found = list(v8(Scene(taken, memory)))
            # Another test's child may have become node meanwhile: judge only what is the same program still.
            same = snapshot(pid).process.executable == taken.process.executable
            assert found == [] or not same


words = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.integers(0, 8).map(lambda n: CHUNK * n),
    st.integers(0, 2 * CHUNK).map(lambda n: 0x1234000000 + n),
)


@settings(max_examples=times(300))
@given(st.lists(words, max_size=12))
def test_a_record_that_is_believed_has_its_area_inside_the_chunk(record: list[int]) -> None:
    start = 0x1234000000
    size = _size(record, start)

    if size:
        assert size in record
        assert any(start < at <= start + _LONGEST_HEAD for at in record)
        assert any(start + size - _LONGEST_HEAD <= end <= start + size for end in record)


@pytest.mark.parametrize("acts", ["2", "r", "a", "2ra"])
def test_region_allocators_and_arenas_of_other_programs_are_no_v8(acts: str) -> None:
    with running([compiled(SCRIPT.parent / "regions.c"), acts]) as (process, said):
        verdicts = judged(owned(process.pid), said)

    assert [verdict for verdict in verdicts if verdict.word != "right"] == []

"""A Go program's heap is found by the runtime's own records, with symbols or without."""

import os
import sys
from pathlib import Path

import pytest

from tests.owners.go_programs import compile_go
from tests.owners.living import owned, owner_at, running, snapshot
from tests.owners.lying import lied_to
from tests.owners.real import program
from tests.owners.truth import judged, wrong
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Kind, Mapping, Origin, Snapshot
from vmdiff.owners import RULES, Scene, assign
from vmdiff.owners.runtimes.go import go

SOURCE = Path(__file__).parent / "programs" / "go"
GOROUTINES = 200


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the program with and without symbols."""
    compiler = program("go", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    folder = tmp_path_factory.mktemp("go")
    compile_go(compiler, SOURCE, folder / "symbols")
    compile_go(compiler, SOURCE, folder / "stripped", "-ldflags=-s -w")
    compile_go(compiler, SOURCE.with_name("go_mappings"), folder / "mappings")
    return folder


def heap(seen: Snapshot) -> list[Mapping]:
    return [m for m in seen.mappings if m.owner and m.owner.name == "go heap"]


def resident(seen: Snapshot) -> int:
    return sum(mapping.values.get("rss", 0) for mapping in heap(seen))


@pytest.mark.parametrize("name", ["symbols", "stripped"])
def test_the_heap_is_certain_and_its_growth_shows(build: Path, name: str) -> None:
    with running([build / name, 20, GOROUTINES]) as (process, said):
        before = owned(process.pid)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("100\n")
        process.stdin.flush()
        place = process.stdout.readline().split()[1]
        assert process.stdout.readline() == "ready\n"
        after = owned(process.pid)

    for seen, where in ((before, said["heap"][0]), (after, place)):
        owner = owner_at(seen, int(where, 16))
        assert owner is not None
        assert (owner.name, owner.certainty) == ("go heap", "certain")
    assert 100 << 20 <= resident(after) - resident(before) < 130 << 20


def test_goroutines_are_no_threads_and_everything_has_an_owner(build: Path) -> None:
    with running([build / "symbols", 20, GOROUTINES]) as (process, _):
        seen = owned(process.pid)

    names = [m.owner.name for m in seen.mappings if m.owner]
    assert "thread stack" not in names
    assert "go runtime" in names
    unowned = [m for m in seen.mappings if m.owner is None and m.path is None and m.values.get("rss")]
    assert sum(m.values.get("rss", 0) for m in unowned) < 1 << 20, "records that nothing bounds"


def test_what_a_program_maps_itself_is_not_the_runtimes(build: Path) -> None:
    with running([build / "mappings"]) as (process, said):
        seen = owned(process.pid)

    assert wrong(judged(seen, said)) == []


def test_without_permission_the_place_alone_resembles_a_heap(build: Path) -> None:
    """From Go 1.27 on even that is random."""
    with running([build / "symbols", 1, 1]) as (process, _):
        claims = list(go(Scene(snapshot(process.pid), None)))

    assert {(claim.start, claim.basis) for claim in claims} <= {(0xC0_0000_0000, "shape")}


def test_forged_records_neither_hang_nor_break_it(build: Path) -> None:
    with running([build / "symbols", 20, 10]) as (process, _):
        for scene, claims in lied_to(process.pid, go):
            assert all(scene.within(claim.start, claim.end) for claim in claims)


def test_other_programs_cost_a_few_reads() -> None:
    class Counting(LiveMemory):
        reads = 0

        def read(self, address: int, length: int) -> bytes | None:
            self.reads += 1
            return super().read(address, length)

    with Counting(os.getpid()) as memory:
        assert list(go(Scene(snapshot(os.getpid()), memory))) == []
        assert memory.reads < 8


def test_in_a_listing_the_place_of_the_heap_makes_it_likely() -> None:
    heap = Mapping(0xC000000000, 0xC000400000, "rw-p")
    rest = Mapping(0xC000400000, 0xC004000000, "---p", Kind.RESERVED)
    other = Mapping(0xC100000000, 0xC100400000, "rw-p")
    listing = Snapshot(origin=Origin(source="test"), mappings=(heap, rest, other))
    seen = assign(Scene(listing), RULES)

    assert [m.owner and (m.owner.name, m.owner.certainty) for m in seen.mappings] == [
        ("go heap", "likely"),
        ("go heap", "likely"),
        None,
    ]

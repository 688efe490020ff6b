"""Pages that come between the reading of the counters and the counting of each owner's pages hide nothing."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.owners.living import compiled, running
from vmdiff import sources
from vmdiff.capture import ProcessFolder, read
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Mapping, Snapshot
from vmdiff.owners import RULES, Scene, assign
from vmdiff.owners.second_look import same_layout, unsettled, with_owners_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes live processes")

SOURCE = Path(__file__).parent / "programs" / "touched_later.c"


class Toucher:
    """The program, and a way to have it touch one more page."""

    def __init__(self, folder: ProcessFolder, process) -> None:
        self.folder, self._process = folder, process

    def touch(self) -> None:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


@pytest.fixture
def toucher() -> Iterator[Toucher]:
    with running([compiled(SOURCE)]) as (process, _), ProcessFolder(process.pid) as folder:
        yield Toucher(folder, process)


def shared(snapshot: Snapshot) -> Mapping:
    """Return the mapping of two owners that the program made."""
    [found] = [m for m in snapshot.mappings if m.owner and m.owner.parts and m.size >= 2 << 20]
    return found


def test_a_page_that_came_meanwhile_is_seen_at_the_second_look(toucher: Toucher) -> None:
    stale = read(toucher.folder)
    toucher.touch()

    seen = sources.with_owners(toucher.folder, stale)

    parts = shared(seen).owner.parts
    assert [part.rss for part in parts if part.name == "malloc large block"] == [512 << 10]
    was = next(mapping for mapping in stale.mappings if mapping.start == shared(seen).start)
    assert seen.value(shared(seen), "rss") == stale.value(was, "rss") + os.sysconf("SC_PAGE_SIZE")


def test_a_process_at_rest_is_read_once(toucher: Toucher) -> None:
    taken = read(toucher.folder)

    assert sources.with_owners(toucher.folder, taken).taken_at == taken.taken_at


def test_owners_carry_over_to_a_reading_of_the_same_layout(toucher: Toucher) -> None:
    stale = read(toucher.folder)
    toucher.touch()
    with LiveMemory(toucher.folder.pid, mappings=stale.mappings) as memory:
        torn = assign(Scene(stale, memory), RULES)
        again = read(toucher.folder)
        whole = with_owners_of(torn, again, memory)

        assert same_layout(torn, again)
        assert (unsettled(torn, memory), unsettled(whole, memory)) == (1, 0)
    names = [[m.owner and m.owner.name for m in side.mappings] for side in (torn, whole)]
    assert names[0] == names[1]


def test_a_process_that_ended_meanwhile_keeps_what_was_read(toucher: Toucher) -> None:
    stale = read(toucher.folder)
    toucher.touch()
    toucher._process.kill()
    toucher._process.wait()

    assert sources.with_owners(toucher.folder, stale).mappings

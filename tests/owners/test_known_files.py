"""What was learnt of a program file in one process is not looked for again in another that maps it."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.owners.counting import Counting
from vmdiff import sources
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.owners import RULES, KnownFiles, Scene, assign
from vmdiff.owners.inside import QUICK, look_inside

# Prints when it is ready and ends with its standard input; its arena of small objects is there from the start.
WAITS = "import sys; held = [str(n) for n in range(20_000)]; print(flush=True); sys.stdin.read()"


@pytest.fixture
def pids() -> Iterator[list[int]]:
    """Start three interpreters, each with a layout of its own."""
    words = [sys.executable, "-c", WAITS]
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as two,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as three,
    ):
        every = one, two, three
        for process in every:
            assert process.stdout
            process.stdout.readline()
        yield [process.pid for process in every]
        for process in every:
            assert process.stdin
            process.stdin.close()


def looked_at(pid: int, known: KnownFiles) -> tuple[object, Counting]:
    """Return the owners and usage of a process, and the memory that counted how it was read."""
    snapshot = sources.snap(pid, owners=False)
    with ProcessFolder(pid) as folder, Counting(pid, folder=folder, mappings=snapshot.mappings) as memory:
        owned = assign(Scene(snapshot, memory, known), RULES)
        usage = look_inside(Scene(owned, memory, known), QUICK)
    return ([mapping.owner for mapping in owned.mappings], usage), memory


def test_what_is_found_is_the_same_and_found_with_less(pids: list[int]) -> None:
    known = KnownFiles()
    work = []
    for pid in pids:
        shared, memory = looked_at(pid, known)
        alone, apart = looked_at(pid, KnownFiles())
        assert shared == alone
        work.append((memory.opened, memory.places, apart.opened, apart.places))
    assert work[0][0] == work[0][2]
    for opened, places, opened_alone, places_alone in work[1:]:
        assert opened < opened_alone
        assert places < places_alone / 2

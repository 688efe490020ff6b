"""Look inside real processes, and ask them for their own account."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.owners.living import owned
from tests.waiting import until
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Usage
from vmdiff.owners import Scene
from vmdiff.owners.inside import WHOLE, Budget, look_inside

ANY = "any label"


def inside(pid: int, budget: Budget = WHOLE) -> tuple[Usage, ...]:
    """Return what the allocators of a process record."""
    return next(many_times(pid, 1, budget))


def many_times(pid: int, times: int, budget: Budget = WHOLE) -> Iterator[tuple[Usage, ...]]:
    """Look inside a process again and again, with owners assigned once."""
    seen = owned(pid)
    with LiveMemory(pid, mappings=seen.mappings) as memory:
        for _ in range(times):
            yield look_inside(Scene(seen, memory), budget)


def at_rest(pid: int) -> None:
    """Return when every thread of a process waits: one that said ``ready`` has others on their way there."""
    until(lambda: all(_state(task) == b"S" for task in Path(f"/proc/{pid}/task").iterdir()))


def _state(task: Path) -> bytes:
    return (task / "stat").read_bytes().rpartition(b")")[2].split()[0]


def of(usages: Sequence[Usage], *owners: str) -> list[Usage]:
    """Return the usages of some owners."""
    return [usage for usage in usages if usage.owner in owners]


def whole(*usages: Usage) -> int:
    """Add up all bytes that were walked: each is in use, free, cached or overhead."""
    return sum(
        (one.in_use or 0) + (one.free or 0) + (one.cached or 0) + (one.overhead or 0) for one in usages
    )


def accessible(pid: int, owner: str, label: str | None = ANY) -> int:
    """Return the bytes of an owner's memory that the process may use; with a *label* only of those that have it."""
    scene = Scene(owned(pid))
    return sum(
        held.end - held.start
        for held in scene.owned.get(owner, ())
        if label in {ANY, held.owner.label} and (mapping := scene.at(held.start)) and mapping.accessible
    )


def ask(process: "subprocess.Popen[str]", word: str) -> dict[str, int]:
    """Send a word to a program; return the numbers that it answers, up to ``ready``."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    lines = iter(process.stdout.readline, "ready\n")
    return {name: int(value) for name, value in (line.split() for line in lines)}

"""Run a reader of allocators' records on a real process."""

from tests.owners.living import snapshot
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Usage
from vmdiff.owners import RULES, Scene, assign
from vmdiff.owners.inside import WHOLE, Budget
from vmdiff.owners.inside.inside_registry import Reader


def read_inside(pid: int, reader: Reader, budget: Budget = WHOLE) -> list[Usage]:
    """Return what *reader* yields for a process, with the owners assigned as `snap` does."""
    seen = snapshot(pid)
    with LiveMemory(pid, mappings=seen.mappings) as memory:
        owned = assign(Scene(seen, memory), RULES)
        return list(reader(Scene(owned, memory), budget))

"""Records that lie: no reader raises, hangs or shows figures that contradict each other."""

import pytest

from tests.owners.inside.glibcs import PROGRAMS
from tests.owners.living import compiled, owned, running
from tests.owners.lying import Lying
from tests.owners.real import library
from vmdiff.model import Usage
from vmdiff.owners import Scene
from vmdiff.owners.inside import QUICK, WHOLE, Budget, look_inside


def check(one: Usage) -> None:
    """What is partial may be off; what is not must hold together."""
    if one.sizes and one.partial is None and one.in_use is not None:
        assert sum(size * used for size, used, _ in one.sizes) == one.in_use


@pytest.mark.parametrize("budget", [QUICK, WHOLE, Budget(walk=0, steps=None, seconds=None)])
@pytest.mark.parametrize(
    ("source", "arguments", "options"),
    [("mallocs.c", [3000, 2, 300, 1], ()), ("jemalloc_stats.c", [3000, 300, 1], ("-ljemalloc",))],
)
def test_lies_end_in_unknowns(
    source: str, arguments: list[int], options: tuple[str, ...], budget: Budget
) -> None:
    if options:
        library("libjemalloc.so")
    with running([compiled(PROGRAMS / source, *options), *arguments]) as (process, _):
        seen = owned(process.pid)
        for seed in range(40):
            with Lying(process.pid, seed) as memory:
                for one in look_inside(Scene(seen, memory), budget):
                    check(one)

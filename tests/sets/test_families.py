"""Families of real processes, read while they stand still: sums are those of the kernel and of smem."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.sets import families
from vmdiff import sources
from vmdiff.capture import read
from vmdiff.capture.process_set import read_set
from vmdiff.capture.process_tree import choose
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.report.set_report import set_text
from vmdiff.sets.set_comparison import Became, compare_sets
from vmdiff.sets.set_totals import total

POSTGRES = {"postgres": 1, "postgres: backend": 5, "postgres: checkpointer": 1, "postgres: walwriter": 1}
FAMILIES = [
    pytest.param(lambda: families.postgres_with(5), POSTGRES, id="postgres"),
    pytest.param(lambda: families.gunicorn(2), {"gunicorn master": 1, "gunicorn worker": 2}, id="gunicorn"),
    pytest.param(families.redis_saving, {"redis-server": 1, "redis-rdb-bgsave": 1}, id="redis"),
    pytest.param(
        lambda: families.chromium(2),
        {"chromium": 1, "chromium renderer": 2, "chromium gpu-process": 1, "chromium utility network": 1},
        id="chromium",
        marks=pytest.mark.xdist_group("chromium"),
    ),
    pytest.param(lambda: families.tree(40), {}, id="a tree of 40"),
]


class Looks(NamedTuple):
    """The sets of processes that stand still, read twice, and their files copied to *proc* and read from there."""

    live: tuple[SnapshotSet, SnapshotSet]
    proc: Path
    copy: SnapshotSet


def agreeing_looks(root: int, pids: list[int], proc: Path) -> Looks | None:
    """Look at the processes; None where their pages moved meanwhile.

    The kernel takes pages of files away from who does not use them, and any other process that starts or ends
    changes the PSS of libraries. smaps rounds the PSS of each mapping down to KiB (fs/proc/task_mmu.c).
    """
    first, second = (sources.snap_set([f"tree:{root}"], owners=False) for _ in range(2))
    families.copied(pids, proc)
    copy = read_set(choose([f"tree:{root}"], proc), read, freeze=False, limit=None, proc=proc)
    more = families.stated_by_the_kernel(pids, "Pss", proc) - (total(copy).pss or 0)
    at_rest = total(first).rss == total(second).rss == total(copy).rss
    agrees = 0 <= more <= 1024 * sum(len(one.mappings) for one in copy.members)
    return Looks((first, second), proc, copy) if at_rest and agrees else None


@pytest.mark.parametrize(("family", "roles"), FAMILIES)
def test_sums_are_the_kernels_and_smems_and_roles_are_told(
    family: Callable[[], AbstractContextManager[int]], roles: dict[str, int], tmp_path: Path
) -> None:
    with family() as root, families.standing_still(root) as pids:
        looks = (agreeing_looks(root, pids, tmp_path / str(n) / "proc") for n in count())
        live, proc, copy = next(filter(None, looks))
    held, smem = total(copy), families.stated_by_smem(proc)
    assert len(copy.members) == len(live[0].members) == smem["processes"] == len(pids)
    assert (held.pss, held.rss, held.private) == (smem["pss"], smem["rss"], smem["uss"])
    stated = read_set(
        choose([f"tree:{root}"], proc), partial(read, detail="totals"), freeze=False, limit=None, proc=proc
    )
    alone = total(stated)
    assert (alone.rss, alone.private, alone.swap) == (smem["rss"], smem["uss"], smem["swap"])
    assert alone.pss == families.stated_by_the_kernel(pids, "Pss", proc)
    assert {pair.became for pair in compare_sets(*live).pairs} == {Became.SAME}
    found = Counter(one.process.role for one in live[0].members)
    assert all(found[role] >= least for role, least in roles.items()), found
    assert max(map(len, set_text(live[0], "object", width=80).split("\n")[2:])) <= 80

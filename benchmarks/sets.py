"""Sets against the kernel's totals and smem's, at one moment: ``python -m benchmarks.sets [NAME...]``.

Each family of processes is stopped by signals. vmdiff reads it live, with owners; each process's sum must
miss the kernel's own total by what smaps rounds down only. Then all text files are copied, and vmdiff and
smem read the copy: there all sums must be the same. The table of docs/sets.md is what this prints.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from tests.sets import families
from vmdiff import sources
from vmdiff.capture import read
from vmdiff.capture.process_set import read_set
from vmdiff.capture.process_tree import choose
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.report.set_report import set_text
from vmdiff.sets.set_totals import by_role, total
from vmdiff.units import size

FAMILIES: dict[str, Callable[[], AbstractContextManager[int]]] = {
    "postgres, 20 backends, 128 MiB shared_buffers": lambda: families.postgres_with(20),
    "gunicorn --preload, 4 workers": lambda: families.gunicorn(4),
    "chromium, 5 tabs": lambda: families.chromium(5),
    "redis during BGSAVE": families.redis_saving,
    "a made tree of 200": lambda: families.tree(200),
}


class Measured(NamedTuple):
    """A family that stands still: read live, and a copy of its files read by vmdiff and by smem."""

    live: SnapshotSet
    copy: SnapshotSet
    smem: dict[str, int]
    rollup: int

    @property
    def agrees(self) -> bool:
        """Whether all sums are those of smem, and those of the kernel but for what smaps rounds down."""
        held = total(self.copy)
        told = {"processes": len(self.copy.members), "pss": held.pss, "rss": held.rss, "uss": held.private}
        gap = self.rollup - (held.pss or 0)
        return (
            all(self.smem[name] == value for name, value in told.items())
            and 0 <= gap <= rounded_at_most(self.copy)
            and all(abs(missed(member)) <= 1024 * len(member.mappings) for member in self.live.members)
            and [one.process.role for one in self.live.members]
            == [one.process.role for one in self.copy.members]
        )


def rounded_at_most(snapshots: SnapshotSet) -> int:
    """Return what smaps rounds down at the most: its PSS is whole KiB in each mapping."""
    return sum(1024 * len(member.mappings) for member in snapshots.members)


def missed(member) -> int:
    return member.rollup["pss"] - member.total("pss")


def measured(family: AbstractContextManager[int], folder: Path) -> Measured:
    with family as root, families.standing_still(root) as pids:
        live = sources.snap_set([f"tree:{root}"])
        proc = families.copied(pids, folder / "proc")
        copy = read_set(choose([f"tree:{root}"], proc), read, freeze=False, limit=None, proc=proc)
        rollup = families.stated_by_the_kernel(pids, "Pss", proc)
    return Measured(live, copy, families.stated_by_smem(proc), rollup)


def main() -> int:
    wrong = 0
    print("| processes | | RSS added up | PSS: vmdiff | smem | `smaps_rollup` | agree |")
    print("|---|--:|--:|--:|--:|--:|---|")
    tables = []
    for name, family in FAMILIES.items():
        if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
            continue
        with tempfile.TemporaryDirectory() as folder:
            one = measured(family(), Path(folder))
        wrong += not one.agrees
        held = total(one.copy)
        figures = " | ".join(size(value or 0) for value in (held.rss, held.pss, one.smem["pss"], one.rollup))
        count = len(one.live.members)
        print(f"| {name} | {count} | {figures} | {'yes' if one.agrees else 'NO'} |", flush=True)
        roles = ", ".join(f"{row.role} ({len(row.members)})" for row in by_role(one.live))
        tables.append(f"\n{name}: {roles}\n\n{set_text(one.live, 'owner', width=80)}")
    print("\n".join(tables))
    return wrong


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    sys.exit(main())

"""The real machine as oracle: the kernel's own totals, and pmap."""

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vmdiff
from tests.acts import actor
from tests.effort import times
from tests.owners.living import running
from vmdiff.comparison.compare import Comparison
from vmdiff.errors import ProcessError
from vmdiff.model import Snapshot


def every_pid() -> list[int]:
    return [int(name.name) for name in Path("/proc").iterdir() if name.name.isdigit()]


def test_every_process_there_is_is_read_or_refused_politely() -> None:
    problems = []
    for pid in every_pid():
        try:
            taken = vmdiff.snap(pid, owners=False)
        except ProcessError as error:
            if "\n" in str(error) or str(pid) not in str(error):
                problems.append((pid, error))
        else:
            if not taken.mappings or taken.process.pid != pid:
                problems.append((pid, taken.origin))

    assert problems == []


def test_kernel_threads_say_that_they_have_no_memory() -> None:
    with pytest.raises(ProcessError, match="kernel thread"):
        vmdiff.snap(_kernel_thread())


def _kernel_thread() -> int:
    for pid in every_pid():
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == "2":
                return pid
        except OSError:
            continue
    pytest.skip("no kernel thread is visible here")


def test_sums_of_a_quiet_process_are_the_kernels_own() -> None:
    with actor() as process:
        for act in ("heap", "block", "touch", "thread", "shared"):
            process.act(act)
        # Another process that starts between the two readings turns private pages of libc into shared
        # ones: try again then, as the kernel's two views can be equal only while nobody comes or goes.
        while missed(vmdiff.snap(process.pid, owners=False)):
            pass


def missed(taken: Snapshot) -> list[str]:
    """Name the counters whose sums are not the kernel's own totals."""
    assert taken.origin.consistent
    assert taken.rollup
    wrong = list(taken.origin.doubts)
    for counter in taken.rollup.keys() & set(taken.origin.counters):  # some are in the rollup only
        total, stated = taken.totals[counter], taken.rollup[counter]
        assert total is not None
        assert stated is not None
        rounding = 1024 * len(taken.mappings) if "pss" in counter else 0  # down to a kB once a mapping
        if not 0 <= stated - total <= rounding:
            wrong.append(counter)
    return wrong


def test_pmap_and_vmdiff_see_the_same() -> None:
    if not shutil.which("pmap"):
        pytest.skip("pmap is not installed")
    with actor() as process:
        for act in ("heap", "block", "touch", "split", "shared"):
            process.act(act)
        taken = vmdiff.snap(process.pid, owners=False)
        listing = subprocess.run(
            ["pmap", "-X", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout

    assert rows(listing) == [
        (f"{m.start:x}", m.perms, m.size, taken.value(m, "rss"), taken.value(m, "swap"))
        for m in taken.mappings
    ]


def rows(listing: str) -> list[tuple[str, str, int, int, int]]:
    lines = listing.splitlines()
    columns = lines[1].split()
    found = []
    for line in lines[2:]:
        fields = line.split()
        if not re.fullmatch(r"[0-9a-f]{6,}", fields[0]) or len(fields) < 6:
            continue
        row = dict(zip(columns, fields, strict=False))
        sizes = (int(row[name]) * 1024 for name in ("Size", "Rss", "Swap"))
        found.append((row["Address"], row["Perm"], *sizes))
    return found


def test_changes_of_busy_processes_add_up() -> None:
    with actor() as process:
        snapshots = [vmdiff.snap(process.pid, owners=False)]
        for act in ("block", "touch", "split", "thread", "join", "shared", "move", "heap", "thread", "free"):
            process.act(act)
            snapshots.append(vmdiff.snap(process.pid, owners=False))

    pairs = [(before, after) for before in snapshots for after in snapshots]
    assert len(pairs) == 121
    for before, after in pairs:
        assert_adds_up(vmdiff.compare(before, after), before, after)


RESTLESS = """
import mmap, random, threading, time

def work(seed):
    chance, kept = random.Random(seed), []
    while True:
        kept.append(mmap.mmap(-1, chance.randrange(1, 200) * 4096, prot=chance.choice([1, 3])))
        kept.append(bytearray(chance.randrange(1 << 19)))
        while len(kept) > 60:
            kept.pop(chance.randrange(len(kept)))
        time.sleep(0.0002)

for seed in range(3):
    threading.Thread(target=work, args=[seed]).start()
print("ready", flush=True)
"""


def test_random_pairs_of_restless_processes_add_up() -> None:
    with (
        running([sys.executable, "-c", RESTLESS]) as (one, _),
        running([sys.executable, "-c", RESTLESS]) as (other, _),
    ):
        snapshots = [vmdiff.snap(at.pid, owners=bool(turn % 2)) for turn in range(8) for at in (one, other)]

    chance = random.Random(200)
    comparisons = [vmdiff.compare(*(chance.choice(snapshots) for _ in "ab")) for _ in range(times(200))]
    assert {found.match for found in comparisons} == {"address", "structure"}
    for found in comparisons:
        assert_adds_up(found, found.before, found.after)


def assert_adds_up(comparison: Comparison, before: Snapshot, after: Snapshot) -> None:
    for counter in after.counters:
        deltas = [change.delta[counter] or 0 for change in comparison.changes]
        assert sum(deltas) == (after.totals[counter] or 0) - (before.totals[counter] or 0)
    regions = (*comparison.changes, *comparison.same)
    for side, whole in zip(("before", "after"), comparison.paired, strict=True):  # mappings may be cut for it
        listed = [mapping.start for region in regions for mapping in getattr(region, side)]
        assert sorted(listed, key=int) == [mapping.start for mapping in whole.mappings]


def test_the_cheap_listing_is_the_layout_of_the_dear_one() -> None:
    with actor() as process:
        process.act("thread")
        cheap = vmdiff.snap(process.pid, detail="maps", owners=False)
        dear = vmdiff.snap(process.pid, owners=False)

    assert [m[:11] for m in cheap.mappings] == [m[:11] for m in dear.mappings]
    assert cheap.totals["size"] == dear.totals["size"]
    assert "rss" not in cheap.counters
    assert vmdiff.compare(cheap, dear).changes == ()


def test_a_snapshot_says_what_it_knows_of_process_and_host() -> None:
    with actor() as process:
        process.act("thread")
        taken = vmdiff.snap(process.pid, label="now", owners=False)

    facts, host = taken.process, taken.host
    assert (facts.pid, facts.name, facts.parent) == (process.pid, "acts", os.getpid())
    assert len(facts.threads or ()) == 2
    assert (facts.limits or {}).keys() >= {"stack", "data", "address_space", "locked_memory", "open_files"}
    assert facts.arguments is None
    assert host.page_size == os.sysconf("SC_PAGE_SIZE")
    assert host.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert (taken.label, taken.origin.attempts, taken.origin.source) == ("now", 1, "linux-proc")

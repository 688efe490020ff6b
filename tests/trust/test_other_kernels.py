"""A /proc that lacks what this kernel's has: older ones, ones without page accounting, gVisor's."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import vmdiff
from tests.acts import Actor, actor
from vmdiff.capture import ProcessFolder, read
from vmdiff.model import Snapshot

ALWAYS = ("stat", "status", "maps")
# gVisor: pkg/sentry/fsimpl/proc/task.go, and pkg/sentry/mm/procfs.go for the lines of its smaps.
GVISOR = ("auxv", "cgroup", "cmdline", "comm", "limits", "mountinfo", "statm")
GVISOR_KEYS = (
    *("Size", "Rss", "Pss", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Referenced"),
    *("Anonymous", "AnonHugePages", "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss"),
    *("KernelPageSize", "MMUPageSize", "Locked", "VmFlags"),
)


@pytest.fixture
def process() -> Iterator[Actor]:
    with actor() as running:
        running.act("heap")
        yield running


@pytest.fixture
def taken_with(process: Actor, tmp_path: Path) -> Callable[..., Snapshot]:
    """Read the process through a /proc that has some files only."""

    def take(*names: str, **changed: bytes) -> Snapshot:
        folder = tmp_path / str(process.pid)
        folder.mkdir()
        for name in (*ALWAYS, *names):
            shutil.copyfile(f"/proc/{process.pid}/{name}", folder / name)
        for name, text in changed.items():
            (folder / name).write_bytes(text)
        with ProcessFolder(process.pid, proc=tmp_path) as opened:
            return read(opened)

    return take


def layout(snapshot: Snapshot) -> list[tuple[int | None, int | None, str, str | None]]:
    return [(m.start, m.end, m.perms, m.path) for m in snapshot.mappings]


def test_without_page_accounting_the_layout_is_known_and_nothing_is_counted(
    taken_with: Callable[..., Snapshot], process: Actor
) -> None:
    seen = taken_with("statm", "comm", "cmdline", "limits")
    whole = vmdiff.snap(process.pid, owners=False)

    assert layout(seen) == layout(whole)
    assert seen.origin.detail == "maps"
    assert seen.origin.consistent
    assert seen.origin.doubts == ("this kernel gives no smaps: nothing is known of what is resident",)
    assert seen.total("rss") is None
    assert seen.rollup is None


def test_the_least_that_there_can_be_is_enough(taken_with: Callable[..., Snapshot], process: Actor) -> None:
    seen = taken_with()

    assert seen.mappings
    assert seen.process.pid == process.pid
    assert seen.process.name == "acts"
    assert seen.process.threads is seen.process.limits is seen.process.cgroup is None
    assert seen.process.executable is None
    assert not any(mapping.build_id for mapping in seen.mappings)
    vmdiff.compare(seen, seen)


def test_without_a_rollup_the_totals_are_sums(taken_with: Callable[..., Snapshot], process: Actor) -> None:
    seen = taken_with("smaps")

    assert seen.rollup is None
    assert seen.origin.doubts == ()
    assert seen.total("rss") == vmdiff.snap(process.pid, owners=False).total("rss")


def as_in_gvisor(smaps: bytes) -> bytes:
    """Give the lines that gVisor has, in its order."""
    records = re.findall(rb"(.+-.+ .+\n)((?:\w+:.*\n)+)", smaps)
    lines = [(header, dict(re.findall(rb"(\w+)(:.*\n)", block))) for header, block in records]
    keys = [key.encode() for key in GVISOR_KEYS]
    return b"".join(header + b"".join(key + told[key] for key in keys) for header, told in lines)


def test_a_process_in_gvisor_is_read_with_what_there_is(
    taken_with: Callable[..., Snapshot], process: Actor
) -> None:
    seen = taken_with(*GVISOR, smaps=as_in_gvisor(Path(f"/proc/{process.pid}/smaps").read_bytes()))
    whole = vmdiff.snap(process.pid, owners=False)

    assert layout(seen) == layout(whole)
    assert seen.origin.consistent
    assert seen.origin.doubts == ()
    assert seen.rollup is None
    assert seen.total("rss") == whole.total("rss")
    assert seen.total("ksm") is None


def test_without_flags_and_later_counters_those_are_unknown(
    taken_with: Callable[..., Snapshot], process: Actor
) -> None:
    text = Path(f"/proc/{process.pid}/smaps").read_bytes()
    early = re.compile(
        rb"^(?:VmFlags|Pss_Dirty|KSM|THPeligible|SwapPss|LazyFree|Anonymous):.*\n", re.MULTILINE
    )
    seen = taken_with(smaps=early.sub(b"", text))

    assert all(mapping.flags is None for mapping in seen.mappings)
    assert seen.total("anonymous") is None
    assert seen.total("rss")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("status", b"", id="empty-status"),
        pytest.param("statm", b"what is it\n", id="statm"),
        pytest.param("limits", b"Limit\n\n", id="limits"),
        pytest.param("cgroup", b"0::\n", id="cgroup"),
        pytest.param("smaps_rollup", b"\0\n", id="rollup"),
        pytest.param("comm", b"\x1b[31m", id="comm"),
    ],
)
def test_a_file_that_says_something_else_costs_what_it_would_have_told(
    taken_with: Callable[..., Snapshot], name: str, text: bytes
) -> None:
    assert taken_with("smaps", **{name: text}).mappings

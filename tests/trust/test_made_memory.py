"""Every sort of memory, made for real, is counted as the kernel counts it elsewhere."""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import vmdiff
from tests.machine import afterwards, changed
from tests.owners.living import compiled
from tests.waiting import until
from vmdiff.model import Kind, Mapping, Snapshot

PROGRAM = Path(__file__).parent.parent.parent / "fixtures" / "programs" / "memories.c"
MIB = 1 << 20
LENGTH = 4 * MIB
KSM = Path("/sys/kernel/mm/ksm")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the machine's settings")


class Made:
    """A process with one piece of memory of some sort."""

    def __init__(self, pid: int, start: int, end: int) -> None:
        self.pid = pid
        self._start, self._end = start, end

    def snapshot(self) -> tuple[Snapshot, list[Mapping]]:
        """Take a snapshot; give it and what lies in the piece."""
        taken = vmdiff.snap(self.pid, owners=False)
        return taken, [
            m for m in taken.mappings if m.start and m.end and m.start < self._end and self._start < m.end
        ]

    def counted(self, counter: str) -> int:
        """Give a counter of the piece, in bytes."""
        taken, pieces = self.snapshot()
        return sum(int(taken.value(piece, counter) or 0) for piece in pieces)

    def total(self, counter: str) -> int:
        """Give a counter of the whole process, in bytes."""
        return int(self.snapshot()[0].total(counter) or 0)

    def status(self, key: str, file: str = "status") -> int:
        """Give what another file of the process says, in bytes."""
        found = re.search(
            rf"^{key}:?\s+(\d+)( kB)?$", Path(f"/proc/{self.pid}/{file}").read_text(), re.MULTILINE
        )
        assert found, key
        return int(found[1]) * (1024 if found[2] else 1)


@contextlib.contextmanager
def made(sort: str) -> Iterator[Made]:
    with subprocess.Popen([compiled(PROGRAM), sort], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline().strip()
            if line == "cannot":
                pytest.skip(f"this machine gives no {sort} memory")
            start, end = (int(bound, 16) for bound in line.split("-"))
            yield Made(process.pid, start, end)
        finally:
            process.kill()


def test_locked_memory_is_what_status_calls_so() -> None:
    with made("locked") as process:
        assert process.counted("locked") == LENGTH // 2 == process.status("VmLck")
        assert process.counted("rss") == LENGTH


def test_huge_pages_of_anonymous_memory_are_what_the_rollup_calls_so() -> None:
    enabled = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not enabled.exists() or "[never]" in enabled.read_text():
        pytest.skip("transparent huge pages are off")
    with made("thp") as process:
        found = process.counted("anon_huge_pages")
        assert found == process.status("AnonHugePages", "smaps_rollup")
        assert found in {0, 2 * MIB, LENGTH}  # the kernel gives them when it has them


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to follow map_files")
def test_memfd_memory_is_what_its_file_holds() -> None:
    with made("memfd") as process:
        _, (piece,) = process.snapshot()
        held = Path(f"/proc/{process.pid}/map_files/{piece.start:x}-{piece.end:x}").stat().st_blocks * 512
        assert process.counted("rss") == held == LENGTH // 4 == process.status("RssShmem")

    assert piece.kind is Kind.SHARED_MEMORY
    assert (piece.path, piece.deleted) == ("/memfd:made\x1b[31m(here)", True)


@needs_root
@pytest.mark.changes_machine
def test_hugetlb_memory_is_beside_the_resident_as_status_says() -> None:
    with changed(Path("/proc/sys/vm/nr_hugepages"), "4"), made("hugetlb") as process:
        assert process.counted("private_hugetlb") == LENGTH == process.status("HugetlbPages")
        assert process.counted("rss") == 0
        taken, (piece,) = process.snapshot()

    assert piece.values["kernel_page_size"] == 2 * MIB
    assert taken.total("private_hugetlb") == LENGTH


@needs_root
@pytest.mark.changes_machine
def test_swapped_memory_is_what_the_rollup_calls_so(tmp_path: Path) -> None:
    area = tmp_path / "area"
    area.write_bytes(bytes(16 * MIB))
    area.chmod(0o600)
    made_area = subprocess.run(["mkswap", area], capture_output=True, check=False)
    if made_area.returncode:
        pytest.skip("no swapping here")
    with afterwards("swapoff", area):
        if subprocess.run(["swapon", area], capture_output=True, check=False).returncode:
            pytest.skip("no swapping here")
        with made("swap") as process:
            swapped = process.counted("swap")
            assert swapped > 0
            # The rest of the process may be swapped, too, while there is room for it.
            assert process.total("swap") == process.status("Swap", "smaps_rollup") >= swapped
            assert process.counted("rss") + swapped == LENGTH
            vmdiff.snap(process.pid)  # with owners, whose rules read memory: what is swapped is left there
            assert swapped - process.counted("swap") <= 32 * 4096


@needs_root
@pytest.mark.changes_machine
def test_merged_pages_are_what_ksm_calls_so() -> None:
    with (
        changed(KSM / "sleep_millisecs", "0"),
        changed(KSM / "pages_to_scan", "5000"),
        changed(KSM / "run", "1"),
        made("ksm") as process,
    ):
        if not Path(f"/proc/{process.pid}/ksm_stat").exists():
            pytest.skip("this kernel does not say what it merged of a process")
        began = full_scans()
        until(lambda: full_scans() >= began + 3)  # the first only notes what pages hold, mm/ksm.c
        (KSM / "run").write_text("0")  # what was merged stays so, and no more is
        taken, _ = process.snapshot()
        if "ksm" not in taken.counters:
            pytest.skip("this kernel does not count merged pages in smaps")
        assert process.counted("ksm") == process.status("ksm_merging_pages", "ksm_stat") * 4096 > 0


def full_scans() -> int:
    """Return how often KSM has looked at all pages that may be merged."""
    return int((KSM / "full_scans").read_text())

"""Memfds and deleted files that are open and not mapped are facts of the process: no mapping shows them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.owners.living import running
from vmdiff import compare, snap
from vmdiff.findings import find_in
from vmdiff.model import Snapshot
from vmdiff.redaction import redact

MIB = 1 << 20
PROGRAM = """
import mmap, os, sys
folder, size = sys.argv[1], 1 << 20
held, mapped = os.memfd_create("held-by-ann"), os.memfd_create("mapped")
for file in (held, mapped):
    os.write(file, bytes(8 * size))
again = os.dup(held)
view = mmap.mmap(mapped, 8 * size)
names = [f"{folder}/gone", f"{folder}/gone-mapped", f"{folder}/there (deleted)"]
gone, gone_mapped, there = [os.open(name, os.O_RDWR | os.O_CREAT) for name in names]
for file in (gone, gone_mapped, there):
    os.write(file, bytes(2 * size))
kept = mmap.mmap(gone_mapped, 2 * size)
os.truncate(gone, 64 * size)
os.unlink(names[0])
os.unlink(names[1])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    folder = tmp_path_factory.mktemp("held")
    with running([sys.executable, "-c", PROGRAM, folder]) as (process, _):
        yield snap(process.pid)


def test_each_is_listed_once_with_what_it_holds(seen: Snapshot) -> None:
    found = seen.process.unmapped_files

    assert found is not None
    assert [(one.path.rpartition("/")[2], one.memfd, one.size) for one in found] == [
        ("memfd:held-by-ann", True, 8 * MIB),
        ("gone", False, 64 * MIB),
    ]
    assert found[0].held == 8 * MIB
    assert 2 * MIB <= found[1].held < 3 * MIB


def test_a_finding_tells_them(seen: Snapshot) -> None:
    told = {finding.id: finding.message for finding in find_in(seen)}

    assert "8,192 KiB of memory that no mapping shows" in told["open-memfds"]
    assert "gone: deleted and open, not mapped" in told["deleted-open"]


def test_redaction_hides_their_names(seen: Snapshot) -> None:
    (hidden,) = redact([seen])

    assert "ann" not in hidden.model_dump_json(include={"process"})
    assert hidden.process.unmapped_files
    assert [one.held for one in hidden.process.unmapped_files] == [
        one.held for one in seen.process.unmapped_files or ()
    ]


def test_one_that_holds_more_is_a_difference_of_the_process(seen: Snapshot) -> None:
    files = tuple(one.model_copy(update={"held": one.held * 2}) for one in seen.process.unmapped_files or ())
    process = seen.process.model_copy(update={"unmapped_files": files})
    later = seen.model_copy(update={"process": process})

    paths = [change.path for change in compare(seen, later).process]
    assert len(paths) == 2
    assert all(path.startswith("unmapped_files.") for path in paths)


def test_a_process_without_any_has_none(tmp_path: Path) -> None:
    with running(["sh", "-c", "echo ready; cat"]) as (process, _):
        assert snap(process.pid).process.unmapped_files == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_what_cannot_be_listed_is_unknown() -> None:
    def as_nobody() -> None:
        os.setuid(65534)

    from vmdiff.capture.machine_facts import Machine
    from vmdiff.capture.process_dir import ProcessFolder
    from vmdiff.capture.unmapped_files import unmapped_files

    child = os.fork()
    if child == 0:
        as_nobody()
        with ProcessFolder(1) as folder:
            os._exit(0 if unmapped_files(folder, Machine(), ()) is None else 1)
    assert os.waitpid(child, 0)[1] == 0

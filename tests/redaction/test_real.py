"""A real process, redacted: nothing of this machine is left, and what changed is still to be seen."""

import mmap
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.redaction.test_comparison import essence
from vmdiff import capture, sources
from vmdiff.comparison.compare import compare
from vmdiff.errors import ProcessError
from vmdiff.model import Snapshot
from vmdiff.redaction import redact
from vmdiff.storage import json_document

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads live processes")

GROW = """
import ctypes, mmap, os, sys, tempfile, threading
hidden = os.memfd_create("quixotic-frames"); os.ftruncate(hidden, 8192)
shared = mmap.mmap(hidden, 8192)
scratch = tempfile.NamedTemporaryFile(); scratch.write(b"x" * 8192); scratch.flush()
passing = mmap.mmap(scratch.fileno(), 0)
threading.Thread(target=threading.Event().wait, daemon=True).start()
private = open(sys.argv[1], "rb"); data = mmap.mmap(private.fileno(), 0, prot=mmap.PROT_READ)
ctypes.CDLL(None).prctl(15, b"quixotic-work", 0, 0, 0)
print(flush=True); sys.stdin.readline()
grown = mmap.mmap(-1, 64 << 20)
print(flush=True); sys.stdin.readline()
"""


@contextmanager
def growing(file: str) -> Iterator[tuple[Snapshot, Snapshot]]:
    """Give a process's snapshots before and after it maps 64 MiB."""
    command = [sys.executable, "-c", GROW, file, "--token=quixotic-token"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            process.stdout.readline()
            before = take(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()
            yield before, take(process.pid)
        finally:
            process.kill()


def take(pid: int) -> Snapshot:
    return sources.snap(pid, arguments=True, label="quixotic-label")


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Iterator[tuple[Snapshot, Snapshot]]:
    private = tmp_path_factory.mktemp("quixotic-folder") / "quixotic-ledger.db"
    private.write_bytes(b"x" * mmap.PAGESIZE)
    with growing(str(private)) as snapshots:
        yield snapshots


@pytest.mark.parametrize("key", [None, b"k" * 32])
def test_nothing_of_the_machine_is_left(pair, key):
    before, after = pair
    bytes_ = b"".join(b"".join(json_document.dump(snapshot)) for snapshot in redact(pair, key=key))

    assert before.process.arguments
    assert b"quixotic" not in bytes_
    assert f'"{platform.node()}"'.encode() not in bytes_
    assert str(before.host.boot_id).encode() not in bytes_
    for mapping in (*before.mappings, *after.mappings):
        # With a key, what somebody placed below 4 GiB (a program that is not position independent) stays.
        if mapping.path != "[vsyscall]" and not (key and mapping.start < 1 << 32):
            assert f'"{mapping.start:x}"'.encode() not in bytes_
        if mapping.inode != "0":
            assert f'"{mapping.inode}"'.encode() not in bytes_


@pytest.mark.parametrize("key", [None, b"k" * 32])
def test_the_growth_is_still_seen(pair, key):
    plain, hidden = compare(*pair), compare(*redact(pair, key=key))

    assert [(c.change, c.delta) for c in plain.changes] == [(c.change, c.delta) for c in hidden.changes]
    assert plain.totals == hidden.totals
    assert plain.totals["size"].delta == 64 << 20


def test_snapshots_redacted_apart_with_one_key_still_match(pair):
    before, after = (redact([snapshot], key=b"k" * 32)[0] for snapshot in pair)
    plain, hidden = compare(*pair), compare(before, after)

    assert before.origin.redaction == after.origin.redaction
    assert [(c.change, c.delta) for c in plain.changes] == [(c.change, c.delta) for c in hidden.changes]


@pytest.mark.parametrize("key", [None, b"k" * 32])
def test_a_restart_compares_as_it_did(pair, key, tmp_path):
    private = tmp_path / "quixotic-ledger.db"
    private.write_bytes(b"x" * mmap.PAGESIZE)
    with growing(str(private)) as (again, _):
        plain, hidden = compare(pair[0], again), compare(*redact([pair[0], again], key=key))

    assert plain.match == "structure"
    assert essence(hidden) == essence(plain)


def test_owners_are_kept(pair):
    for original, redacted in zip(pair, redact(pair), strict=True):
        found = [(m.owner and m.owner.name, m.owner and m.owner.certainty) for m in original.mappings]
        assert len({name for name, _ in found if name}) > 3
        assert found == [(m.owner and m.owner.name, m.owner and m.owner.certainty) for m in redacted.mappings]


def test_every_process_here_can_be_redacted():
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208  # names, not paths
        try:
            with capture.ProcessFolder(int(pid)) as folder:
                snapshot = capture.read(folder, detail="maps")
        except ProcessError:  # it ended, or is not ours to see
            continue
        again = json_document.load(b"".join(json_document.dump(redact([snapshot])[0])), source=pid)
        assert again.totals == snapshot.totals

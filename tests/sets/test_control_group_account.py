"""A control group's account: of a group of our own with known content, and after the kernel's documentation."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import until
from vmdiff import sources
from vmdiff.answer.of_control_group import answer_of_group, answer_of_groups
from vmdiff.answer.of_set import answer_of_sets
from vmdiff.capture.control_groups import account_of
from vmdiff.capture.page_cache import cached
from vmdiff.model.snapshot_set import ControlGroup, SnapshotSet
from vmdiff.sets.cgroup_account import account, account_change
from vmdiff.sets.set_comparison import compare_sets

MIB = 1 << 20
ANONYMOUS, FILE, TMPFS = 60 * MIB, 40 * MIB, 20 * MIB

# Enters the group, waits, holds the three kinds of memory, waits until it may end.
CHILD = """
import ctypes, mmap, os, sys
group, file, shared = sys.argv[1:4]
anonymous, cached, tmpfs = map(int, sys.argv[4:])
open(group + "/cgroup.procs", "w").write(str(os.getpid()))
print("in", flush=True)
sys.stdin.readline()
held = mmap.mmap(-1, anonymous, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, anonymous, 4096):
    held[at] = 1
reader = os.open(file, os.O_RDONLY)
while os.read(reader, 1 << 16):
    pass
# What is locked a machine that is short of memory does not drop meanwhile.
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
locked = libc.mmap(None, ctypes.c_size_t(cached), 1, 1, reader, ctypes.c_long(0))
assert libc.mlock(ctypes.c_void_p(locked), ctypes.c_size_t(cached)) == 0
writer = os.open(shared, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
for _ in range(tmpfs >> 16):
    os.write(writer, b"x" * (1 << 16))
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """Yield a group of our own of cgroup v1, which is gone afterwards."""
    folder = Path("/sys/fs/cgroup/memory") / f"vmdiff-{uuid.uuid4().hex[:12]}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no memory controller of version 1 that we may use: {error.strerror}")
    try:
        yield folder
    finally:
        until(lambda: not (folder / "cgroup.procs").read_text())
        folder.rmdir()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that no page cache holds."""
    path = tmp_path / "read"
    with path.open("wb") as stream:
        stream.write(os.urandom(FILE))
        stream.flush()
        os.fsync(stream.fileno())
        until(lambda: _dropped(stream.fileno()))
    return path


def _dropped(descriptor: int) -> bool:
    """Ask that nothing of a file stays cached; pages on their way to a list stay at first."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    held = cached(descriptor, 0, FILE, float("inf"))
    return held is None or not held.bytes


def sets_around(words: list[str], group: Path) -> tuple[SnapshotSet, SnapshotSet]:
    """Take a group's set when a child has entered it, and when it holds what it is to hold."""
    with subprocess.Popen(
        [sys.executable, "-c", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == "in\n"
        before = sources.snap_set([f"cgroup:/{group.name}"], owners=False)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "held\n"
        after = sources.snap_set([f"cgroup:/{group.name}"], owners=False)
        child.stdin.close()
    return before, after


def test_each_kind_of_memory_is_on_its_line(group: Path, file: Path) -> None:
    shared = Path("/dev/shm") / group.name
    words = [CHILD, str(group), str(file), str(shared), *map(str, (ANONYMOUS, FILE, TMPFS))]
    try:
        before, after = sets_around(words, group)
    finally:
        shared.unlink(missing_ok=True)
    assert before.cgroup
    assert after.cgroup
    moved = {line.name: line.bytes for line in account_change(before.cgroup, after.cgroup)}
    assert moved["anonymous memory of processes"] == pytest.approx(ANONYMOUS, rel=0.02)
    assert moved["page cache of files"] == pytest.approx(FILE, rel=0.02)
    assert moved["tmpfs and shared memory"] == pytest.approx(TMPFS, rel=0.02)
    assert sum(moved.values()) == (after.cgroup.current or 0) - (before.cgroup.current or 0)
    assert abs(moved.get("not explained", 0)) <= 0.02 * (ANONYMOUS + FILE + TMPFS)
    if after.cgroup.files:  # cachestat(2) is since Linux 6.5
        found = {one.path: one for one in after.cgroup.files}
        assert (found[str(file)].cached, found[str(file)].mapped) == (FILE, True)
        assert (found[str(shared)].cached, found[str(shared)].in_memory) == (TMPFS, True)
    sentence = answer_of_sets(compare_sets(before, after)).sentence
    assert "anonymous memory of processes +60" in sentence
    assert "page cache of files +40" in sentence
    assert "tmpfs and shared memory +20" in sentence


# Makes files on tmpfs, or pairs of sockets, and waits until it may end.
MANY = """
import os, resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
group, what, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
open(group + "/cgroup.procs", "w").write(str(os.getpid()))
held = [None] * count
pairs = [socket.socketpair() for _ in range(4)]  # whatever the first ones need besides is there
print("in", flush=True)
sys.stdin.readline()
if what == "sockets":
    for at in range(count // 2):
        held[at] = socket.socketpair()
else:
    for at in range(count):
        os.close(os.open(f"{what}/{at}", os.O_CREAT))
print("held", flush=True)
sys.stdin.readline()
"""
# Caches whose objects the kernel charges (SLAB_ACCOUNT), each with a pointer to the group: mm/memcontrol.c,
# obj_full_size().
CACHES = {
    "files": ("dentry", "shmem_inode_cache"),
    "sockets": ("sock_inode_cache", "UNIX-STREAM", "filp", "dentry"),
}


def size_in(cache: str) -> int:
    path = Path("/sys/kernel/slab") / cache / "slab_size"
    if not path.exists():
        pytest.skip(f"this kernel does not say how large an object of {cache} is")
    return int(path.read_text()) + 8


@pytest.mark.parametrize("what", CACHES)
def test_memory_that_the_kernel_has_for_a_group_is_on_its_line(group: Path, what: str) -> None:
    each = sum(size_in(cache) for cache in CACHES[what])
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    count = 30_000
    if what == "sockets":
        count = min(count, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100) // 2 * 2
    if count < 15_000:
        pytest.skip("too few sockets may be open here")
    words = [MANY, str(group), "sockets" if what == "sockets" else str(folder), str(count)]
    try:
        before, after = (one.cgroup for one in sets_around(words, group))
    finally:
        shutil.rmtree(folder)
    assert before
    assert after
    moved = {line.name: line.bytes for line in account_change(before, after)}
    # A table of descriptors grows with the sockets: a pointer each, doubled when it is full (fs/file.c).
    table = 8 * 4 * count if what == "sockets" else 0
    least = each * count
    assert 0.98 * least <= moved["kernel"] <= 1.02 * least + table
    assert sum(moved.values()) == (after.current or 0) - (before.current or 0)


STAT = {
    "anon": 629145600,
    "file": 157286400,
    "shmem": 20971520,
    "file_dirty": 1048576,
    "kernel": 31457280,
    "kernel_stack": 2097152,
    "pagetables": 4194304,
    "sec_pagetables": 0,
    "percpu": 1048576,
    "vmalloc": 524288,
    "slab_reclaimable": 16777216,
    "slab_unreclaimable": 4194304,
    "sock": 8388608,
    "zswap": 0,
}


@pytest.fixture
def second(tmp_path: Path) -> tuple[Path, Path]:
    """A proc root and a mounted hierarchy of version 2, with a group /app in it."""
    mount = tmp_path / "cgroup two"
    app = mount / "app"
    app.mkdir(parents=True)
    (mount / "cgroup.controllers").write_text("cpu io memory pids\n")
    (app / "memory.current").write_text("828375040\n")
    (app / "memory.max").write_text("1073741824\n")
    (app / "memory.high").write_text("max\n")
    (app / "memory.peak").write_text("1073741824\n")
    (app / "memory.events").write_text("low 0\nhigh 0\nmax 812\noom 3\noom_kill 2\noom_group_kill 0\n")
    (app / "memory.stat").write_text("".join(f"{name} {value}\n" for name, value in STAT.items()))
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    escaped = str(mount).replace(" ", "\\040")
    (proc / "self" / "mountinfo").write_text(
        f"24 1 0:22 / /proc rw - proc proc rw\n30 24 0:26 / {escaped} rw,nosuid - cgroup2 cgroup2 rw\n"
    )
    return proc, app


def test_a_group_of_version_2_is_explained_and_its_limit_told(second: tuple[Path, Path]) -> None:
    proc, app = second
    for named in ("/app", "app", str(app)):
        group = account_of(named, proc)
        assert (group.path, group.version, group.max, group.high) == ("/app", 2, 1 << 30, None)
        assert sum(line.bytes for line in account(group)) == group.current == 828375040
    assert answer_of_group(group) == (
        "/app is charged 790 MiB: anonymous memory of processes 600 MiB, page cache of files 129 MiB,"
        " tmpfs and shared memory 20.0 MiB; the limit of 1.0 GiB is 234 MiB away,"
        " before it up to 146 MiB of it can be dropped; 2 of its processes were killed at the limit"
    )


def test_compressed_swap_is_part_of_the_kernels_memory_and_hugetlb_is_beside_it() -> None:
    """The keys of Linux 6.13 and later; what is in another key counts once."""
    more = {
        "zswap": 8 * MIB,
        "zswapped": 24 * MIB,
        "zswap_incomp": 4096,
        "swapcached": 5 * MIB,
        "hugetlb": 4 * MIB,
    }
    stat = {**STAT, **more, "kernel": STAT["kernel"] + more["zswap"]}
    charged = sum(stat[name] for name in ("anon", "file", "kernel", "sock", "hugetlb"))
    lines = account(ControlGroup(path="/app", version=2, current=charged, stat=stat))
    found = {line.name: line.bytes for line in lines}
    assert (found["compressed swap"], found["huge pages (hugetlb)"]) == (8 * MIB, 4 * MIB)
    assert (found["not explained"], sum(found.values())) == (0, charged)
    known = ("kernel_stack", "pagetables", "percpu", "vmalloc", "slab_reclaimable", "slab_unreclaimable")
    assert found["kernel, other"] == STAT["kernel"] - sum(STAT[name] for name in known)


def test_what_grew_between_two_accounts_is_told() -> None:
    before = ControlGroup(
        path="/app", version=2, current=100 * MIB, stat={"anon": 80 * MIB, "file": 20 * MIB}
    )
    after = ControlGroup(
        path="/app", version=2, current=150 * MIB, stat={"anon": 80 * MIB, "file": 70 * MIB}, max=None
    )
    assert answer_of_groups(before, after) == (
        "/app is charged +50.0 MiB: page cache of files +50.0 MiB;"
        " it has no limit of its own, up to 70.0 MiB of it can be dropped"
    )


FIGURES = st.dictionaries(
    st.sampled_from([*STAT, "rss", "cache", "total_rss", "total_cache"]), st.integers(0, 1 << 50)
)
GROUPS = st.builds(
    ControlGroup,
    path=st.just("/x"),
    version=st.sampled_from([1, 2]),
    current=st.none() | st.integers(0, 1 << 50),
    stat=FIGURES,
)


@given(before=GROUPS, after=GROUPS)
def test_accounts_and_changes_add_up(before: ControlGroup, after: ControlGroup) -> None:
    for group in (before, after):
        assert sum(line.bytes for line in account(group)) == (group.current or 0)
        assert answer_of_group(group)
    if before.current is not None and after.current is not None:
        assert sum(line.bytes for line in account_change(before, after)) == after.current - before.current
    assert answer_of_groups(before, after)

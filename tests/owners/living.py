"""Real processes for the owner rules: compiled, run, looked at, ended."""

import contextlib
import functools
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.waiting import until
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Host, Mapping, Origin, Owner, Part, Process, Snapshot, Thread, images, kind_of
from vmdiff.owners import RULES, Scene, assign

_HEADER = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) (\S+) ([0-9]+) *(.*)")
_VALUE = re.compile(rb"(\w+): +(\d+) kB")
COUNTERS = ("rss", "pss", "anonymous", "swap", "private_dirty", "lazy_free")


@functools.cache
def compiled(source: Path, *options: str, compiler: str = "gcc") -> Path:
    """Compile a C program once a test run; it is deleted with the temporary folder."""
    folder = tempfile.mkdtemp(prefix="vmdiff-owners-")
    program = Path(folder) / source.stem
    subprocess.run([compiler, "-O1", "-pthread", "-o", program, source, *options], check=True)
    return program


@contextlib.contextmanager
def running(
    command: Sequence[object], **environment: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, list[str]]]]:
    """Run a program until it says ``ready``; give it and its lines before, by their first word."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        yield process, _lines(process)
    finally:
        process.kill()
        process.communicate()


def _lines(process: subprocess.Popen[str]) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "ready":
            return said
        word, _, rest = line.strip().partition(" ")
        said.setdefault(word, []).append(rest)
    raise AssertionError("the program ended before it was ready")


def snapshot(pid: int) -> Snapshot:
    """Read a process as the owner rules need it, independent of the product's own reader."""
    records: list[tuple[tuple[bytes, ...], dict[str, int], tuple[str, ...]]] = []
    for line in _at_rest(pid).split(b"\n"):
        if header := _HEADER.fullmatch(line):
            values: dict[str, int] = {}
            records.append((header.groups(), values, ()))
        elif value := _VALUE.match(line):
            name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", value[1].decode()).lower()
            if name in COUNTERS:
                values[name] = int(value[2]) * 1024
        elif line.startswith(b"VmFlags:"):
            records[-1] = (*records[-1][:2], tuple(line.decode().split()[1:]))
    home = Path(f"/proc/{pid}")
    tids = sorted(int(tid.name) for tid in (home / "task").iterdir())
    return Snapshot(
        origin=Origin(source="test", counters=COUNTERS),
        host=Host(page_size=os.sysconf("SC_PAGE_SIZE"), machine=os.uname().machine),
        process=Process(
            pid=pid, threads=tuple(_threads(home, tids)), executable=str((home / "exe").readlink())
        ),
        mappings=tuple(mappings(records)),
    )


def _at_rest(pid: int) -> bytes:
    """Read smaps with the same ranges before and after: a read in pieces may show a mapping that moved twice."""
    file = Path(f"/proc/{pid}/smaps")

    def headers(text: bytes) -> list[bytes]:
        return [line for line in text.split(b"\n") if _HEADER.fullmatch(line)]

    text = file.read_bytes()
    while headers(text) != headers(after := file.read_bytes()):
        text = after
    return text


def _threads(home: Path, tids: Sequence[int]) -> Iterator[Thread]:
    """Yield the threads that have not ended since they were listed."""
    for tid in tids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield Thread(tid=tid, name=(home / f"task/{tid}/comm").read_text().rstrip("\n"))


def mappings(
    records: Sequence[tuple[tuple[bytes, ...], dict[str, int], tuple[str, ...]]],
) -> Iterator[Mapping]:
    heads = [tuple(word.decode() for word in head) for head, _, _ in records]
    programs = images((head[6] or None, head[2]) for head in heads)
    for head, (_, values, flags) in zip(heads, records, strict=True):
        path = head[6].removesuffix(" (deleted)") or None
        yield Mapping(
            int(head[0], 16),
            int(head[1], 16),
            head[2],
            kind_of(path, head[2], image=path in programs),
            int(head[3], 16),
            head[4],
            head[5],
            path,
            deleted=head[6].endswith(" (deleted)"),
            flags=flags or None,
            values={name: value for name, value in values.items() if value},
        )


def owned(pid: int) -> Snapshot:
    """Give a process with all owners that are found."""
    seen = snapshot(pid)
    with LiveMemory(pid, mappings=seen.mappings) as memory:
        return assign(Scene(seen, memory), RULES)


def wait_until_waiting(pid: int, count: int) -> None:
    """Return when that many threads of a process wait in the kernel: they were told to, but need the processor."""

    def waiting() -> bool:
        states = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/syscall")]
        return sum(state != "running\n" for state in states) >= count

    until(waiting)


def owner_at(seen: Snapshot, address: int) -> Owner | Part | None:
    """Give the owner, or the part of a mixed one, that holds an address."""
    for mapping in seen.mappings:
        if mapping.start is None or mapping.end is None or not mapping.start <= address < mapping.end:
            continue
        if mapping.owner is None or not mapping.owner.parts:
            return mapping.owner
        return next((part for part in mapping.owner.parts if part.start <= address < part.end), None)
    raise AssertionError(f"{address:x} is not mapped")

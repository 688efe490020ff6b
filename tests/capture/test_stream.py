"""The texts of a process with many mappings are read ahead by a thread, and are the same texts."""

import re
import threading
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest

import vmdiff
from tests.acts import Actor, actor
from vmdiff.capture import ProcessFolder
from vmdiff.capture.read_ahead import Texts

STRIPES = 16_384


def whole(folder: ProcessFolder, *names: str, optional: str = "smaps_rollup") -> list[bytes]:
    with closing(Texts(folder, names, optional=optional)) as parts:
        return [b"".join(part) for part in parts]


def crowded(process: Actor) -> ProcessFolder:
    process.act("stripes")
    return ProcessFolder(process.pid)


def without_counts(text: bytes) -> bytes:
    """Leave out what other processes change."""
    return re.sub(rb" +[0-9]+ kB", b"", text)


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_they_are_the_files_read_plainly() -> None:
    names = ("maps", "smaps", "smaps_rollup", "maps")
    with actor() as process, crowded(process) as folder:
        plainly = [folder.contents(name) for name in names]

        assert [*map(without_counts, whole(folder, *names))] == [*map(without_counts, plainly)]


def test_one_that_cannot_be_read_is_empty_if_it_may_be() -> None:
    with actor() as process, crowded(process) as folder:
        maps = folder.contents("maps")

        assert whole(folder, "maps", "smaps_rolled_up", "maps", optional="smaps_rolled_up") == [
            maps,
            b"",
            maps,
        ]
        with pytest.raises(FileNotFoundError):
            whole(folder, "maps", "smaps_rolled_up", "maps")


def test_whoever_leaves_early_leaves_no_thread_and_no_file() -> None:
    threads = threading.active_count()
    with actor() as process, crowded(process) as folder:
        open_before = descriptors()
        for pieces in (0, 1, 3, 30):
            with closing(Texts(folder, ("maps", "smaps", "maps"), optional="")) as parts:
                assert threading.active_count() == threads + 1
                assert (
                    len([piece for _, piece in zip(range(pieces), chain.from_iterable(parts), strict=False)])
                    == pieces
                )
        assert threading.active_count() == threads
        assert descriptors() == open_before


def test_a_small_process_is_read_without_a_thread() -> None:
    threads = threading.active_count()
    with actor() as process, ProcessFolder(process.pid) as folder:
        parts = Texts(folder, ("maps", "smaps", "smaps_rollup", "maps"), optional="smaps_rollup")

        assert [threading.active_count() for part in parts for _ in part] == [threads] * 8


def test_a_hook_is_called_between_the_pages_in_the_thread_that_reads() -> None:
    calls: set[int] = set()
    with actor() as process, crowded(process) as folder:
        pages = len(folder.contents("maps")) // 4096
        count = 0

        def between() -> None:
            nonlocal count
            count += 1
            calls.add(threading.get_ident())

        folder.between_reads = between
        whole(folder, "maps")

    assert count >= pages
    assert calls == {threading.get_ident()}


def test_a_snapshot_of_many_mappings_has_all_of_them() -> None:
    with actor() as process:
        before = vmdiff.snap(process.pid, owners=False)
        process.act("stripes")
        after = vmdiff.snap(process.pid, owners=False)

    assert after.origin.consistent
    assert STRIPES <= len(after.mappings) - len(before.mappings) <= STRIPES + 1

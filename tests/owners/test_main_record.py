"""The main thread's record is found where the dynamic linker's memory lies, also between files of data."""

import pytest

from vmdiff.model import Kind, Mapping, Origin, Snapshot
from vmdiff.owners import Scene
from vmdiff.owners.threads.glibc_threads import GlibcThreads

PID, PAGE = 4711, 4096
LOCALE_END = 0x7F0000010000
RECORD = LOCALE_END + 0x2740
SELF_AT, TID_AT = 16, 0x2D0  # glibc's tcbhead_t and struct pthread, of 64 bits


class Drawn:
    """Memory with one record of a thread, all else zero."""

    def __init__(self, tid: int) -> None:
        self.tid = tid

    def read(self, address: int, length: int) -> bytes:
        words = {RECORD: RECORD, RECORD + SELF_AT: RECORD, RECORD + TID_AT: self.tid}
        found = bytearray(length)
        for place, word in words.items():
            if address <= place <= address + length - 8:
                found[place - address : place - address + 8] = word.to_bytes(8, "little")
        return bytes(found)


@pytest.mark.parametrize(
    ("pages", "tid", "expected"),
    [
        pytest.param(6, PID, [RECORD], id="beside a locale"),
        pytest.param(6, PID + 1, [], id="another thread's"),
        pytest.param(600, PID, [], id="in memory too large for the linker's own"),
    ],
)
def test_the_main_threads_record_is_found_beside_a_file_of_data(
    pages: int, tid: int, expected: list[int]
) -> None:
    mappings = (
        Mapping(LOCALE_END - PAGE, LOCALE_END, "r--p", Kind.FILE, inode="7", path="/usr/lib/locale/LC_CTYPE"),
        Mapping(LOCALE_END, LOCALE_END + pages * PAGE, "rw-p"),
    )
    scene = Scene(Snapshot(origin=Origin(source="test"), mappings=mappings), Drawn(tid))

    assert list(GlibcThreads(8).main_records(scene, PID)) == expected

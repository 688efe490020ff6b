"""ELF core files: headers and notes tell the address space; the memory is only looked at where it lies."""

import gzip
import io
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from vmdiff import sources
from vmdiff.errors import InputError, VmdiffError
from vmdiff.importers.core_file import core_layout
from vmdiff.importers.core_file.core_memory import CoreMemory
from vmdiff.storage import json_document

PAGE = 0x1000
PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS, NT_PRPSINFO, NT_AUXV, NT_FILE = 1, 3, 6, 0x46494C45


def note(order, type_, content, name=b"CORE\0"):
    padded = name + bytes(-len(name) % 4)
    return (
        struct.pack(order + "III", len(name), len(content), type_)
        + padded
        + content
        + bytes(-len(content) % 4)
    )


def build(segments, notes, *, wide=True, order="<", machine=62, type_=4):
    """Build a core: *segments* are (start, memory size, flags, content), *notes* are whole notes."""
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    header_size, step = (64, 56) if wide else (52, 32)
    count = len(segments) + 1
    at = header_size + step * count
    body, table = b"".join(notes), []
    form = struct.Struct(order + ("IIQQQQQQ" if wide else "IIIIIIII"))

    def row(kind, flags, offset, start, stored, length):
        return (
            form.pack(kind, flags, offset, start, 0, stored, length, 0)
            if wide
            else form.pack(kind, offset, start, 0, stored, length, flags, 0)
        )

    table.append(row(PT_NOTE, 0, at, 0, len(body), 0))
    for start, length, flags, content in segments:
        table.append(row(PT_LOAD, flags, at + len(body), start, len(content), length))
        body += content
    word = "Q" if wide else "I"
    head = struct.pack(
        order + "HHI" + 3 * word + "IHHHHHH",
        type_,
        machine,
        1,
        0,
        header_size,
        0,
        0,
        header_size,
        step,
        count,
        0,
        0,
        0,
    )
    return ident + head + b"".join(table) + body


def file_note(order, word, entries, unit=PAGE):
    ranges = b"".join(struct.pack(order + 3 * word, start, end, offset) for start, end, offset, _ in entries)
    names = b"".join(name + b"\0" for *_, name in entries)
    return note(order, NT_FILE, struct.pack(order + 2 * word, len(entries), unit) + ranges + names)


def process_note(order, pid=4711, parent=81, name=b"prog"):
    tail = (
        struct.pack(order + "iiii", pid, parent, 0, 0)
        + name.ljust(16, b"\0")
        + b"prog --secret".ljust(80, b"\0")
    )
    return note(order, NT_PRPSINFO, bytes(24) + tail)


def thread_note(order, tid, pointer, *, wide=True, place=19):
    size, tid_at, registers, word = (400, 32, 112, 8) if wide else (144, 24, 72, 4)
    content = bytearray(size)
    struct.pack_into(order + "i", content, tid_at, tid)
    struct.pack_into(order + ("Q" if wide else "I"), content, registers + place * word, pointer)
    return note(order, NT_PRSTATUS, bytes(content))


def auxiliary_note(order, word, values):
    return note(order, NT_AUXV, b"".join(struct.pack(order + 2 * word, *pair) for pair in values.items()))


def example(*, wide=True, order="<", machine=62, place=19):
    word = "Q" if wide else "I"
    segments = [
        (0x400000, PAGE, 5, b""),
        (0x401000, PAGE, 6, b"D" * PAGE),
        (0x500000, 0x21000, 6, b"H" * 0x21000),
        (0x700000, PAGE, 0, b""),
        (0x701000, 2 * PAGE, 6, b"S" * PAGE),
        (0x70F000, PAGE, 4, b""),
        (0x710000, PAGE, 5, b"V" * PAGE),
        (0x720000, PAGE, 6, b"s" * PAGE),
        (0x730000, PAGE, 6, b"M" * PAGE),
    ]
    files = [
        (0x400000, 0x401000, 0, b"/bin/prog"),
        (0x401000, 0x402000, 3, b"/bin/prog"),
        (0x600000, 0x602000, 1, b"/lib/libx.so"),
        (0x730000, 0x731000, 0, b"/memfd:x (deleted)"),
    ]
    notes = [
        process_note(order),
        thread_note(order, 4711, 0x720800, wide=wide, place=place),
        thread_note(order, 4712, 0x701800, wide=wide, place=place),
        auxiliary_note(order, word, {6: PAGE, 9: 0x400100, 25: 0x720F00, 33: 0x710000, 0: 0}),
        file_note(order, word, files),
    ]
    return build(segments, notes, wide=wide, order=order, machine=machine)


def read(data):
    return core_layout.parse(io.BytesIO(data), source="core")


def by_start(snapshot):
    return {m.start: m for m in snapshot.mappings}


@pytest.mark.parametrize(
    ("wide", "order", "machine", "place", "named"),
    [
        pytest.param(True, "<", 62, 19, "x86_64", id="x86-64"),
        pytest.param(False, "<", 3, 15, "i686", id="i386"),
        pytest.param(True, "<", 183, 31, "aarch64", id="aarch64"),
        pytest.param(False, "<", 40, 13, "arm", id="arm"),
        pytest.param(True, ">", 22, 17, "s390x", id="big-endian"),
    ],
)
def test_every_class_and_order_of_bytes_is_read_alike(wide, order, machine, place, named):
    data = example(wide=wide, order=order, machine=machine, place=place)
    snapshot = read(data)

    assert [(m.start, m.perms, m.path) for m in snapshot.mappings] == [
        (m.start, m.perms, m.path) for m in read(example()).mappings
    ]
    assert (snapshot.host.machine, snapshot.host.page_size) == (named, PAGE)
    layout = core_layout.layout(io.BytesIO(data), source="core")
    assert CoreMemory(io.BytesIO(data), layout).stack_pointer(4712) == 0x701800


def test_a_mapping_without_a_file_is_private_and_what_has_one_may_be_shared():
    perms = {start: m.perms for start, m in by_start(read(example())).items()}

    assert (perms[0x500000], perms[0x401000], perms[0x700000]) == ("rw-p", "rw-?", "---p")


def test_files_are_named_with_their_offsets():
    mappings = by_start(read(example()))

    assert (mappings[0x401000].path, mappings[0x401000].offset) == ("/bin/prog", 3 * PAGE)
    assert (mappings[0x730000].path, mappings[0x730000].deleted) == ("/memfd:x", True)


def test_a_file_without_a_segment_is_a_mapping_of_unknown_permissions():
    snapshot = read(example())

    library = by_start(snapshot)[0x600000]
    assert (library.perms, library.size, library.offset, str(library.kind)) == (
        "????",
        2 * PAGE,
        PAGE,
        "image",
    )
    assert any("1 mappings of files are only in the list" in doubt for doubt in snapshot.origin.doubts)


def test_the_auxiliary_vector_names_what_the_kernel_mapped():
    kinds = {start: (m.path, str(m.kind)) for start, m in by_start(read(example())).items()}

    assert kinds[0x710000] == ("[vdso]", "kernel")
    assert kinds[0x70F000] == ("[vvar]", "kernel")
    assert kinds[0x720000] == ("[stack]", "stack")


def test_dumped_bytes_are_counted_and_nothing_is_said_of_resident_ones():
    snapshot = read(example())

    assert snapshot.total("dumped") == 0x21000 + 5 * PAGE
    assert snapshot.total("rss") is None


def test_the_notes_name_the_process_but_not_its_arguments():
    snapshot = read(example())
    process = snapshot.process

    assert (process.pid, process.parent, process.name, process.executable) == (4711, 81, "prog", "/bin/prog")
    assert [thread.tid for thread in process.threads] == [4711, 4712]
    assert "secret" not in snapshot.model_dump_json()


def test_the_heap_is_likely_by_its_place():
    heap = by_start(read(example()))[0x500000].owner

    assert (heap.name, heap.certainty) == ("malloc heap", "likely")


def test_a_core_that_is_cut_off_says_what_is_missing():
    data = example()
    snapshot = read(data[: -PAGE - 100])

    assert len(snapshot.mappings) == 10
    assert any("4.1 KiB of memory that it should have are missing" in d for d in snapshot.origin.doubts)


def test_memory_is_read_across_segments_and_not_beyond_what_was_dumped():
    data = build([(0x1000, PAGE, 6, b"a" * PAGE), (0x2000, 2 * PAGE, 6, b"b" * PAGE)], [])
    memory = CoreMemory(io.BytesIO(data), core_layout.layout(io.BytesIO(data), source="core"))

    assert memory.read(0x1FFE, 4) == b"aabb"
    assert memory.read_many([0x1000, 0x2FFF, 0x3000, 0x10000, 0], 1) == [b"a", b"b", None, None, None]
    assert memory.read(0x2FFF, 2) is None
    assert memory.residency([0x1000, 0x2000]) is None


def test_more_headers_than_the_header_can_count_are_read():
    data = bytearray(example())
    count, section = struct.unpack_from("<H", data, 56)[0], len(data)
    struct.pack_into("<H", data, 56, 0xFFFF)  # PN_XNUM
    struct.pack_into("<Q", data, 40, section)
    data += struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, count, 0, 0)

    assert len(read(bytes(data)).mappings) == 10


def test_the_notes_of_another_system_are_not_taken_for_linuxes():
    snapshot = read(build([(0x1000, PAGE, 6, b"x")], [note("<", NT_PRPSINFO, bytes(200), b"FreeBSD\0")]))

    assert (snapshot.host.system, snapshot.process.pid) == ("FreeBSD", None)
    assert any("no note lists the mapped files" in doubt for doubt in snapshot.origin.doubts)


@pytest.mark.parametrize(
    ("change", "opens"),
    [
        pytest.param(lambda data: data, True, id="the-same-file"),
        pytest.param(lambda data: data.replace(build_id_of(data), bytes(20)), False, id="another-build"),
        pytest.param(lambda _: b"no ELF file", False, id="something-else"),
        pytest.param(None, False, id="nothing"),
    ],
)
def test_a_file_is_opened_only_if_its_build_id_is_the_cores(tmp_path, change, opens):
    library = Path(os.path.realpath("/proc/self/exe")).read_bytes()
    if build_id_of(library) is None:
        pytest.skip("this python has no build ID")
    path = tmp_path / "lib.so"
    if change is not None:
        path.write_bytes(change(library))
    files = file_note("<", "Q", [(0x10000, 0x12000, 0, os.fsencode(path))])
    data = build([(0x10000, 2 * PAGE, 5, library[:PAGE])], [files])
    memory = CoreMemory(io.BytesIO(data), core_layout.layout(io.BytesIO(data), source="core"))

    file = memory.open_object(read(data).mappings[0])

    assert (file is not None) is opens
    if file is not None:
        with file:
            assert file.read(4) == b"\x7fELF"


def build_id_of(data):
    """Give the 20 bytes of the GNU build ID, where the first page has them."""
    at = data.find(b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0", 0, PAGE - 36)
    return None if at < 0 else data[at + 16 : at + 36]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"\x7fELF", "cut off", id="only-magic"),
        pytest.param(example()[:100], "cut off", id="headers-cut-off"),
        pytest.param(build([], [], type_=2), "no core", id="program"),
        pytest.param(build([(0x1000, 0x3000, 6, b""), (0x2000, PAGE, 6, b"")], []), "overlap", id="overlap"),
        pytest.param(
            build([((1 << 64) - PAGE, 2 * PAGE, 6, b"")], []), "beyond the last address", id="wraps"
        ),
    ],
)
def test_what_is_no_core_is_refused_with_the_reason(data, says):
    with pytest.raises(InputError, match=rf"^core: .*{says}"):
        read(data)


def test_numbers_that_promise_too_much_cost_nothing():
    huge = struct.pack("<II", 1 << 31, 1 << 31)
    lying = build(
        [(0x1000, 1 << 62, 6, b"x")], [note("<", NT_FILE, huge * 4), struct.pack("<III", 5, 1 << 31, 1)]
    )

    assert [m.size for m in read(lying).mappings] == [1 << 62]


def test_notes_that_many_headers_point_at_are_read_within_bounds():
    whole = build([], [bytes(12 * 5_000)])
    header, table, notes = whole[:64], whole[64 : 64 + 56], whole[64 + 56 :]
    count = 20_000
    table = struct.pack("<IIQQQQQQ", PT_NOTE, 0, 64 + 56 * count, 0, 0, len(notes), 0, 0)
    lying = header[:56] + struct.pack("<H", count) + header[58:] + table * count + notes

    counted = CountingFile(lying)
    core_layout.parse(counted, source="core")

    assert counted.given < 12 * core_layout.MOST_NOTES + len(lying)
    assert len(lying) + len(notes) * count > 10 * counted.given  # what the headers point at


class CountingFile(io.BytesIO):
    """A file that counts the bytes that were read of it."""

    given = 0

    def read(self, size=-1):
        found = super().read(size)
        self.given += len(found)
        return found


@pytest.mark.parametrize("letter", [b"x", b"\xff"])
def test_a_name_that_no_document_can_hold_is_refused(letter):
    named = file_note("<", "Q", [(0x1000, 0x2000, 0, b"/" + letter * 65_536)])

    with pytest.raises(InputError, match="core: the name of a mapping has more than 65,536 characters"):
        read(build([(0x1000, PAGE, 6, b"")], [named]))


def test_an_offset_beyond_the_last_is_unknown():
    offset = (1 << 64) // PAGE - 1
    named = file_note("<", "Q", [(0x1000, 0x4000, offset, b"/bin/x")])
    snapshot = read(build([(0x1000, PAGE, 6, b""), (0x3000, PAGE, 6, b"")], [named]))

    assert [m.offset for m in snapshot.mappings] == [offset * PAGE, None]
    assert json_document.load(b"".join(json_document.dump(snapshot)), source="again") == snapshot


@settings(max_examples=times(200), deadline=None)
@given(st.data())
def test_a_damaged_core_is_read_or_refused(data):
    whole = bytearray(example()[:3000])
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(
            st.sampled_from([0, 1, 0x7F, 0x80, 0xFF])
        )
    with suppress(VmdiffError):
        read(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


def test_a_compressed_core_is_read(tmp_path):
    (tmp_path / "core.gz").write_bytes(gzip.compress(example()))

    assert sources.load(tmp_path / "core.gz").process.pid == 4711


def test_a_core_larger_than_any_listing_is_read_where_it_lies(tmp_path):
    path = tmp_path / "core"
    with path.open("wb") as file:
        file.write(example())
        file.truncate(1 << 40)  # sparse
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert len(sources.load(path).mappings) == 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 64 << 10  # KiB


PROGRAM = """
import ctypes, threading, time
block = bytearray(3 << 20)
library = ctypes.CDLL(None)
thread = threading.Thread(target=lambda: (ctypes.create_string_buffer(64), time.sleep(99999)), daemon=True)
thread.start()
print(flush=True)
time.sleep(99999)
"""


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def layout_of(pid):
    rows = [line.split(None, 5) for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return {tuple(int(bound, 16) for bound in row[0].split("-")): row for row in rows}


def whose(mapping):
    return mapping.owner and mapping.owner.name


@pytest.mark.skipif(shutil.which("gcore") is None, reason="gcore is not installed")
def test_gcores_file_tells_what_the_kernel_told(child, tmp_path):
    kernel = layout_of(child.pid)
    live = sources.snap(child.pid)
    done = subprocess.run(
        ["gcore", "-o", tmp_path / "core", str(child.pid)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    path = tmp_path / f"core.{child.pid}"
    if not path.exists():
        pytest.skip(f"gcore may not attach here: {done.stderr.strip()[-200:]}")
    snapshot = sources.load(path)

    assert snapshot.process.pid == child.pid
    assert len(snapshot.process.threads) == 2
    assert {(m.start, m.end) for m in snapshot.mappings} <= set(kernel)
    owners = {m.owner.name: m.owner.certainty for m in snapshot.mappings if m.owner}
    assert owners["main stack"] == owners["thread stack"] == "certain"
    assert "malloc large block" in owners  # likely, where gcore left out what the C library's count includes
    writable = {m.start for m in snapshot.mappings if m.path is None and m.perms.startswith("rw")}
    assert {m.start: whose(m) for m in snapshot.mappings if m.start in writable} == {
        m.start: whose(m) for m in live.mappings if m.start in writable
    }


@pytest.mark.skipif(
    Path("/proc/sys/kernel/core_pattern").read_text().startswith(("|", "/", "@")),
    reason="this kernel hands cores to a program",
)
def test_the_kernels_core_has_every_mapping_with_its_permissions(tmp_path):
    resource_limit = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))\n"
    command = [sys.executable, "-c", resource_limit + PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        process.stdout.readline()
        kernel = layout_of(process.pid)
        process.send_signal(signal.SIGQUIT)
        process.wait()
    found = list(tmp_path.glob("core*"))
    if not found:
        pytest.skip("the kernel wrote no core: its limit may not be raised here")
    snapshot = sources.load(found[0])

    for mapping in snapshot.mappings:
        row = kernel[mapping.start, mapping.end]
        assert all(said in {"?", told} for said, told in zip(mapping.perms, row[1], strict=True)), row
        if mapping.path not in {None, "[vdso]", "[vvar]", "[vvar_vclock]"}:
            assert mapping.path == row[5].strip().removesuffix(" (deleted)")
    assert len(snapshot.mappings) == len(kernel)
    python = next(m for m in snapshot.mappings if m.path == os.path.realpath(sys.executable))
    memory = CoreMemory(found[0].open("rb"), core_layout.layout(found[0].open("rb"), source="core"))
    with memory._stream, memory.open_object(python) as same:
        assert same.read(4) == b"\x7fELF"

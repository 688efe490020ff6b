"""What a command costs, counted and not timed: imports, opened files, reads, objects, models."""

import gc
import json
import os
import re
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import to_json

import vmdiff
from tests.acts import actor
from tests.draw import mappings, snapshot
from tests.tracing import traced
from tests.work import lines
from vmdiff.capture import ProcessFolder, read
from vmdiff.importers.procfs import fast_reader
from vmdiff.model import Mapping, Origin, Snapshot
from vmdiff.storage.json_document import Lines

HEAVY = {"deepdiff", "elftools", "jinja2", "pydantic", "rich", "typer"}


def imported(*words: object) -> set[str]:
    """Run a command in an interpreter of its own; give the names of the modules it imported."""
    script = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"from vmdiff.cli import main\nmain({[str(word) for word in words]!r})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    for name, drawing, faults in (("a.json", "aa..1", 1), ("b.json", "aaa.1", 2)):
        taken = snapshot(*mappings(drawing))
        changed = taken.process.model_copy(update={"minor_faults": faults})
        vmdiff.save(taken.model_copy(update={"process": changed}), tmp_path / name)
    return tmp_path / "a.json", tmp_path / "b.json"


def test_the_version_costs_nothing() -> None:
    assert imported("--version") & HEAVY == set()


def test_help_needs_no_model() -> None:
    assert imported("--help") & HEAVY == {"typer"}


def test_a_command_needs_no_other_command(tmp_path: Path) -> None:
    with actor() as process:
        modules = imported("snap", process.pid, "-o", tmp_path / "x.json")

    commands = {name for name in modules if name.startswith("vmdiff.cli.") and name.endswith("_command")}
    assert commands == {"vmdiff.cli.snap_command"}
    assert "vmdiff.report" not in modules


def test_a_snapshot_needs_no_renderer_and_no_other_format(tmp_path: Path) -> None:
    with actor() as process:
        modules = imported("snap", process.pid, "-o", tmp_path / "x.json")

    assert modules & HEAVY == {"typer", "pydantic"}
    assert "vmdiff.importers.format_registry" not in modules
    assert "vmdiff.model.snapshot_set" not in modules
    assert "vmdiff.report.view.compose" not in modules
    assert "vmdiff.comparison.compare" not in modules
    assert "vmdiff.owners.runtimes.jvm" not in modules
    assert "vmdiff.owners.allocators.radix_map" not in modules
    assert "vmdiff.owners.threads.musl_threads" not in modules


def test_a_snapshot_needs_little_that_importing_typer_and_pydantic_does_not(tmp_path: Path) -> None:
    model = "import sys, typer, pydantic\nclass Model(pydantic.BaseModel): a: int\nprint(*sys.modules)"
    plain = subprocess.run([sys.executable, "-c", model], check=True, capture_output=True, text=True)
    with actor() as process:
        modules = imported("snap", process.pid, "-o", tmp_path / "x.json")

    others = {name for name in modules.difference(plain.stdout.split()) if not name.startswith("vmdiff")}
    assert "pydantic.functional_serializers" not in others
    assert len(others) < 25


def test_a_set_without_owners_needs_no_report_no_comparison_and_no_owners(tmp_path: Path) -> None:
    with actor() as process:
        modules = imported("snap", f"tree:{process.pid}", "--no-owners", "-o", tmp_path / "x.json")

    assert modules & HEAVY == {"typer", "pydantic"}
    unused = ("vmdiff.answer", "vmdiff.comparison.compare", "vmdiff.findings", "vmdiff.owners")
    assert not modules.intersection(unused)


def test_a_comparison_as_json_needs_no_terminal(pair: tuple[Path, Path]) -> None:
    modules = imported("compare", *pair, "--match", "address", "--format", "json")

    assert modules & HEAVY == {"typer", "pydantic"}
    assert "vmdiff.capture.freeze" not in modules
    assert not {"vmdiff.conditions", "vmdiff.series.trends"} & modules


def test_a_page_is_the_only_one_to_need_jinja(pair: tuple[Path, Path], tmp_path: Path) -> None:
    page = imported("compare", *pair, "--match", "address", "--format", "html", "-o", tmp_path / "x.html")
    words = imported("compare", *pair, "--match", "address", "--format", "text")

    assert "jinja2" in page
    assert "jinja2" not in words


def test_no_plugin_for_pydantic_is_loaded(pair: tuple[Path, Path], tmp_path: Path) -> None:
    package = tmp_path / "foreign-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[pydantic]\nforeign = foreign:plugin\n")
    (tmp_path / "foreign.py").write_text(
        "print('loaded')\nclass plugin:\n    new_schema_validator = lambda *_: (None, None, None)\n"
    )
    model = "import pydantic\nclass Model(pydantic.BaseModel): pass"

    def printed(*words: object) -> str:
        """Run Python beside a package with a plugin."""
        command, found = [sys.executable, *words], {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(command, env=found, check=True, capture_output=True, text=True).stdout

    assert "loaded" in printed("-c", model)
    assert "loaded" not in printed("-m", "vmdiff", "show", pair[0])


def calls_of_snap(calls: str, pid: int, folder: Path) -> str:
    """Take a snapshot of a process under strace; give the log of those system calls."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    log = folder / "log"
    command = [sys.executable, "-m", "vmdiff", "snap", "--no-owners", "-o", folder / "x.json", str(pid)]
    subprocess.run(traced(calls, command, "-y", log=log), check=True)
    return log.read_text()


def test_every_file_of_a_process_is_opened_as_often_as_it_must_be(tmp_path: Path) -> None:
    with actor() as process:
        opened = re.findall(r'"([^"]+)", O_RDONLY', calls_of_snap("openat", process.pid, tmp_path))

    assert opened.count("smaps") == 1
    assert opened.count("smaps_rollup") == 1
    assert opened.count("maps") <= 3  # before, after, and to ask for build ids


def test_totals_are_read_without_mappings_threads_and_descriptors(tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    log, words = tmp_path / "log", ("--detail", "totals", "-o", tmp_path / "x.json")
    with actor() as process:
        command = [sys.executable, "-m", "vmdiff", "snap", f"tree:{process.pid}", *words]
        subprocess.run(traced("openat", command, log=log), check=True)
    opened = re.findall(r'openat\(\d+, "([^"]+)", O_RDONLY', log.read_text())

    assert sorted(opened) == [
        "auxv",
        "auxv",
        "cgroup",
        "cmdline",
        "smaps_rollup",
        "stat",
        "stat",
        "stat",
        "status",
    ]


def test_the_reads_are_those_that_the_kernel_makes_us_do() -> None:
    reads = 0

    def count() -> None:
        nonlocal reads
        reads += 1

    with actor() as process, ProcessFolder(process.pid) as folder:
        size = sum(len(folder.contents(name)) for name in ("smaps", "smaps_rollup", "maps", "maps"))
        folder.between_reads = count
        read(folder)

    # A read of smaps gives whole records, up to a page of text: never less than half of one.
    assert reads <= size / 2048 + 20


def test_many_mappings_are_read_in_few_calls(tmp_path: Path) -> None:
    with actor() as process:
        process.act("stripes")
        pages = len(Path(f"/proc/{process.pid}/smaps").read_bytes()) // 4096
        made = calls_of_snap("read,readv", process.pid, tmp_path)
    calls = re.findall(rf"read(?:v)?\(\d+</proc/{process.pid}/smaps>", made)

    assert pages > 2000
    assert len(calls) < pages / 20


def listing(count: int) -> bytes:
    record = (
        "{:x}-{:x} rw-p 00000000 00:00 0 \nSize:                  8 kB\nKernelPageSize:        4 kB\n"
        "MMUPageSize:           4 kB\nRss:                   {} kB\nPss:                   4 kB\n"
        "Swap:                  0 kB\nTHPeligible:           0\nVmFlags: rd wr mr mw me ac \n"
    )
    starts = range(0x7F0000000000, 0x7F0000000000 + count * 0x4000, 0x4000)
    return "".join(record.format(start, start + 0x2000, 4 * (start >> 14 & 1)) for start in starts).encode()


def test_mappings_that_are_alike_share_what_is_alike() -> None:
    text = listing(5000)
    tracemalloc.start()
    try:
        found = fast_reader.parse([text], source="x").mappings
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len({id(mapping.values) for mapping in found}) == 2
    assert len({id(mapping.flags) for mapping in found}) == 1
    assert held < 300 * len(found)  # bytes: a tuple, two addresses and nothing else of its own
    assert peak < 1500 * len(found)


def test_what_listings_have_in_common_is_decoded_once() -> None:
    text, records = _distinct(2000), fast_reader.KnownRecords(4096)

    fresh, again = (lines(lambda: fast_reader.parse([text], source="x", records=records)) for _ in range(2))

    assert again < fresh / 2


def test_of_earlier_listings_only_what_is_met_again_is_kept() -> None:
    text, other = _distinct(2000), _distinct(2000).replace(b"r--p", b"rw-p")
    records = fast_reader.KnownRecords(4096)

    def needed(text: bytes) -> int:
        """Count the lines run for a listing that comes after those before."""
        nonlocal records
        records = fast_reader.KnownRecords(4096, records)
        return lines(lambda: fast_reader.parse([text], source="x", records=records))

    fresh, again, _, once_more, forgotten, _ = map(needed, (text, text, other, other, text, text))

    assert max(again, once_more) < fresh / 2
    assert forgotten > 0.9 * fresh


def test_listings_that_share_records_report_their_own_keys_and_images() -> None:
    header, flags = b"%x-%x %s 00000000 fe:00 7 /tmp/x\n", b"VmFlags: rd\n"
    plain = header % (4096, 8192, b"r--p") + b"Size: 4 kB\nRss: 4 kB\n" + flags
    other = header % (4096, 8192, b"r--p") + b"Size: 4 kB\nPss: 4 kB\n" + flags
    image = header % (8192, 12288, b"r-xp") + b"Size: 4 kB\nRss: 4 kB\n" + flags
    records = fast_reader.KnownRecords(4096)

    for text in (plain + image, plain, other, plain + other, plain):
        alone = fast_reader.parse([text], source="x")
        assert fast_reader.parse([text], source="x", records=records) == alone


def _distinct(count: int) -> bytes:
    """Return a listing of mappings of which no two are alike."""
    return b"".join(
        b"%x-%x r--p 00000000 fe:00 %d /tmp/file\nSize: 4 kB\nRss: 4 kB\nVmFlags: rd mr \n"
        % (at * 8192, at * 8192 + 4096, at)
        for at in range(1, count + 1)
    )


def test_pieces_of_one_file_are_decoded_and_written_once_but_for_their_offsets() -> None:
    pieces = [
        b"%x-%x r--p %08x fe:00 7     /tmp/file\nSize: 4 kB\nRss: 4 kB\nVmFlags: rd mr \n"
        % (at, at + 4096, at)
        for at in range(1 << 32, (1 << 32) + 2000 * 8192, 8192)
    ]
    read: list[Mapping] = []

    reading = lines(lambda: read.extend(fast_reader.parse([b"".join(pieces)], source="x").mappings))
    writing = lines(lambda: Lines(to_json)(read))

    assert [mapping.offset for mapping in read] == [mapping.start for mapping in read]
    assert [json.loads(line) for line in Lines(to_json)(read)] == [mapping.record() for mapping in read]
    assert reading < 25 * len(pieces)  # 41 where each is decoded by itself
    assert writing < 25 * len(pieces)


def test_models_are_built_for_a_snapshot_and_not_for_a_mapping() -> None:
    few, many = (_models_alive(count) for count in (10, 2000))

    assert few == many


def _models_alive(count: int) -> int:
    parsed = fast_reader.parse([listing(count)], source="x")
    before = _models()
    taken = Snapshot(
        origin=Origin(source="x", counters=parsed.counters, attributes=parsed.attributes),
        mappings=parsed.mappings,
    )
    assert len(taken.mappings) == count
    return _models() - before


def _models() -> int:
    return sum(BaseModel in type(thing).__mro__ for thing in gc.get_objects())  # isinstance asks pydantic

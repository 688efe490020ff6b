"""Exports: every snapshot once, whatever is exported again, beside it, or was interrupted."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.spaces import snapshots as generated
from vmdiff import compare, save
from vmdiff.errors import InputError
from vmdiff.fleet import batch
from vmdiff.fleet.batch import Tables, rows
from vmdiff.fleet.columns import COUNTERS, FACTS, OF_A_PIECE, VERSION
from vmdiff.fleet.example_fleet import snapshots
from vmdiff.fleet.export import Export
from vmdiff.fleet.export_files import export_files
from vmdiff.fleet.fleet_view import pieces_view
from vmdiff.model import Mapping, Origin, Owner, Part, Snapshot
from vmdiff.model.snapshot_columns import SnapshotColumns
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.storage.series_folder import FolderWriter

pq = pytest.importorskip("pyarrow.parquet")
ROOT = Path(__file__).parents[2]


PMAP = """77:   sleep 60
Address           Kbytes     RSS   Dirty Mode  Mapping
000055d0c8a00000       8       8       0 r---- sleep
00007ffd5a000000     132      12      12 rw---   [ stack ]
---------------- ------- ------- -------
total kB             140      20      12
"""


def quiet(_: str) -> None:
    """Take what is said."""


def identify(snapshot: Snapshot) -> str:
    return batch.identify(SnapshotColumns.of(snapshot))


def named(out: Path) -> list[str]:
    """The identity of each row's snapshot, over all files."""
    return [name for part in out.rglob("*.parquet") for name in pq.read_table(part)["snapshot"].to_pylist()]


def identities(out: Path) -> list[str]:
    return sorted(set(named(out)))


@pytest.fixture(scope="module")
def few() -> list[Snapshot]:
    return list(snapshots(3))


@pytest.fixture
def saved(few: list[Snapshot], tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    folder.mkdir()
    for number, snapshot in enumerate(few):
        save(snapshot, folder / f"{number}.json.gz")
    return folder


def test_every_row_is_there_once_with_its_counters(few: list[Snapshot], saved: Path, tmp_path: Path) -> None:
    done = export_files([str(saved)], tmp_path / "out", notify=quiet)
    assert done == (len(few), 0)
    table = [row for part in (tmp_path / "out").rglob("*.parquet") for row in pq.read_table(part).to_pylist()]
    for snapshot in few:
        mine = [row for row in table if row["snapshot"] == identify(snapshot)]
        for counter in ("size", "accessible", "rss", "private_dirty"):
            assert sum(row[counter] for row in mine) == snapshot.total(counter)
        assert {row["tag_version"] for row in mine} == {snapshot.tags["version"]}


def test_a_file_a_day(few: list[Snapshot], saved: Path, tmp_path: Path) -> None:
    export_files([str(saved)], tmp_path / "out", notify=quiet)
    days = sorted(part.parent.name for part in (tmp_path / "out").rglob("*.parquet"))
    assert days == sorted({f"day={snapshot.taken_at:%Y-%m-%d}" for snapshot in few if snapshot.taken_at})


def test_the_same_snapshot_twice_is_once(saved: Path, few: list[Snapshot], tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_files([str(saved / "0.json.gz")], out, notify=quiet)
    before = {part: part.read_bytes() for part in out.rglob("*.parquet")}
    assert export_files([str(saved / "0.json.gz")] * 2, out, notify=quiet) == (0, 2)
    assert {part: part.read_bytes() for part in out.rglob("*.parquet")} == before
    assert export_files([str(saved)], out, notify=quiet) == (len(few) - 1, 1)
    assert identities(out) == sorted(map(identify, few))
    assert len(named(out)) == sum(len(rows(snapshot).table) for snapshot in few)


def test_many_small_exports_leave_one_file_a_day(few: list[Snapshot], tmp_path: Path) -> None:
    for snapshot in few:
        with Export(tmp_path) as export:
            export.add(rows(snapshot))
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    assert not list(tmp_path.rglob("*.unfinished"))


def test_exports_beside_each_other_lose_and_double_nothing(
    saved: Path, few: list[Snapshot], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "vmdiff", "export", saved, "-o", out]
    running = [subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(named(out)) == sum(len(rows(snapshot).table) for snapshot in few)


KILLED = """
import os, signal, sys
from pathlib import Path
from vmdiff.fleet.batch import rows
from vmdiff.fleet.example_fleet import snapshots
from vmdiff.fleet.export import Export
with Export(Path(sys.argv[1])) as export:
    for snapshot in snapshots(3):
        export.add(rows(snapshot))
    for day in export._days.values():
        day.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_export_leaves_nothing_that_is_read(few: list[Snapshot], tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert list(tmp_path.rglob("*.unfinished"))
    assert not list(tmp_path.rglob("*.parquet"))
    with Export(tmp_path) as export:
        for snapshot in few:
            export.add(rows(snapshot))
    assert identities(tmp_path) == sorted(map(identify, few))
    assert not list(tmp_path.rglob("*.unfinished"))


def test_what_a_later_snapshot_measures_besides_becomes_a_column(few: list[Snapshot], tmp_path: Path) -> None:
    first = few[0]
    origin = first.origin.model_copy(update={"counters": (*first.origin.counters, "future_huge")})
    mappings = (first.mappings[0]._replace(values={"rss": 4096, "future_huge": 8192}), *first.mappings[1:])
    later = first.model_copy(
        update={"origin": origin, "mappings": mappings, "tags": {"rack": "7"}, "label": "later"}
    )
    for snapshot in (first, Snapshot(**dict(later))):
        with Export(tmp_path) as export:
            export.add(rows(snapshot))
    (part,) = tmp_path.rglob("*.parquet")
    table = pq.read_table(part).to_pylist()
    earlier = [row for row in table if row["label"] is None]
    assert {row["future_huge"] for row in earlier} == {None}  # unknown, not 0
    assert sum(row["future_huge"] for row in table if row["label"] == "later") == 8192
    assert {row["tag_rack"] for row in table} == {None, "7"}


def test_tags_that_sql_cannot_tell_apart_are_one_column(few: list[Snapshot], tmp_path: Path) -> None:
    written = ({"Build-Id": "7"}, {"build_id": "8"}, {"BUILD_ID": "9", "build.id": "9"})
    for number, tags in enumerate(written):
        save(few[number].model_copy(update={"tags": tags}), tmp_path / f"{number}.json")
    export_files([str(tmp_path)], tmp_path / "out", notify=quiet)

    tables = [pq.read_table(part) for part in (tmp_path / "out").rglob("*.parquet")]
    assert {name for table in tables for name in table.column_names if name.startswith("tag")} == {
        "tag_build_id"
    }
    assert {value for table in tables for value in table["tag_build_id"].to_pylist()} == {"7", "8", "9"}
    for asked in ("build-id", "BUILD_ID"):
        assert ", tag_build_id as tag" in pieces_view("files", tables[0].column_names, asked)


def test_tags_of_one_column_that_differ_are_refused_by_name(few: list[Snapshot], tmp_path: Path) -> None:
    folder, said = tmp_path / "saved", list[str]()
    folder.mkdir()
    save(few[0], folder / "0.json")
    save(few[1].model_copy(update={"tags": {"Version": "1", "version": "2"}}), folder / "1.json")

    assert export_files([str(folder)], tmp_path / "out", notify=said.append) == (1, 0)
    why = "tags 'Version' and 'version' differ, but both are column tag_version; drop one of them"
    assert said == [f"skipped: {folder / '1.json'}: {why}"]
    with pytest.raises(InputError, match=why):
        export_files([str(folder / "1.json")], tmp_path / "other", notify=quiet)


def test_what_nobody_measured_is_null(tmp_path: Path) -> None:
    snapshot = Snapshot(origin=Origin(source="maps"), mappings=(Mapping(4096, 8192, "rw-p"),))
    (row,) = rows(snapshot).table.to_pylist()
    assert (row["size"], row["rss"], row["taken_at"], row["host"]) == (4096, None, None, None)
    with Export(tmp_path) as export:
        export.add(rows(snapshot))
    assert [part.parent.name for part in tmp_path.rglob("*.parquet")] == ["day=unknown"]


def test_numbers_that_parquet_cannot_hold_are_unknown_and_addresses_keep_their_size() -> None:
    top = (1 << 64) - 4096
    origin = Origin(source="smaps", counters=("rss",))
    snapshot = Snapshot(origin=origin, mappings=(Mapping(top, 1 << 64, "--xp", values={"rss": 1 << 63}),))
    (row,) = rows(snapshot).table.to_pylist()
    assert row["rss"] is None
    assert row["high"] - row["low"] == 4096


def test_a_counter_that_cannot_be_a_column_of_its_own_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    odd = ("low", "snapshot", "private", "tag_version", "RSS", "two words", 'quote"d', "")
    counters = ("rss", "future_huge", *filter(None, odd))
    values = dict.fromkeys(counters, 4096)
    snapshot = Snapshot(
        origin=Origin(source="smaps", counters=counters),
        tags={"version": "1"},
        mappings=(Mapping(4096, 8192, "rw-p", values=values),),
    )
    with Export(tmp_path) as export:
        export.add(rows(snapshot))
    (part,) = tmp_path.rglob("*.parquet")
    (row,) = pq.read_table(part).to_pylist()
    assert row.keys() == {*FACTS, *OF_A_PIECE, *COUNTERS, "future_huge", "tag_version"}
    assert (row["low"], row["rss"], row["future_huge"], row["tag_version"]) == (4096, 4096, 4096, "1")
    assert row["private"] is None  # clean and dirty pages were not counted


def test_parts_of_a_mapping_without_bounds_are_no_rows(tmp_path: Path) -> None:
    part = Part(0x1000, 0x2000, "bss", "certain", "elf", "seen")
    mixed = Mapping(None, None, "rw-p", owner=Owner("mixed", parts=(part,)), values={"size": 8192})
    snapshot = Snapshot(origin=Origin(source="pmap", counters=("size",)), mappings=(mixed,))
    (row,) = rows(snapshot).table.to_pylist()
    assert (row["owner"], row["low"], row["size"], row["accessible"]) == ("mixed", None, 8192, 8192)


@pytest.mark.parametrize(("perms", "accessible"), [("rw-p", 12288), ("---p", 0), ("????", None)])
def test_pieces_and_whole_mappings_have_the_sizes_that_their_bounds_and_permissions_say(
    perms: str, accessible: int | None
) -> None:
    part = Part(0x2000, 0x3000, "bss", "certain", "elf", "seen")
    snapshot = Snapshot(
        origin=Origin(source="maps"),
        mappings=(
            Mapping(0x1000, 0x4000, perms, owner=Owner("mixed", parts=(part,))),
            Mapping(0x4000, 0x7000, perms),
        ),
    )
    found = rows(snapshot).table.to_pylist()
    assert [(row["low"], row["high"], row["size"]) for row in found] == [
        (0x1000, 0x4000, 0x2000),  # before and behind the part
        (0x2000, 0x3000, 0x1000),
        (0x4000, 0x7000, 0x3000),
    ]
    assert found[-1]["accessible"] == accessible
    together = [row["accessible"] for row in found[:-1]]
    assert together == (
        [None, None] if accessible is None else [0, 0] if accessible == 0 else [0x2000, 0x1000]
    )


@given(st.lists(generated(unknowns=True), max_size=3))
def test_snapshots_together_have_the_rows_that_each_has_alone(several: list[Snapshot]) -> None:
    together = [
        row for one in Tables().batches(map(SnapshotColumns.of, several)) for row in one.table.to_pylist()
    ]
    alone = [row for snapshot in several for row in rows(snapshot).table.to_pylist()]
    assert sorted(map(told, together)) == sorted(map(told, alone))
    for snapshot in several:
        mine = rows(snapshot).table.to_pylist()
        for counter in snapshot.counters:
            values = [row[counter] for row in mine]
            if None not in values and snapshot.mappings:
                assert sum(values) == snapshot.total(counter)


@given(st.lists(generated(unknowns=True), max_size=3), st.integers(0, 9))
def test_what_is_remembered_of_earlier_snapshots_changes_no_row(several: list[Snapshot], most: int) -> None:
    tables = Tables(most)
    for snapshot in [*several, *several]:
        (found,) = tables.batches([SnapshotColumns.of(snapshot)])
        assert found.snapshots == rows(snapshot).snapshots
        assert list(map(told, found.table.to_pylist())) == list(map(told, rows(snapshot).table.to_pylist()))


def told(row: dict[str, object]) -> str:
    """What is known in a row."""
    return repr(sorted((name, value) for name, value in row.items() if value is not None))


def test_imports_of_no_known_instant_are_told_apart_by_what_they_measured() -> None:
    def listing(rss: int) -> Snapshot:
        mapping = Mapping(4096, 8192, "rw-p", values={"rss": rss})
        return Snapshot(origin=Origin(source="pmap", counters=("rss",)), mappings=(mapping,))

    assert identify(listing(0)) == identify(listing(0)) != identify(listing(4096))


def test_a_folders_other_files_are_named_and_a_named_one_must_be_readable(
    saved: Path, tmp_path: Path
) -> None:
    (saved / "notes.txt").write_text("to do\n")
    said: list[str] = []
    export_files([str(saved)], tmp_path / "out", notify=said.append)
    assert len(said) == 1
    assert said[0].startswith("skipped: ")
    assert "notes.txt" in said[0]
    with pytest.raises(InputError, match=r"notes\.txt"):
        export_files([str(saved / "notes.txt")], tmp_path / "out", notify=quiet)


def test_nothing_to_export_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no snapshot"):
        export_files([str(tmp_path / "empty")], tmp_path / "out", notify=quiet)


def test_files_name_their_columns_version(few: list[Snapshot], tmp_path: Path) -> None:
    with Export(tmp_path) as export:
        export.add(rows(few[0]))
    (part,) = tmp_path.rglob("*.parquet")
    assert pq.read_metadata(part).metadata[b"vmdiff.columns"] == str(VERSION).encode()


def test_every_column_is_described() -> None:
    page = (ROOT / "docs" / "fleet.md").read_text()
    assert [name for name in (*FACTS, *OF_A_PIECE, *COUNTERS) if f"`{name}`" not in page] == []


@pytest.fixture
def many(few: list[Snapshot], tmp_path: Path) -> tuple[Path, int]:
    """More files than one process reads by itself."""
    folder = tmp_path / "many"
    folder.mkdir()
    base = few[0]
    count = 80
    for number in range(count):
        at = datetime(2026, 11, 2, tzinfo=UTC) + timedelta(minutes=number)
        save(base.model_copy(update={"taken_at": at}), folder / f"{number:03}.json")
    return folder, count


def test_several_processes_read_what_one_would(many: tuple[Path, int], tmp_path: Path) -> None:
    folder, count = many
    assert export_files([str(folder)], tmp_path / "out", notify=quiet) == (count, 0)
    assert len(identities(tmp_path / "out")) == count


def test_a_recording_a_set_a_report_and_a_text_of_several_listings_are_all_that_they_hold(
    few: list[Snapshot], tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    recorded = FolderWriter(folder / "recorded")
    for minute in range(3):
        at = datetime(2026, 11, 5, 12, minute, tzinfo=UTC)
        recorded.write(few[0].model_copy(update={"taken_at": at}))
    member = few[1].model_copy(update={"tags": {}})
    save(SnapshotSet(members=(member, few[2]), tags={"version": "9", "rack": "7"}), folder / "set.json.gz")
    comparison = compare(few[3], few[4])
    (folder / "report.html").write_text(
        str(RENDERERS[Format.HTML].comparison(comparison, (), ViewOptions())), encoding="utf-8"
    )
    (folder / "pmap.txt").write_text(f"{PMAP}\n\n{PMAP.replace('77', '78')}")
    said: list[str] = []

    assert export_files([str(folder)], tmp_path / "out", notify=said.append) == (3 + 2 + 2 + 2, 0)
    assert said == []
    table = [row for part in (tmp_path / "out").rglob("*.parquet") for row in pq.read_table(part).to_pylist()]
    of_set = {row["pid"]: (row["tag_version"], row["tag_rack"]) for row in table if row.get("tag_rack")}
    assert of_set == {member.process.pid: ("9", "7"), few[2].process.pid: (few[2].tags["version"], "7")}


def test_of_many_days_no_more_rows_wait_than_of_one(few: list[Snapshot], tmp_path: Path) -> None:
    rows_each, most = len(rows(few[0]).table), 1000
    with Export(tmp_path, most_waiting=most) as export:
        for day in range(12):
            at = datetime(2026, 11, 1 + day, tzinfo=UTC)
            for number, snapshot in enumerate(few[:2]):
                taken_at = at + timedelta(minutes=number)
                export.add(rows(snapshot.model_copy(update={"taken_at": taken_at})))
                assert export.waiting <= most + rows_each
    assert len(list(tmp_path.rglob("*.parquet"))) == 12
    assert len(identities(tmp_path)) == 24

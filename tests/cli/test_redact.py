"""`vmdiff redact`, `snap --redact`, and the warning before a command line goes to strangers."""

import json
import re
from pathlib import Path

import pytest

import vmdiff as library
from tests.acts import actor
from tests.cli.conftest import Run
from tests.draw import mappings, snapshot
from vmdiff.model import Kind, Mapping, Process, Snapshot

LEDGER = Mapping(
    1 << 40, (1 << 40) + 4096, "r--p", Kind.FILE, device="fe:00", inode="7", path="/home/alice/ledger.db"
)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    folder = tmp_path / "originals"
    folder.mkdir()
    process = Process(pid=4711, user="alice", name="ledgerd", arguments=("ledgerd", "--token=hunter22"))
    for name, drawing in (("a.json", "aa..1"), ("b.json.gz", "aaa.1")):
        taken = snapshot(*mappings(drawing), LEDGER).model_copy(update={"process": process})
        library.save(taken, folder / name)
    return folder / "a.json", folder / "b.json.gz"


def test_files_redacted_together_compare_as_before(
    vmdiff: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "for" / "strangers"
    result = vmdiff("redact", *pair, "-o", out)
    plain = json.loads(vmdiff("compare", *pair, "--format", "json").out)
    hidden = json.loads(vmdiff("compare", out / "a.json", out / "b.json.gz", "--format", "json").out)

    assert (result.code, result.out) == (0, "")
    assert [change["change"] for change in hidden["changes"]] == ["grown"]
    for key in ("match", "totals", "unchanged"):
        assert hidden[key] == plain[key]
    assert b"alice" not in (out / "a.json").read_bytes()
    assert "hunter22" not in json.dumps(hidden)
    assert (out / "a.json").stat().st_mode & 0o777 == 0o600


def test_no_copy_takes_the_place_of_another(vmdiff: Run, tmp_path: Path) -> None:
    files = []
    for label, name in enumerate(("x/a.json", "y/a.json", "z/a-2.json", "z/A.JSON", "y/a")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        files.append(tmp_path / name)
        library.save(snapshot(*mappings("a" * (label + 1))), files[-1])
    for more in ((), ("--force",)):
        assert vmdiff("redact", *files, "-o", tmp_path / "out", *more).code == 0
        sizes = {path.name: len(library.load(path).mappings) for path in (tmp_path / "out").iterdir()}
        pages = {path.name: library.load(path).total("size") for path in (tmp_path / "out").iterdir()}
        assert len(sizes) == 5
        assert sorted(pages.values()) == [4096 * pages for pages in (1, 2, 3, 4, 5)]
        assert {name.casefold() for name in pages} == {name.casefold() for name in sizes}


def test_no_copy_overwrites_another_original(vmdiff: Run, tmp_path: Path) -> None:
    for name in ("x", "out"):
        (tmp_path / name).mkdir()
        library.save(snapshot(*mappings("ab")), tmp_path / name / "a.json")
    refused = vmdiff(
        "redact", tmp_path / "x/a.json", tmp_path / "out/a.json", "-o", tmp_path / "out", "--force"
    )

    assert refused.code == 2
    assert "is the original" in refused.err
    assert library.load(tmp_path / "out/a.json").origin.redaction is None


def test_originals_and_existing_copies_are_kept(vmdiff: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    before = pair[0].read_bytes()
    assert vmdiff("redact", *pair, "-o", tmp_path).code == 0
    again = vmdiff("redact", *pair, "-o", tmp_path)
    over = vmdiff("redact", *pair, "-o", pair[0].parent, "--force")

    assert (again.code, over.code) == (2, 2)
    assert "--force overwrites it" in again.err
    assert "is the original" in over.err
    assert pair[0].read_bytes() == before
    assert vmdiff("redact", *pair, "-o", tmp_path, "--force").code == 0


def test_files_of_one_name_get_copies_of_their_own(
    vmdiff: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    other = tmp_path / "other" / "a.json"
    other.parent.mkdir()
    other.write_bytes(pair[0].read_bytes())
    (tmp_path / "listing").write_text("00400000-00401000 r-xp 00000000 00:00 0 /home/alice/x\n")

    assert vmdiff("redact", pair[0], other, tmp_path / "listing", "-o", tmp_path / "out").code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a-2.json",
        "a.json",
        "listing.json",
    ]


def test_show_lists_what_is_still_told_and_writes_nothing(
    vmdiff: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    result = vmdiff("redact", pair[0], "--show")

    assert result.code == 0
    assert re.search(r"process\.pid +4711\n", result.out)
    assert "alice" not in result.out
    assert [path.name for path in tmp_path.iterdir()] == ["originals"]


def test_where_to_write_must_be_said(vmdiff: Run, pair: tuple[Path, Path]) -> None:
    result = vmdiff("redact", *pair)

    assert result.code == 2
    assert "--show" in result.err


def test_a_key_is_made_once_and_makes_snapshots_taken_apart_match(vmdiff: Run, tmp_path: Path) -> None:
    key, paths = tmp_path / "key", (tmp_path / "1.json", tmp_path / "2.json")
    with actor() as process:
        first = vmdiff("snap", process.pid, "--redact", "--key", key, "-o", paths[0], "--arguments")
        second = vmdiff("snap", process.pid, "--redact", "--key", key, "-o", paths[1])
        plain = Snapshot.model_validate_json(vmdiff("snap", process.pid).out)
    compared = json.loads(vmdiff("compare", *paths, "--format", "json").out)

    assert (first.code, second.code, second.err) == (0, 0, "")
    assert "made a new key" in first.err
    assert key.stat().st_mode & 0o777 == 0o600
    assert compared["match"] == "address"
    assert len({library.load(path).origin.redaction for path in paths}) == 1
    assert str(plain.host.boot_id) not in paths[0].read_text()
    assert not any(change["change"] in {"new", "removed"} for change in compared["changes"])


@pytest.mark.parametrize(("content", "code"), [(b"", 2), (b"\n", 2), (b"short", 0), (b"k" * 32, 0)])
def test_a_key_has_something_in_it(
    vmdiff: Run, pair: tuple[Path, Path], tmp_path: Path, content: bytes, code: int
) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)
    result = vmdiff("redact", pair[0], "-o", tmp_path, "--key", key)

    assert result.code == code
    assert ("key" in result.err) == (len(content) < 16)


def test_a_telling_file_name_is_told(vmdiff: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    telling = pair[0].rename(pair[0].with_name("ledgerd-4711.json"))

    assert "rename it" in vmdiff("redact", telling, "-o", tmp_path).err


@pytest.mark.parametrize("form", ["markdown", "text"])
def test_a_report_for_strangers_that_tells_arguments_is_warned_of(
    vmdiff: Run, pair: tuple[Path, Path], tmp_path: Path, form: str
) -> None:
    vmdiff("redact", *pair, "-o", tmp_path)

    assert vmdiff("compare", *pair, "--format", form).err.count("command-line arguments") == 2
    assert "command-line arguments" in vmdiff("show", pair[0], "--format", form).err
    assert vmdiff("compare", *pair, "--format", "json").err == ""
    assert vmdiff("compare", tmp_path / "a.json", tmp_path / "b.json.gz", "--format", form).err == ""

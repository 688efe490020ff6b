"""The folder of a recording: numbered, gone on with, and every point opens by itself."""

from pathlib import Path
from random import Random

import pytest

from tests.series.moments import moments
from tests.work import lines
from vmdiff import sources
from vmdiff.errors import InputError, OutputError
from vmdiff.storage import json_document, series_folder
from vmdiff.storage.series_folder import FolderWriter

MANY = 40  # owners, so that a delta is worth it


def taken(count):
    return list(moments(**{f"owner{at}": range(at, at + count) for at in range(MANY)}))


def written(folder, snapshots, **options):
    writer = FolderWriter(folder, **options)
    return [writer.write(snapshot) for snapshot in snapshots]


def test_every_point_is_read_back_alone_and_by_its_number(tmp_path):
    snapshots = taken(5)

    files = written(tmp_path / "r", snapshots)

    assert [file.suffix for file in files] == [".gz", *[".delta"] * 4]
    assert [sources.load(file) for file in files] == snapshots
    assert [sources.load(f"{tmp_path / 'r'}#{at}") for at in range(5)] == snapshots
    assert [
        json_document.load(data, source=name) for name, data in series_folder.documents(tmp_path / "r")
    ] == snapshots


def test_a_folder_that_is_there_is_gone_on_with(tmp_path):
    written(tmp_path, taken(3))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    (file,) = written(tmp_path, taken(1))

    assert (file.name[:6], file.suffix) == ("000003", ".gz")
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_there_is_a_keyframe_every_so_often(tmp_path):
    files = written(tmp_path, taken(series_folder.KEYFRAMES + 2))

    assert [at for at, file in enumerate(files) if file.suffix == ".gz"] == [0, series_folder.KEYFRAMES]


def test_what_shares_little_with_its_keyframe_is_one_itself(tmp_path):
    other = list(moments(**{f"o{Random(at).getrandbits(400):x}": [at] for at in range(MANY)}))

    assert [file.suffix for file in written(tmp_path, [*taken(1), *other])] == [".gz", ".gz"]


def test_plain_points_are_ordinary_documents(tmp_path):
    files = written(tmp_path, taken(3), plain=True)

    assert {file.suffix for file in files} == {".gz"}


def test_files_are_for_their_owner_only(tmp_path):
    files = written(tmp_path / "r", taken(2))

    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700


def test_a_number_that_is_not_there_is_named_with_those_that_are(tmp_path):
    written(tmp_path, taken(2))

    with pytest.raises(InputError, match="has no point #7; it has 0 to 1"):
        sources.load(f"{tmp_path}#7")


def test_a_point_without_its_keyframe_says_which_is_missing(tmp_path):
    keyframe, delta = written(tmp_path, taken(2))
    keyframe.unlink()

    with pytest.raises(InputError, match=keyframe.name):
        sources.load(delta)


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / "f").write_text("x")

    with pytest.raises(OutputError):
        FolderWriter(tmp_path / "f")


def test_a_folder_without_points_is_no_recording(tmp_path: Path):
    with pytest.raises(InputError, match="neither a recording"):
        list(series_folder.documents(tmp_path))


def test_mappings_that_stayed_are_written_as_before_and_cost_less():
    first, second = taken(2)
    second = second.model_copy(update={"mappings": (*first.mappings[:-1], second.mappings[-1])})
    of_first = json_document.RepeatedLines()

    def written_after_first():
        return b"".join(json_document.dump(second, json_document.RepeatedLines(of_first)))

    fresh = lines(lambda: b"".join(json_document.dump(first, of_first)))

    assert written_after_first() == b"".join(json_document.dump(second))
    assert lines(written_after_first) < fresh / 2

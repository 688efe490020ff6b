"""The folder of a recording: numbered snapshots, most of them as small as what they differ in.

``000000-20261128T151500Z.json.gz`` is a keyframe, an ordinary compressed snapshot document; the points after
it are deltas from it (`vmdiff.storage.point_delta`), ``000001-20261128T151510Z.json.delta``. Every file is
written whole or not at all, so a folder is good up to its last file whatever ended the recording.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from vmdiff.errors import InputError, OutputError
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import Moment
from vmdiff.storage import atomic_file, json_document, point_delta, set_document, unpacking

KEYFRAMES = 100  # points that go by one keyframe
_SMALLER = 2  # times a delta is smaller than its keyframe, or it becomes one itself
_POINT = re.compile(r"([0-9]{6,9})-[0-9TZ]+\.json(?:\.gz|\.delta)?")


class FolderWriter:
    """Writes points into a folder, which is made if it is not there and gone on with if it is.

    Raises:
        OutputError: it cannot be made, or is no folder.
    """

    def __init__(self, folder: Path, *, plain: bool = False) -> None:
        self.folder = folder
        self._plain = plain
        self._keyframe: point_delta.Keyframe | None = None
        self._lines_of: json_document.RepeatedLines | None = None  # of the last point
        self._size = self._since = 0
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror}; nothing is recorded") from error
        self.written = 0  # bytes
        self.next = max((number for number, _ in points(folder)), default=-1) + 1

    def write(self, moment: Moment) -> Path:
        """Write the next point, a snapshot or a set of several processes.

        Raises:
            OutputError: it cannot be written; what is there already is whole.
        """
        self._lines_of = json_document.RepeatedLines(self._lines_of)
        document = b"".join(
            json_document.dump(moment, self._lines_of)
            if isinstance(moment, Snapshot)
            else set_document.dump(moment, self._lines_of)
        )
        when = moment.taken_at or datetime.fromtimestamp(0, UTC)
        stem = f"{self.next:06}-{when:%Y%m%dT%H%M%SZ}.json"
        delta = self._delta(document)
        name, data = (f"{stem}.gz", _gzip(document)) if delta is None else (f"{stem}.delta", delta)
        path = self.folder / name
        atomic_file.write(path, [data])
        if delta is None:
            self._keyframe, self._size, self._since = point_delta.Keyframe(name, document), len(data), 0
        self.next += 1
        self._since += 1
        self.written += len(data)
        return path

    def _delta(self, document: bytes) -> bytes | None:
        """Return the document as a delta, or None where it is to be a keyframe."""
        if self._plain or self._keyframe is None or self._since >= KEYFRAMES:
            return None
        delta = self._keyframe.delta_of(document)
        return delta if len(delta) * _SMALLER < self._size else None


def _gzip(document: bytes) -> bytes:
    return b"".join(json_document.compressed(iter([document])))


def points(folder: Path | str) -> list[tuple[int, Path]]:
    """Return the numbers and files of a recording's points, in order.

    Raises:
        InputError: the folder cannot be listed.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208  # names are all that is needed
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from error
    found = ((match, name) for name in names if (match := _POINT.fullmatch(name)))
    return sorted((int(match[1]), Path(folder) / name) for match, name in found)


def point(folder: Path | str, number: int) -> Path:
    """Return the file of one point.

    Raises:
        InputError: the folder has no such point.
    """
    found = points(folder)
    for which, path in found:
        if which == number:
            return path
    have = f"it has {found[0][0]} to {found[-1][0]}" if found else "there are no points"
    raise InputError(f"{folder}: has no point #{number}; {have}")


def document_of(delta: bytes, path: Path | str) -> bytes:
    """Return the document that a delta in the file *path* stands for, by its keyframe beside it.

    Raises:
        InputError: one of the two is damaged, or the keyframe is not there.
    """
    return Keyframes().document_of(delta, path)


class Keyframes:
    """Reads deltas, and keeps the last keyframe, which most of them share."""

    def __init__(self) -> None:
        self._held: tuple[Path, bytes] | None = None

    def document_of(self, delta: bytes, path: Path | str) -> bytes:
        """Return the document that a delta in the file *path* stands for."""
        source = str(path)
        keyframe = Path(path).parent / point_delta.keyframe_of(delta, source=source)
        if self._held is None or self._held[0] != keyframe:
            data = atomic_file.read(keyframe)
            self._held = keyframe, unpacking.unpack(data, source=str(keyframe)).data
        return point_delta.decoded(delta, self._held[1], source=source)


def _documents_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.name.endswith((".json", ".json.gz")))


def documents(folder: Path | str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the document of every point of a recording, or of the snapshots in a folder.

    Raises:
        InputError: there are none, or one is damaged.
    """
    keyframes = Keyframes()
    found = [path for _, path in points(folder)] or sorted(_documents_in(Path(folder)))
    if not found:
        raise InputError(f"{folder}: neither a recording nor a folder of snapshots (*.json, *.json.gz)")
    for path in found:
        data = atomic_file.read(path)
        if point_delta.is_delta(data):
            data = keyframes.document_of(data, path)
        else:
            data = unpacking.unpack(data, source=str(path)).data
        yield str(path), data

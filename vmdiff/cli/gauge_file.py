"""The file of gauges that ``vmdiff record --openmetrics`` keeps up to date."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from vmdiff.errors import OutputError
from vmdiff.recording.recorder import Recorded
from vmdiff.report.profiles.gauges import gauges
from vmdiff.storage import atomic_file

_OURS = b"# HELP vmdiff_"
_FOR_ALL = 0o644  # the collector runs as another user


class GaugeFile:
    """A file that holds the latest point, whole at any time; it is gone where there is no latest one.

    A collector shows what a file says for as long as it is there, so no process that ended may stay in it.
    """

    def __init__(self, path: Path, target: str, top: int) -> None:
        """Check that the file is free, or one of gauges that an earlier recording left.

        Raises:
            OutputError: there is something else of that name.
        """
        if path.exists() and not (path.is_file() and path.read_bytes().startswith(_OURS)):
            raise OutputError(f"{path}: exists already, and is no file of vmdiff's gauges")
        self._path = path
        self._target = target
        self._top = top

    def kept(self, points: Iterable[Recorded]) -> Iterator[Recorded]:
        """Pass points on, each written first; in the end the file is removed.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            for point in points:
                text = gauges(point.snapshot, self._target, self._top)
                atomic_file.write(self._path, [text.encode()], force=True, mode=_FOR_ALL)
                yield point
        finally:
            self.remove()

    def remove(self) -> None:
        """Remove the file: nothing is known until the next point."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

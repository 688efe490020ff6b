"""Several files of a process, read one after the other, ahead of whoever takes their text apart.

The kernel needs about as long to write the text of many mappings as vmdiff to read it, so where there are
many both are done at once: a thread reads, and is in the kernel nearly all the time. A process
that is small is read without one.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Self

from vmdiff.capture.process_dir import ProcessFolder

_LARGE = 256 << 10  # bytes of a first piece, which is full: there will be many, which is worth a thread
_AHEAD = 16  # pieces
_MOMENT = 0.01  # seconds

Piece = tuple[int, bytes]  # of which file, and its text


class Texts:
    """The texts of several files in turn, each an iterator of pieces; reading begins at once.

    Of *optional* as much is given as can be read, which may be nothing. A text is to be used up before the
    next is asked for. `close` leaves off early.

    Raises:
        OSError: another file cannot be read.
    """

    def __init__(self, folder: ProcessFolder, names: Sequence[str], *, optional: str) -> None:
        pieces = _pieces(folder, names, optional)
        first = list(islice(pieces, 2))
        many = len(first[-1][1]) >= _LARGE and not folder.between_reads  # a hook is called in this thread
        self._others = (_fetched(pieces) if many else None) or pieces
        self._texts = groupby(chain(first, self._others), key=itemgetter(0))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Iterator[bytes]:
        _, pieces = next(self._texts)
        return (text for _, text in pieces)

    def close(self) -> None:
        """Stop reading."""
        self._others.close()


def _pieces(folder: ProcessFolder, names: Sequence[str], optional: str) -> Generator[Piece]:
    large = False
    for place, name in enumerate(names):
        yield place, b""  # so that an empty file is one, too
        with suppress(*([OSError] if name == optional else [])):
            for text in folder.chunks(name, large=large):
                large = large or len(text) >= _LARGE
                yield place, text


def _fetched(pieces: Generator[Piece]) -> "_Fetched | None":
    """Fetch the pieces by a thread, where one can be had (RLIMIT_NPROC, a cgroup's pids.max)."""
    try:
        return _Fetched(pieces)
    except RuntimeError:  # "can't start new thread"
        return None


class _Fetched:
    """Pieces that a thread fetches, some ahead of who takes them."""

    def __init__(self, pieces: Generator[Piece]) -> None:
        from queue import Queue  # only a large process is read by a thread
        from threading import Thread

        self._pieces = pieces
        self._found: Queue[Piece | BaseException | None] = Queue(_AHEAD)
        self._enough = False
        self._thread = Thread(target=self._fetch, name="vmdiff-reads-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Piece:
        piece = self._found.get()
        if piece is None:
            raise StopIteration
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def close(self) -> None:
        self._enough = True
        while self._thread.is_alive():
            while not self._found.empty():  # it may be waiting for room
                self._found.get()
            self._thread.join(_MOMENT)

    def _fetch(self) -> None:
        try:
            for piece in self._pieces:
                self._found.put(piece)
                if self._enough:
                    break
            self._pieces.close()
            self._found.put(None)
        except BaseException as error:  # noqa: BLE001  # it is raised where the pieces are taken
            self._found.put(error)

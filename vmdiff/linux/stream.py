"""Several files of a process, read one after the other, ahead of whoever takes their text apart.

The kernel needs about as long to write the text of many mappings as vmdiff to read it, so where there are
many both are done at once: a thread reads, and is in the kernel nearly all the time. A process
that is small is read without one.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from itertools import groupby

from vmdiff.linux.proc import ProcessFolder

_LARGE = 192 << 10  # bytes of a piece: a file that comes in such pieces is worth a thread
_AHEAD = 16  # pieces
_MOMENT = 0.01  # seconds

Piece = tuple[int, bytes]  # of which file, and its text


def texts(folder: ProcessFolder, names: Sequence[str], *, optional: str) -> Generator[Iterator[bytes]]:
    """Yield the texts of files in turn, each in pieces; what there is of *optional* if it cannot be read.

    A text is to be used up before the next is asked for. Close it to leave off early.

    Raises:
        OSError: another file cannot be read.
    """
    pieces = _pieces(folder, names, optional)
    if not folder.between_reads:  # which is to be called in this thread
        pieces = _ahead(pieces)
    try:
        for _, text in groupby(pieces, key=lambda piece: piece[0]):
            yield (piece for _, piece in text)
    finally:
        pieces.close()


def _pieces(folder: ProcessFolder, names: Sequence[str], optional: str) -> Generator[Piece]:
    large = False
    for place, name in enumerate(names):
        yield place, b""  # so that an empty file is one, too
        with suppress(*([OSError] if name == optional else [])):
            for piece in folder.chunks(name, large=large):
                large = large or len(piece) >= _LARGE
                yield place, piece


def _ahead(pieces: Generator[Piece]) -> Generator[Piece]:
    """Yield the pieces; once a large one has come, the others are read by a thread."""
    for piece in pieces:
        yield piece
        if len(piece[1]) >= _LARGE:
            yield from _by_thread(pieces)


def _by_thread(pieces: Generator[Piece]) -> Generator[Piece]:
    from queue import Queue
    from threading import Event, Thread

    found: Queue[Piece | BaseException | None] = Queue(_AHEAD)
    enough = Event()

    def fetch() -> None:
        try:
            for piece in pieces:
                found.put(piece)
                if enough.is_set():
                    break
            pieces.close()
            found.put(None)
        except BaseException as error:  # noqa: BLE001  # is raised where the pieces are taken
            found.put(error)

    thread = Thread(target=fetch, name="vmdiff-reads-ahead", daemon=True)
    thread.start()
    try:
        while (piece := found.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        enough.set()
        while thread.is_alive():
            while not found.empty():  # it may be waiting for room
                found.get()
            thread.join(_MOMENT)

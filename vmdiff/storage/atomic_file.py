"""Files are read within bounds, and written whole or not at all."""

import errno
import fcntl
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vmdiff.errors import InputError, OutputError

LARGEST_INPUT = 1 << 30  # bytes
_PARTIAL = ".vmdiff-partial"
_NAME_KEPT = 50  # characters of up to 4 bytes; a name may have 255 bytes
_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOSYS})


def read(path: Path | str, *, largest: int = LARGEST_INPUT) -> bytes:
    """Give the bytes of a file.

    Raises:
        InputError: it cannot be read, or is larger than *largest* bytes.
    """
    try:
        with Path(path).open("rb") as file:
            return read_from(file, str(path), largest=largest)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{path}: {_reason(error)}") from error


def read_from(stream: BinaryIO | None, source: str, *, largest: int = LARGEST_INPUT) -> bytes:
    """Give all that a stream has; None is one that is closed.

    Raises:
        InputError: it cannot be read, or has more than *largest* bytes.
    """
    try:
        data = stream.read(largest + 1) if stream else None
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: {_reason(error)}") from error
    if data is None:
        raise InputError(f"{source}: closed, or has nothing yet")
    if len(data) > largest:
        raise InputError(
            f"{source}: larger than {largest >> 20} MiB; this is no listing or snapshot of a process"
        )
    return data


def write(path: Path | str, chunks: Iterable[bytes], *, force: bool = False) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Without *force* an existing file is an error and stays as it is, even one that appears meanwhile.

    Raises:
        OutputError: the file exists, or cannot be written; nothing is left behind.
    """
    path = Path(path)
    if not force:
        check_free(path)
    try:
        if _is_stream(path):
            _write_through(path, chunks)
        else:
            _write(path, chunks, force=force)
    except FileExistsError as error:
        raise OutputError(f"{path}: exists already; --force overwrites it") from error
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: {_reason(error)}; nothing was written") from error


def check_free(path: Path) -> None:
    """Find out before the work that its result could not be written.

    Raises:
        OutputError: a file of that name exists. Pipes and devices may be written to.
    """
    if os.path.lexists(path) and not _is_stream(path):
        raise OutputError(f"{path}: exists already; --force overwrites it")


def _is_stream(path: Path) -> bool:
    """Say whether a pipe, a terminal or another device is there, which nothing can take the place of."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _write_through(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)


def _write(path: Path, chunks: Iterable[bytes], *, force: bool) -> None:
    if force or not _write_unnamed(path, chunks):
        _write_aside(path, chunks, force=force)


def _write_unnamed(path: Path, chunks: Iterable[bytes]) -> bool:
    """Write a file that has no name until it is whole; False where the file system has none such."""
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in _NO_TMPFILE and path.parent.is_dir():
            return False
        raise
    with _filled(descriptor, chunks):
        # Naming a folder makes Python call linkat, which alone follows the link.
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
    return True


def _write_aside(path: Path, chunks: Iterable[bytes], *, force: bool) -> None:
    """Write under a name of its own and give it the right one when it is whole."""
    _remove_litter(path)
    temporary = path.parent / f".{path.name[:_NAME_KEPT]}.{os.urandom(4).hex()}{_PARTIAL}"
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # says that its writer lives
        with _filled(descriptor, chunks):
            if force:
                temporary.replace(path)
            else:
                os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_litter(path: Path) -> None:
    """Remove what a vmdiff that was killed while it wrote this file left behind."""
    for left in path.parent.glob(f".{glob.escape(path.name[:_NAME_KEPT])}.????????{_PARTIAL}"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


@contextmanager
def _filled(descriptor: int, chunks: Iterable[bytes]) -> Iterator[None]:
    """Fill an open file and see it to the disk before the body gives it its name."""
    with os.fdopen(descriptor, "wb") as file:
        _give_to_caller(descriptor)
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(descriptor)
        yield


def _give_to_caller(descriptor: int) -> None:
    """Let a file that root writes belong to the user who called sudo."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() == 0 and uid.isdigit() and gid.isdigit():
        with suppress(OSError):  # a file system without owners
            os.fchown(descriptor, int(uid), int(gid))


def _reason(error: Exception) -> str:
    """Say in a few words what the system said."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)

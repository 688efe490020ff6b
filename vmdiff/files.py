"""Files are read within bounds, and written whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vmdiff.errors import InputError, OutputError

LARGEST_INPUT = 1 << 30  # bytes
_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOSYS})


def read(path: Path | str, *, largest: int = LARGEST_INPUT) -> bytes:
    """Give the bytes of a file.

    Raises:
        InputError: it cannot be read, or is larger than *largest* bytes.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(largest + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{path}: {_reason(error)}") from error
    if len(data) > largest:
        raise InputError(
            f"{path}: larger than {largest >> 20} MiB; this is no listing or snapshot of a process"
        )
    return data


def write(path: Path | str, chunks: Iterable[bytes], *, force: bool = False) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Without *force* an existing file is an error and stays as it is, even one that appears meanwhile.

    Raises:
        OutputError: the file exists, or cannot be written; nothing is left behind.
    """
    path = Path(path)
    if not force and os.path.lexists(path):
        raise OutputError(f"{path}: exists already; --force overwrites it")
    try:
        _write(path, chunks, force=force)
    except FileExistsError as error:
        raise OutputError(f"{path}: exists already; --force overwrites it") from error
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: {_reason(error)}; nothing was written") from error


def _write(path: Path, chunks: Iterable[bytes], *, force: bool) -> None:
    folder = path.parent
    if not force:
        try:
            descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in _NO_TMPFILE or not folder.is_dir():
                raise
        else:
            with _filled(descriptor, chunks):
                # Naming a folder makes Python call linkat, which alone follows the link.
                os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
            return
    temporary = folder / f".{path.name[:200]}.{secrets.token_hex(4)}.vmdiff-partial"
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with _filled(descriptor, chunks):
            if force:
                temporary.replace(path)
            else:
                os.link(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


@contextmanager
def _filled(descriptor: int, chunks: Iterable[bytes]) -> Iterator[None]:
    """Fill an open file and see it to the disk before the body gives it its name."""
    with os.fdopen(descriptor, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(descriptor)
        yield


def _reason(error: Exception) -> str:
    """Say in a few words what the system said."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)

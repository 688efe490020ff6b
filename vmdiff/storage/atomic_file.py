"""Files are read within bounds, and written whole or not at all."""

import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vmdiff.errors import InputError, OutputError
from vmdiff.storage import file_lock

LARGEST_INPUT = 1 << 30  # bytes
_USUAL_INPUT = 1 << 20
_PRIVATE = 0o600  # the mode of files: memory maps tell where to attack a process
_PARTIAL = ".vmdiff-partial"
_NAME_KEPT = 50  # characters of up to 4 bytes; a name may have 255 bytes
_O_TMPFILE = getattr(os, "O_TMPFILE", 0)  # Linux only
_CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOSYS})
# What link(2) returns where there are no hard links: vfat, exfat, many FUSE and SMB mounts, Android.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK, errno.EACCES})
_NAMED_WHEN_CLOSED = os.name == "nt"  # Windows renames no file that is open


def read(path: Path | str, *, largest: int = LARGEST_INPUT) -> bytes:
    """Return the bytes of a file.

    Raises:
        InputError: it cannot be read, or is larger than *largest* bytes.
    """
    try:
        with Path(path).open("rb") as file:
            return read_from(file, str(path), largest=largest, expected=os.fstat(file.fileno()).st_size)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{path}: {_reason(error)}") from error


def read_from(
    stream: BinaryIO | None, source: str, *, largest: int = LARGEST_INPUT, expected: int = 0
) -> bytes:
    """Return all that a stream has, some *expected* bytes; None is one that is closed.

    Raises:
        InputError: it cannot be read, or has more than *largest* bytes.
    """
    try:
        # Not LARGEST_INPUT at once: memory for it would be mapped and unmapped, however small the file is.
        first = min(expected or _USUAL_INPUT, largest) + 1
        data = stream.read(first) if stream else None
        if stream and data and len(data) == first:
            data += stream.read(largest + 1 - first) or b""
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: {_reason(error)}") from error
    if data is None:
        raise InputError(f"{source}: closed, or has nothing yet")
    if len(data) > largest:
        raise InputError(
            f"{source}: larger than {largest >> 20} MiB; this is no listing or snapshot of a process"
        )
    return data


def write(path: Path | str, chunks: Iterable[bytes], *, force: bool = False, mode: int = _PRIVATE) -> None:
    """Write a file that only its owner may read (unless *mode* says more), whole or not at all.

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
            _write(path, chunks, force=force, mode=mode)
    except FileExistsError as error:
        raise OutputError(f"{path}: exists already; --force overwrites it") from error
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: {_reason(error)}; nothing was written") from error


def create(path: Path) -> int:
    """Create a file that only its owner may read, and return its descriptor.

    Raises:
        FileExistsError: there is one of that name.
        OSError: it cannot be created.
    """
    return os.open(path, _CREATE, _PRIVATE)


def check_free(path: Path) -> None:
    """Find out before the work that its result could not be written.

    Raises:
        OutputError: a file of that name exists. Pipes and devices may be written to.
    """
    if os.path.lexists(path) and not _is_stream(path):
        raise OutputError(f"{path}: exists already; --force overwrites it")


def _is_stream(path: Path) -> bool:
    """Return whether a pipe, a terminal or another device is there, which nothing can take the place of."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _write_through(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)


def _write(path: Path, chunks: Iterable[bytes], *, force: bool, mode: int) -> None:
    if force or not _write_unnamed(path, chunks, mode=mode):
        _write_aside(path, chunks, force=force, mode=mode)


def _write_unnamed(path: Path, chunks: Iterable[bytes], *, mode: int) -> bool:
    """Write through O_TMPFILE and link the file into place. Return False if that is unsupported."""
    if not _O_TMPFILE:
        return False
    try:
        descriptor = os.open(path.parent, _O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _PRIVATE)
    except OSError as error:
        if error.errno in _NO_TMPFILE and path.parent.is_dir():
            return False
        raise
    unnamed = f"/proc/self/fd/{descriptor}"
    if not os.path.lexists(unnamed):  # no /proc here, so it could not be linked when it is whole
        os.close(descriptor)
        return False
    with _filled(descriptor, chunks, mode):
        # Naming a folder makes Python call linkat, which alone follows the link.
        os.link(unnamed, path, src_dir_fd=descriptor, follow_symlinks=True)
    return True


def _write_aside(path: Path, chunks: Iterable[bytes], *, force: bool, mode: int) -> None:
    """Write under a temporary name and rename when the file is whole."""
    _remove_litter(path)
    temporary = path.parent / f".{path.name[:_NAME_KEPT]}.{os.urandom(4).hex()}{_PARTIAL}"
    descriptor = create(temporary)
    try:
        with _filled(descriptor, chunks, mode):
            if not _NAMED_WHEN_CLOSED:
                _rename(temporary, path, force=force)
        if _NAMED_WHEN_CLOSED:
            _rename(temporary, path, force=force)
    finally:
        temporary.unlink(missing_ok=True)


def _rename(temporary: Path, path: Path, *, force: bool) -> None:
    """Rename a whole file to *path*, which without *force* must not exist.

    Raises:
        FileExistsError: it exists.
    """
    if force:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        return
    # No hard links here: take the name first, which fails if it is taken, and then rename over it.
    os.close(create(path))
    try:
        temporary.replace(path)
    except BaseException:
        path.unlink()
        raise


def _remove_litter(path: Path) -> None:
    """Remove what a vmdiff that was killed while it wrote this file left behind."""
    for left in path.parent.glob(f".{glob.escape(path.name[:_NAME_KEPT])}.????????{_PARTIAL}"):
        with suppress(OSError):
            if file_lock.is_abandoned(left):
                left.unlink()


@contextmanager
def _filled(descriptor: int, chunks: Iterable[bytes], mode: int) -> Iterator[None]:
    """Write the chunks to an open file and sync it to the disk before the body names it."""
    with os.fdopen(descriptor, "wb") as file:
        file_lock.lock(descriptor)
        _give_to_caller(descriptor)
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        if mode != _PRIVATE:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
        yield


def _give_to_caller(descriptor: int) -> None:
    """Change the owner of a file that root writes to the user who called sudo."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and uid.isdigit() and gid.isdigit():
        with suppress(OSError):  # a file system without owners
            os.fchown(descriptor, int(uid), int(gid))


def _reason(error: Exception) -> str:
    """Return the system's error message in a few words."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)

"""Tell a file that its writer still has open from one that a killed writer left behind."""

import errno
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a file that somebody has open cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

# What flock(2) returns where a file system has no locks (NFS without its lock daemon, some FUSE).
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


def lock(descriptor: int) -> None:
    """Lock a file that is being written until it is closed, where the file system has locks."""
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def is_abandoned(path: Path) -> bool:
    """Return whether it is certain that no writer has locked the file. Where locks are unsupported it is not.

    Raises:
        OSError: the file cannot be opened, or is locked.
    """
    if fcntl is None:
        return True
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

"""The memory limit of a process's control group: the smallest on the way up to the root.

Facts: Documentation/admin-guide/cgroup-v2.rst (``memory.max``) and cgroup-v1/memory.rst
(``memory.limit_in_bytes``, whose "no limit" is the largest multiple of a page in 63 bits). In a container the
path may be the host's, and not be there: then what is there above it counts.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vmdiff.capture.kernel_text import kernel_text

ROOT = Path("/sys/fs/cgroup")
_NONE = 1 << 62  # bytes from which on a limit of cgroup v1 is none
_DEEPEST = 64  # levels


def memory_limit(cgroup: str | None, root: Path = ROOT) -> int | None:
    """Return the smallest memory limit that binds a process; *cgroup* is the text of its file of that name.

    None where there is none, or it cannot be read.
    """
    limits = [limit for folder, name in _groups(cgroup or "", root) for limit in _limits(folder, name, root)]
    return min(limits, default=None)


def _groups(cgroup: str, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folders that limit memory, and the name of their file: of cgroup v1, v2, or both."""
    for line in cgroup.split("\n"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        inside = PurePosixPath(path.removeprefix("/"))
        if ".." in inside.parts or len(inside.parts) > _DEEPEST:
            continue  # a group outside of this namespace
        if number == "0":
            yield root / inside, "memory.max"
        elif "memory" in controllers.split(","):
            yield root / "memory" / inside, "memory.limit_in_bytes"


def _limits(folder: Path, name: str, root: Path) -> Iterator[int]:
    while folder != root.parent:
        text = kernel_text(folder / name) or ""
        if text.isascii() and text.isdigit() and int(text) < _NONE:
            yield int(text)
        folder = folder.parent

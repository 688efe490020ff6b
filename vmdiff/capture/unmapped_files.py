"""The memfds and deleted files that a process has open and does not map: what they hold is in no mapping.

A memfd is memory until its last descriptor is closed, a deleted file's space is not free until then. Facts:
proc_pid_fd(5); ``mnt_id`` of proc_pid_fdinfo(5) says which mount a file is of without touching it, so that no
server is waited for; st_blocks counts 512 bytes each (inode(7)).
"""

import re
import stat
from collections.abc import Iterator, Sequence
from itertools import islice

from vmdiff.capture.file_systems import FileSystems, device_of
from vmdiff.capture.machine_facts import Machine
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.model import LONGEST_STRING, Mapping
from vmdiff.model.snapshot import UnmappedFile

_MOST_DESCRIPTORS = 16_384  # that are looked at
_MOST_FILES = 1_000  # that are kept
_DELETED, _MEMFD = " (deleted)", "/memfd:"
_MOUNT = re.compile(r"^mnt_id:\s*([0-9]{1,10})$", re.MULTILINE)


def unmapped_files(
    folder: ProcessFolder, machine: Machine, mappings: Sequence[Mapping]
) -> tuple[UnmappedFile, ...] | None:
    """Return those that hold anything, largest first; None where they cannot be listed or are too many."""
    numbers = folder.names("fd")
    if not 0 < len(numbers) <= _MOST_DESCRIPTORS:
        return None
    found = dict(_deleted(folder, machine, numbers))
    if not found:
        return ()
    mapped = {(mapping.device, mapping.inode) for mapping in mappings if mapping.path}
    names = {mapping.path for mapping in mappings if mapping.deleted}
    kept = [one for place, one in found.items() if place not in mapped and one.path not in names]
    return tuple(islice(sorted(kept, key=lambda one: (-one.held, one.path)), _MOST_FILES))


def _deleted(
    folder: ProcessFolder, machine: Machine, numbers: Sequence[str]
) -> Iterator[tuple[tuple[str, str], UnmappedFile]]:
    """Yield device and inode of each memfd and deleted file, and what it is."""
    files: FileSystems | None = None
    for number in numbers:
        path = folder.link(f"fd/{number}")
        if path is None or not path.startswith("/") or not path.endswith(_DELETED):
            continue
        if files is None:
            files = machine.file_systems(folder.text("mountinfo"))
        said = _MOUNT.search(folder.text(f"fdinfo/{number}") or "")
        local = said is not None and files.local_mount(said[1]) is not None
        if not local and not path.startswith(_MEMFD):
            continue
        status = folder.status_of(f"fd/{number}")
        held = 0 if status is None else status.st_blocks * 512
        if status is not None and held and stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
            name = path.removesuffix(_DELETED)[:LONGEST_STRING]
            place = device_of(status), str(status.st_ino)
            yield place, UnmappedFile(path=name, memfd=not local, size=status.st_size, held=held)

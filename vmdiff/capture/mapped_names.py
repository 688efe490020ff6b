r"""What the listing leaves open about names and builds, settled by other files of the process.

``maps`` escapes only the newline, as ``\012``, and a file may really be called so; it appends
`` (deleted)`` to the name of an unlinked file, and a file may really be called so. ``map_files``
gives the name unescaped; the count of links tells an unlinked file, and the file system one that
only looks like it.
"""

import fcntl
import os
import struct
from array import array
from collections import abc
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from vmdiff.capture.file_systems import KERNELS_OWN, FileSystems, device_of
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.importers.procfs.kernel_row_text import name_of
from vmdiff.model import DELETED, Kind, Mapping, PlacedMapping

# include/uapi/linux/fs.h, since 6.11: of procmap_query size, query_addr, build_id_size, build_id_addr;
# between them are flags, what the kernel knows of the mapping, and room for its name.
_PROCMAP_QUERY = 0xC0686611
_QUERY = struct.Struct("=Q8xQ60xI8xQ")
_LONGEST_BUILD_ID = 64


class Settled(NamedTuple):
    """Mappings by their place in the listing, and doubts about what could not be settled of them."""

    mappings: dict[int, Mapping]
    doubts: tuple[str, ...] = ()


def settle(folder: ProcessFolder, files: FileSystems, named: abc.Mapping[int, Mapping]) -> Settled:
    """Settle the names of mappings that have one."""
    settled, unproven = dict(named), 0
    for index, mapping in named.items():
        if mapping.path and (mapping.deleted or "\n" in mapping.path):
            settled[index], sure = _settled(folder, files, mapping)
            unproven += not sure
    if not unproven:
        return Settled(settled)
    doubt = f"{unproven} names end in '{DELETED.strip()}': taken for deleted files, not proven"
    return Settled(settled, (doubt,))


def with_build_ids(folder: ProcessFolder, files: FileSystems, named: abc.Mapping[int, Mapping]) -> Settled:
    """Add the build ids of executables and libraries, where this kernel tells them.

    The kernel reads them from the file, so those that are not local are left out: the doubt says so.
    """
    images = {
        index: mapping
        for index, mapping in named.items()
        if mapping.kind is Kind.IMAGE and isinstance(mapping, PlacedMapping)
    }
    distant = {mapping.path for mapping in images.values() if not files.is_local(mapping)}
    known = dict(_build_ids(folder, (one for one in images.values() if one.path not in distant)))
    added = {
        index: mapping._replace(build_id=known.get((mapping.path, mapping.inode)))
        for index, mapping in images.items()
    }
    whole = {**named, **added} if known else dict(named)
    if not distant:
        return Settled(whole)
    doubt = f"programs and libraries not opened, since a server could keep vmdiff waiting: {len(distant)}"
    return Settled(whole, (doubt,))


def _settled(folder: ProcessFolder, files: FileSystems, mapping: Mapping) -> tuple[Mapping, bool]:
    """Settle one name; the second value says whether it is sure now."""
    link = f"map_files/{mapping.start:x}-{mapping.end:x}"
    if "\n" in (mapping.path or "") and (raw := folder.raw_link(link)) is not None:
        path, deleted, path_hex = name_of(raw, escaped=False)
        mapping = mapping._replace(path=path, deleted=deleted, path_hex=path_hex)
    if not mapping.deleted or KERNELS_OWN.match(mapping.path or ""):
        return mapping, True
    if not files.is_local(mapping):
        return mapping, False
    whole = f"{mapping.path}{DELETED}"
    if _is(folder.status_of(f"root{whole}"), mapping):
        return mapping._replace(path=whole, deleted=False), True
    status = folder.status_of(link)  # following the link takes privileges
    return mapping, status is not None and status.st_nlink == 0


def _is(status: os.stat_result | None, mapping: Mapping) -> bool:
    """Return whether a file is the one behind the mapping."""
    if status is None:
        return False
    return str(status.st_ino) == mapping.inode and device_of(status) == mapping.device


def _build_ids(
    folder: ProcessFolder, images: Iterable[PlacedMapping]
) -> Iterator[tuple[tuple[str | None, str | None], str]]:
    """Ask the kernel once for each image."""
    once = {(mapping.path, mapping.inode): mapping.start for mapping in reversed([*images])}
    try:
        descriptor = folder.open("maps")
    except OSError:
        return
    try:
        asked = _asker(descriptor) if once else None
        for image, start in once.items():
            if asked and (build_id := asked(start)):
                yield image, build_id
    except OSError:  # a kernel before 6.11
        return
    finally:
        os.close(descriptor)


def _asker(descriptor: int) -> Callable[[int], str]:
    """Return a function that asks for the build id of what is mapped at an address; empty if it has none."""
    room = array("B", bytes(_LONGEST_BUILD_ID))  # tells its address, and loads in a tenth of ctypes' 2 ms
    place, length = room.buffer_info()

    def asked(address: int) -> str:
        query = bytearray(_QUERY.pack(_QUERY.size, address, length, place))
        fcntl.ioctl(descriptor, _PROCMAP_QUERY, query)
        *_, found, _ = _QUERY.unpack(query)
        return room[:found].tobytes().hex()

    return asked

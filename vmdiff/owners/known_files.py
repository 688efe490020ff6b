"""What was learnt of program files while one process was looked at, and holds in each other that maps them.

The processes of a set share an interpreter and a C library. Where a symbol of a file is, and which variable
of it points to an allocator's records, need not be searched again in each of them. It belongs to the taking
of one set and ends with it: a file may be written over later.
"""

from collections import abc

from vmdiff.model import PlacedMapping

FileId = tuple[str | None, str | None, str | None, str | None]


class KnownFiles:
    """Facts of files by device, inode, path and build id; none of them is of one process."""

    def __init__(self) -> None:
        self._symbols: dict[FileId, dict[str, int | None]] = {}
        self._variables: dict[tuple[FileId, str], int] = {}

    def symbols(self, file: FileId) -> abc.MutableMapping[str, int | None]:
        """Return the values of symbols that were looked up in a file, None for those that it has not."""
        return self._symbols.setdefault(file, {})

    def variable(self, file: FileId, what: str) -> int | None:
        """Return the address in a file of the variable that leads to *what*, if one was found before.

        It is a hint: what it leads to in another process must be checked as if it had been found there.
        """
        return self._variables.get((file, what))

    def remember(self, file: FileId, what: str, address: int) -> None:
        """Keep where in a file the variable is that leads to *what*."""
        self._variables[file, what] = address


def file_id(mapping: PlacedMapping) -> FileId:
    """Return what tells the file behind a mapping from others."""
    return mapping.device, mapping.inode, mapping.path, mapping.build_id

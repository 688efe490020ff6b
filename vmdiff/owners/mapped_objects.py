"""The executable and the libraries of a process, as it has them mapped."""

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from functools import cached_property

from vmdiff.elf.headers import ElfHeaders, SegmentType, read_headers
from vmdiff.elf.symbols import dynamic_names, symbol_values
from vmdiff.model import PlacedMapping
from vmdiff.owners.known_files import FileId, KnownFiles, file_id
from vmdiff.owners.memory_port import Memory

_FIRST_MAPPINGS = 16
_HEAD = 1024  # program headers follow the ELF header in all that linkers write


class MappedObject:
    """An ELF file that the process has mapped, with the mappings of one of its loads."""

    def __init__(
        self, mappings: tuple[PlacedMapping, ...], memory: Memory | None, page_size: int, known: KnownFiles
    ) -> None:
        self.mappings = mappings
        self._memory = memory
        self._page = page_size
        self._known = known
        self._is_unreadable = False

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.mappings[0].path or ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @cached_property
    def head(self) -> bytes | None:
        """The first bytes of the file, from memory if they are mapped there; None where unreadable."""
        if self._memory is None:
            return None
        first = self.mappings[0]
        if first.offset == 0 and (head := self._memory.read(first.start, _HEAD)):
            return head
        file = self._memory.open_object(first)
        if file is None:
            return None
        with file:
            try:
                return file.read(_HEAD)
            except OSError:
                return None

    @cached_property
    def headers(self) -> ElfHeaders | None:
        """The ELF header and the program headers; None where they cannot be read."""
        return read_headers(self.head or b"")

    @cached_property
    def bias(self) -> int | None:
        """What to add to an address in the file to have the one in the process."""
        if self.headers is None:
            return None
        page = self._page
        for mapping in self.mappings[:_FIRST_MAPPINGS]:
            for segment in self.headers.segments:
                if segment.type == SegmentType.LOAD and segment.offset // page * page == mapping.offset:
                    return mapping.start - segment.address // page * page
        return None

    def symbols(self, names: Iterable[str]) -> dict[str, int]:
        """Return the addresses in the process of those *names* that the file defines."""
        wanted = set(names)
        known = self._known.symbols(self.file)
        missing = wanted - known.keys()
        bias = self.bias
        if bias is None or (missing and not self._look_up(missing, known)):
            return {}
        return {name: bias + value for name in wanted if (value := known[name]) is not None}

    @cached_property
    def file(self) -> FileId:
        """What tells its file from others."""
        return file_id(self.mappings[0])

    def exports_any(self, beginnings: Iterable[bytes]) -> bool:
        """Return whether the names of its dynamic symbols have one of these texts in them."""
        if self.headers is None or self._memory is None:
            return False
        file = self._memory.open_object(self.mappings[0])
        if not file:
            return False
        with file:
            try:
                names = dynamic_names(file, self.headers)
            except (OSError, ValueError, OverflowError):
                return False
        return any(beginning in names for beginning in beginnings)

    @cached_property
    def is_musl(self) -> bool:
        """Whether it is musl's C library, which is its dynamic linker, too.

        ``libc.so`` is the name of bionic's library as well; only musl's begins at ``_dlstart``
        (ldso/dlstart.c) and exports that. What a program or its folder is called proves nothing.
        """
        if self.name.startswith(("ld-musl", "libc.musl")):
            return True
        return self.name == "libc.so" and ("-musl/" in self.path or self.exports_any((b"\0_dlstart\0",)))

    def _look_up(self, names: set[str], known: MutableMapping[str, int | None]) -> bool:
        """Learn the values of *names*, None for those that it has not; False where it cannot be read."""
        if self.headers is None or self._memory is None or self._is_unreadable:
            return False
        file = self._memory.open_object(self.mappings[0])
        if not file:
            return False
        with file:
            try:
                known.update(dict.fromkeys(names) | symbol_values(file, self.headers, names))
            except (OSError, ValueError, OverflowError):
                self._is_unreadable = True
                return False
        return True


def mapped_objects(
    mappings: Sequence[PlacedMapping], memory: Memory | None, page_size: int, known: KnownFiles
) -> Iterator[MappedObject]:
    """Group *mappings* of images into loads: the same file, rising offsets."""
    loads: dict[tuple[str | None, str | None, str | None], list[PlacedMapping]] = {}
    for mapping in mappings:
        key = mapping.device, mapping.inode, mapping.path
        load = loads.setdefault(key, [])
        if load and _begins_another(load[-1], mapping):
            yield MappedObject(tuple(load), memory, page_size, known)
            load = loads[key] = []
        load.append(mapping)
    yield from (MappedObject(tuple(load), memory, page_size, known) for load in loads.values())


def _begins_another(below: PlacedMapping, mapping: PlacedMapping) -> bool:
    """Return whether a mapping belongs to another load of the file than the one *below* it."""
    before, after = below.offset or 0, mapping.offset or 0
    if below.perms.startswith("---"):  # what is left of the first reservation: its offset is no segment's
        return after == 0 or mapping.start != below.end
    return after < before or (after == before and mapping.start != below.end)

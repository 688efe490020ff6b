"""The executable and the libraries of a process, as it has them mapped."""

from collections.abc import Iterable, Iterator
from functools import cached_property

from vmdiff.elf.symbols import PT_LOAD, Layout, parse, values
from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.engine import Scene

_FIRST_MAPPINGS = 16


class Object:
    """An ELF file that the process has mapped, with the mappings of one of its loads."""

    def __init__(self, scene: Scene, mappings: tuple[PlacedMapping, ...]) -> None:
        self.scene = scene
        self.mappings = mappings

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.mappings[0].path or ""

    @cached_property
    def layout(self) -> Layout | None:
        """The headers, from the file or from where it is mapped; None where neither can be read."""
        return parse(self._head() or b"")

    @cached_property
    def bias(self) -> int | None:
        """What to add to an address in the file to have the one in the process."""
        if self.layout is None:
            return None
        page = self.scene.page_size
        for mapping in self.mappings[:_FIRST_MAPPINGS]:
            for segment in self.layout.segments:
                if segment.type == PT_LOAD and segment.offset // page * page == mapping.offset:
                    return mapping.start - segment.address // page * page
        return None

    def symbols(self, names: Iterable[str]) -> dict[str, int]:
        """Give the addresses in the process of those *names* that the file defines."""
        wanted = set(names)
        known: dict[str, int | None] = self.scene.notes.setdefault(("symbols", self.mappings[0].start), {})
        missing = wanted - known.keys()
        if missing:
            known.update(dict.fromkeys(missing) | self._look_up(missing))
        return {name: address for name in wanted if (address := known[name]) is not None}

    def _look_up(self, names: set[str]) -> dict[str, int | None]:
        if self.layout is None or self.bias is None:
            return {}
        file = self.scene.memory and self.scene.memory.open_object(self.mappings[0])
        if not file:
            return {}
        with file:
            try:
                found = values(file, self.layout, names)
            except (OSError, ValueError, OverflowError):
                return {}
        return {name: self.bias + value for name, value in found.items()}

    def _head(self) -> bytes | None:
        """Give the first bytes of the file: from memory if they are mapped there, it costs less."""
        memory = self.scene.memory
        if memory is None:
            return None
        first = self.mappings[0]
        if first.offset == 0 and (head := memory.read(first.start, _HEAD)):
            return head
        file = memory.open_object(first)
        if file is None:
            return None
        with file:
            try:
                return file.read(_HEAD)
            except OSError:
                return None


_HEAD = 1024  # program headers follow the ELF header in all that linkers write


def objects(scene: Scene) -> tuple[Object, ...]:
    """Give the executable and the libraries of a process, each load once, in address order."""
    found: tuple[Object, ...] | None = scene.notes.get("objects")
    if found is None:
        found = scene.notes["objects"] = tuple(_objects(scene))
    return found


def find_object(scene: Scene, *parts: str) -> Object | None:
    """Give the first object whose file name contains one of *parts*."""
    for thing in objects(scene):
        name = thing.path.rpartition("/")[2]
        if any(part in name for part in parts):
            return thing
    return None


def executable(scene: Scene) -> Object | None:
    """Give the object of the program itself."""
    path = scene.snapshot.process.executable
    return next((thing for thing in objects(scene) if thing.path == path), None)


def _objects(scene: Scene) -> Iterator[Object]:
    """Group the mappings of images: same file, rising offsets."""
    loads: dict[tuple[str | None, str | None, str | None], list[PlacedMapping]] = {}
    for mapping in scene.mappings:
        if mapping.kind is not Kind.IMAGE:
            continue
        key = mapping.device, mapping.inode, mapping.path
        load = loads.setdefault(key, [])
        if load and (mapping.offset or 0) < (load[-1].offset or 0):
            yield Object(scene, tuple(load))
            load = loads[key] = []
        load.append(mapping)
    yield from (Object(scene, tuple(load)) for load in loads.values())

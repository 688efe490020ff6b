"""What executables and libraries own beyond their files: .bss, relro, gaps, the loader's pages.

The bounds come from program headers. Where those cannot be read the layout still tells, but only
as a likeness.
"""

from collections.abc import Iterator

from vmdiff.elf.headers import SegmentType
from vmdiff.model import PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.mapped_objects import MappedObject
from vmdiff.owners.scene import Scene, is_plain
from vmdiff.owners.threads.stacks import main_record

_MOST_MAPS = 1024  # link maps that are followed
_LARGEST_OF_LOADER = 64 << 10


def images(scene: Scene) -> Iterator[Claim]:
    """Claim what each object has besides its file's contents."""
    for thing in scene.objects:
        if thing.bias is not None:
            yield from _by_headers(scene, thing, thing.bias)
        else:
            yield from _by_layout(scene, thing)


def loader(scene: Scene) -> Iterator[Claim]:
    """Claim the pages that the dynamic linker allocated before there was a malloc.

    It keeps the list of loaded objects (struct link_map) in them, which ``_r_debug`` leads to, and
    the control block of the main thread with its thread-local variables.
    """
    listed = {m.start: m for m in map(scene.at, _link_maps(scene)) if m and is_plain(m)}
    for start, mapping in (listed | _beside_objects(scene)).items():
        first, end = mapping.start, mapping.end
        small = end - first <= _LARGEST_OF_LOADER
        if small and start in listed:
            yield Claim(
                first, end, "loader", "record", "the dynamic linker's list of objects (link_map) is in it"
            )
            continue
        record = main_record(scene, max(first, end - _LARGEST_OF_LOADER), end)
        if record is not None:
            low = first if small else record // scene.page_size * scene.page_size
            how = "the control block of the main thread is in it"
            yield Claim(low, end, "loader", "record", how, "main thread")


def _beside_objects(scene: Scene) -> dict[int | None, PlacedMapping]:
    """Give the plain mappings that touch an object, by their start."""
    edges = [
        edge for thing in scene.objects for edge in (thing.mappings[0].start - 1, thing.mappings[-1].end)
    ]
    return {m.start: m for m in map(scene.at, edges) if m and is_plain(m)}


def _link_maps(scene: Scene) -> Iterator[int]:
    """Yield the addresses of the link maps: struct r_debug has the first, each has the next."""
    linker = scene.find_object("ld-linux", "ld-2.", "ld.so", "ld64.so", "ld-musl")
    start = linker.symbols(["_r_debug"]).get("_r_debug") if linker else None
    word = scene.word_size
    address = _word(scene, start + word) if start else 0
    for _ in range(_MOST_MAPS):
        if not address:
            return
        yield address
        address = _word(scene, address + 3 * word)


def _word(scene: Scene, address: int) -> int:
    raw = scene.read(address, scene.word_size)
    return int.from_bytes(raw, "little") if raw else 0


def _by_headers(scene: Scene, thing: MappedObject, bias: int) -> Iterator[Claim]:
    page = scene.page_size
    name = thing.name
    loads = thing.headers.of_type(SegmentType.LOAD) if thing.headers else []
    for segment in loads:
        start = _up(bias + segment.address + segment.file_size, page)
        end = _up(bias + segment.address + segment.memory_size, page)
        if start < end:
            how = "the program header asks for more memory than the file has"
            yield Claim(start, end, "bss", "elf", how, name)
    for segment in thing.headers.of_type(SegmentType.RELRO) if thing.headers else ():
        yield from _relro(scene, thing, bias + segment.address, segment.memory_size, name)
    spans = [(bias + s.address // page * page, _up(bias + s.address + s.memory_size, page)) for s in loads]
    for mapping in _gaps(thing):
        if not any(low < mapping.end and mapping.start < high for low, high in spans):
            how = "inaccessible, between the segments of the object"
            yield Claim(mapping.start, mapping.end, "library gap", "elf", how, name)


def _relro(scene: Scene, thing: MappedObject, start: int, size: int, name: str) -> Iterator[Claim]:
    """Claim what is read-only of the range that the dynamic linker protects after relocation."""
    page = scene.page_size
    low, high = start // page * page, (start + size) // page * page
    for mapping in thing.mappings:
        inside = low <= mapping.start and mapping.end <= high
        if inside and mapping.perms.startswith("r--"):
            how = "in the range of PT_GNU_RELRO"
            yield Claim(mapping.start, mapping.end, "relro", "elf", how, name)


def _by_layout(scene: Scene, thing: MappedObject) -> Iterator[Claim]:
    name = thing.name
    for mapping in _gaps(thing):
        how = "inaccessible, between other mappings of the object"
        yield Claim(mapping.start, mapping.end, "library gap", "shape", how, name)
    for below, above in zip(thing.mappings, thing.mappings[1:], strict=False):
        if _is_relro(below, above, thing.mappings):
            how = "read-only, between the object's constants and its variables"
            yield Claim(below.start, below.end, "relro", "shape", how, name)
    last = thing.mappings[-1]
    following = scene.at(last.end)
    if last.perms.startswith("rw") and following is not None and is_plain(following):
        how = "begins where the object's variables end"
        yield Claim(following.start, following.end, "bss", "shape", how, name)


def _is_relro(below: PlacedMapping, above: PlacedMapping, all_of_it: tuple[PlacedMapping, ...]) -> bool:
    """Tell whether read-only memory is a part of the segment of variables that follows it.

    Constants lie right below it: two read-only mappings side by side are of two segments, and so
    are those on two sides of a gap.
    """
    touching = below.end == above.start and below.perms[:3] == "r--" and above.perms[:2] == "rw"
    return touching and any(m.end == below.start and m.perms[:3] in {"r--", "---"} for m in all_of_it)


def _gaps(thing: MappedObject) -> Iterator[PlacedMapping]:
    for mapping in thing.mappings[1:-1]:
        if mapping.perms.startswith("---"):
            yield mapping


def _up(address: int, page: int) -> int:
    return -(-address // page) * page

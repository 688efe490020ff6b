"""What executables and libraries own beyond their files: .bss, relro, gaps, the loader's pages.

The bounds come from program headers. Where those cannot be read the layout still tells, but only
as a likeness.
"""

from collections.abc import Iterator

from vmdiff.elf.headers import SegmentFlag, SegmentType
from vmdiff.model import PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.mapped_objects import MappedObject
from vmdiff.owners.scene import Scene, is_plain
from vmdiff.owners.threads.glibc_threads import GlibcThreads
from vmdiff.owners.threads.thread_record import DESCRIPTOR, own_ids

_MOST_MAPS = 1024  # link maps that are followed
_LARGEST_OF_LOADER = 64 << 10
_LARGEST_BSS = 1 << 20  # of a small object, where its headers cannot be read


def images(scene: Scene) -> Iterator[Claim]:
    """Claim what each object has besides its file's contents."""
    for thing in scene.objects:
        if thing.bias is not None:
            if _is_loaded(scene, thing, thing.bias):
                yield from _by_headers(scene, thing, thing.bias)
        elif thing.head is None and any("x" in mapping.perms for mapping in thing.mappings):
            yield from _by_layout(scene, thing)


def _is_loaded(scene: Scene, thing: MappedObject, bias: int) -> bool:
    """Return whether the file is mapped as a loader does, and not just read.

    Debuggers, profilers and symbolisers map whole files to read them: then no segment that is run or
    written is where its program header says, with these permissions.
    """
    page, loads = scene.page_size, thing.headers.of_type(SegmentType.LOAD) if thing.headers else []
    needed = [s for s in loads if s.file_size and s.flags & (SegmentFlag.EXECUTE | SegmentFlag.WRITE)]
    for segment in needed:
        low, offset = (bias + segment.address) // page * page, segment.offset // page * page
        last = (bias + segment.address + segment.file_size - 1) // page * page
        first, final = scene.at(low), scene.at(last)
        if first is None or final is None or not {first.path, final.path} <= {thing.path}:
            return False
        if first.offset is None or first.offset + low - first.start != offset:
            return False
        if segment.flags & SegmentFlag.EXECUTE and first.perms[2] not in "x?":
            return False
    return bool(needed)


def loader(scene: Scene) -> Iterator[Claim]:
    """Claim the pages that the dynamic linker allocated before there was a malloc.

    It keeps the list of loaded objects (struct link_map) in them, which ``_r_debug`` leads to, and
    the control block of the main thread with its thread-local variables. The kernel merges what a program
    maps with these pages, so only the pages that hold such a record are the linker's.
    """
    page = scene.page_size
    how = "the dynamic linker's list of objects (link_map) is in it"
    pages = {at // page * page for at in _link_maps(scene) if (held := scene.at(at)) and is_plain(held)}
    for start, end in _joined(sorted(pages), page):
        yield Claim(start, end, "loader", "record", how)
    how = "the control block of the main thread is in it, with its variables below"
    pid = scene.snapshot.process.pid or 0
    own = next((own for own, tid in own_ids(scene).items() if tid == pid), pid)
    for at in GlibcThreads(scene.word_size).main_records(scene, own):
        low = (at - _static_tls(scene)) // page * page
        mapping = scene.at(at)
        if mapping is not None and is_plain(mapping):
            end = min(_up(at + DESCRIPTOR, page), mapping.end)
            yield Claim(max(low, mapping.start), end, "loader", "record", how, "main thread")
            return


def _joined(starts: list[int], size: int) -> Iterator[tuple[int, int]]:
    """Join ranges of one *size* that touch; yield their bounds."""
    first = reach = 0
    for start in starts:
        if start != reach:
            if reach:
                yield first, reach
            first = start
        reach = start + size
    if reach:
        yield first, reach


def _static_tls(scene: Scene) -> int:
    """Return how many bytes below the control block the variables of the program and of libc surely take."""
    libc = scene.find_object("libc.so.6", "libc-2.")
    known = [thing for thing in (scene.executable, libc) if thing is not None and thing.headers is not None]
    segments = [s for thing in known if thing.headers for s in thing.headers.of_type(SegmentType.TLS)]
    return min(sum(segment.memory_size for segment in segments), _LARGEST_OF_LOADER)


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
        how = "the program header asks for more memory than the file has"
        for mapping in scene.within(start, end) if start < end else ():
            if is_plain(mapping):  # a program may map files over its arrays
                yield Claim(max(start, mapping.start), min(end, mapping.end), "bss", "elf", how, name)
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
        if following.size > max(_LARGEST_BSS, 4 * sum(mapping.size for mapping in thing.mappings)):
            return
        how = "begins where the object's variables end"
        yield Claim(following.start, following.end, "bss", "shape", how, name)


def _is_relro(below: PlacedMapping, above: PlacedMapping, all_of_it: tuple[PlacedMapping, ...]) -> bool:
    """Return whether read-only memory is a part of the segment of variables that follows it.

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

"""Which objects of two runs are the same one: files, libraries, what the kernel names.

In this order, each step with what the steps before left over:

1. the same path; of two files of that path, one of which is deleted, each with its like first;
2. the same ELF build, wherever it lies;
3. the same path but for the number of the process (``/tmp/hsperfdata_root/4711``);
4. the same file name under another prefix (containers, another installation);
5. another version of a library (``libssl.so.1.1`` and ``libssl.so.3``), by its name before ``.so``;
6. the same path but for numbers (``/usr/bin/python3.11`` and ``/usr/bin/python3.12``);
7. a library or program by its name without version, ABI tag and build hash;
8. a temporary file with a random name: the same folder, length of name and layout.

A listing that names no folders (pmap) is matched with one that does by base name, right after step 1.

Files that are no libraries or programs have contents of their own, so from step 4 on they must have the
same layout too: a second journal is not another version of the first one.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from vmdiff.comparison.matching.by_structure.assignment import Pair, assign
from vmdiff.comparison.matching.by_structure.fingerprint import Block, agree
from vmdiff.model import Kind, base_name

_DIGITS = re.compile(r"[0-9]+")
# libc-2.31.so, libpython3.11.so.1.0, _ssl.cpython-311-x86_64-linux-gnu.so, libgfortran-040039e1.so.5.0.0
_VERSION = re.compile(r"[-_.]?(?:[0-9][0-9.]*|[0-9a-f]{8,})(?=$|[-_.])|\.(?:cpython|pypy|abi)[^.]*|\.so\b.*")
_NAME_MAX = 255  # bytes of a file name on Linux
_LOADER = re.compile(r"ld(?:64|-linux[^/]*|-[0-9.]+)?\.so(?:\.[0-9]+)*$")
_BUT_FOR_NUMBERS = "by path but for numbers"
_TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/memfd:")  # noqa: S108  # names, not files of ours


class Thing(NamedTuple):
    """One object of one side: all its blocks, by offset, then by place."""

    path: str
    blocks: tuple[Block, ...]
    pid: str | None

    @property
    def is_code(self) -> bool:
        """Whether it is a program or a library."""
        return self.blocks[0].family.kind is Kind.IMAGE

    @property
    def is_file(self) -> bool:
        """Whether it is a file, not what the kernel names."""
        return not self.path.startswith("[")

    @property
    def layout(self) -> Hashable:
        """What is mapped of it, how, and in which sizes."""
        return tuple((block.mapping.offset, block.family.perms, block.size) for block in self.blocks)


class ObjectPair(NamedTuple):
    """The same object on both sides; *because* says how that was seen."""

    before: Thing
    after: Thing
    because: str


def things(blocks: Iterable[Block], pid: int | None) -> list[Thing]:
    """Return the objects among *blocks*, in the order in which they first appear."""
    found: dict[tuple[str, bool, str | None], list[Block]] = {}
    for block in blocks:
        path, mapping = block.family.object, block.mapping
        if path is not None:
            found.setdefault((path, mapping.deleted, mapping.build_id), []).append(block)
    number = None if pid is None else str(pid)
    return [Thing(key[0], tuple(sorted(held, key=_offset)), number) for key, held in found.items()]


def match(before: Sequence[Thing], after: Sequence[Thing]) -> list[ObjectPair]:
    """Return the objects that are the same; each is in at most one match."""
    matched: list[ObjectPair] = []
    bare = _tell_folders(before) != _tell_folders(after)
    for key, because in (*_STEPS[:1], *([(_base, "by base name")] if bare else []), *_STEPS[1:]):
        mates = _groups(after, key)
        for shared, group in _groups(before, key).items():
            if shared in mates:
                matched += [ObjectPair(one, other, because) for one, other in _couples(group, mates[shared])]
        taken = {id(thing) for pair in matched for thing in pair[:2]}
        before = [thing for thing in before if id(thing) not in taken]
        after = [thing for thing in after if id(thing) not in taken]
    return matched


def _tell_folders(things: Sequence[Thing]) -> bool:
    """Return whether programs and libraries have a folder: pmap has base names, but for ``/dev/zero``."""
    return any("/" in thing.path for thing in things if thing.is_code)


def _base(thing: Thing) -> Hashable:
    return base_name(thing.path), thing.blocks[0].mapping.deleted


def segments(match: ObjectPair) -> list[Pair]:
    """Pair the segments of one object, in the order of offsets."""
    fits = _fits_in_code if match.before.is_code and match.after.is_code else _fits_in_data
    pairs = assign(match.before.blocks, match.after.blocks, fits)
    if len(pairs) < min(len(match.before.blocks), len(match.after.blocks)):
        pairs += _reprotected(match, pairs)
    return pairs


def _reprotected(match: ObjectPair, pairs: Sequence[Pair]) -> list[Pair]:
    """Pair the same stretches of an object under other permissions."""
    taken = {before.at for before, _ in pairs}, {after.at for _, after in pairs}
    left_before = [block for block in match.before.blocks if block.at not in taken[0]]
    left_after = [block for block in match.after.blocks if block.at not in taken[1]]
    return assign(left_before, left_after, _same_stretch)


def _fits_in_code(before: Block, after: Block) -> bool:
    return agree(before.family, after.family)


def _fits_in_data(before: Block, after: Block) -> bool:
    return agree(before.family, after.family) and _same_offset(before, after)


def _same_stretch(before: Block, after: Block) -> bool:
    return before.size == after.size and _same_offset(before, after)


def _same_offset(before: Block, after: Block) -> bool:
    """Compare offsets where both listings tell them."""
    told = before.mapping.offset, after.mapping.offset
    return None in told or told[0] == told[1]


def is_other_build(match: ObjectPair, pairs: Sequence[Pair], *, same_boot: bool) -> bool:
    """Return whether the object on one side is another build of that on the other."""
    before, after = match.before, match.after
    if not before.is_file or not after.is_file:
        return False
    builds = _build(before), _build(after)
    if None not in builds:
        return builds[0] != builds[1]
    if not before.is_code or not after.is_code:
        return match.because == _BUT_FOR_NUMBERS
    return (
        base_name(before.path) != base_name(after.path)
        or any(_other_text(before, after) for before, after in pairs)
        or (same_boot and any(_other_inode(before, after) for before, after in pairs))
    )


def _other_text(before: Block, after: Block) -> bool:
    if before.family.perms[2] != "x":
        return False
    sizes = before.mapping.size, after.mapping.size
    offsets = before.mapping.offset, after.mapping.offset
    return any(None not in told and told[0] != told[1] for told in (sizes, offsets))


def _other_inode(before: Block, after: Block) -> bool:
    inodes = before.mapping.inode, after.mapping.inode
    return not {None, "0"} & {*inodes} and inodes[0] != inodes[1]


def because(match: ObjectPair, before: Block, after: Block) -> str:
    """Return why two segments are a pair: ``by path and offset``, ``the only heap``."""
    if match.before.is_file:
        where = "offset" if before.mapping.offset == after.mapping.offset else "order"
        return f"{match.because} and {where}"
    name = match.before.path.strip("[]")
    alone = len(match.before.blocks) == len(match.after.blocks) == 1
    return f"the only {name}" if alone else f"by order among: {name}"


def _groups(things: Iterable[Thing], key: Callable[[Thing], Hashable]) -> dict[Hashable, list[Thing]]:
    groups: dict[Hashable, list[Thing]] = {}
    for thing in things:
        if (shared := key(thing)) is not None:
            groups.setdefault(shared, []).append(thing)
    return groups


def _couples(before: list[Thing], after: list[Thing]) -> Iterator[tuple[Thing, Thing]]:
    """Couple things that share a key: those of the same layout first, the others in order."""
    if len(before) == len(after) == 1:
        yield before[0], after[0]
        return
    waiting = _groups(reversed(after), _layout)
    others = []
    for thing in before:
        if held := waiting.get(thing.layout):
            yield thing, held.pop()
        else:
            others.append(thing)
    left = {id(thing) for held in waiting.values() for thing in held}
    yield from zip(others, (thing for thing in after if id(thing) in left), strict=False)


def _offset(block: Block) -> tuple[int, int]:
    return block.mapping.offset or 0, block.at


def _layout(thing: Thing) -> Hashable:
    return thing.layout


def _path_and_build(thing: Thing) -> Hashable:
    return thing.path, thing.blocks[0].mapping.deleted, _build(thing)


def _path(thing: Thing) -> Hashable:
    return thing.path


def _build(thing: Thing) -> Hashable:
    return next((block.mapping.build_id for block in thing.blocks if block.mapping.build_id), None)


def _without_pid(thing: Thing) -> Hashable:
    if not thing.is_file or thing.pid is None:
        return None
    return _DIGITS.sub(lambda number: "#" if number[0] == thing.pid else number[0], thing.path)


def _without_numbers(thing: Thing) -> Hashable:
    return _of_file(thing, _DIGITS.sub("#", thing.path))


def _file_name(thing: Thing) -> Hashable:
    return _of_file(thing, base_name(thing.path))


def _soname(thing: Thing) -> Hashable:
    name, dot, _ = base_name(thing.path).partition(".so")
    return name if dot and thing.is_code and thing.is_file else None


def _stem(thing: Thing) -> Hashable:
    return stem(thing.path) or None if thing.is_code and thing.is_file else None


def _temporary(thing: Thing) -> Hashable:
    deleted = all(block.mapping.deleted for block in thing.blocks)
    if not deleted and not thing.path.startswith(_TEMPORARY):
        return None
    folder, _, name = thing.path.rpartition("/")
    return folder, len(name), thing.layout


def _of_file(thing: Thing, name: str) -> Hashable:
    if not thing.is_file:
        return None
    return name if thing.is_code else (name, thing.layout)


def stem(path: str) -> str:
    """Return a library's name without version, ABI tag and build hash: ``libssl`` of ``libssl.so.3``."""
    name = base_name(path)[:_NAME_MAX]  # a hostile one could keep the expression busy for hours
    return "ld.so" if _LOADER.match(name) else _VERSION.sub("", name)


# Each step's key (None: not of those that the step is about) and what it says of a match.
_STEPS: tuple[tuple[Callable[[Thing], Hashable], str], ...] = (
    (_path_and_build, "by path"),
    (_path, "by path"),
    (_build, "by build id"),
    (_without_pid, "by path but for the process id"),
    (_file_name, "by file name"),
    (_soname, "by library name"),
    (_without_numbers, _BUT_FOR_NUMBERS),
    (_stem, "by name without version"),
    (_temporary, "by folder and layout"),
)

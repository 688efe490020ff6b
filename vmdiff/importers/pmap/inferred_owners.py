"""Whose memory pmap's ``[ anon ]`` is, by place and shape: it says so of the heap and the vdso too.

Facts: arch_randomize_brk() puts the heap less than 32 MiB above the program's data on x86, less than 1 GiB on
arm64 and ppc64; x86 maps the vdso above the stack where there is room, and the vvar pages right below it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from vmdiff.model import Mapping, Owner, owner

_FARTHEST_BRK = 1 << 30
_LARGEST_DATA = 1 << 18  # of a program whose sizes are unknown, so that its bss is not taken for the heap
_LARGEST_VDSO = 1 << 16
_NAMED = frozenset({"[heap]", "[vdso]", "[vvar]"})  # then the others are named too
_NO_PROGRAM = re.compile(r"\.so\b|^\[|(?:^|/)ld-")


def with_owners(mappings: Sequence[Mapping], program: str | None) -> tuple[Mapping, ...]:
    """Return the mappings, in address order, with likely owners; *program* is the executable's base name."""
    if not _NAMED.isdisjoint(mapping.path for mapping in mappings):
        return tuple(mappings)
    owners = dict((*_heap(mappings, program), *_vdso(mappings)))
    return tuple(
        mapping._replace(owner=owners.get(index, mapping.owner)) for index, mapping in enumerate(mappings)
    )


def _heap(mappings: Sequence[Mapping], program: str | None) -> Iterator[tuple[int, Owner]]:
    """Find the first mapping above the program's own, and apart from them, that brk may have made."""
    last = _end_of_program(mappings, program)
    if last is None:
        return
    image = mappings[last]
    if image.start is None:
        return
    least = image.end or image.start + _LARGEST_DATA
    for index in range(last + 1, len(mappings)):
        mapping, start = mappings[index], mappings[index].start
        if mapping.path is not None or mapping.perms[3] != "p" or start is None:
            return
        if start - least > _FARTHEST_BRK:
            return
        if mapping.perms.startswith("rw") and start > least and mappings[index - 1].end != start:
            evidence = f"unnamed rw-p, the first above the program {_base(image)} and apart from it"
            yield index, owner("malloc heap", "shape", evidence)
            yield from _rest_of_heap(mappings, index)
            return


def _rest_of_heap(mappings: Sequence[Mapping], first: int) -> Iterator[tuple[int, Owner]]:
    """Find what brk memory goes on in: rows alike that touch, as where a part of it was locked or advised."""
    for index in range(first + 1, len(mappings)):
        below, mapping = mappings[index - 1], mappings[index]
        if mapping.path is not None or mapping.perms != below.perms or below.end != mapping.start:
            return
        yield index, owner("malloc heap", "shape", "unnamed rw-p, where the heap below it ends")


def _end_of_program(mappings: Sequence[Mapping], program: str | None) -> int | None:
    """Return the index of the last private mapping of the program's file, or None."""
    if program not in {_base(mapping) for mapping in mappings}:
        program = next((_base(mapping) for mapping in mappings if _may_be_program(mapping)), None)
    own = [i for i, mapping in enumerate(mappings) if _base(mapping) == program and mapping.perms[3] == "p"]
    return own[-1] if program and own else None


def _may_be_program(mapping: Mapping) -> bool:
    return bool(mapping.path) and mapping.perms[2] == "x" and not _NO_PROGRAM.search(mapping.path or "")


def _vdso(mappings: Sequence[Mapping]) -> Iterator[tuple[int, Owner]]:
    """Find the small executable mapping above the stack, or above a read-only one, and that one."""
    above_stack = False
    for index, (below, mapping) in enumerate(pairwise(mappings), 1):
        above_stack = above_stack or below.path == "[stack]"
        pair = _is_small(below, "r--p") and below.end == mapping.start
        if _is_small(mapping, "r-xp") and (above_stack or pair):
            where = "above the stack" if above_stack else "right above unnamed r--p pages"
            yield index, owner("kernel", "shape", f"small unnamed r-xp {where}", label="vdso")
            yield from _data_of_vdso(mappings, index)


def _data_of_vdso(mappings: Sequence[Mapping], vdso: int) -> Iterator[tuple[int, Owner]]:
    """Find the pages right below the vdso; where they are two mappings the upper one is ``vvar_vclock``."""
    first = vdso
    while (
        first and _is_small(mappings[first - 1], "r--p") and mappings[first - 1].end == mappings[first].start
    ):
        first -= 1
    for index, label in zip(range(first, vdso), ("vvar", "vvar_vclock"), strict=False):
        yield index, owner("kernel", "shape", "unnamed r--p right below the vdso", label=label)


def _is_small(mapping: Mapping, perms: str) -> bool:
    nameless = mapping.path is None and mapping.perms == perms
    return nameless and (mapping.size is None or mapping.size <= _LARGEST_VDSO)


def _base(mapping: Mapping) -> str:
    return (mapping.path or "").rpartition("/")[2]

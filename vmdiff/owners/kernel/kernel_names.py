"""Owners that a name gives away: the kernel's own, those of prctl(PR_SET_VMA), and classes of files.

The patterns are the names that the runtimes give in their sources: glibc (malloc/, nptl/, elf/),
Go (runtime/set_vma_name_linux.go), bionic and ART, mimalloc, jemalloc, tcmalloc, CPython, OCaml,
Chromium. A name that is in none of them is an owner too: `named`, with the name as label.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from vmdiff.model import Kind, Mapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene


class NamedOwner(NamedTuple):
    """What a name says."""

    owner: str
    label: str | None = None
    tid: int | None = None


# A group named "label" or "tid" in the pattern becomes the label or the thread id.
_GIVEN: tuple[tuple[str, str], ...] = (
    (r"glibc: malloc arena", "malloc arena"),
    (r"glibc: malloc", "malloc large block"),
    (r"glibc: loader malloc", "loader"),
    (r"glibc: pthread (?:user )?stack: (?P<tid>\d+)", "thread stack"),
    (r"glibc: (?P<label>unused) stack", "thread stack"),
    (r"(?:glibc: )?\.bss(?: (?P<label>.+))?", "bss"),
    (r"Go: (?P<label>heap.*)", "go heap"),
    (r"Go: (?P<label>.+)", "go runtime"),
    (r"mimalloc(?P<label>.*)", "mimalloc"),
    (r"(?P<label>jemalloc_.+)", "jemalloc"),
    (r"tcmalloc_region_(?P<label>.+)", "tcmalloc"),
    (r"(?P<label>snmalloc.*)", "snmalloc"),
    (r"cpython:(?P<label>jit)", "jit code"),
    (r"cpython:(?P<label>.*(?:pymalloc|arena).*)", "python arena"),
    (r"OCaml: ?(?P<label>.+)", "ocaml heap"),
    (r"v8(?P<label>.*)", "v8 heap"),
    (r"(?P<label>partition_alloc.*)", "partition alloc"),
    (r"stack_and_tls:(?P<tid>\d+)", "thread stack"),
    (r"stack_and_tls:(?P<label>main)", "main stack"),
    (r"(?P<label>thread signal stack.*)", "signal stack"),
    (r"scudo:(?P<label>.+)", "scudo"),
    (r"(?P<label>libc_malloc)", "malloc heap"),
    (r"(?P<label>GWP-ASan.*)", "gwp-asan"),
    (r"(?P<label>linker_alloc.*)", "loader"),
    (r"dalvik-(?P<label>.*(?:jit|JIT|[Cc]ode cache).*)", "jit code"),
    (r"dalvik-(?P<label>.*(?:space|bitmap|heap|[Cc]ard).*)", "art heap"),
    (r"dalvik-(?P<label>.+)", "art runtime"),
)
_OF_KERNEL: tuple[tuple[str, str], ...] = (
    (r"\[stack\]", "main stack"),
    (r"\[stack:(?P<tid>\d+)\]", "thread stack"),
    (r"\[(?P<label>vdso|vvar|vvar_vclock|vsyscall|vectors|sigpage|uprobes)\]", "kernel"),
    (r"anon_inode:\[?io_uring\]?", "io_uring"),
    (r"/\[(?P<label>aio)\]", "asynchronous io"),
    (r"anon_inode:\[?(?P<label>perf_event)\]?", "perf events"),
    (r"anon_inode:\[?(?P<label>bpf[-_].+?)\]?", "bpf"),
    (r"anon_inode:\[?(?P<label>kvm.*?)\]?", "virtual machine"),
    (r"anon_inode:\[?(?P<label>(?:i915|dma|drm).*?)\]?", "gpu"),
    (r"/dev/ashmem/dalvik-(?P<label>.*(?:jit|JIT|[Cc]ode cache).*)", "jit code"),
    (r"/dev/ashmem/dalvik-(?P<label>.*(?:space|bitmap|heap|[Cc]ard).*)", "art heap"),
    (r"/dev/ashmem/dalvik-(?P<label>.+)", "art runtime"),
    (r"/memfd:(?P<label>doublemapper)", "jit code"),
    (r"/memfd:(?P<label>.*)", "memfd"),
    (r"/SYSV(?P<label>[0-9a-fA-F]{8})", "sysv shared memory"),
    (r"(?:/dev|/run)/shm/(?P<label>.+)", "posix shared memory"),
    (r"/secretmem", "secret memory"),
    (r"/dev/(?P<label>nvidia.*|dri/.*|kfd|mali.*|kgsl.*|dma_heap/.*)", "gpu"),
    (r"/(?P<label>dmabuf.*|drm mm object|i915)", "gpu"),
)
# What every process has, so that most snapshots need none of the patterns: compiling them takes 5 ms.
_USUAL = {
    "[heap]": None,  # malloc's, or the program's own
    "[stack]": NamedOwner("main stack"),
    "[vdso]": NamedOwner("kernel", "vdso"),
    "[vvar]": NamedOwner("kernel", "vvar"),
    "[vvar_vclock]": NamedOwner("kernel", "vvar_vclock"),
    "[vsyscall]": NamedOwner("kernel", "vsyscall"),
}
_IORING_OFF_SQES = 0x10000000
_GIVEN_NAME = re.compile(r"\[(?:anon|anon_shmem): ?(.*)\]", re.DOTALL)


_LISTED = "its name in the listing"


def names(scene: Scene) -> Iterator[Claim]:
    """Claim the mappings whose name in the listing tells who asked for them."""
    known: dict[tuple[str, Kind, int | None], tuple[NamedOwner | None, str]] = {}  # many have equal names
    placed = ((None, mapping) for mapping in scene.select(_may_tell))
    for place, mapping in chain(placed, scene.unplaced):
        if mapping.path is None or not _may_tell(mapping.perms, mapping.kind, mapping.path):
            continue
        key = mapping.path, mapping.kind, mapping.offset
        if key not in known:
            known[key] = _meaning(mapping)
        word, evidence = known[key]
        if word is not None:
            start, end = (mapping.start or 0, mapping.end or 0) if place is None else (0, 0)
            yield Claim(start, end, word.owner, "name", evidence, word.label, word.tid, place)


def _may_tell(_: str, kind: Kind, path: str | None) -> bool:
    """Return whether a mapping has a name that may tell its owner, other than that of a file."""
    return path is not None and kind is not Kind.IMAGE and kind is not Kind.FILE


def _meaning(mapping: Mapping) -> tuple[NamedOwner | None, str]:
    path = mapping.path or ""
    if path in _USUAL:
        return _USUAL[path], _LISTED
    if given := _GIVEN_NAME.fullmatch(path):
        return _word(_GIVEN, given[1]) or NamedOwner("named", given[1]), "the name that it was given"
    if mapping.kind is Kind.SHARED_MEMORY and path in {"/dev/zero", "/anon_hugepage"}:
        return NamedOwner("shared anonymous"), "the kernel's name for shared memory without a file"
    word = _word(_OF_KERNEL, path)
    if word is not None and word.owner == "io_uring":
        word = word._replace(label="entries" if mapping.offset == _IORING_OFF_SQES else "rings")
    return word, _LISTED


def _word(patterns: tuple[tuple[str, str], ...], name: str) -> NamedOwner | None:
    for pattern, owner in patterns:
        if found := re.fullmatch(pattern, name, re.DOTALL):
            groups = found.groupdict()
            tid = groups.get("tid")
            return NamedOwner(owner, groups.get("label") or None, int(tid[:10]) if tid else None)
    return None

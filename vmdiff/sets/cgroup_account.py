"""A control group's memory explained: lines that add up to what the kernel charges to it.

Facts: Documentation/admin-guide/cgroup-v2.rst, memory.stat: ``file`` includes ``shmem``; ``kernel`` includes
``kernel_stack``, ``pagetables``, ``percpu``, ``vmalloc`` and ``slab``, ``sock`` stands beside it. ``kernel``
includes ``zswap``, too, which is charged as the kernel's objects are (mm/memcontrol.c,
obj_cgroup_charge_zswap); ``hugetlb`` is only there where it is charged. The swap cache is not in ``file``:
mm/swap_state.c counts it for the node alone.
cgroup-v1/memory.rst, 5.2: ``cache`` includes ``shmem``, ``rss`` is anonymous memory; with sub-groups the keys
that begin with ``total_`` count. The kernel gathers these figures from its processors now and then, so the
last line may be some hundred KiB above or below nothing.
"""

from collections import abc
from typing import NamedTuple

from vmdiff.model.snapshot_set import ControlGroup


class AccountLine(NamedTuple):
    """A part of a group's memory in bytes.

    *freed* says whether the kernel can drop it before it kills; None where it can drop an unknown part.
    """

    name: str
    bytes: int
    freed: bool | None


_KERNEL = (
    ("page tables", ("pagetables", "sec_pagetables")),
    ("kernel stacks", ("kernel_stack",)),
    ("slab, reclaimable", ("slab_reclaimable",)),
    ("slab, kept", ("slab_unreclaimable",)),
    ("per-processor data", ("percpu",)),
    ("vmalloc", ("vmalloc",)),
    ("compressed swap", ("zswap",)),
)


def account(group: ControlGroup) -> tuple[AccountLine, ...]:
    """Return the lines, which add up to ``current``; none where that is unknown."""
    if group.current is None:
        return ()
    lines = list(_second(group.stat) if group.version == 2 else _first(group.stat))
    rest = group.current - sum(line.bytes for line in lines)
    return (*(line for line in lines if line.bytes), AccountLine("not explained", rest, freed=False))


def account_change(before: ControlGroup, after: ControlGroup) -> tuple[AccountLine, ...]:
    """Return by how much each line changed, the largest first; it adds up to the change of ``current``."""
    sides = {line.name: line for line in account(before)}, {line.name: line for line in account(after)}
    if not sides[0] or not sides[1]:
        return ()
    changes = [
        AccountLine(name, _bytes_of(sides[1], name) - _bytes_of(sides[0], name), some.freed)
        for name, some in (sides[0] | sides[1]).items()
    ]
    return tuple(sorted((one for one in changes if one.bytes), key=lambda one: -abs(one.bytes)))


def _bytes_of(lines: abc.Mapping[str, AccountLine], name: str) -> int:
    return lines[name].bytes if name in lines else 0


def _second(stat: abc.Mapping[str, int]) -> abc.Iterator[AccountLine]:
    shared = stat.get("shmem", 0)
    yield AccountLine("anonymous memory of processes", stat.get("anon", 0), freed=False)
    yield from _files(stat.get("file", 0) - shared, stat)
    yield AccountLine("tmpfs and shared memory", shared, freed=False)
    yield from _kernel(stat)
    yield AccountLine("network sockets", stat.get("sock", 0), freed=False)
    yield AccountLine("huge pages (hugetlb)", stat.get("hugetlb", 0), freed=False)


def _first(stat: abc.Mapping[str, int]) -> abc.Iterator[AccountLine]:
    def of(name: str) -> int:
        return stat.get(f"total_{name}", stat.get(name, 0))

    shared = of("shmem")
    yield AccountLine("anonymous memory of processes", of("rss"), freed=False)
    yield from _files(of("cache") - shared, {name: of(name) for name in ("dirty", "writeback")})
    yield AccountLine("tmpfs and shared memory", shared, freed=False)
    # Version 1 has one figure for all of the kernel: caches of names and inodes, which can go, are in it.
    yield AccountLine("kernel", stat.get("kernel", 0), freed=None)
    yield AccountLine("network sockets", stat.get("sock", 0), freed=False)


def _files(cached: int, stat: abc.Mapping[str, int]) -> abc.Iterator[AccountLine]:
    """Split the page cache of files into what is written back and what is not yet."""
    dirty = min(cached, stat.get("file_dirty", stat.get("dirty", 0)))
    yield AccountLine("page cache of files", cached - dirty, freed=True)
    yield AccountLine("page cache of files, to be written", dirty, freed=True)


def _kernel(stat: abc.Mapping[str, int]) -> abc.Iterator[AccountLine]:
    """Split the kernel's own memory; kernels before 5.18 have no sum of it."""
    parts = [
        AccountLine(name, sum(stat.get(key, 0) for key in keys), freed=name == "slab, reclaimable")
        for name, keys in _KERNEL
    ]
    yield from parts
    if "kernel" in stat:
        yield AccountLine("kernel, other", stat["kernel"] - sum(part.bytes for part in parts), freed=False)

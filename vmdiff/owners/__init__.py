"""Who asked for the memory: evidence from names, records, registers and shapes.

A rule is a function in a module of its own that looks at a `Scene` and yields `Claim`s; `RULES`
is the only place that knows them all. `assign` settles what several rules claim and puts the
owners on the mappings.
"""

from collections.abc import Iterator
from importlib import import_module

from vmdiff.owners.allocators.block_walk import blocks
from vmdiff.owners.allocators.glibc import arenas, brk_heap
from vmdiff.owners.allocators.jemalloc import jemalloc
from vmdiff.owners.engine import Claim, Rule, Scene, assign
from vmdiff.owners.kernel.images import images, loader
from vmdiff.owners.kernel.kernel_names import names
from vmdiff.owners.mapped_objects import find_object
from vmdiff.owners.memory_port import Memory
from vmdiff.owners.runtimes.chromium import chromium
from vmdiff.owners.runtimes.go import go
from vmdiff.owners.runtimes.v8 import v8
from vmdiff.owners.shapes import shapes
from vmdiff.owners.threads.stacks import stacks

__all__ = ["RULES", "Claim", "Memory", "Rule", "Scene", "assign"]


def _where(library: str, module: str) -> Rule:
    """Return the rule of *module*, named like it; the module is imported only where *library* is mapped."""

    def late(scene: Scene) -> Iterator[Claim]:
        if find_object(scene, library) is not None:
            yield from getattr(import_module(f"vmdiff.owners.{module}"), module.rpartition(".")[2])(scene)

    return late


# In the order of trust: among claims of equal certainty the earlier rule's stands.
RULES: tuple[Rule, ...] = (
    _where("libjvm.so", "runtimes.jvm"),
    go,
    v8,
    jemalloc,
    _where("libtcmalloc", "allocators.tcmalloc"),
    _where("libmimalloc", "allocators.mimalloc"),
    names,
    stacks,
    images,
    loader,
    arenas,
    chromium,
    blocks,
    brk_heap,
    shapes,
)

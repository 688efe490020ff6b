"""Who asked for the memory: evidence from names, records, registers and shapes.

A rule is a function in a module of its own that looks at a `Scene` and yields `Claim`s; `RULES`
is the only place that knows them all. `assign` settles what several rules claim and puts the
owners on the mappings.
"""

from collections.abc import Iterator
from importlib import import_module

from vmdiff.owners.blocks import blocks
from vmdiff.owners.chromium import chromium
from vmdiff.owners.claims import Claim, Rule, Scene, assign
from vmdiff.owners.elf import find_object
from vmdiff.owners.glibc import arenas, brk_heap
from vmdiff.owners.go import go
from vmdiff.owners.images import images, loader
from vmdiff.owners.jemalloc import jemalloc
from vmdiff.owners.memory import Memory
from vmdiff.owners.names import names
from vmdiff.owners.shapes import shapes
from vmdiff.owners.stacks import stacks
from vmdiff.owners.v8 import v8

__all__ = ["RULES", "Claim", "Memory", "Rule", "Scene", "assign"]


def _where(library: str, rule: str) -> Rule:
    """Give the *rule* of the module of that name, loaded only where *library* is mapped."""

    def late(scene: Scene) -> Iterator[Claim]:
        if find_object(scene, library) is not None:
            yield from getattr(import_module(f"vmdiff.owners.{rule}"), rule)(scene)

    return late


# In the order of trust: among claims of equal certainty the earlier rule's stands.
RULES: tuple[Rule, ...] = (
    _where("libjvm.so", "jvm"),
    go,
    v8,
    jemalloc,
    _where("libtcmalloc", "tcmalloc"),
    _where("libmimalloc", "mimalloc"),
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

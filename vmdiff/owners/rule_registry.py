"""All owner rules, in the order in which they run and are believed.

A rule sees what the rules before it have settled for certain (`Scene.settled`), and does not look there
again; where two claim the same bytes with equal certainty the earlier one stands. So the order goes from
those that know most of their memory to those that only see a shape.
"""

from collections.abc import Iterator
from importlib import import_module

from vmdiff.owners.allocators.glibc import glibc
from vmdiff.owners.allocators.jemalloc import jemalloc
from vmdiff.owners.allocators.musl import musl
from vmdiff.owners.claim import Claim, Doubt, Learned
from vmdiff.owners.engine import Rule
from vmdiff.owners.kernel.images import images, loader
from vmdiff.owners.kernel.kernel_names import names
from vmdiff.owners.runtimes.chromium import chromium
from vmdiff.owners.runtimes.go import go
from vmdiff.owners.runtimes.v8 import v8
from vmdiff.owners.scene import Scene
from vmdiff.owners.shapes import shapes
from vmdiff.owners.threads.thread_stacks import stacks


def where_mapped(library: str, module: str) -> Rule:
    """Return the rule of *module*, named like it; the module is imported only where *library* is mapped.

    Most processes have none of these libraries, and importing the rules takes as long as a small snapshot.
    """

    def rule(scene: Scene) -> Iterator[Claim | Doubt | Learned]:
        if scene.find_object(library) is not None:
            yield from getattr(import_module(f"vmdiff.owners.{module}"), module.rpartition(".")[2])(scene)

    return rule


# Runtimes that list all memory of theirs, thread stacks included.
_RUNTIMES: tuple[Rule, ...] = (where_mapped("libjvm.so", "runtimes.jvm"), go, v8)

# Allocators that map every page to a record, in malloc's place.
_ALLOCATORS: tuple[Rule, ...] = (
    jemalloc,
    where_mapped("libtcmalloc", "allocators.tcmalloc"),
    where_mapped("libmimalloc", "allocators.mimalloc"),
)

# What the kernel, the program or the dynamic linker named or bounded, and thread stacks.
_SYSTEM: tuple[Rule, ...] = (names, stacks, images, loader)

# Runtimes that map memory for their objects and use malloc for the rest.
_INTERPRETERS: tuple[Rule, ...] = (
    where_mapped("ruby", "runtimes.ruby"),
    where_mapped("php", "runtimes.php"),
    where_mapped("luajit", "runtimes.luajit"),
    where_mapped("beam.", "runtimes.beam"),
)

# The C library's malloc, and CPython's allocator above it.
_C_LIBRARY: tuple[Rule, ...] = (where_mapped("python", "runtimes.cpython"), musl, glibc, chromium)

# What is left, by permissions and size alone.
_SHAPES: tuple[Rule, ...] = (shapes,)

RULES: tuple[Rule, ...] = (*_RUNTIMES, *_ALLOCATORS, *_SYSTEM, *_INTERPRETERS, *_C_LIBRARY, *_SHAPES)

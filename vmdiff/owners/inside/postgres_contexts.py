"""The memory contexts of a postgres process, by name.

A context has its size, its place in the tree, and its name; one of the usual kind (AllocSet) also a list of
its blocks and of its free chunks. `TopMemoryContext` is a dynamic symbol of the server. The figures are those
of the view pg_backend_memory_contexts. Facts: src/include/nodes/memnodes.h and src/backend/utils/mmgr/aset.c
of PostgreSQL 13 to 18; a context is believed if its blocks add up to its size.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.model import Usage
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.two_readings import MOVED, two_readings
from vmdiff.owners.machine_words import raw_each, word, words
from vmdiff.owners.scene import Scene

OWNER = "postgres contexts"
_LONGEST_NAME = 64
_HASH_TABLE = "dynahash"
_MOST_CONTEXTS = 1 << 20
_MOST_BLOCKS = 1 << 20
_STEPS = 8  # of the budget for a context: its blocks and free chunks are followed, too
# Words of a MemoryContextData, and those of an AllocSetContext behind it
_SIZE, _METHODS, _PARENT, _CHILD, _SIBLING, _NAME, _IDENTIFIER, _BLOCKS, _FREE = 1, 2, 3, 4, 6, 7, 8, 10, 11
_FREE_LISTS = 11
_CONTEXT = _FREE + _FREE_LISTS
_SMALLEST_CHUNK = 8


class _Context(NamedTuple):
    """A context: where its name and its identifier are, its bytes, and how many are free, None if unknown."""

    name: int
    identifier: int
    size: int
    free: int | None


class _Tree(NamedTuple):
    contexts: tuple[_Context, ...]
    whole: bool


def postgres(scene: Scene, budget: Budget) -> Iterator[Usage]:
    """Yield the use of all memory contexts of a postgres process, with their names as types."""
    program = scene.executable
    if program is None or scene.word_size != 8 or "postgres" not in program.path.rpartition("/")[2]:
        return
    symbol = program.symbols(["TopMemoryContext"]).get("TopMemoryContext")
    top = word(scene, symbol) if symbol else None
    if not top:
        return
    most = _MOST_CONTEXTS if budget.steps is None else budget.steps // _STEPS
    tree, steady = two_readings(lambda: _tree(scene, top, most))
    yield _usage(scene, tree, steady=steady)


def _usage(scene: Scene, tree: _Tree, *, steady: bool) -> Usage:
    size, known = sum(context.size for context in tree.contexts), [c.free for c in tree.contexts]
    free = None if None in known or not tree.whole else sum(part or 0 for part in known)
    reason = None
    if not steady:
        reason = MOVED
    elif not tree.whole:
        reason = (
            "not all contexts were read, for want of time or because one does not fit; --inside reads all"
        )
    elif free is None:
        reason = "a context is of a kind whose free memory is not known here"
    return Usage(
        owner=OWNER,
        source="postgres TopMemoryContext and what is below it",
        certainty="certain",
        in_use=None if free is None else size - free,
        free=free,
        cached=None if free is None else 0,
        overhead=None if free is None else 0,
        types=_types(scene, tree) if tree.whole else (),
        types_certainty="certain" if tree.whole else None,
        partial=reason,
    )


def _types(scene: Scene, tree: _Tree) -> tuple[tuple[str, int, int], ...]:
    count, size = Counter[str](), Counter[str]()
    for context, name in zip(tree.contexts, _names(scene, tree.contexts), strict=True):
        count[name] += 1
        size[name] += context.size
    return tuple(
        (name, count[name], size[name]) for name in sorted(size, key=lambda name: (-size[name], name))
    )


def _names(scene: Scene, contexts: Sequence[_Context]) -> list[str]:
    """Return the names of contexts; those of hash tables are all called so, and have theirs as identifier."""
    known = _texts(scene, {context.name for context in contexts})
    tables = _texts(scene, {c.identifier for c in contexts if c.identifier and known[c.name] == _HASH_TABLE})
    names = (known[c.name] for c in contexts)
    return [
        tables.get(c.identifier, name) if name == _HASH_TABLE else name
        for c, name in zip(contexts, names, strict=True)
    ]


def _texts(scene: Scene, places: set[int]) -> dict[int, str]:
    return {at: _text(raw) for at, raw in zip(places, raw_each(scene, [*places], _LONGEST_NAME), strict=True)}


def _text(raw: bytes | None) -> str:
    name = (raw or b"").partition(b"\0")[0].decode("utf-8", "replace")
    return name if name and name.isprintable() else "(unnamed)"


def _tree(scene: Scene, top: int, most: int) -> _Tree:
    """Follow the tree of contexts; each must name its parent, and none may be met twice."""
    found: list[_Context] = []
    seen: set[int] = set()
    pending = [(top, 0)]
    methods = None
    while pending:
        at, parent = pending.pop()
        record = words(scene, at, _CONTEXT) if at not in seen and len(found) < most else None
        if record is None or record[_PARENT] != parent:
            return _Tree(tuple(found), whole=False)
        methods = methods or record[_METHODS]  # the top context is an AllocSet
        free = _free(scene, at, record) if record[_METHODS] == methods else None
        seen.add(at)
        found.append(_Context(record[_NAME], record[_IDENTIFIER], record[_SIZE], free))
        pending += [(next_, up) for next_, up in ((record[_SIBLING], parent), (record[_CHILD], at)) if next_]
    return _Tree(tuple(found), whole=True)


def _free(scene: Scene, at: int, record: tuple[int, ...]) -> int | None:
    """Return the free bytes of an AllocSet; None unless its blocks add up to its size."""
    free = total = 0
    block, first = record[_BLOCKS], None
    for _ in range(_MOST_BLOCKS):
        if not block:
            break
        fields = words(scene, block, 5)  # aset, prev, next, freeptr, endptr
        if fields is None or fields[0] != at or not block < fields[3] <= fields[4]:
            return None
        total += fields[4] - block
        free += fields[4] - fields[3]
        if 0 < block - at < 1024:
            first = block  # the block that follows the context in one piece of malloc's
        block = fields[2]
    if first is None or total + first - at != record[_SIZE]:
        return None
    chunks = [_chunks(scene, record[_FREE + n], n, record[_SIZE]) for n in range(_FREE_LISTS)]
    return None if None in chunks else free + sum(part or 0 for part in chunks)


def _chunks(scene: Scene, chunk: int, number: int, most: int) -> int | None:
    """Return the bytes of the free chunks of one list, which are all of one size; None if one is not."""
    size, total = _SMALLEST_CHUNK << number, 0
    while chunk:
        fields = words(scene, chunk, 2)
        if fields is None or total > most:
            return None
        if fields[0] == size:  # up to 15: the size, then the next one; 16 bytes before the memory itself
            total += size + 16
        elif number in {fields[0] >> 4 & 0x3FFFFFFF, fields[0] >> 5 & 0x1FFFFFFF}:
            total += size + 8  # from 16 on: a word with the number of the list, then the next one
        else:
            return None
        chunk = fields[1]
    return total

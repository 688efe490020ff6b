"""What a process's memory consists of, in one sentence, and what stands out in it."""

from collections.abc import Callable, Iterator

from vmdiff.answer import notes, parts
from vmdiff.answer.movement import Movement, movement
from vmdiff.answer.sentence import Answer, Mover
from vmdiff.model import Kind, Snapshot
from vmdiff.model.memory_figures import figure
from vmdiff.units import size

_NOTEWORTHY = 1 << 20  # bytes
_MANY_THREADS = 100
_MANY_ARENAS = 16
_ARENA = "malloc arena"
_MOST = 3  # things that stand out, in one sentence


def summary(snapshot: Snapshot) -> Answer:
    """Return what the memory consists of, largest parts first, and what stands out."""
    counter = "resident" if figure(snapshot.totals, "resident") is not None else "virtual"
    total = figure(snapshot.totals, counter)
    if not snapshot.mappings and snapshot.rollup:
        told = "no mappings" if total is None else f"{size(total)} {counter}, stated without any mapping"
        return Answer(told, "rss" if counter == "resident" else "size", total)
    if total is None:
        return Answer(f"{len(snapshot.mappings):,} mappings; neither sizes nor resident memory were measured")
    held = movement(total, parts.parts(parts.SizeOf(counter, snapshot)))
    lead = f"{size(total)} {counter}" + ("" if counter == "resident" else " (resident was not measured)")
    return Answer(
        "; ".join([f"{lead}{_consisting(snapshot, held)}", *_outstanding(snapshot)]),
        "rss" if counter == "resident" else "size",
        total,
        held.movers,
        held.explained,
    )


def _consisting(snapshot: Snapshot, held: Movement) -> str:
    told = ", ".join(_held(snapshot, part) for part in held.movers)
    if not told:
        return ""
    if held.enough:
        return f": {told}"
    whose = "owners" if any(part.by == "owner" for part in held.parts) else "kinds"
    return f", spread over {len(held.parts)} {whose}; the largest: {told}"


def _held(snapshot: Snapshot, part: Mover) -> str:
    note = notes.of_held(snapshot, part)
    return f"{parts.words(part, (snapshot,))} {size(part.delta)}" + (f" ({note})" if note else "")


# ---- what stands out


def _outstanding(snapshot: Snapshot) -> list[str]:
    return [clause for rule in _RULES for clause in rule(snapshot)][:_MOST]


def _swap(snapshot: Snapshot) -> Iterator[str]:
    swap = snapshot.total("swap")
    if swap and swap >= _NOTEWORTHY:
        yield f"{size(swap)} in swap"


def _deleted(snapshot: Snapshot) -> Iterator[str]:
    gone = [m for m in snapshot.mappings if m.deleted and m.kind is Kind.FILE and m.path]
    held = sum(mapping.size or 0 for mapping in gone)
    paths = dict.fromkeys(mapping.path for mapping in gone)
    if held >= _NOTEWORTHY:
        which = parts.short(next(iter(paths)) or "") if len(paths) == 1 else f"{len(paths):,} files"
        yield f"{which} ({size(held)}) deleted and still mapped"


def _threads(snapshot: Snapshot) -> Iterator[str]:
    count = len(snapshot.process.threads or ())
    if count >= _MANY_THREADS:
        yield f"{count:,} threads"


def _arenas(snapshot: Snapshot) -> Iterator[str]:
    count = notes.owner_count(snapshot, _ARENA)
    reserved = sum(m.size or 0 for m in snapshot.mappings if m.owner and m.owner.name == _ARENA)
    if count >= _MANY_ARENAS:
        yield f"{count:,} malloc arenas reserve {size(reserved)}"


def _shared(snapshot: Snapshot) -> Iterator[str]:
    """Find memory that several processes count: half of resident, or more, is not this one's alone."""
    resident, pss = snapshot.total("rss"), snapshot.total("pss")
    if resident and pss is not None and resident - pss >= max(16 * _NOTEWORTHY, resident // 4):
        yield f"its share of that is {size(pss)} (PSS): the rest is counted in other processes, too"


def _huge(snapshot: Snapshot) -> Iterator[str]:
    held = sum(snapshot.total(name) or 0 for name in ("private_hugetlb", "shared_hugetlb"))
    if held:
        yield f"{size(held)} of it in hugetlb pages"


def _freed(snapshot: Snapshot) -> Iterator[str]:
    freed = snapshot.total("lazy_free")
    if freed and freed >= _NOTEWORTHY:
        yield f"{size(freed)} of it freed (MADV_FREE)"


_RULES: tuple[Callable[[Snapshot], Iterator[str]], ...] = (
    _swap,
    _deleted,
    _threads,
    _arenas,
    _shared,
    _huge,
    _freed,
)

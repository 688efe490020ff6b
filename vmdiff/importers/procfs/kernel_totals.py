"""The kernel's own totals of a process, and by how much its mappings miss them."""

from collections.abc import Iterable

from vmdiff.errors import ListingError
from vmdiff.importers.procfs import fast_reader
from vmdiff.model import Snapshot, add
from vmdiff.units import size


def totals_of(text: Iterable[bytes], source: str) -> dict[str, int | None] | None:
    """Read ``smaps_rollup`` in bytes; None where the kernel has none (before 4.14)."""
    try:
        listing = fast_reader.parse(text, source=source)
    except ListingError:
        return None
    values = listing.mappings[0].values if listing.mappings else {}
    totals = {name: values.get(name, 0) for name in listing.counters}
    return {name: total for name, total in totals.items() if isinstance(total, int)} or None


def with_gap(snapshot: Snapshot) -> Snapshot:
    """Note by how much the mappings' resident sizes miss the kernel's own total."""
    stated = (snapshot.rollup or {}).get("rss")
    if stated is None:
        return snapshot
    value = snapshot.value
    total = add([value(mapping, "rss") for mapping in snapshot.mappings])
    if total is None or total == stated:
        return snapshot
    gap = f"{size(abs(total - stated))} {'more' if total > stated else 'less'}"
    doubt = f"the mappings' resident sizes add up to {gap} than the kernel's own total"
    return snapshot.noting(doubt)

"""The kernel's own totals of a process, and by how much its mappings miss them."""

import re
from collections.abc import Iterable

from vmdiff.importers.procfs.fast_reader import KB, snake_case
from vmdiff.model import DERIVED, PAGE_SIZES, Snapshot, add
from vmdiff.units import size

_HEADER = re.compile(rb"[0-9a-f]{1,17}-[0-9a-f]{1,17} [^\n]*\[rollup\]")
_TOTAL = re.compile(rb"^([A-Za-z_]\w{0,63}):[ \t]+(?:([0-9]{1,16}) kB|[^\n]*)\n", re.MULTILINE)
_NO_SUMS = frozenset(DERIVED) | PAGE_SIZES


def totals_of(text: Iterable[bytes]) -> dict[str, int | None] | None:
    """Read ``smaps_rollup`` in bytes; None for another text, or none (Linux before 4.14)."""
    header, _, lines = b"".join(text).partition(b"\n")
    found = _TOTAL.findall(lines)
    if not _HEADER.fullmatch(header) or len(found) != lines.count(b"\n") or not lines.endswith(b"\n"):
        return None
    sums = {snake_case(key.decode()): int(number) * KB for key, number in found if number}
    return {name: total for name, total in sums.items() if name not in _NO_SUMS} or None


def with_gap(snapshot: Snapshot) -> Snapshot:
    """Note by how much the mappings' resident sizes miss the kernel's own total."""
    stated = (snapshot.rollup or {}).get("rss")
    if stated is None or "rss" not in snapshot.origin.counters or not snapshot.mappings:
        return snapshot
    total = add([mapping.values.get("rss", 0) for mapping in snapshot.mappings])  # type: ignore[misc]  # validated
    if total is None or total == stated:
        return snapshot
    gap = f"{size(abs(total - stated))} {'more' if total > stated else 'less'}"
    doubt = f"the mappings' resident sizes add up to {gap} than the kernel's own total"
    return snapshot.noting(doubt)

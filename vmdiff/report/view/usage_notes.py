"""What a row of an owner says of its memory: how much is in use, and how much was freed and kept."""

from vmdiff.comparison.usage_change import exact
from vmdiff.model import Snapshot, Usage
from vmdiff.units import size

_NOTEWORTHY = 1 << 20  # bytes that are kept
_SHARE = 8  # of what is in use: what is kept beyond that matters


def usage_notes(snapshot: Snapshot) -> dict[str, str]:
    """Return ``9 MiB in use, 350 MiB free`` by owner, where what is free matters."""
    found: dict[str, list[Usage]] = {}
    for usage in snapshot.usage or ():
        found.setdefault(usage.owner, []).append(usage)
    return {owner: note for owner, usages in found.items() if (note := _note(usages))}


def _note(usages: list[Usage]) -> str:
    in_use, free, cached = (exact(usages, name) for name in ("in_use", "free", "cached"))
    if in_use is None or free is None:
        return ""
    kept = free + (cached or 0)
    if kept < _NOTEWORTHY or kept * _SHARE < in_use:
        return ""
    more = f", {size(cached)} cached" if cached and cached >= _NOTEWORTHY else ""
    return f"{size(in_use)} in use, {size(free)} free{more}"

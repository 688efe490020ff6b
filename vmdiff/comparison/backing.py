"""What is behind a mapping, and whether two mappings have the same behind them."""

from itertools import groupby, pairwise

from vmdiff.model import Kind, Mapping, same_path


def same_backing(before: Mapping, after: Mapping) -> bool:
    """Return whether both are backed by the same object at the same place: where both speak."""
    if differ_where_told(before.perms[3], after.perms[3]):
        return False
    if not backed(before) and not backed(after):
        return True
    if backed(before) != backed(after) or not _same_object(before, after):
        return False
    if None in (before.offset, after.offset, before.start, after.start):
        return True
    return before.offset - before.start == after.offset - after.start  # type: ignore[operator]  # none is None


def backed(mapping: Mapping) -> bool:
    """Return whether an object is behind the mapping that another mapping could have too."""
    path = mapping.path
    if path is None:
        return mapping.inode not in {None, "0"}
    return not path.startswith("[") and mapping.kind is not Kind.ANONYMOUS


def _same_object(before: Mapping, after: Mapping) -> bool:
    """Compare inode and device where both tell them (a file may be renamed), else the path."""
    if before.inode not in {None, "0"} and after.inode not in {None, "0"}:
        return before.inode == after.inode and (
            None in (before.device, after.device) or before.device == after.device
        )
    return same_path(before.path, after.path)


def differ_where_told(before: str, after: str) -> bool:
    """Compare permission letters, ``?`` being one that a listing does not tell."""
    return before != after and any(a != b and "?" not in (a, b) for a, b in zip(before, after, strict=True))


def same_sequence(before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> bool:
    """Return whether both have the same things behind them in the same order, accessible or not."""
    sequence_before, sequence_after = _sequence(before), _sequence(after)
    if sequence_before == sequence_after:
        return True
    folded = _folded(sequence_before)
    return folded is not None and folded == _folded(sequence_after) and _gapless(before) and _gapless(after)


def _sequence(mappings: tuple[Mapping, ...]) -> list[tuple[object, ...]]:
    """Return what is behind each mapping and whether it is accessible."""
    return [(*_backing(mapping), mapping.perms.startswith("---")) for mapping in mappings]


def _folded(sequence: list[tuple[object, ...]]) -> list[tuple[object, ...]] | None:
    """Fold runs of the same, which only a flag tells apart; one run alone is no reservation."""
    steps = [step for step, _ in groupby(sequence)]
    return steps if len(steps) > 1 else None


def _gapless(mappings: tuple[Mapping, ...]) -> bool:
    return all(below.end == above.start for below, above in pairwise(mappings))


def _backing(mapping: Mapping) -> tuple[object, ...]:
    if not backed(mapping):
        return (mapping.perms[3],)
    shift = None if mapping.offset is None or mapping.start is None else mapping.offset - mapping.start
    return (mapping.perms[3], mapping.device, mapping.inode, mapping.path, shift)

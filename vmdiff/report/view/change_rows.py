"""The table of changes: what gets a row, what is put together, what is only counted."""

from collections import abc
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from vmdiff.comparison.change import Change, ChangeName, Counts
from vmdiff.comparison.compare import Comparison
from vmdiff.model import Kind, Mapping, add
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.view.figures import (
    HEADLINE,
    Cell,
    Column,
    figures_of,
    folds_small,
    largest,
    parts_of,
    row_limit,
    sort_column,
    value_of,
    weight,
)
from vmdiff.report.view.folding import set_apart_small
from vmdiff.report.view.tables import HOW_TO_SEE, Role, Row, Table, rest_title, total_of_changes

UNTOUCHED = 1 << 20  # a mapping smaller than this is not worth a word about how little is resident

_Folds = list[tuple[str, str, list[Change]]]

_SEVERAL = "several kinds"  # of mappings in one change


def changes_table(comparison: Comparison, columns: tuple[Column, ...], options: ViewOptions) -> Table:
    """Return a row to each change or crowd that the reader asked for, and count the others."""
    picked, folds = _sift_changes(comparison, options)
    dress = partial(_change_row, columns)
    rows = _rows(picked, options, sort := sort_column(comparison.totals, options))
    rows, small = set_apart_small(rows, _together, sort) if folds_small(options) else (rows, [])
    limit = row_limit(options)
    shown, hidden = rows[:limit], [change for row in (*rows[limit:], *small) for change in row]
    if hidden:
        folds.insert(0, ("…", rest_title(len(hidden), "change", cut=len(rows) > limit), hidden))
    return Table(
        title="changes",
        columns=columns,
        rows=tuple(dress(row[0]) if len(row) == 1 else _crowd_row(columns, row) for row in shown),
        folds=tuple(
            _fold(columns, word, text, members, rest=members is hidden)
            for word, text, members in folds
            if members
        ),
        noun="change",
        total=total_of_changes(columns, comparison.totals),
        dress=dress,
    )


def _sift_changes(comparison: Comparison, options: ViewOptions) -> tuple[list[Change], _Folds]:
    """Separate what gets a row from what is only counted."""
    picked: list[Change] = []
    recounted: list[Change] = []
    small: list[Change] = []
    others: list[Change] = []
    sort = sort_column(comparison.totals, options)
    folds_recounted = not options.show_all and (sort is None or sort in HEADLINE)
    for change in comparison.changes:
        if options.only and not options.only.matches_any(change.mappings):
            others.append(change)
        elif folds_recounted and change.change is ChangeName.RECOUNTED and not _moved_private(change):
            recounted.append(change)
        elif options.minimum and largest(change.delta, sort) < options.minimum:
            small.append(change)
        else:
            picked.append(change)
    shared = f"{wording.plural(len(recounted), 'mapping')} shared differently"
    return picked, [
        ("…", f"{wording.plural(len(small), 'change')} below {wording.size(options.minimum)}", small),
        ("…", f"{wording.plural(len(others), 'change')} not selected", others),
        ("recounted", shared, recounted),
    ]


def _moved_private(change: Change) -> bool:
    """Return whether so much was copied on write, or became shared, that it must not be folded away."""
    return abs(value_of(change.delta, "private") or 0) >= UNTOUCHED


def _rows(changes: Sequence[Change], options: ViewOptions, sort: Column | None) -> list[tuple[Change, ...]]:
    """Put together what is shown as one row, and order the rows by what moved in memory.

    Then by what became accessible, then by size: a reservation is not growth. What is unknown
    weighs nothing; ties stay in the order of the addresses.
    """
    first = sort.counter if sort else None
    if options.sort == "address":
        changes = sorted(changes, key=_lowest)
    else:
        changes = sorted(changes, key=lambda change: weight(change.delta, first))
    together: dict[Any, list[Change]] = {}
    for at, change in enumerate(changes):
        crowd = None if options.show_all else _crowd(change)
        together.setdefault(at if crowd is None else crowd, []).append(change)
    rows = [tuple(row) for row in together.values()]
    if options.sort != "address" and len(rows) < len(changes):
        rows.sort(key=lambda row: _row_weight(row, first))
    return rows


def _crowd(change: Change) -> abc.Hashable:
    """Return the key of changes that are shown as one: the crowd, or the segments of one library."""
    if change.crowd is not None:
        return ("crowd", change.crowd)
    if change.kind is Kind.IMAGE and change.path is not None:
        return (change.change, change.path)
    if change.change in (ChangeName.SPLIT, ChangeName.MERGED, ChangeName.REDRAWN):
        owner = change.owner and change.owner.name
        return (change.change, change.kind, change.path, owner, len(change.before), len(change.after))
    return None


def _lowest(change: Change) -> int:
    return min((mapping.start for mapping in change.mappings if mapping.start is not None), default=0)


def _row_weight(row: Sequence[Change], first: str | None) -> tuple[int, ...]:
    if len(row) == 1:
        return weight(row[0].delta, first)
    names = {*parts_of("rss"), "swap", "accessible", "size", *parts_of(first or "rss")}
    return weight({name: add(change.delta.get(name) for change in row) for name in names}, first)


def _together(row: Sequence[Change]) -> Counts:
    """Add up the deltas of the changes that are one row."""
    if len(row) == 1:
        return row[0].delta
    return {name: add(change.delta.get(name) for change in row) for name in row[0].delta}


def _change_row(columns: tuple[Column, ...], change: Change) -> Row:
    side = change.after or change.before
    owner = change.owner
    return Row(
        role=Role.CHANGE,
        word=str(change.change),
        title=_change_title(change),
        perms=_perms(side),
        cells=figures_of(columns, partial(value_of, change.delta), sign=True),
        note=", ".join(_notes(change)),
        where=wording.place(side),
        why="; ".join(_reasons(change)),
        kind=str(change.kind or _SEVERAL),
        owner=wording.owner_name(owner),
        path=wording.name(change.path or ""),
        item=change,
    )


def _change_title(change: Change) -> str:
    """Name what changed as it is called after; both sides where that is what changed."""
    before, after = wording.titles(change.before), wording.titles(change.after)
    if not before or not after or before == after:
        return after or before
    if change.change in (ChangeName.REPLACED, ChangeName.RELABELLED) and not change.owner:
        return f"{before} → {after}"
    return after


def _perms(mappings: Iterable[Mapping]) -> str:
    found = {mapping.perms for mapping in mappings}
    return found.pop() if len(found) == 1 else ""


def _notes(change: Change) -> Iterator[str]:
    """Yield what is remarkable about a change and not in its figures."""
    if change.moved_end:
        yield "at both ends" if change.moved_end == "both" else f"at its {change.moved_end}"
    before, after = _perms(change.before), _perms(change.after)
    if before and after and before != after:
        yield f"{before} → {after}"
    if change.change in (ChangeName.SPLIT, ChangeName.MERGED, ChangeName.REDRAWN):
        yield f"{len(change.before)} → {wording.plural(len(change.after), 'mapping')}"
    elif blocks := _equal_blocks(change):
        yield blocks
    if change.change in (ChangeName.MOVED, ChangeName.SHIFTED):
        yield f"from {wording.place(change.before)}"
    if not change.delta.get("size") and change.change in (ChangeName.GROWN, ChangeName.SHRUNK):
        yield f"{wording.signed(change.delta.get('accessible'))} usable"
    if change.change is ChangeName.RELABELLED:
        yield from _relabelling(change.before[0], change.after[0])
    if change.change is not ChangeName.REPLACED and _was_called_otherwise(change):
        yield f"was {wording.titles(change.before)}"
    if residency := _residency(change):
        yield residency


def _equal_blocks(change: Change) -> str:
    """Count the blocks of a crowd that is one region: ``60 → 172 mappings, +112 × 256 KiB``."""
    sizes = {mapping.size for mapping in change.mappings}
    count, size = len(change.after) - len(change.before), sizes.pop()
    if sizes or size is None or len(change.mappings) <= 2:
        return ""
    counts = f"{len(change.before):,} → {wording.plural(len(change.after), 'mapping')}"
    return f"{counts}, {count:+,} × {wording.size(size)}" if count else counts


def _was_called_otherwise(change: Change) -> bool:
    if not change.before or not change.after:
        return False
    before, after = ({_called(mapping) for mapping in side} for side in (change.before, change.after))
    return before != after


def _called(mapping: Mapping) -> str:
    """Return what tells memory apart: not which one of its kind an owner is."""
    return mapping.path or (mapping.owner.name if mapping.owner else str(mapping.kind))


def _relabelling(before: Mapping, after: Mapping) -> Iterator[str]:
    if not before.deleted and after.deleted:
        yield "its file was deleted"
    if before.flags is not None and after.flags is not None:
        gained = [f"+{wording.name(flag)}" for flag in after.flags if flag not in before.flags]
        lost = [f"-{wording.name(flag)}" for flag in before.flags if flag not in after.flags]
        if gained or lost:
            yield f"flags {' '.join(gained + lost)}"
    if before.owner != after.owner and _called(before) == _called(after):
        yield "what is known of its owner"


def _residency(change: Change) -> str:
    """Return how much is resident, where that moved or is little of what could be."""
    able = add(mapping.accessible for mapping in change.after)
    held = _resident(change)
    if able is None or held is None or not able:
        return ""
    if able < UNTOUCHED or (change.change is not ChangeName.RESIDENT and held * 10 > able):
        return ""
    return wording.residency(held, able)


def _resident(change: Change) -> int | None:
    """Return what is resident after a change; absent is 0 only where the source told all the others."""
    if change.delta.get("rss") is None:
        return None
    values = [mapping.values.get("rss", 0) for mapping in change.after]
    return add(value if isinstance(value, int) else None for value in values)


def _reasons(change: Change) -> Iterator[str]:
    """Yield why the two sides were paired and how the owner is known."""
    if change.because:
        yield f"paired {wording.printable(change.because)}"
    if seen := wording.evidence(change.owner):
        yield seen


def _crowd_row(columns: tuple[Column, ...], changes: Sequence[Change]) -> Row:
    one_object = len({(change.path, change.kind) for change in changes}) == 1 and changes[0].path
    titles = {_change_title(change) for change in changes}
    some = _common_owner(changes) or (titles.pop() if len(titles) == 1 else str(changes[0].kind or _SEVERAL))
    names = {str(change.change) for change in changes}
    return Row(
        role=Role.CROWD,
        word=names.pop() if len(names) == 1 else "changed",
        title=f"{len(changes):,} × {wording.name(one_object) if one_object else some}",
        perms=_common(_perms(change.after or change.before) for change in changes),
        cells=_summed(columns, changes),
        kind=_common(str(change.kind or _SEVERAL) for change in changes),
        owner=_common_owner(changes),
        path=_common(wording.name(change.path or "") for change in changes),
        count=len(changes),
        members=tuple(changes),
    )


def _common_owner(changes: Iterable[Change]) -> str:
    return _common(wording.owner_name(change.owner) for change in changes)


def _common(values: Iterable[str]) -> str:
    found = set(values)
    return found.pop() if len(found) == 1 else ""


def _fold(columns: tuple[Column, ...], word: str, text: str, members: Sequence[Change], *, rest: bool) -> Row:
    return Row(
        role=Role.FOLD,
        note=HOW_TO_SEE if rest else "",
        rest=rest,
        word=word,
        title=text,
        cells=_summed(columns, members),
        count=len(members),
        members=tuple(members),
    )


def _summed(columns: tuple[Column, ...], changes: Sequence[Change]) -> tuple[Cell, ...]:
    return figures_of(
        columns, lambda counter: add(value_of(change.delta, counter) for change in changes), sign=True
    )

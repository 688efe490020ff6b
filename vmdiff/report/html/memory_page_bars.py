"""Where pages are: a bar for each mapping, lowest address left, of a few hundred cells, without a script.

A cell is a column of its states, as high as their shares. What is rare is drawn a little too high, so that
one page of a million is seen.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.comparison.compare import Comparison
from vmdiff.model import Snapshot
from vmdiff.report import wording
from vmdiff.report.view import memory_page_picture
from vmdiff.report.view.memory_page_picture import HUGE, Amounts, PageCell, PagePicture, PageRow

HEIGHT = 24
_LEAST = 3  # of a state that there is at all; 7 of these fit
_HUGE_LANE = (HEIGHT + 2, 3)  # from where, and how high: huge pages are marked below the bar
_PARTS = 8  # in words


class PageShape(NamedTuple):
    """All that a bar has of one state, as an SVG path."""

    state: str
    path: str


class PageBarRow(NamedTuple):
    """A mapping: its bar of *width* cells, the bar in words, and a figure for each state."""

    title: str
    where: str
    width: int
    shapes: tuple[PageShape, ...]
    words: str
    figures: tuple[str, ...]


class PageBars(NamedTuple):
    """States as (name, words), a row a mapping, and the rows without a bar: what is left, and the total."""

    title: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[PageBarRow, ...]
    sums: tuple[tuple[str, tuple[str, ...]], ...]


def of_snapshot(taken: Snapshot) -> PageBars | None:
    """Return where pages are, None where nobody looked."""
    picture = memory_page_picture.of_snapshot(taken)
    return None if picture is None or not picture.rows else _bars(picture, moved=False)


def of_comparison(found: Comparison) -> PageBars | None:
    """Return what became of pages; where that cannot be told, where pages are after."""
    picture = memory_page_picture.of_comparison(found)
    if picture is None or not picture.rows:
        return of_snapshot(found.after)
    return _bars(picture, moved=True)


def _bars(picture: PagePicture, *, moved: bool) -> PageBars:
    states = tuple(picture.states)
    sums = [("total", picture.total)]
    if picture.further:
        sums.insert(0, (wording.plural(picture.further, "more mapping"), picture.rest))
    return PageBars(
        "What became of pages" if moved else "Where pages are",
        tuple(picture.states.items()),
        tuple(_row(row, states, moved=moved) for row in picture.rows),
        tuple((title, _figures(amounts, states)) for title, amounts in sums),
    )


def _row(row: PageRow, states: Sequence[str], *, moved: bool) -> PageBarRow:
    drawn = [state for state in states if state != HUGE]
    columns = [heights(cell, drawn) for cell in row.cells]
    shapes = [PageShape(state, _path(columns, at)) for at, state in enumerate(drawn)]
    shapes.append(PageShape(HUGE, _lane(row.cells)))
    return PageBarRow(
        row.title,
        row.where,
        len(row.cells),
        tuple(shape for shape in shapes if shape.path),
        _in_words(row.cells, moved=moved),
        _figures(row.amounts, states),
    )


def _figures(amounts: Amounts, states: Sequence[str]) -> tuple[str, ...]:
    return tuple(wording.size(amounts[state]) if amounts.get(state) else "" for state in states)


def heights(cell: PageCell, states: Sequence[str]) -> list[int]:
    """Return how high each state is drawn: together no higher than `HEIGHT`, and none that there is at 0."""
    amounts = [cell.amounts.get(state, 0) for state in states]
    absent = max(0, cell.size - sum(amounts))
    least = [*(_LEAST if amount else 0 for amount in amounts), 1 if absent else 0]
    found = [
        max(low, min(HEIGHT, round(amount * HEIGHT / cell.size)))
        for amount, low in zip((*amounts, absent), least, strict=True)
    ]
    while sum(found) != HEIGHT:
        step = 1 if sum(found) < HEIGHT else -1
        largest = max(range(len(found)), key=lambda at: found[at] - least[at])
        found[largest] += step
    return found[:-1]


def _path(columns: Sequence[Sequence[int]], at: int) -> str:
    """Draw one state of every cell, from the bottom up in the order of the states; neighbours are joined."""
    boxes = [(HEIGHT - sum(column[: at + 1]), column[at]) for column in columns]
    return "".join(_boxes(boxes))


def _lane(cells: Sequence[PageCell]) -> str:
    top, height = _HUGE_LANE
    return "".join(_boxes([(top, height if cell.amounts.get(HUGE) else 0) for cell in cells]))


def _boxes(boxes: Sequence[tuple[int, int]]) -> Iterator[str]:
    start = 0
    for at in range(1, len(boxes) + 1):
        if at == len(boxes) or boxes[at] != boxes[start]:
            y, height = boxes[start]
            if height:
                yield f"M{start} {y}h{at - start}v{height}h{start - at}z"
            start = at


def _in_words(cells: Sequence[PageCell], *, moved: bool) -> str:
    """Tell by eighths how much of a mapping is in memory, or changed."""
    meant = {"kept"} if moved else {"swapped", "file", "unread"}
    shares = []
    for number in range(min(_PARTS, len(cells))):
        low, high = (at * len(cells) // min(_PARTS, len(cells)) for at in (number, number + 1))
        size = sum(cell.size for cell in cells[low:high])
        amount = sum(
            one
            for cell in cells[low:high]
            for state, one in cell.amounts.items()
            if state != HUGE and state not in meant
        )
        shares.append(wording.percent(amount, size) or "0%")
    what = "Changed" if moved else "Own pages in memory"
    return f"{what}, from the lowest address in {len(shares)} parts: {', '.join(shares)}"

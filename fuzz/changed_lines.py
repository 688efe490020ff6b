"""Listings whose lines the bytes drop, repeat, cut, glue and move: no row may be lost in silence."""

from tests.importers.test_line_law import COUNTED, LISTINGS, named, read, rows_of

_MOST_CHANGES = 8


def check(data: bytes) -> None:
    """Change a whole listing as *data* says, and hold each row that is still whole against what was read.

    The first byte chooses the format, then three bytes are a change: what, which line, and where to.
    """
    if not data:
        return
    name = COUNTED[data[0] % len(COUNTED)]
    text = LISTINGS[name][0]
    rows, lines = set(rows_of(name, text)), text.splitlines()
    for at in range(1, min(len(data) - 2, 3 * _MOST_CHANGES), 3):
        _change(lines, *data[at : at + 3])
    snapshot = read("\n".join(lines) + "\n")
    if snapshot is None or (told := named(snapshot)) is None:
        return
    whole = [number for number, line in enumerate(lines, 1) if line in rows and number not in told]
    assert len(snapshot.mappings) >= len(whole), name


def _change(lines: list[str], what: int, which: int, where: int) -> None:
    at = which % len(lines)
    if what % 5 == 0 and len(lines) > 2:
        del lines[at]
    elif what % 5 == 1:
        lines.insert(where % (len(lines) + 1), lines[at])
    elif what % 5 == 2:
        lines[at] = lines[at][: 1 + where % max(1, len(lines[at]))]
    elif what % 5 == 3 and at + 1 < len(lines):
        lines[at : at + 2] = [f"{lines[at]} {lines[at + 1]}"]
    else:
        line = lines.pop(at)
        lines.insert(where % (len(lines) + 1), line)

"""A bundle cut into the processes and files that it frames, and whether each file is whole.

Each bundle has a mark of its own, drawn where it was made. Lines ``@vmdiff:MARK`` say ``process PID N of M``,
``file NAME``, ``end NAME LINES BYTES`` (no counts where the host has no ``wc``, lines ``-`` where only bytes
were counted) and ``done PID``. Mail takes blanks off line ends, so those that the kernel prints there are put
back before bytes are counted.
"""

import re
from collections import abc
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.importers.pasted.lines import Line

MARK = "@vmdiff:"
_MARKED = re.compile(r"@vmdiff:(\w{1,40}) (process|file|end|done) (\S.*?)\s*")
_PROCESS = re.compile(r"([0-9]{1,10}) ([0-9]{1,6}) of ([0-9]{1,6})")
_END = re.compile(r"(\S+)(?: +([0-9]{1,12}|-))?(?: +([0-9]{1,12}))?(?: +unread: (.*))?")
_NEEDED = frozenset({"maps", "smaps", "maps-again", "stat"})
_WITHOUT_UNIT, _WITH_UNIT = 68, 78  # characters of a line of limits
_ENDS_IN_BLANK = re.compile(
    r"VmFlags:.*[^ ]|[0-9a-f]+-[0-9a-f]+ [r-][w-][x-][ps] [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ [0-9]+"
)


class Frame(NamedTuple):
    """A file of a process: its lines, whether its end is there, and what the collector counted."""

    name: str
    lines: tuple[str, ...] = ()
    ended: bool = False
    stated_lines: int | None = None
    stated_bytes: int | None = None
    unread: str | None = None

    @property
    def text(self) -> bytes:
        """The file as it was read, with the blanks at line ends that the kernel prints."""
        return "".join(f"{line}\n" for line in self.lines).encode("utf-8", "surrogateescape")

    @property
    def fault(self) -> str | None:
        """What shows that the text is not what the collector printed; None if nothing does."""
        if not self.ended:
            return f"{self.name} is cut off"
        if self.unread and self.name in _NEEDED:  # others just are not there, or not for this user
            return f"{self.name} could not be read there: {self.unread[:200]}"
        if self.stated_lines not in {None, len(self.lines)}:
            return f"{self.name} has {len(self.lines):,} lines, the collector printed {self.stated_lines:,}"
        if self.stated_bytes is not None and self.stated_bytes != len(self.text):
            return f"{self.name} has {len(self.text):,} bytes, the collector printed {self.stated_bytes:,}"
        return None


class Framed(NamedTuple):
    """A process of a bundle: the *number*-th of *many*, and its files by name."""

    mark: str
    pid: int
    number: int
    many: int
    files: abc.Mapping[str, Frame]
    done: bool
    stray: tuple[int, ...]  # lines that are in none of its files


class _Marked(NamedTuple):
    mark: str
    word: str
    rest: str


def marked(text: str) -> _Marked | None:
    """Take a line with a mark apart."""
    found = _MARKED.fullmatch(text)
    return _Marked(*found.groups()) if found else None


def find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Return where the processes of bundles are, as half-open ranges of indices; the last may be cut."""
    found: list[tuple[int, int]] = []
    first, mark = None, ""
    for index, line in enumerate(lines):
        told = marked(line.text) if line.text.startswith(MARK) else None
        if told is None or (first is not None and told.mark != mark and told.word != "process"):
            continue
        if told.word == "process" and _PROCESS.fullmatch(told.rest):
            if first is not None:
                found.append((first, index))
            first, mark = index, told.mark
        elif told.word == "done" and first is not None:
            found.append((first, index + 1))
            first = None
    return [*found, (first, len(lines))] if first is not None else found


def framed(lines: Sequence[Line]) -> Framed:
    """Read one process: lines that `find` found."""
    head = marked(lines[0].text)
    told = _PROCESS.fullmatch(head.rest) if head else None
    if head is None or told is None:
        raise ValueError("not the lines of a process")
    files: dict[str, Frame] = {}
    stray: list[int] = []
    done = False
    for part in _parts(lines[1:], head.mark):
        if isinstance(part, Frame):
            files[part.name] = part if part.name not in files else part._replace(ended=False)
        elif isinstance(part, bool):
            done = True
        else:
            stray.append(part)
    pid, number, many = map(int, told.groups())
    return Framed(head.mark, pid, number, many, files, done, tuple(stray))


def _parts(lines: Sequence[Line], mark: str) -> Iterator[Frame | int | bool]:
    """Yield the files, the numbers of lines in none of them, and True for the end."""
    name: str | None = None
    reached = 0
    for at, told in [*_marks(lines, mark), (len(lines), None)]:
        between = lines[reached:at]
        reached = at + 1
        if name is None:
            yield from (line.number for line in between if line.text.strip())
        elif told is not None and told.word == "end" and told.rest.split()[0] == name:
            yield _ended(name, tuple(line.text for line in between), told.rest)
        else:
            yield Frame(name, tuple(line.text for line in between))
        if told is not None and told.word == "end" and name is None:
            yield lines[at].number
        if told is not None and told.word == "done":
            yield True
        name = told.rest if told is not None and told.word == "file" else None


def _marks(lines: Sequence[Line], mark: str) -> list[tuple[int, _Marked]]:
    """Return the lines with this mark, by index."""
    own = f"{MARK}{mark} "
    every = ((at, marked(line.text)) for at, line in enumerate(lines) if line.text.startswith(own))
    return [(at, told) for at, told in every if told is not None]


def _ended(name: str, held: tuple[str, ...], rest: str) -> Frame:
    found = _END.fullmatch(rest)
    if found is None:
        return Frame(name, held)
    lines, size = (None if text in {None, "-"} else int(text) for text in found.group(2, 3))
    frame = Frame(name, held, True, lines, size, found[4])
    if size == len(frame.text):
        return frame
    return frame._replace(lines=tuple(_restored(line, name) for line in held))


def _restored(text: str, name: str) -> str:
    """Put the blanks back that the kernel prints at line ends (fs/proc/task_mmu.c, array.c and base.c)."""
    if text.endswith(" "):
        return text
    if name == "limits":  # columns of 25, 20, 20 and 10
        return text.ljust(_WITHOUT_UNIT if len(text) <= _WITHOUT_UNIT else _WITH_UNIT)
    if name == "status":
        text = f"{text}\t" if text.endswith(":") else text
        return f"{text} " if text.startswith("Groups:") else text
    return f"{text} " if _ENDS_IN_BLANK.fullmatch(text) else text

"""Compare a program before and after random operations on its memory: ``random_operations.py [PAIRS]``.

The program maps, unmaps, protects, remaps and touches memory of its own, which merges, splits and redraws its
mappings. Nothing that has an owner changes: an owner that moves is a mistake. Of each pair (5,000 unless said
otherwise), compared by address and by structure, the laws must hold: changes and columns of groups add up to
the totals, comparing backwards mirrors it, each mapping lies in one region, a snapshot equals itself.
"""

import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from vmdiff import Comparison, Snapshot, compare, snap
from vmdiff.comparison.change import MIRRORS

HERE = Path(__file__).parent
PAGE = 4096
PAIRS_OF_A_PROGRAM = 20
OWN = {"(anonymous)", "(reserved)", "(file)", "(shared-memory)", "reservation", "shared anonymous"}
PRIVATE, SHARED, FIXED = 2, 1, 0x12
DONTNEED = 4


class Program:
    """The program, and which pages it has by the protection that it asked for."""

    def __init__(self, program: Path, data: Path, seed: int) -> None:
        self.process = subprocess.Popen(
            [program, data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.random = random.Random(seed)
        self.pages: dict[int, int] = {}
        self.ask("t", 0, 0)  # answers when it runs, and all libraries are loaded

    def ask(self, *words: object) -> int | None:
        """Say one line; return the result, None if the kernel refused."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(" ".join(f"{w:x}" if isinstance(w, int) else str(w) for w in words) + "\n")
        self.process.stdin.flush()
        result, error = self.process.stdout.readline().split()
        return None if error != "0" else int(result, 16)

    def place(self, start: int | None, count: int, access: int) -> None:
        if start is not None:
            self.pages |= dict.fromkeys(range(start // PAGE, start // PAGE + count), access)

    def run(self) -> tuple[int, int]:
        """Return the first page and the number of pages of a random stretch without holes."""
        first = self.random.choice(list(self.pages))
        count = 1
        while first + count in self.pages and count < self.random.choice((1, 4, 16, 64)):
            count += 1
        return first, count

    def operate(self) -> None:
        what = self.random.choice("mmmfupprrttaF") if self.pages else "m"
        count, access = self.random.choice((1, 2, 3, 8, 16, 33, 64, 128)), self.random.choice((3, 3, 3, 1, 0))
        if what == "m":
            flags = SHARED if self.random.random() < 0.1 else PRIVATE
            self.place(self.ask("m", 0, count * PAGE, access, flags), count, access)
            return
        if what == "f":
            access = self.random.choice((1, 3))
            self.place(
                self.ask("f", self.random.randrange(64) * PAGE, count * PAGE, access, PRIVATE), count, access
            )
            return
        first, count = self.run()
        start, size = first * PAGE, count * PAGE
        if what == "u" and self.ask("u", start, size) is not None:
            for page in range(first, first + count):
                del self.pages[page]
        elif what == "p" and self.ask("p", start, size, access) is not None:
            self.place(start, count, access)
        elif what == "r":
            self.remap(first, count)
        elif what == "t" and all(self.pages[page] == 3 for page in range(first, first + count)):
            self.ask("t", start, size)
        elif what == "a":
            self.ask("a", start, size, DONTNEED)
        elif what == "F":
            self.place(self.ask("m", start, size, access, FIXED | PRIVATE), count, access)

    def remap(self, first: int, count: int) -> None:
        target = self.random.choice((max(1, count // 2), count * 2, count + 1))
        moved = self.ask("r", first * PAGE, count * PAGE, target * PAGE)
        if moved is not None:
            access = self.pages[first]
            for page in range(first, first + count):
                del self.pages[page]
            self.place(moved, target, access)


def pairs(count: int) -> Iterator[tuple[Snapshot, Snapshot]]:
    with tempfile.TemporaryDirectory() as name:
        program, data = Path(name) / "operations", Path(name) / "data"
        data.write_bytes(bytes(256 * PAGE))
        subprocess.run(["gcc", "-O1", HERE / "programs" / "operations.c", "-o", program], check=True)
        for seed in range(-(-count // PAIRS_OF_A_PROGRAM)):
            operated = Program(program, data, seed)
            before = snap(operated.process.pid)
            for _ in range(min(PAIRS_OF_A_PROGRAM, count - seed * PAIRS_OF_A_PROGRAM)):
                for _ in range(operated.random.randrange(1, 12)):
                    operated.operate()
                after = snap(operated.process.pid)
                yield before, after
                before = after
            operated.process.kill()
            operated.process.wait()


def broken(before: Snapshot, after: Snapshot, match: str) -> Iterator[str]:
    """Yield the laws that a pair breaks."""
    there, back = compare(before, after, match=match), compare(after, before, match=match)
    for name, total in there.totals.items():
        if (
            total.delta is not None
            and sum(change.delta[name] or 0 for change in there.changes) != total.delta
        ):
            yield f"sum of {name}"
        for by in ("kind", "owner", "object"):
            column = [group.totals[name] for group in there.grouped(by)]
            if sum(one.after or 0 for one in column) != (total.after or 0):
                yield f"groups by {by} of {name}"
    if Counter(map(told, there.changes)) != Counter(map(told_backwards, back.changes)):
        yield "mirror"
    covered = Counter(mapping.start for one in (*there.changes, *there.same) for mapping in one.before)
    if covered != Counter(mapping.start for mapping in there.paired[0].mappings):
        yield "every mapping lies in one region"
    if compare(after, after, match=match).changes:
        yield "a snapshot equals itself"


def told(change: object) -> tuple[object, ...]:
    return change.change, tuple(m.start for m in change.before), tuple(m.start for m in change.after)


def told_backwards(change: object) -> tuple[object, ...]:
    return MIRRORS[change.change], tuple(m.start for m in change.after), tuple(m.start for m in change.before)


def movers(found: Comparison) -> Iterator[str]:
    """Yield the owners that moved, although nothing was done to them; pages of files come on first use."""
    for group in found.grouped("owner"):
        counters = ("size",) if group.name.startswith("(") else ("size", "rss", "private")
        if group.name not in OWN and any(group.totals[name].delta for name in counters):
            yield group.name


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    laws, moved, unknown = Counter(), Counter(), 0
    for before, after in pairs(count):
        for match in ("address", "structure"):
            laws.update(f"{law} ({match})" for law in broken(before, after, match))
        found = compare(before, after)
        moved.update(movers(found))
        unknown += any(group.totals["rss"].delta is None for group in found.grouped("owner"))
    print(f"{count:,} pairs: laws broken {dict(laws) or 'none'}; owners that moved {dict(moved) or 'none'};")
    print(f"{unknown:,} pairs in which resident bytes could not be split among owners")


if __name__ == "__main__":
    main()

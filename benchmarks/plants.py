"""Plant one thing more in another run of a program, and see whether comparing shows just that.

``python benchmarks/plants.py [EACH]``: EACH sizes (12 unless said otherwise) of a block, a file, a mapping, a
reservation, shared memory and heap, and as many threads, arenas and libraries, each in a run of its own under
address space layout randomisation. The group is right if the owners that the plant is of grew by its size and
no other owner's memory changed; the rows are right if only what is new or grown changed in size, by as much.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from vmdiff import Comparison, Snapshot, compare, snap

HERE = Path(__file__).parent
KIB, MIB, PAGE = 1 << 10, 1 << 20, 4096
LIBRARIES = (
    "libresolv.so.2",
    "libnss_files.so.2",
    "libutil.so.1",
    "librt.so.1",
    "libnsl.so.1",
    "libBrokenLocale.so.1",
)


class Plant(NamedTuple):
    """What is planted: the program's word for it, whose memory it is, and its bytes where they are known."""

    word: str
    owners: frozenset[str]
    size: int | None


def plants(each: int) -> Iterator[Plant]:
    for at in range(each):
        size = (at + 2) * 413 * KIB
        whole = -(-size // PAGE) * PAGE
        yield Plant(f"b{size}", frozenset({"malloc large block"}), -(-(size + 16) // PAGE) * PAGE)
        yield Plant(f"f{whole}", frozenset({"(file)"}), whole)
        yield Plant(f"m{whole}", frozenset({"(anonymous)"}), whole)
        yield Plant(f"r{whole}", frozenset({"(reserved)", "reservation"}), whole)
        yield Plant(f"s{whole}", frozenset({"(shared-memory)", "shared anonymous"}), whole)
        yield Plant(f"h{size}", frozenset({"malloc heap"}), None)
        yield Plant("t", frozenset({"thread stack", "guard page"}), 8 * MIB + PAGE)
        yield Plant("a", frozenset({"thread stack", "guard page", "malloc arena"}), None)
        yield Plant(
            f"l{LIBRARIES[at % len(LIBRARIES)]}", frozenset({"(image)", "bss", "relro", "library gap"}), None
        )


@contextmanager
def running(program: Path, *words: object) -> Iterator[int]:
    with subprocess.Popen([program, *map(str, words)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


def taken(program: Path, *words: object) -> Snapshot:
    with running(program, *words) as pid:
        return snap(pid)


def group_is_right(found: Comparison, plant: Plant) -> bool:
    deltas = {group.name: group.totals["size"].delta for group in found.grouped("owner")}
    grown = {name: delta for name, delta in deltas.items() if delta}
    planted = sum(delta or 0 for name, delta in grown.items() if name in plant.owners)
    return grown.keys() <= plant.owners and planted > 0 and plant.size in {None, planted}


def rows_are_right(found: Comparison, plant: Plant) -> bool:
    sizes = [change.delta["size"] or 0 for change in found.changes if change.delta["size"]]
    names = {str(change.change) for change in found.changes if change.delta["size"]}
    return names <= {"new", "grown"} and min(sizes, default=0) > 0 and plant.size in {None, sum(sizes)}


def main() -> None:
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / "data", folder / "other"]
        for file in files:
            file.write_bytes(bytes(8 * MIB))
        program = folder / "plants"
        subprocess.run(["gcc", "-pthread", HERE / "programs" / "plants.c", "-o", program, "-ldl"], check=True)
        groups = rows = count = 0
        for plant in plants(each):
            found = compare(taken(program, *files), taken(program, *files, plant.word))
            told = group_is_right(found, plant), rows_are_right(found, plant)
            count, groups, rows = count + 1, groups + told[0], rows + told[1]
            if not all(told):
                print(f"{plant.word}: group and rows right: {told}")
                print(
                    "   ",
                    [(str(c.change), c.delta["size"], c.path) for c in found.changes if c.delta["size"]],
                )
        print(f"{count} plants: the group is right {groups} times, the rows {rows} times")


if __name__ == "__main__":
    main()

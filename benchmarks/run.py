"""Measure whole commands against their peers in the same run, and print one table.

These machines are noisy, so nothing is compared with a number of seconds: a command and its peer run
alternately, the fastest of each counts (what disturbs a run only ever makes it slower), and what is
held to a bound is their ratio. ``make bench`` runs this; it takes some minutes.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parent
MANY, FEWER = 60_000, 6_000
CPU = "--cpu" in sys.argv  # on a machine that is busy with something else, the clock says little

IMPORTS = "import typer, pydantic\nclass M(pydantic.BaseModel):\n    a: int\n    b: str\nM(a=1, b='x')"


class Cost(NamedTuple):
    """What a command took: seconds of the clock, and its peak of memory in bytes."""

    seconds: float
    peak: int


class Row(NamedTuple):
    """A line of the table; *bound* is on *value*, None for what is only reported."""

    work: str
    value: float
    unit: str
    bound: float | None
    detail: str

    @property
    def holds(self) -> bool | None:
        return None if self.bound is None else self.value <= self.bound


class Crowd:
    """The process that is measured."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def say(self, line: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextlib.contextmanager
def crowd(program: Path, count: int, *words: str) -> Iterator[Crowd]:
    with subprocess.Popen(
        [program, str(count), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Crowd(process)
        finally:
            process.kill()


def run(command: Sequence[object]) -> Cost:
    """Run a command, its output thrown away."""
    words = [str(word) for word in command]
    with Path(os.devnull).open("wb") as nowhere:
        started = time.perf_counter()
        process = subprocess.Popen(words, stdout=nowhere, stderr=subprocess.PIPE)
        assert process.stderr
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}: {said.decode()}")
    if CPU:
        seconds = usage.ru_utime + usage.ru_stime
    return Cost(seconds, usage.ru_maxrss * 1024)


def alternately(times: int, *commands: Sequence[object]) -> list[Cost]:
    """Run commands in turns; give the best of each."""
    costs: list[list[Cost]] = [[] for _ in commands]
    for _ in range(times):
        for command, kept in zip(commands, costs, strict=True):
            kept.append(run(command))
    return [Cost(min(c.seconds for c in kept), max(c.peak for c in kept)) for kept in costs]


def installed(folder: Path) -> Path:
    """Install vmdiff as its users have it, a wheel with its bytecode; give the folder of its programs."""
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*map(str, pip), str(ROOT), "psutil"], check=True)
    return programs


class Bench:
    """All the measurements, in one folder."""

    def __init__(self, folder: Path, times: int) -> None:
        self.folder = folder
        self.times = times
        self.rows: list[Row] = []
        programs = installed(folder)
        self.python, self.vmdiff = programs / "python", programs / "vmdiff"
        self.program = folder / "crowd"
        subprocess.run(["gcc", "-O1", "-pthread", "-o", self.program, HERE / "crowd.c"], check=True)

    def ratio(self, work: str, bound: float | None, mine: Cost, peer: Cost, against: str) -> None:
        detail = f"{mine.seconds:.2f} s against {peer.seconds:.2f} s ({against})"
        self.rows.append(Row(work, mine.seconds / peer.seconds, "x", bound, detail))

    def snap(self, pid: int, name: str, *options: str) -> list[object]:
        return [self.vmdiff, "snap", pid, "-o", self.folder / name, "--force", *options]

    def start_up(self) -> None:
        imports = [self.python, "-c", IMPORTS]
        only_typer = [self.python, "-c", "import typer"]
        with subprocess.Popen(["sleep", "1000"]) as quiet:
            small = self.snap(quiet.pid, "small.json")
            costs = alternately(
                self.times * 3,
                small,
                imports,
                [self.vmdiff, "--help"],
                only_typer,
                [self.vmdiff, "--version"],
            )
            neighbours = self.neighbours(quiet.pid, "^sleep 1000$")
            quiet.kill()
        self.ratio("snap of a small process", 1.3, costs[0], costs[1], "importing typer and pydantic")
        self.ratio("--help", 1.2, costs[2], costs[3], "importing typer")
        self.ratio("--version", 1.2, costs[4], costs[3], "importing typer")
        for name, cost in neighbours.items():
            self.ratio(f"small process: {name}, for comparison", None, cost, costs[0], "vmdiff snap")

    def snapshots(self) -> None:
        with crowd(self.program, MANY) as process:
            pid = process.pid
            pmap, cat = ["pmap", "-XX", pid], ["cat", f"/proc/{pid}/smaps"]
            full, bare = self.snap(pid, "a.json"), self.snap(pid, "bare.json", "--no-owners")
            costs = alternately(self.times, full, bare, pmap, cat)
            self.pmap = costs[2]
            self.ratio("snap, 60,000 mappings", 0.8, costs[0], costs[2], "pmap -XX")
            self.ratio("snap --no-owners", 0.65, costs[1], costs[2], "pmap -XX")
            self.ratio("snap --no-owners, seen against the floor", None, costs[1], costs[3], "cat smaps")
            self.cheap(pid)
            self.rows.append(Row("peak memory of snap", costs[0].peak / 1e6, "MB", 200, ""))
            run([*full[:4], self.folder / "a.json.gz", "--force"])
            self.sizes()
            process.say("touch 200")
            run(self.snap(pid, "b.json"))
            process.say("touch 1")
            run(self.snap(pid, "c.json"))
            for name, cost in self.neighbours(pid, str(self.program)).items():
                self.ratio(f"{name}, for comparison", None, cost, self.pmap, "pmap -XX")
            self.latency(process)
        with crowd(self.program, MANY) as other:
            run(self.snap(other.pid, "other.json"))

    def cheap(self, pid: int) -> None:
        cheap = self.snap(pid, "cheap.json", "--no-owners", "--detail", "maps")
        cat, start = ["cat", f"/proc/{pid}/maps"], [self.vmdiff, "--version"]
        taken = [
            [run(command).seconds for command in (cheap, cat, start, self.full_imports())]
            for _ in range(self.times * 3)
        ]
        mine = min(costs[0] for costs in taken)
        floor = min(4 * maps + version + imports for _, maps, version, imports in taken)
        peer = "4 x cat maps + start-up"
        self.ratio("snap --no-owners --detail maps", 1.0, Cost(mine, 0), Cost(floor, 0), peer)

    def full_imports(self) -> list[object]:
        return [self.python, "-c", IMPORTS]

    def sizes(self) -> None:
        for name, bound in (("a.json", 12.0), ("a.json.gz", 1.2)):
            size = (self.folder / name).stat().st_size / 1e6
            self.rows.append(
                Row(f"size of {name.removeprefix('a')} of 60,000 mappings", size, "MB", bound, "")
            )

    def different(self) -> None:
        kinds = {
            "mappings of all sizes": "sizes",
            "pieces of a file, no two alike": str(self.folder / "file"),
        }
        for kind, word in kinds.items():
            with crowd(self.program, MANY, word) as process:
                full = self.snap(process.pid, "different.json")
                costs = alternately(self.times, full, ["pmap", "-XX", process.pid])
            self.ratio(f"snap, {kind}", None, costs[0], costs[1], "pmap -XX")

    def growth(self) -> None:
        taken = []
        for count in (FEWER, MANY):
            with crowd(self.program, count) as process:
                costs = alternately(self.times, self.snap(process.pid, "x.json"), self.full_imports())
                taken.append(costs[0].seconds - costs[1].seconds)
        detail = f"{taken[0] * 1000:.0f} ms and {taken[1] * 1000:.0f} ms net of start-up"
        self.rows.append(Row("growth from 6,000 to 60,000 mappings", taken[1] / taken[0], "x", 11, detail))

    def comparisons(self) -> None:
        def compare(other: str, *options: str) -> list[object]:
            names = (self.folder / "a.json", self.folder / other)
            return [self.vmdiff, "compare", *names, "--format", "json", *options]

        pmap = self.pmap
        few, every, runs = alternately(
            self.times, compare("b.json"), compare("c.json"), compare("other.json")
        )
        self.ratio("compare, a few hundred changes, JSON", 0.6, few, pmap, "pmap -XX")
        self.ratio("compare, every mapping changed, JSON", 1.2, every, pmap, "pmap -XX")
        self.ratio("compare, two different runs, JSON", 2.0, runs, every, "every mapping changed")
        self.rows.append(Row("peak memory of compare", max(few.peak, every.peak) / 1e6, "MB", 350, ""))

    def report(self) -> None:
        with crowd(self.program, 300) as process:
            run(self.snap(process.pid, "h1.json"))
            process.say("touch 1")
            run(self.snap(process.pid, "h2.json"))
        names = (self.folder / "h1.json", self.folder / "h2.json")
        command = [
            self.vmdiff,
            "compare",
            *names,
            "--format",
            "html",
            "-o",
            self.folder / "h.html",
            "--force",
        ]
        [cost] = alternately(self.times, command)
        self.rows.append(Row("HTML report of 300 mappings", cost.seconds, "s", 0.7, ""))

    def neighbours(self, pid: int, called: str) -> dict[str, Cost]:
        """Measure what others take for a process; *called* is how smem is told which."""
        psutil = f"import psutil; psutil.Process({pid}).memory_maps(grouped=False)"
        commands: dict[str, list[object]] = {
            "cat smaps": ["cat", f"/proc/{pid}/smaps"],
            "pmap -x": ["pmap", "-x", pid],
            "pmap -X": ["pmap", "-X", pid],
            "pmap -XX": ["pmap", "-XX", pid],
            "psutil memory_maps": [self.python, "-c", psutil],
        }
        if smem := shutil.which("smem"):
            commands["smem"] = [smem, "-P", called]
        costs = alternately(max(2, self.times // 2), *commands.values())
        return dict(zip(commands, costs, strict=True))

    def latency(self, process: Crowd) -> None:
        """Measure how long the process's own mmap and munmap take while it is being read."""
        pid = process.pid
        readers: dict[str, list[object]] = {
            "cat smaps": ["cat", f"/proc/{pid}/smaps"],
            "vmdiff snap": self.snap(pid, "l.json"),
            "pmap -X": ["pmap", "-X", pid],
            "psutil": [self.python, "-c", f"import psutil; psutil.Process({pid}).memory_maps(grouped=False)"],
        }
        process.say("start")
        time.sleep(0.5)
        undisturbed = int(process.say("stop").split()[0])
        worst: dict[str, list[list[int]]] = {name: [] for name in readers}
        for _ in range(self.times):
            for name, command in readers.items():
                process.say("start")
                run(command)
                *taken, total, count = [int(word) for word in process.say("stop").split()]
                worst[name].append([*taken, max(0, total - count * undisturbed)])
        best = {name: [min(column) for column in zip(*taken, strict=True)] for name, taken in worst.items()}
        for name, (median, p99, longest, total) in best.items():
            ours = name == "vmdiff snap"
            detail = f"median {median / 1e3:.0f} us, p99 {p99 / 1e3:.0f} us, worst {longest / 1e6:.2f} ms"
            ratio = longest / best["cat smaps"][2]
            self.rows.append(Row(f"target held up by {name}, worst", ratio, "x", 1 if ours else None, detail))
            ratio, detail = total / best["cat smaps"][3], f"{total / 1e6:.1f} ms"
            self.rows.append(
                Row(f"target held up by {name}, in all", ratio, "x", 2 if ours else None, detail)
            )


def table(rows: Sequence[Row]) -> str:
    words = {True: "yes", False: "NO", None: ""}
    lines = ["| work | value | bound | holds | measured |", "|---|--:|--:|---|---|"]
    for row in rows:
        bound = "" if row.bound is None else f"{row.bound:g}{row.unit}"
        lines.append(
            f"| {row.work} | {row.value:.2f}{row.unit} | {bound} | {words[row.holds]} | {row.detail} |"
        )
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=5, help="runs of each command")
    options.add_argument("--json", type=Path, help="also write the rows here")
    options.add_argument(
        "--cpu", action="store_true", help="compare seconds of the processor, not of the clock"
    )
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="vmdiff-bench-") as name:
        bench = Bench(Path(name), chosen.times)
        steps: tuple[Callable[[], None], ...] = (
            bench.start_up,
            bench.snapshots,
            bench.different,
            bench.growth,
            bench.comparisons,
            bench.report,
        )
        for step in steps:
            step()
            print(f"{step.__name__} done", file=sys.stderr)
    print(table(bench.rows))
    if chosen.json:
        chosen.json.write_text(json.dumps([row._asdict() for row in bench.rows], indent=1))
    sys.exit(0 if all(row.holds is not False for row in bench.rows) else 1)


if __name__ == "__main__":
    main()

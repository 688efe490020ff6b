"""What vmdiff says malloc_trim(0) would give back, against what it gives back, in 20 programs.

    python benchmarks/trim.py

Each program fills its memory, lets go of much of it and waits; a debugger then makes it call malloc_trim(0).
Needs gdb, and skips programs that are not installed. Prints a row a program; the exit status is 1 if one is
off by more than 1 % and more than 128 KiB.
"""

import shutil
import subprocess
import sys

from vmdiff.sources import snap

PYTHON = {
    "dicts": "x = [{'a': n, 'b': str(n)} for n in range(100_000)]; del x[::2]",
    "json": "import json; x = json.loads(json.dumps([[n, str(n)] for n in range(200_000)])); del x",
    "large texts": "x = ['x' * (600 + n % 3000) for n in range(30_000)]; del x[::3]",
    "bytes kept one in 100": "x = [bytes(1000 + n % 500) for n in range(50_000)]; x = x[::100]",
    "threads": """
import threading
def run():
    x = [bytes(2000) for n in range(10_000)]
    del x[::9]
threads = [threading.Thread(target=run) for _ in range(4)]
[one.start() for one in threads]
[one.join() for one in threads]
""",
    "sqlite": """
import sqlite3
base = sqlite3.connect(":memory:")
base.execute("create table t (a, b)")
base.executemany("insert into t values (?, ?)", ((n, "x" * 100) for n in range(100_000)))
base.execute("delete from t")
""",
    "xml": "import xml.dom.minidom as d; x = d.parseString('<a>' + '<b>c</b>' * 9_999 + '</a>'); del x",
    "zlib": "import zlib; x = [zlib.compress(bytes([n % 256]) * 100_000) for n in range(2000)]; del x[::2]",
}
ARENAS = {"malloc heap", "malloc arena"}
SLEEP = "import os, time; os.write(1, b'ready\\n'); time.sleep(600)"
SCRIPTS = {
    ("perl", "-e"): """$| = 1; my @x = map { "x" x ($_ % 300) } 1..200000; splice @x, 0, 150000;
        print "ready\\n"; sleep 600""",
    ("perl", "-w", "-e"): """$| = 1; my %x = map { $_ => [$_] } 1..100000; delete $x{$_} for 1..90000;
        print "ready\\n"; sleep 600""",
    ("ruby", "-e"): """$stdout.sync = true; x = (1..200000).map { |n| "x" * (n % 300) }; x = x.first(1000)
        GC.start; puts "ready"; sleep 600""",
    ("node", "-e"): """let x = []; for (let n = 0; n < 2000; n++) x.push(Buffer.alloc(20000, 1));
        x = x.slice(0, 10); console.log("ready"); setInterval(() => {}, 1e6)""",
    ("php", "-r"): """$x = range(1, 500000); $x = array_slice($x, 0, 10); echo "ready\\n"; sleep(600);""",
    (
        "luajit",
        "-e",
    ): """local x = {} for n = 1, 200000 do x[n] = ("x"):rep(n % 100) end x = nil collectgarbage()
        print("ready") io.flush() os.execute("sleep 600")""",
    ("bash", "-c"): "x=({1..200000}); unset x; echo ready; read line",
    ("awk",): """BEGIN { for (n = 0; n < 200000; n++) x[n] = n "text"; delete x
        print "ready"; fflush(); getline }""",
    ("erl", "-noshell", "-eval"): """L = lists:seq(1, 1000000), length(L), io:format("ready~n"),
        timer:sleep(600000)""",
    ("sh", "-c"): "echo ready; exec tail -f /dev/null",
}
GDB = ("file /usr/bin/gdb", "info functions xyz", "echo ready\\n", "shell sleep 600")
PROGRAMS = {
    **{f"python, {name}": [sys.executable, "-c", f"{code}\n{SLEEP}"] for name, code in PYTHON.items()},
    "python, malloc for all": [
        "env",
        "PYTHONMALLOC=malloc",
        sys.executable,
        "-c",
        f"{PYTHON['dicts']}\n{SLEEP}",
    ],
    **{" ".join(command): [*command, script] for command, script in SCRIPTS.items()},
    "java": ["java", "-Xmx64m", "-cp", "tests/owners/inside/programs", "Memory", "20"],
    "gdb": ["gdb", "-q", "-batch", *(f"-ex={word}" for word in GDB)],
}


def main() -> None:
    off = 0
    print(f"{'program':24} {'said':>12} {'given back':>12}  off by")
    for name, command in PROGRAMS.items():
        if shutil.which(command[0]) is None:
            print(f"{name:24} not installed")
            continue
        row = measured(command)
        if row is None:
            print(f"{name:24} {'unknown':>12}")
            continue
        said, returned = row
        print(f"{name:24} {said:12,} {returned:12,}  {said - returned:,}")
        off += abs(said - returned) > max(returned // 100, 128 << 10)
    sys.exit(bool(off))


def measured(command: list[str]) -> tuple[int, int] | None:
    """Return what is said to be given back, and what was."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or not any(line.strip() == "ready" for line in process.stdout):
                return None
            return trimmed(process.pid)
        finally:
            process.kill()


def trimmed(pid: int) -> tuple[int, int] | None:
    """Compare with what of malloc's own mappings goes: a runtime may free others meanwhile."""
    taken = snap(pid, inside=True)
    arenas = [one for one in taken.usage or () if one.owner in ARENAS]
    if not arenas or any(one.releasable is None for one in arenas):
        return None
    held = {
        mapping.start
        for mapping in taken.mappings
        if mapping.owner and ({mapping.owner.name} | {part.name for part in mapping.owner.parts}) & ARENAS
    }
    before = resident(pid, held)
    command = ["gdb", "-q", "-batch", "-p", str(pid), "-ex", "call (int)malloc_trim(0)"]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    return sum(one.releasable or 0 for one in arenas), before - resident(pid, held)


def resident(pid: int, held: set[int | None]) -> int:
    taken = snap(pid, owners=False)
    return sum(mapping.values.get("rss", 0) for mapping in taken.mappings if mapping.start in held)


if __name__ == "__main__":
    main()

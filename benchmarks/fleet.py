"""What a fleet costs: ``python -m benchmarks.fleet [--snapshots N] [--files DIR]``.

Writes N snapshots of some 273 mappings (`vmdiff.fleet.example_fleet`) as files, exports them, exports them
again (nothing may be added), and asks every question. Seconds by the clock and of the processor, peak memory
of the largest process, bytes a snapshot. Writing the files takes longer than all the rest and is not counted.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from vmdiff.fleet import example_fleet
from vmdiff.storage import json_document

QUESTIONS = {
    "top": (),
    "growth": ("--between", f"version={example_fleet.BEFORE}..{example_fleet.AFTER}"),
    "outliers": (),
    "trend": (),
    "who": ("--path", "*/libshop1*"),
}


class Cost(NamedTuple):
    """Seconds by the clock and of the processor, and the peak memory of the largest process in bytes."""

    clock: float
    processor: float
    peak: int


def cost(*words: object) -> Cost:
    """Run vmdiff, its output thrown away."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "vmdiff", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)  # with what it waited for itself
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"vmdiff {' '.join(map(str, words))} failed")
    seconds = used.ru_utime + used.ru_stime
    return Cost(time.perf_counter() - started, seconds, used.ru_maxrss * 1024)


def written(number: int, folder: Path) -> Path:
    """Write the snapshots, compressed, a thousand a folder: after the last one the same of other hosts."""
    made = [gzip.compress(b"".join(json_document.dump(one)), 1) for one in example_fleet.snapshots()]
    for at in range(number):
        path = folder / f"{at // 1000:04d}"
        path.mkdir(parents=True, exist_ok=True)
        turn, document = divmod(at, len(made))
        text = gzip.decompress(made[document])
        if turn:
            text = text.replace(b'"name": "host-', b'"name": "turn-%d-host-' % turn)
        (path / f"{at:07d}.json.gz").write_bytes(gzip.compress(text, 1))
    return folder


def said(what: str, number: int, found: Cost) -> None:
    print(
        f"{what:<12} {found.clock:8.1f} s by the clock {found.processor:8.1f} s of the processor"
        f" {found.processor / number * 1000:7.2f} ms a snapshot {number / found.clock:8.0f} a second"
        f" {found.peak >> 20:5} MiB",
        flush=True,
    )


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--snapshots", type=int, default=4_000)
    options.add_argument("--files", type=Path, help="where the snapshots are, or are written to")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        files = chosen.files or Path(temporary) / "files"
        if not files.is_dir():
            written(chosen.snapshots, files)
        number, out = sum(1 for _ in files.rglob("*.json.gz")), Path(temporary) / "out"
        said("export", number, cost("export", files, "-o", out))
        sizes = [path.stat().st_size for path in out.rglob("*.parquet")]
        print(f"{number} snapshots, {sum(sizes) / number:,.0f} bytes each in {len(sizes)} files")
        said("again", number, cost("export", files, "-o", out))
        added = sum(path.stat().st_size for path in out.rglob("*.parquet")) - sum(sizes)
        for question, words in QUESTIONS.items():
            said(question, number, cost("fleet", question, out, *words))
    return 1 if added else 0


if __name__ == "__main__":
    sys.exit(main())

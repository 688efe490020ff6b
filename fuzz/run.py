"""Run targets under atheris: ``python -m fuzz.run [--seconds N] [TARGET...]``; one line for each.

Each target has a process of its own, so that one that hangs (5 s) or takes 1 GiB ends alone, and its
executions are counted by libFuzzer. An input that fails is kept in the folder given by ``--keep``.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SEEDS = ROOT / "fixtures" / "fuzz"
LONGEST = 8192  # bytes of an input
HANG, MEMORY = 5, 1024  # seconds of one input, MiB


def main() -> int:
    """Fuzz each target for some seconds; 1 if any failed."""
    if sys.argv[1:2] == ["--inside"]:
        _fuzz(sys.argv[2])
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("targets", nargs="*")
    words.add_argument("--seconds", type=int, default=4)
    words.add_argument("--runs", type=int, default=0, help="so many inputs instead, the same each time")
    words.add_argument("--keep", type=Path, default=None, help="where inputs that were new or failed go")
    asked = words.parse_args()
    from fuzz.targets import TARGETS

    failed = [name for name in asked.targets or TARGETS if not _one(name, asked)]
    return 1 if failed else 0


def _one(name: str, asked: argparse.Namespace) -> bool:
    """Fuzz one target in a process of its own; say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        found = (asked.keep or Path(folder)) / name
        found.mkdir(parents=True, exist_ok=True)
        extent = [f"-runs={asked.runs}", "-seed=1"] if asked.runs else [f"-max_total_time={asked.seconds}"]
        options = [
            *extent,
            f"-max_len={LONGEST}",
            f"-timeout={HANG}",
            f"-rss_limit_mb={MEMORY}",
            f"-artifact_prefix={found}/failed-",
            "-print_final_stats=1",
        ]
        command = [
            sys.executable,
            "-m",
            "fuzz.run",
            "--inside",
            name,
            *options,
            str(found),
            str(SEEDS / name),
        ]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False
        )
    executed = re.search(r"stat::number_of_executed_units: ([0-9]+)", done.stderr)
    said = "held" if done.returncode == 0 else f"FAILED ({done.returncode})"
    print(f"{name}: {said}, {executed[1] if executed else '?'} executions", flush=True)
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr)
    return done.returncode == 0


def _fuzz(name: str) -> None:
    """Become libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=["vmdiff", "fuzz.slow_smaps"]):
        from fuzz.targets import TARGETS
    import logging

    logging.disable()
    for seed in sorted((SEEDS / name).iterdir())[:1]:
        TARGETS[name](seed.read_bytes())  # what is imported late is no input that hangs
    atheris.Setup([sys.argv[0], *sys.argv[3:]], TARGETS[name])
    atheris.Fuzz()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())

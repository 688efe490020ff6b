"""Go programs for the tests, compiled with one build cache for all: the standard library is compiled once."""

import fcntl
import os
import subprocess
from pathlib import Path

_CACHE = Path(__file__).parents[2] / "build" / "go-cache"


def compile_go(compiler: str, folder: Path, target: Path, *options: str, source: str = ".") -> Path:
    """Compile *source*, by default the package, in *folder*; processes that share the cache do it one after the other."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    settings = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(_CACHE),
        "GOFLAGS": "-mod=mod",
        "GOTOOLCHAIN": "local",
    }
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # else each would compile the standard library
        command = [compiler, "build", *options, "-o", target, source]
        subprocess.run(command, cwd=folder, env=os.environ | settings, check=True)
    return target

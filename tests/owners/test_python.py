"""The arenas of CPython are found as CPython itself counts them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.owners.living import owned, running
from vmdiff.model import Snapshot

UNPACKED = Path(__file__).parents[2] / "build" / "python"
VERSIONS = [(3, minor) for minor in range(6, 15)]
BUSY = """
import sys
objects = [object() for _ in range(100_000)]
texts = [str(number) for number in range(200_000)]
del objects[::2]
sys._debugmallocstats()
sys.stderr.flush()
print("ready", flush=True)
sys.stdin.read()
"""


def interpreter(version: tuple[int, int]) -> str | None:
    """Find a CPython of a version: this one, one of pyenv's or of ``unpack_python``, or one on the path."""
    if version == sys.version_info[:2]:
        return sys.executable
    name = f"python{version[0]}.{version[1]}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = sorted(pyenv.glob(f"versions/{version[0]}.{version[1]}.*/bin/{name}"))
    for found in [*map(str, kept), shutil.which(str(UNPACKED / name)), shutil.which(name)]:
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    return None


def arenas(seen: Snapshot) -> Iterator[tuple[int, str]]:
    for mapping in seen.mappings:
        owner = mapping.owner
        if owner and owner.name == "python arena":
            yield mapping.size or 0, owner.certainty or ""
        for part in owner.parts if owner else ():
            if part.name == "python arena":
                yield part.end - part.start, part.certainty


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: "{}.{}".format(*version))
def test_arenas_add_up_to_what_the_interpreter_says(version: tuple[int, int]) -> None:
    program = interpreter(version)
    if program is None:
        pytest.skip("this version of Python is not here")
    process = subprocess.Popen(
        [program, "-c", BUSY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        seen = owned(process.pid)
    finally:
        said = process.communicate()[1]
    expected = re.search(r"(\d+) arenas \* (\d+) bytes/arena", said)
    found = list(arenas(seen))

    assert expected
    assert sum(size for size, _ in found) == int(expected[1]) * int(expected[2])
    assert {certainty for _, certainty in found} == {"certain"}


@pytest.mark.parametrize("name", [os.path.realpath(sys.executable), "/usr/bin/python3"])
def test_a_python_that_the_loader_was_asked_to_run_has_arenas(name: str) -> None:
    """Then the loader is the executable; the interpreter is in the program or in its library."""
    loader = Path("/lib64/ld-linux-x86-64.so.2")
    if not loader.exists() or not Path(name).exists():
        pytest.skip("not a Linux for x86-64 with glibc, or without a Python of its own")
    with running([loader, name, "-c", "print('ready', flush=True); input()"]) as (process, _):
        seen = owned(process.pid)

    assert seen.process.executable == str(loader.resolve())
    assert {certainty for _, certainty in arenas(seen)} == {"certain"}

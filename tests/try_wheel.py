"""Build both distributions: nothing may be missing from either.

The wheel is installed alone and used from an empty folder; the source distribution has what its own
Makefile and CI call.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_SHIPPED = (".git",)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="vmdiff-wheel-") as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
        [wheel], [source] = folder.glob("*.whl"), folder.glob("*.tar.gz")
        look_into(source)
        venv.create(folder / "venv", with_pip=True)
        run(
            folder / "venv/bin/python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            wheel,
        )
        empty = folder / "empty"
        empty.mkdir()
        use(folder / "venv/bin/vmdiff", empty)
    print("the wheel stands on its own, and the source distribution is whole")


def look_into(source: Path) -> None:
    """Check that the source distribution has every file of the repository that its commands need."""
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = run("git", "ls-files", "-z").split("\0") if (ROOT / ".git").exists() else held
    missing = {name for name in tracked if name and not name.startswith(NOT_SHIPPED)} - held
    if missing:
        raise SystemExit(f"the source distribution lacks {sorted(missing)}")


def use(vmdiff: Path, folder: Path) -> None:
    """Take a snapshot of this process and write it in every way there is."""
    assert run(vmdiff, "--version", cwd=folder).startswith("vmdiff ")
    run(vmdiff, "snap", os.getpid(), "-o", "a.json", cwd=folder)
    run(vmdiff, "snap", os.getpid(), "-o", "b.json.gz", cwd=folder)
    schema = json.loads(run(vmdiff, "schema", "comparison", cwd=folder))
    assert "changes" in json.dumps(schema)
    for form in formats(vmdiff, folder):
        run(vmdiff, "show", "a.json", "--format", form, "-o", f"show.{form}", cwd=folder)
        run(vmdiff, "compare", "a.json", "b.json.gz", "--format", form, "-o", f"compare.{form}", cwd=folder)
        assert (folder / f"compare.{form}").stat().st_size


def formats(vmdiff: Path, folder: Path) -> list[str]:
    """Give the formats that the installed vmdiff itself names."""
    python = vmdiff.parent / "python"
    text = run(python, "-c", "from vmdiff.report import Format; print(*Format)", cwd=folder)
    return text.split()


def run(*command: object, cwd: Path = ROOT) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()

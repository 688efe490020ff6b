"""Build the wheel, install it alone, and use it from an empty folder: nothing may be missing from it."""

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="vmdiff-wheel-") as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT)
        [wheel] = folder.glob("*.whl")
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
    print("the wheel stands on its own")


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

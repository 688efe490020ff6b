"""Chromium's reservations are told by place and alignment, and only where Chromium is."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.owners.living import owned
from vmdiff.model import Mapping, Origin, Snapshot, kind_of
from vmdiff.owners import RULES, Scene, assign

DATA = "7f0000000000-7f0000a00000 r--s /opt/app/icudtl.dat"
# A renderer's layout: super pages, V8's cage and trusted space, Blink's heap, PartitionAlloc's metadata.
RENDERER = """
092f00000000-092f00010000 r--p
092f00010000-092f01000000 ---p
092f01000000-092f019c0000 rw-p
092f019c0000-0a7700000000 ---p
160400000000-160400002000 ---p
160400002000-160400003000 rw-p
160400003000-160400004000 ---p
160400004000-1604001fc000 rw-p
1604001fc000-160400204000 ---p
160400204000-160400230000 rw-p
160400230000-160800000000 ---p
1bcc00000000-1bcc02000000 ---p
1bcc02000000-1bcc02820000 rw-p
1bcc02820000-1bd000000000 ---p
29e400000000-29e401000000 ---p
29e401000000-29e401100000 rw-p
29e401100000-29e440000000 ---p
325ec2e11000-325ec2e12000 ---p
325ec2e12000-325ec2e13000 rw-p
325ec2e13000-325ec3012000 ---p
325ec3012000-325ec3013000 rw-p
325ec3013000-3262c2e11000 ---p
"""


def seen(*lines: str) -> Snapshot:
    mappings = []
    for line in "\n".join(lines).split("\n"):
        if line:
            bounds, perms, *path = line.split()
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            name = path[0] if path else None
            mappings.append(Mapping(start, end, perms, kind_of(name, perms), path=name))
    return assign(Scene(Snapshot(origin=Origin(source="test"), mappings=tuple(mappings))), RULES)


def test_each_reservation_has_its_owner_likely() -> None:
    found = [m.owner for m in seen(RENDERER, DATA).mappings if m.perms != "---p" and m.path is None]

    assert [owner and owner.name for owner in found] == [
        *["v8 heap"] * 2,
        *["partition alloc"] * 3,
        "oilpan",
        "v8 heap",
        *["partition alloc"] * 2,
    ]
    assert {owner and owner.certainty for owner in found} == {"likely"}


def test_the_same_layout_elsewhere_has_no_owner() -> None:
    found = seen(RENDERER).mappings

    assert {m.owner and m.owner.name for m in found} == {None, "reservation"}


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[list[int]]:
    """Run Chromium on a page; give the ids of its renderers."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        ["chromium", *options, "--remote-debugging-port=0", "data:text/html,<p>hello"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("DevTools listening"):
                break
        yield [process.pid, *renderers(str(profile))]
    finally:
        process.terminate()
        process.communicate()


def renderers(profile: str) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_text(errors="replace")
            if profile in line and "--type=renderer" in line:
                yield int(folder.name)


@pytest.mark.needs_program("chromium")
def test_nearly_all_of_a_real_browser_is_owned(tmp_path: Path) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not here")
    with browser(tmp_path) as pids:
        for pid in pids:
            resident = {True: 0, False: 0}
            for mapping in owned(pid).mappings:
                if mapping.kind in {"anonymous", "heap", "stack"}:
                    rss = mapping.values.get("rss", 0)
                    resident[mapping.owner is not None] += rss if isinstance(rss, int) else 0
            assert resident[True] > 0.9 * sum(resident.values())

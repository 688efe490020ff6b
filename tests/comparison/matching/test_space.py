"""Whether two snapshots show one address space: known by identity, or by landmarks placed at random."""

from typing import Any

import pytest

from tests.draw import snapshot
from vmdiff.comparison.compare import compare
from vmdiff.comparison.matching.same_space import recognise
from vmdiff.errors import MatchError
from vmdiff.model import Host, Kind, Mapping, Process, Redaction, Snapshot

LOADER = "/lib64/ld-linux-x86-64.so.2"
LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
PLACES = {
    LIBC: 0x7F10_0000_0000,
    LOADER: 0x7F20_0000_0000,
    "[stack]": 0x7FFE_0000_0000,
    "[vdso]": 0x7FFE_1000_0000,
}
ME = {"pid": 7, "pid_namespace": "pid:[1]", "start_ticks": 55, "executable": "/usr/bin/app"}


def taken(
    *,
    boot: str | None = "b1",
    moved: dict[str, int] | None = None,
    without: tuple[str, ...] = (),
    **process: Any,
) -> Snapshot:
    """Build a snapshot with landmarks, some of them *moved* by an offset or left out."""
    places = {
        path: start + (moved or {}).get(path, 0) for path, start in PLACES.items() if path not in without
    }
    mappings = [Mapping(0x400000, 0x401000, "r-xp", Kind.IMAGE, path="/usr/bin/app")]
    mappings += [
        Mapping(start, start + 0x1000, "r-xp", path=path)
        for path, start in sorted(places.items(), key=lambda p: p[1])
    ]
    mappings.append(Mapping(0xFFFFFFFFFF600000, 0xFFFFFFFFFF601000, "--xp", Kind.KERNEL, path="[vsyscall]"))
    return snapshot(*mappings, host=Host(boot_id=boot), process=Process(**process))


ANOTHER_DRAW = dict.fromkeys(PLACES, 0x5000)
IMPORT: dict[str, Any] = {"boot": None}


@pytest.mark.parametrize(
    ("before", "after", "match", "reason"),
    [
        pytest.param(ME, ME, "address", "the same process 7", id="itself-later"),
        pytest.param(ME, {**ME, "pid": 8, "start_ticks": 60}, "address", "as in a fork", id="fork"),
        pytest.param(
            ME, {**ME, "pid": 8, "moved": ANOTHER_DRAW}, "structure", "at other addresses", id="another-run"
        ),
        pytest.param(
            ME,
            {**ME, "start_ticks": 99, "moved": ANOTHER_DRAW},
            "structure",
            "other addresses",
            id="pid-reused",
        ),
        pytest.param(
            ME, {**ME, "boot": "b2", "moved": ANOTHER_DRAW}, "structure", "other addresses", id="another-boot"
        ),
        pytest.param(ME, {**ME, "boot": "b2", "pid": 9}, "address", "without ASLR", id="randomisation-off"),
        pytest.param(
            ME, {**ME, "moved": ANOTHER_DRAW}, "structure", "executed a program", id="exec-of-itself"
        ),
        pytest.param(
            ME,
            {**ME, "executable": "/usr/bin/other"},
            "structure",
            "executed another",
            id="exec-without-randomisation",
        ),
        pytest.param(
            ME,
            {**ME, "executable": "/usr/bin/app (deleted)"},
            "address",
            "same process",
            id="upgraded-while-running",
        ),
        pytest.param(
            ME, {**ME, "moved": {"[stack]": 0x1000}}, "structure", "[stack] moved", id="stack-ends-elsewhere"
        ),
        pytest.param(IMPORT, IMPORT, "address", "libc, [stack] and [vdso]", id="imports-without-pid"),
        pytest.param(
            IMPORT,
            {**IMPORT, "moved": ANOTHER_DRAW},
            "structure",
            "other addresses",
            id="imports-of-two-runs",
        ),
        pytest.param(
            IMPORT, {**IMPORT, "moved": {LIBC: 0x1000}}, "structure", "libc is at other", id="libc-elsewhere"
        ),
        pytest.param(ME, IMPORT, "address", "at the same addresses", id="document-and-listing"),
        pytest.param(
            {**IMPORT, "without": ("[vdso]",)},
            {**IMPORT, "without": ("[vdso]",)},
            "address",
            "[stack]",
            id="stack-will-do",
        ),
        pytest.param(
            {**IMPORT, "without": (LIBC, LOADER)},
            {**IMPORT, "without": (LIBC, LOADER)},
            "address",
            "[vdso]",
            id="static-program",
        ),
        pytest.param(
            {**IMPORT, "without": ("[stack]", "[vdso]")},
            {**IMPORT, "without": ("[stack]", "[vdso]")},
            "structure",
            "nothing shows",
            id="libraries-alone-prove-nothing",
        ),
        pytest.param(
            {**IMPORT, "without": tuple(PLACES)},
            {**IMPORT, "without": tuple(PLACES)},
            "structure",
            "nothing shows",
            id="fixed-addresses-prove-nothing",
        ),
    ],
)
def test_auto_recognises_one_address_space(
    before: dict[str, Any], after: dict[str, Any], match: str, reason: str
) -> None:
    verdict = recognise(taken(**before), taken(**after))

    assert verdict.match == match
    assert reason in verdict.reason
    assert recognise(taken(**after), taken(**before)).match == match


@pytest.mark.parametrize(
    ("path", "landmark"),
    [
        ("/lib/ld-2.31.so", "the loader"),
        ("/lib/ld-linux.so.2", "the loader"),
        ("/lib/ld-linux-aarch64.so.1", "the loader"),
        ("/system/bin/linker64", "the loader"),
        ("/lib/ld-musl-x86_64.so.1", "the loader and libc"),
        ("/lib/libc-2.31.so", "libc"),
        ("ld-2.11.2.so", "the loader"),
    ],
)
def test_loader_and_libc_are_known_by_their_names(path: str, landmark: str) -> None:
    def seen(at: int) -> Snapshot:
        return snapshot(
            Mapping(at, at + 0x1000, "r-xp", path=path),
            Mapping(at + 0x9000, at + 0xA000, "rw-p", path="[stack]"),
        )

    assert recognise(seen(0x10000), seen(0x20000)).reason.startswith(landmark.partition(" and ")[0])
    assert recognise(seen(0x10000), seen(0x10000)).match == "address"


def redacted(snapshot_: Snapshot, run: str) -> Snapshot:
    origin = snapshot_.origin.model_copy(update={"redaction": Redaction(run=run)})
    return snapshot_.model_copy(update={"origin": origin})


def test_snapshots_redacted_apart_are_never_matched_by_address() -> None:
    one, other = redacted(taken(**ME), "r1"), redacted(taken(**ME), "r2")

    assert recognise(one, other).match == "structure"
    assert recognise(one, taken(**ME)).match == "structure"
    assert recognise(one, redacted(taken(**ME), "r1")).match == "address"
    with pytest.raises(MatchError, match="not redacted together"):
        compare(one, other, match="address")


def test_by_address_and_by_structure_can_be_forced() -> None:
    one, other = taken(**ME), taken(**ME, moved=ANOTHER_DRAW)

    assert compare(one, other, match="address").match == "address"
    assert compare(one, other, match="address").changes != ()
    assert compare(one, one, match="structure").match == "structure"
    assert compare(one, other).changes == ()

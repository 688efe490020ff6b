"""Execute permission alone is no generated code."""

from pathlib import Path

import pytest

from tests.owners.living import compiled, owned, running
from tests.owners.truth import judged
from vmdiff.model import Kind, Mapping, Origin, Snapshot
from vmdiff.owners import RULES, Scene, assign

CODE = Mapping(0x700000, 0x800000, "rwxp")


def owner(*mappings: Mapping) -> str | None:
    """Return the owner of executable memory without a name among some mappings."""
    seen = assign(Scene(Snapshot(origin=Origin(source="test"), mappings=mappings)), RULES)
    found = next(mapping for mapping in seen.mappings if mapping.path is None and "x" in mapping.perms)
    return found.owner and found.owner.name


def image(start: int, end: int, perms: str, offset: int) -> Mapping:
    return Mapping(start, end, perms, Kind.IMAGE, offset, "fe:00", "7", "/usr/bin/server")


def test_executable_memory_without_a_file_is_likely_generated() -> None:
    assert owner(image(0x400000, 0x500000, "r-xp", 0), CODE) == "jit code"


@pytest.mark.parametrize(
    "mappings",
    [
        pytest.param(
            (CODE, Mapping(0x900000, 0xA00000, "rwxp", Kind.STACK, path="[stack]")), id="read implies exec"
        ),
        pytest.param((CODE._replace(offset=0x2000),), id="a file without its name"),
        pytest.param((CODE._replace(device="fe:01", inode="12"),), id="a file with an inode"),
        pytest.param(
            (image(0x600000, 0x700000, "r-xp", 0), CODE, image(0x800000, 0x900000, "r-xp", 0x200000)),
            id="text on huge pages",
        ),
        pytest.param(
            (image(0x100000, 0x200000, "r-xp", 0)._replace(path="/usr/lib/wine/ntdll.so"), CODE), id="wine"
        ),
    ],
)
def test_what_is_executable_for_another_reason_is_not(mappings: tuple[Mapping, ...]) -> None:
    assert owner(*mappings) is None


def test_with_read_implies_exec_what_can_be_run_is_whose_it_is() -> None:
    with running([compiled(Path(__file__).parent / "programs" / "implied_code.c")]) as (process, said):
        seen = owned(process.pid)

    assert any(mapping.perms == "rwxp" and mapping.path is None for mapping in seen.placed)
    assert {verdict.word for verdict in judged(seen, said)} == {"right"}

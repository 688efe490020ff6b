"""Memory of a program's own that touches, covers or resembles an object's has no owner of the object's."""

from pathlib import Path

import pytest

from tests.owners.living import compiled, owned, running
from tests.owners.real import library
from tests.owners.truth import judged, wrong

PROGRAM = Path(__file__).parent / "programs" / "beside_objects.c"


@pytest.mark.parametrize("seed", range(12))
def test_pages_that_the_kernel_merged_with_the_loaders_are_not_the_loaders(seed: int) -> None:
    with running([compiled(PROGRAM), "small", seed]) as (process, said):
        verdicts = judged(owned(process.pid), said)

    assert {verdict.word for verdict in verdicts} == {"right"}


def test_the_loaders_own_pages_are_found() -> None:
    with running([compiled(PROGRAM), "small", 1]) as (process, _):
        seen = owned(process.pid)
    pieces = [piece for m in seen.mappings if m.owner for piece in m.owner.parts or (m.owner,)]

    assert "main thread" in {piece.label for piece in pieces if piece.name == "loader"}


def test_a_file_that_is_only_read_owns_nothing_beside_its_content() -> None:
    program = compiled(PROGRAM)
    with running([program, "reading", library("libc.so.6"), library("libstdc++.so.6"), program]) as (
        process,
        said,
    ):
        verdicts = judged(owned(process.pid), said)

    assert [verdict for verdict in verdicts if verdict.word != "right"] == []


def test_files_over_an_array_are_not_zeroed_variables() -> None:
    with running([compiled(PROGRAM), "covering"]) as (process, said):
        verdicts = judged(owned(process.pid), said)

    assert not wrong(verdicts)
    assert {verdict.word for verdict in verdicts} == {"right"}

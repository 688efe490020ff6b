"""Programs in which a finding would be tempting, and false."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import vmdiff
from tests.machine import changed
from tests.owners.living import compiled
from tests.situations.staged import at_rest
from vmdiff.answer import answer
from vmdiff.comparison.compare import Comparison
from vmdiff.findings import find

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes a live process")

PROGRAM = Path(__file__).parent / "programs" / "tempting.c"


class Case(NamedTuple):
    """A program's situation, the findings that it must not make, and words that must be said of it."""

    name: str
    silent: frozenset[str]
    said: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


CASES = (
    Case(
        "freed-own-and-malloced-little",
        frozenset({"heap-growth", "owner-growth"}),
        said=("mapped by the program itself -50.0 MiB",),
    ),
    Case("file-written-by-two", frozenset({"file-backed-growth"}), unsaid=("can drop them at any time",)),
    Case("filled-then-protected", frozenset({"reservation"}), unsaid=("costs no memory",)),
    Case("collapsed", frozenset({"huge-pages"}), said=("resident unchanged",)),
    Case("shared-gone-private-come", frozenset({"sharing-broken", "became-shared"}), unsaid=("copied", "copy")),
    Case("sharer-of-locked-ended", frozenset({"locked"})),
    Case("threads-that-ended", frozenset({"new-threads"})),
    Case("locked-as-root", frozenset({"limit-near"})),
    Case("copied-and-dropped", frozenset(), unsaid=("none of the rest", "all of the rest")),
    Case("unpacked-library", frozenset(), unsaid=("a restart",)),
    Case("beside-writable-code", frozenset(), said=("256 KiB became both writable and executable",)),
    Case("locked-file", frozenset({"file-backed-growth"}), unsaid=("drop",)),
    Case("file-in-memory", frozenset({"file-backed-growth"}), unsaid=("drop them at any time without writing anything;",)),
    Case("child-ended", frozenset(), unsaid=("as the page faults suggest", "copied on write since")),
    Case("one-arena-of-many-heaps", frozenset({"many-arenas"})),
    Case("named-deleted", frozenset({"deleted-data"}), unsaid=("was deleted", "deleted, still mapped")),
    Case("another-name", frozenset(), unsaid=("is free only when it is unmapped",), said=("and has no other name",)),
    Case("memory-listed-as-deleted", frozenset({"deleted-data"}), unsaid=("was deleted", "deleted, still mapped")),
    Case("huge-but-transparent", frozenset({"hugetlb"}), unsaid=("hugetlb",)),
    Case("filled-densely", frozenset({"page-tables"}), said=("mapped by the program itself +600 MiB",)),
)  # fmt: skip


@contextmanager
def acting(name: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [compiled(PROGRAM, "-pthread", "-ldl"), name, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.stdin.close()
            process.kill()


def happened(name: str, folder: Path) -> Comparison:
    with acting(name, folder) as process:
        before = at_rest(process.pid)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        return vmdiff.compare(before, at_rest(process.pid))


@pytest.mark.changes_machine
def test_hugetlb_memory_that_nobody_touched_is_not_there(tmp_path):
    huge = Path("/proc/sys/vm/nr_hugepages")
    if not os.access(huge, os.W_OK):
        pytest.skip("only root may ask for huge pages")
    with changed(huge, "8"):
        if int(huge.read_text()) < 8:
            pytest.skip("this machine has no 16 MiB in pieces of 2 MiB")
        found = happened("huge-not-touched", tmp_path)

    assert "hugetlb" not in {finding.id for finding in find(found)}
    assert answer(found).sentence.startswith("resident unchanged")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_tempting_sentence_is_not_said(case, tmp_path):
    if case.name == "locked-as-root" and os.geteuid() != 0:
        pytest.skip("only root may lock beyond the limit")
    if case.name == "unpacked-library":
        source = tmp_path / "library.c"
        source.write_text("int one(void) { return 1; }")
        (tmp_path / "library.so").write_bytes(compiled(source, "-shared", "-fPIC").read_bytes())
    found = happened(case.name, tmp_path)
    findings = find(found)
    told = "\n".join([answer(found).sentence, *(finding.message for finding in findings)])

    assert not case.silent & {finding.id for finding in findings}, told
    assert [words for words in case.said if words not in told] == [], told
    assert [words for words in case.unsaid if words in told] == [], told

"""What an object owns beside its file is found by its program headers, or likely by its layout."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.owners.living import owner_at, running, snapshot
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Snapshot
from vmdiff.owners import RULES, Scene, assign

LIBRARY = """
static char zeros[1 << 20];
static int value = 7;
int *const constant = &value;
char *touch(void) { zeros[4096 * 8] = 1; return zeros; }
"""
PROGRAM = """
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **words) {
    void *library = dlopen(words[1], RTLD_NOW);
    char *(*touch)(void) = dlsym(library, "touch");
    printf("bss %lx\\n", (unsigned long)touch() + 4096 * 8);
    printf("relro %lx\\n", (unsigned long)dlsym(library, "constant"));
    int file = syscall(SYS_memfd_create, "scratch", 0);
    ftruncate(file, 8192);
    printf("memfd %lx\\n", (unsigned long)mmap(0, 8192, PROT_READ, MAP_SHARED, file, 0));
    printf("shared %lx\\n", (unsigned long)mmap(0, 8192, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    puts("ready");
    fflush(stdout);
    pause();
    return count;
}
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Snapshot, Snapshot, dict[str, int]]]:
    """Give a program with a library that has gaps: with and without its memory, and its addresses."""
    folder = tmp_path_factory.mktemp("images")
    library, program = folder / "libgaps.so", folder / "program"
    (folder / "library.c").write_text(LIBRARY)
    (folder / "program.c").write_text(PROGRAM)
    apart = ["-Wl,-z,max-page-size=0x200000", "-Wl,-z,relro,-z,now", "-shared", "-fPIC"]
    subprocess.run(["gcc", *apart, "-o", library, folder / "library.c"], check=True)
    subprocess.run(["gcc", "-o", program, folder / "program.c", "-ldl"], check=True)
    with running([program, library]) as (process, said):
        plain = snapshot(process.pid)
        with LiveMemory(process.pid, mappings=plain.mappings) as memory:
            known = assign(Scene(plain, memory), RULES)
        yield known, assign(Scene(plain), RULES), {word: int(lines[0], 16) for word, lines in said.items()}


@pytest.mark.parametrize(
    ("word", "name", "label"),
    [
        ("bss", "bss", "libgaps.so"),
        ("relro", "relro", "libgaps.so"),
        ("memfd", "memfd", "scratch"),
        ("shared", "shared anonymous", None),
    ],
)
def test_what_an_object_has_besides_its_file(
    seen: tuple[Snapshot, Snapshot, dict[str, int]], word: str, name: str, label: str | None
) -> None:
    known, _, said = seen
    owner = owner_at(known, said[word])

    assert owner is not None
    assert (owner.name, owner.label, owner.certainty) == (name, label, "certain")


def test_gaps_of_libraries_are_told(seen: tuple[Snapshot, Snapshot, dict[str, int]]) -> None:
    for found, certainty in zip(seen[:2], ("certain", "likely"), strict=True):
        gaps = [m for m in found.mappings if m.path and m.path.endswith("libgaps.so") and m.perms == "---p"]

        assert gaps
        assert {(m.owner.name, m.owner.certainty) for m in gaps if m.owner} == {("library gap", certainty)}


def test_headers_out_of_reach_leave_a_likeness(seen: tuple[Snapshot, Snapshot, dict[str, int]]) -> None:
    _, listed, said = seen
    for word in ("bss", "relro"):
        owner = owner_at(listed, said[word])
        assert owner is not None
        assert (owner.name, owner.certainty) == (word, "likely")


def test_the_code_and_constants_of_an_object_are_its_files(
    seen: tuple[Snapshot, Snapshot, dict[str, int]],
) -> None:
    for found in seen[:2]:
        for mapping in found.mappings:
            if mapping.path and ".so" in mapping.path and mapping.perms in {"r-xp", "rw-p"}:
                assert mapping.owner is None

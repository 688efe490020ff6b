"""The groups of musl's malloc are found by the records that lead back to them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.owners.living import owned, owner_at, running

PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
static void *keep[30000];
int main(void) {
    for (int i = 0; i < 30000; i++) {
        char *piece = keep[i] = malloc(i % 100 ? 500 + i % 3000 : 100000 + i * 100);
        piece[0] = 1;
        if (i > 10000 && i % 500 < 2) printf("piece %lx\\n", (unsigned long)piece);
    }
    char *mine = mmap(0, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(mine, 4096, PROT_NONE);
    mprotect(mine + (8 << 20) - 4096, 4096, PROT_NONE);
    mine[4096 * 3] = 1;
    printf("mine %lx\\n", (unsigned long)mine + 4096 * 3);
    puts("ready");
    fflush(stdout);
    pause();
}
"""


@pytest.mark.needs_program("musl-gcc")
def test_every_piece_that_malloc_gave_is_in_a_group(tmp_path: Path) -> None:
    if shutil.which("musl-gcc") is None:
        pytest.skip("musl is not here")
    (tmp_path / "program.c").write_text(PROGRAM)
    subprocess.run(["musl-gcc", "-o", tmp_path / "program", tmp_path / "program.c"], check=True)
    with running([tmp_path / "program"]) as (process, said):
        seen = owned(process.pid)
        found = [owner_at(seen, int(address, 16)) for address in said["piece"]]
        mine = owner_at(seen, int(said["mine"][0], 16))

    assert {(owner.name, owner.certainty) for owner in found if owner} == {("musl malloc", "certain")}
    assert None not in found
    assert mine is None

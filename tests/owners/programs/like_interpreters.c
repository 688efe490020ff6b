/* An ordinary program's memory that begins as the heaps of interpreters do: a page that leads to a record which
   leads back (Ruby), a chunk of 2 MiB that leads to itself (PHP), bins that lead to themselves (LuaJIT), lists
   of areas with sizes and flags (Erlang). Prints `T START END own` for each. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef unsigned long word;

static word *own(size_t length, size_t alignment) {
    char *memory = mmap(0, length + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory += -(word)memory % alignment;
    printf("T %lx %lx own\n", (word)memory, (word)memory + length);
    return (word *)memory;
}

int main(void) {
    word *page = own(16 << 10, 16 << 10), *record = calloc(16, 8);
    page[0] = (word)record;
    record[0] = 409 << 16 | 40;
    record[4] = (word)page + 16;

    word *chunk = own(2 << 20, 2 << 20);
    chunk[0] = (word)chunk + 64, chunk[1] = chunk[2] = (word)chunk;
    chunk[8 + 34] = 2 << 20, chunk[8 + 41] = (word)chunk, chunk[8 + 43] = 1;

    word *state = own(128 << 10, 4096);
    state[1] = 0x372;
    for (int n = 0; n < 32; n++) state[11 + 2 * n] = state[12 + 2 * n] = (word)(state + 9 + 2 * n);
    state[107] = (word)state, state[108] = 128 << 10;

    word *carrier = own(512 << 10, 4096), *next = own(512 << 10, 4096), *instance = calloc(512, 8);
    carrier[0] = next[0] = 512 << 10 | 1;
    carrier[1] = (word)next, next[2] = (word)carrier;
    carrier[3] = next[3] = (word)instance;
    instance[15] = (word)"eheap_";
    puts("ready");
    fflush(stdout);
    pause();
}

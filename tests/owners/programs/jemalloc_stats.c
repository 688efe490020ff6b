// Allocates and frees with jemalloc, then prints its own statistics. Arguments: blocks, per mille kept, seed.
#include <jemalloc/jemalloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print(const char *word, const char *name) {
    size_t value, length = sizeof value;
    if (mallctl(name, &value, &length, 0, 0)) abort();
    printf("%s %zu\n", word, value);
}

int main(int count, char **words) {
    static char buffer[4096];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    int blocks = atoi(words[1]), kept = atoi(words[2]);
    unsigned seed = atoi(words[3]);
    void **held = calloc(blocks, sizeof *held);
    for (int i = 0; i < blocks; i++) {
        size_t size = 1 + (rand_r(&seed) % 50 ? rand_r(&seed) % 500 : rand_r(&seed) % 200000);
        held[i] = memset(malloc(size), 1, size);
    }
    for (int i = 0; i < blocks; i++)
        if (rand_r(&seed) % 1000 >= kept) free(held[i]);
    mallctl("thread.tcache.flush", 0, 0, 0, 0);
    uint64_t epoch = 1;
    mallctl("epoch", 0, 0, &epoch, sizeof epoch);
    print("allocated", "stats.allocated");
    print("active", "stats.active");
    print("retained", "stats.retained");
    puts("ready");
    fflush(stdout);
    pause();
}

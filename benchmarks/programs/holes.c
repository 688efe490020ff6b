/* Allocates and frees in jemalloc so that pages between blocks come and go, and prints what jemalloc counts.
 * On a line of standard input: "fill" allocates blocks and writes to them, "holes" frees 15 of 16, "purge" returns
 * what is free to the kernel, "drop" frees all. The answer is jemalloc's allocated, resident, mapped and retained bytes. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16 };
static char *blocks[MOST];
static int held;
static int (*control)(const char *, void *, size_t *, void *, size_t);

static size_t statistic(const char *name) {
    size_t value = 0, length = sizeof value;
    control(name, &value, &length, NULL, 0);
    return value;
}

static void answer(void) {
    uint64_t epoch = 1;
    size_t length = sizeof epoch;
    control("epoch", &epoch, &length, &epoch, length);
    printf("%zu %zu %zu %zu\n", statistic("stats.allocated"), statistic("stats.resident"),
           statistic("stats.mapped"), statistic("stats.retained"));
    fflush(stdout);
}

int main(int count, char **words) {
    control = dlsym(RTLD_DEFAULT, "mallctl");
    if (!control) return fputs("no jemalloc\n", stderr), 1;
    srand(count > 1 ? atoi(words[1]) : 1);
    setvbuf(stdin, NULL, _IONBF, 0);
    answer();
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        if (!strncmp(line, "fill", 4)) {
            for (int wanted = 500 + rand() % 1000; wanted && held < MOST; wanted--) {
                size_t size = (4 + rand() % 252) << 10;
                blocks[held] = malloc(size);
                memset(blocks[held++], 1, size);
            }
        } else if (!strncmp(line, "holes", 5)) {
            int kept = 0;
            for (int at = 0; at < held; at++)
                if (at % 16) free(blocks[at]);
                else blocks[kept++] = blocks[at];
            held = kept;
        } else if (!strncmp(line, "drop", 4)) {
            while (held) free(blocks[--held]);
        } else if (!strncmp(line, "purge", 5)) {
            control("arena.4096.purge", NULL, NULL, NULL, 0);
        }
        answer();
    }
}

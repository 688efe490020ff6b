/* A process with many mappings: crowd COUNT [sizes | FILE]; "sizes" are all sizes instead of small ones, and
 * FILE is made and mapped in pieces, so that no two mappings are alike but for their bounds. On a line of standard input it starts, on the
 * next it stops, to map and unmap in a loop, and prints how long that took (median, 99th percentile, worst,
 * sum in nanoseconds, and how often): the time that a reader of its memory held it up. "touch N" touches one more page of every N-th mapping. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MOST = 1 << 22 };

static atomic_int measuring;
static unsigned *nanoseconds, measured;

static void *map_and_unmap(void *unused) {
    (void)unused;
    struct timespec before, after;
    while (measuring) {
        clock_gettime(CLOCK_MONOTONIC, &before);
        char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *page = 1;
        munmap(page, PAGE);
        clock_gettime(CLOCK_MONOTONIC, &after);
        if (measured < MOST)
            nanoseconds[measured++] = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
        usleep(50);
    }
    return NULL;
}

static int by_size(const void *a, const void *b) {
    return *(const unsigned *)a < *(const unsigned *)b ? -1 : *(const unsigned *)a > *(const unsigned *)b;
}

static void report(void) {
    unsigned long sum = 0;
    for (unsigned i = 0; i < measured; i++) sum += nanoseconds[i];
    qsort(nanoseconds, measured, sizeof *nanoseconds, by_size);
    printf("%u %u %u %lu %u\n", nanoseconds[measured / 2], nanoseconds[measured - 1 - measured / 100],
           nanoseconds[measured - 1], sum, measured);
}

int main(int count, char **words) {
    int wanted = atoi(words[1]), different = count > 2, page = sysconf(_SC_PAGESIZE), file = -1;
    off_t offset = 0;
    if (different && strcmp(words[2], "sizes") && (file = open(words[2], O_RDWR | O_CREAT, 0600)) < 0)
        return perror(words[2]), 1;
    if (file >= 0 && ftruncate(file, (off_t)wanted * 1000 * page)) return perror("ftruncate"), 1;
    char **mappings = calloc(wanted, sizeof *mappings);
    int *sizes = calloc(wanted, sizeof *sizes);
    nanoseconds = malloc(MOST * sizeof *nanoseconds);
    srand(7);
    for (int i = 0; i < wanted; i++) {
        sizes[i] = different ? 1 + rand() % 900 : 1 + rand() % 9;
        size_t length = (size_t)sizes[i] * page;
        int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE;
        mappings[i] = mmap(NULL, length + page, PROT_READ | PROT_WRITE, flags, file, offset);
        offset += file < 0 ? 0 : length;
        if (mappings[i] == MAP_FAILED) return perror("mmap"), 1;
        munmap(mappings[i] + length, page); /* a hole, or the kernel would join neighbours */
        int most = file < 0 ? 39 : 3; /* a page of a file is slow to come by */
        int touched = rand() % ((sizes[i] <= most ? sizes[i] : most) + 1); /* none of it, all of it, or some */
        for (int at = 0; at < touched; at++) mappings[i][(size_t)at * page] = 1;
    }
    puts("ready");
    fflush(stdout);
    pthread_t thread;
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        int step;
        if (sscanf(line, "touch %d", &step) == 1) {
            for (int i = 0; i < wanted; i += step) mappings[i][(size_t)(sizes[i] - 1) * page] ^= 1;
            for (int i = 0; i < wanted; i += step)
                if (sizes[i] > 1) madvise(mappings[i], page, MADV_DONTNEED);
            puts("touched");
        } else if (!measuring) {
            measured = 0;
            measuring = 1;
            pthread_create(&thread, NULL, map_and_unmap, NULL);
            puts("measuring");
        } else {
            measuring = 0;
            pthread_join(thread, NULL);
            report();
        }
        fflush(stdout);
    }
}

/* Headers of ordinary region allocators: size, begin, end; next, current, end, size. And an arena of malloc
   after a few frees, whose bins resemble bounds. Prints `T START END NAME|NAME`. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct by_bounds { size_t size; char *begin, *end; struct by_bounds *next; };
struct by_cursor { struct by_cursor *next; char *current, *end; size_t size, used; };

static void truth(void *start, size_t length, const char *names) {
    printf("T %lx %lx %s\n", (unsigned long)start, (unsigned long)start + length, names);
}
static char *aligned(size_t size) {
    char *memory = mmap(0, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *start = (char *)(((uintptr_t)memory + size - 1) & ~(size - 1));
    if (start > memory) munmap(memory, start - memory);
    if (memory + size > start) munmap(start + size, memory + size - start);
    return start;
}
static void bounds(void) {
    for (int n = 0; n < 3; n++) {
        size_t size = 1 << 20;
        struct by_bounds *region = (void *)aligned(size);
        *region = (struct by_bounds){size, (char *)(region + 1), (char *)region + size, 0};
        truth(region, size, "own");
    }
}
static void cursors(void) {
    for (size_t size = 2 << 20; size <= 64 << 20; size *= 2) {
        struct by_cursor *region = (void *)aligned(size);
        *region = (struct by_cursor){0, (char *)(region + 1), (char *)region + size, size, 0};
        memset(region->current, 1, 4096);
        truth(region, size, "own");
    }
}
static void *blocks(void *nothing) {
    void *small[10], *larger[10];
    for (int n = 0; n < 10; n++) small[n] = malloc(24);
    for (int n = 0; n < 10; n++) larger[n] = malloc(40);
    truth((void *)((uintptr_t)small[0] & ~((64UL << 20) - 1)), 0x21000, "malloc-arena");
    for (int n = 0; n < 10; n++) { free(small[n]); free(larger[n]); }
    puts("ready");
    fflush(stdout);
    pause();
    return nothing;
}

int main(int count, char **words) {
    const char *acts = count > 1 ? words[1] : "";
    if (strchr(acts, '2')) bounds();
    if (strchr(acts, 'r')) cursors();
    if (strchr(acts, 'a')) {
        pthread_t thread;
        pthread_create(&thread, 0, blocks, 0);
        pthread_join(thread, 0);
    }
    puts("ready");
    fflush(stdout);
    pause();
}

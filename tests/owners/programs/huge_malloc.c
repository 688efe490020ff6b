/* malloc that takes everything in huge pages: run with GLIBC_TUNABLES=glibc.malloc.hugetlb=2.
   Prints `T START END NAME|NAME` for each piece of memory. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_barrier_t filled;

static void truth(void *start, size_t length, const char *names) {
    printf("T %lx %lx %s\n", (unsigned long)start, (unsigned long)start + length, names);
}
static void fill(const char *names) {
    for (int n = 0; n < 3000; n++) {
        char *block = memset(malloc(1000), 1, 1000);
        if (n % 100 == 0) truth(block, 1000, names);
    }
}
static void *thread(void *nothing) {
    fill("malloc-arena");
    pthread_barrier_wait(&filled);
    pause();
    return nothing;
}

int main(void) {
    pthread_t made;
    pthread_barrier_init(&filled, 0, 2);
    pthread_create(&made, 0, thread, 0);
    fill("malloc-heap");
    for (int n = 0; n < 2; n++) truth(memset(malloc(3 << 20), 1, 3 << 20), 3 << 20, "malloc-large-block");
    pthread_barrier_wait(&filled);
    char *own = mmap(0, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (own == MAP_FAILED) return 1;
    truth(memset(own, 1, 4 << 20), 4 << 20, "own");
    puts("ready");
    fflush(stdout);
    pause();
}

// A program of some of everything, and one thing more for each word: b(lock) t(hread) a(rena) f(ile) l(ibrary)
// h(eap) m(apping) r(eservation) s(hared memory), followed by its bytes or name. Prints "ready" when all is there.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_barrier_t placed;

static void *work(void *blocks) {
    for (long at = 0; at < (long)blocks; at++) memset(malloc(1000), 1, 1000);
    pthread_barrier_wait(&placed);
    pause();
    return 0;
}

static void block(size_t size) { memset(malloc(size), 1, size); }

static void thread(long blocks) {
    pthread_t made;
    pthread_barrier_init(&placed, 0, 2);
    pthread_create(&made, 0, work, (void *)blocks);
    pthread_barrier_wait(&placed);
}

static void file(const char *path, size_t size) {
    int opened = open(path, O_RDONLY);
    char *mapped = mmap(0, size, PROT_READ, MAP_SHARED, opened, 0);
    for (size_t at = 0; at < size; at += 4096) ((volatile char *)mapped)[at];
    close(opened);
}

static void *map(size_t size, int access, int flags) { return mmap(0, size, access, MAP_ANONYMOUS | flags, -1, 0); }

int main(int count, char **words) {
    const size_t blocks[] = {150 << 10, 300 << 10, 300 << 10, 1 << 20, 2 << 20, 7 << 20, 33 << 20};
    for (int at = 0; at < 3000; at++) memset(malloc(at % 2000), 1, 1);
    for (int at = 0; at < 7; at++) block(blocks[at]);
    for (int at = 0; at < 6; at++) thread(at % 2 ? 2000 : 0);
    file(words[1], 4 << 20);
    for (int at = 1; at < 6; at++) memset(map(at * (100 << 10), 3, MAP_PRIVATE), 1, 4096);
    for (int at = 3; at < count; at++) {
        const char *word = words[at];
        size_t size = strtoul(word + 1, 0, 0);
        if (*word == 'b') block(size);
        if (*word == 't') thread(0);
        if (*word == 'a') thread(20000);
        if (*word == 'f') file(words[2], size);
        if (*word == 'l') dlopen(word + 1, RTLD_NOW);
        if (*word == 'h') for (size_t done = 0; done < size; done += 1000) memset(malloc(984), 1, 984);
        if (*word == 'm') memset(map(size, 3, MAP_PRIVATE), 1, size);
        if (*word == 'r') map(size, 0, MAP_PRIVATE | MAP_NORESERVE);
        if (*word == 's') memset(map(size, 3, MAP_SHARED), 1, size);
    }
    puts("ready");
    fflush(stdout);
    pause();
}

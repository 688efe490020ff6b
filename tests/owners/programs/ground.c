/* Prints where its memory is and whose it is, then waits: the ground truth of the owner rules. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 4

static char in_bss[1 << 20];
static pthread_barrier_t barrier;
static pthread_mutex_t saying = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *what, void *address, long number) {
    pthread_mutex_lock(&saying);
    printf("%s %lx %ld\n", what, (unsigned long)address, number);
    pthread_mutex_unlock(&saying);
}

static void *worker(void *argument) {
    long number = (long)argument, tid = syscall(SYS_gettid);
    char name[16], local[64];
    snprintf(name, sizeof name, "worker %ld", number);
    pthread_setname_np(pthread_self(), name);
    memset(local, 1, sizeof local);
    say("stack", local, tid);
    say("arena", malloc(1000), number);
    if (number == 1) /* more than one heap holds: 80 MiB in small pieces */
        for (int i = 0; i < 80 * 16; i++) {
            char *piece = malloc(65536 - 32);
            piece[0] = 1;
            if (i % 320 == 0) say("arena", piece, number);
        }
    pthread_barrier_wait(&barrier);
    if (number == 2)
        for (volatile long spin = 0;; spin++) { } /* is never seen waiting */
    pause();
    return NULL;
}

static void *passing(void *argument) { return argument; }

int main(void) {
    pthread_t thread;
    pthread_attr_t small;
    char local[64];
    memset(local, 1, sizeof local);
    memset(in_bss, 1, sizeof in_bss);
    say("main-stack", local, 0);
    say("bss", in_bss + sizeof in_bss / 2, 0);
    say("heap", malloc(1000), 0);
    for (int i = 0; i < 3; i++) {
        long size = (1 + i) << 20;
        char *block = malloc(size);
        memset(block, 1, size);
        say("block", block, size);
        say("block", block + size - 1, size);
    }
    say("block", memalign(1 << 16, 3 << 20), 0);

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (long i = 0; i < THREADS; i++) pthread_create(&thread, i == 3 ? &small : NULL, worker, (void *)i);
    pthread_barrier_wait(&barrier);

    pthread_attr_setstacksize(&small, 3 << 20);
    pthread_create(&thread, &small, passing, NULL);
    pthread_join(thread, NULL);

    char *mine = mmap(NULL, 40 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(mine, 4096, PROT_NONE); /* keeps it apart from its neighbours */
    mprotect(mine + (40 << 20) - 4096, 4096, PROT_NONE);
    memset(mine + 4096, 7, 1 << 20);
    say("mine", mine + 8192, 0);
    char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say("code", code, 0);
    say("reserve", mmap(NULL, 1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), 0);
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}

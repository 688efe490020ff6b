/* Threads whose stacks are not plain: side by side with light guards, in memory of the program, on fibers. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define SIZE (1 << 20)
#define PAGE 4096

static pthread_barrier_t barrier;
static pthread_mutex_t saying = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *what, void *address) {
    pthread_mutex_lock(&saying);
    printf("%s %lx %ld\n", what, (unsigned long)address, (long)syscall(SYS_gettid));
    pthread_mutex_unlock(&saying);
}

static void *on_stack(void *what) {
    char local[64];
    memset(local, 1, sizeof local);
    say(what, local);
    pthread_barrier_wait(&barrier);
    pause();
    return NULL;
}

static void in_fiber(void) {
    char local[64];
    memset(local, 1, sizeof local);
    say("fiber", local);
    pthread_barrier_wait(&barrier);
    pause();
}

static void *on_fiber(void *memory) {
    ucontext_t here, there;
    char local[64];
    memset(local, 1, sizeof local);
    say("own", local);
    getcontext(&there);
    there.uc_stack.ss_sp = memory;
    there.uc_stack.ss_size = SIZE;
    there.uc_link = NULL;
    makecontext(&there, in_fiber, 0);
    swapcontext(&here, &there);
    return NULL;
}

static void start(void *stack, long size, void *(*function)(void *), void *argument) {
    pthread_attr_t how;
    pthread_t thread;
    pthread_attr_init(&how);
    if (stack) pthread_attr_setstack(&how, stack, size);
    if (pthread_create(&thread, &how, function, argument)) abort();
}

static char *memory(long size) {
    char *found = mmap(NULL, size + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(found, PAGE, PROT_NONE); /* keeps it apart from its neighbours */
    mprotect(found + size + PAGE, PAGE, PROT_NONE);
    return found + PAGE;
}

int main(void) {
    pthread_barrier_init(&barrier, NULL, 7);
    char *row = memory(3 * SIZE);
    int light = 1;
    for (int i = 0; i < 3; i++) light &= !madvise(row + i * SIZE, PAGE, MADV_GUARD_INSTALL);
    for (int i = 0; i < 3; i++) start(row + i * SIZE + PAGE, SIZE - PAGE, on_stack, light ? "guarded" : "unguarded");
    char *fibers = memory(2 * SIZE);
    for (int i = 0; i < 2; i++) start(NULL, 0, on_fiber, fibers + i * SIZE);
    start(memory(SIZE), SIZE, on_stack, "given");
    pthread_barrier_wait(&barrier);
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}

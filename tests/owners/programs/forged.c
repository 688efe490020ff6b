/* Memory full of lies: headers that lead astray, into each other, or out of the mapping. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HEAP (64UL << 20)
#define POOL 16384UL

static uint64_t *area(uint64_t size) {
    char *found = mmap(NULL, size + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(found, 4096, PROT_NONE);
    mprotect(found + size + 4096, 4096, PROT_NONE);
    return (uint64_t *)(found + 4096);
}

static void tell(const char *what, void *address) { printf("%s %lx\n", what, (unsigned long)address); }

static void heap(const char *what, uint64_t arena, uint64_t before, uint64_t size, uint64_t length) {
    char *raw = mmap(NULL, 2 * HEAP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint64_t *start = (uint64_t *)(((uint64_t)raw + HEAP - 1) & ~(HEAP - 1));
    mprotect(start, 0x21000, PROT_READ | PROT_WRITE);
    start[0] = arena ? arena : (uint64_t)start + 0x30;
    start[1] = before == 1 ? (uint64_t)start : before;
    start[2] = size;
    start[3] = length;
    tell(what, start);
}

static void *waiting(void *nothing) { pause(); return nothing; }

int main(void) {
    heap("lie", 0, 1, 0x21000, 0x21000);               /* its own predecessor, and no first heap */
    heap("lie", 0, 0, 0x21000, 0x20000);               /* shorter than what is accessible */
    heap("lie", 0, 0, 0x21000, -1L);
    heap("lie", 0x10, 0, 0x21000, 0x21000);            /* an arena nowhere */
    heap("lie", 0, 0x123456789, 0x21000, 0x21000);

    uint64_t *far = area(1 << 20);
    far[1] = 0xfffffffffffff002;                       /* a block around the world */
    tell("lie", far);
    uint64_t *none = area(1 << 20);
    none[1] = 2;                                       /* a block of no length */
    tell("lie", none);
    char *tiny = (char *)area(256UL << 20);            /* 65,536 blocks of a page */
    for (uint64_t at = 0; at < 256UL << 20; at += 4096) ((uint64_t *)(tiny + at))[1] = 4096 | 2;

    char *pools = (char *)area(64UL << 20);            /* as many arenas as pools */
    for (uint64_t at = 0; at < 64UL << 20; at += POOL) {
        uint32_t *pool = (uint32_t *)(((uint64_t)pools + at + POOL - 1) & ~(POOL - 1));
        pool[8] = at / POOL;
        pool[9] = 1, pool[10] = 112, pool[11] = POOL - 32;
    }
    tell("lie", pools);

    pthread_t thread;
    pthread_create(&thread, NULL, waiting, NULL);
    pthread_attr_t how;
    void *stack;
    size_t size;
    pthread_getattr_np(thread, &how);
    pthread_attr_getstack(&how, &stack, &size);
    uint64_t *fake = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    uint64_t *record = fake + ((1 << 20) - 0x900) / 8; /* a thread whose stack is all memory */
    record = (uint64_t *)((uint64_t)record & ~63UL);
    record[0] = record[2] = (uint64_t)record;
    ((uint32_t *)record)[0x2d0 / 4] = getpid() + 1;
    record[0x690 / 8] = 4096, record[0x698 / 8] = (uint64_t)fake + (1 << 20) - 4096;
    tell("lie", record);

    struct link_map *last = _r_debug.r_map;            /* a list of objects without an end */
    while (last->l_next) last = last->l_next;
    last->l_next = _r_debug.r_map;
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}

/* Memory that looks like malloc's and is not, and blocks of malloc that do not look the usual way.
   Prints `T START END NAME|NAME`: the owners that are right, `own` for memory of the program's own. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void truth(void *start, size_t length, const char *names) {
    printf("T %lx %lx %s\n", (unsigned long)start, (unsigned long)start + length, names);
}
static void *mapped(size_t length) {
    return mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void block(size_t length) {
    char *memory = malloc(length);
    memset(memory, 1, length);
    truth(memory, length, "malloc-large-block");
}
/* A table of numbers that begins like the header of a block as long as the mapping. */
static void table(void) {
    size_t length = (1 << 20) + 8192;
    unsigned long *word = mapped(length);
    word[1] = length | 2;
    for (size_t n = 2; n < length / 8; n++) word[n] = n;
    truth(word, length, "own");
}
/* An index of the offsets of records that are a little longer than a MiB. */
static void index_of_offsets(void) {
    unsigned long *word = mapped(2 << 20);
    word[1] = 1048578;
    word[2] = 2097156;
    truth(word, 2 << 20, "own");
}
/* A region allocator's header at the start of 64 MiB that it commits as it grows, like glibc's heap_info. */
static void regions(void) {
    size_t step = 64 << 20;
    char *reserve = mmap(0, 2 * step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *start = (char *)(((unsigned long)reserve + step - 1) & ~(step - 1));
    munmap(reserve, start - reserve);
    munmap(start + step, reserve + step - start);
    mprotect(start, 1 << 20, PROT_READ | PROT_WRITE);
    unsigned long *word = (void *)start;
    word[0] = (unsigned long)start + 0x30;
    word[2] = word[3] = 1 << 20;
    word[4] = 4096;
    truth(start, 1 << 20, "own");
}
static void aligned(size_t alignment, size_t before, size_t after) {
    char *memory = aligned_alloc(alignment, before);
    memset(memory, 1, before);
    if (after) {
        memory = realloc(memory, after);
        memset(memory, 2, after);
    }
    truth(memory, after ? after : before, "malloc-large-block");
}
/* numpy asks for huge pages for its arrays: the header is in a mapping of its own then. */
static void advised(void) {
    size_t length = 20 << 20;
    char *memory = malloc(length);
    char *page = (char *)(((unsigned long)memory + 4095) & ~4095L);
    madvise(page, length - (page - memory), MADV_HUGEPAGE);
    memset(memory, 1, length);
    truth(memory, length, "malloc-large-block");
}
static void low_threshold(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 10);
    mallopt(M_TOP_PAD, 0);
    for (int n = 0; n < 50; n++) {
        char *memory = malloc(200 << 10);
        memset(memory, 1, 200 << 10);
        truth(memory, 200 << 10, "malloc-large-block");
    }
}
/* Pages of the program's own between hundreds of blocks, and more of them than are looked at one by one. */
static void among_others(void) {
    char *vast = mapped(200 << 20);
    for (size_t at = 0; at < 200 << 20; at += 4096) vast[at] = 1;
    truth(vast, 200 << 20, "own");
    for (int n = 0; n < 200; n++) {
        block((160 + n) << 10);
        char *mine = mapped(4096 * (1 + n % 5));
        memset(mine, 1, 4096 * (1 + n % 5));
        truth(mine, 4096 * (1 + n % 5), "own");
    }
}

int main(int count, char **words) {
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    for (const char *act = count > 1 ? words[1] : ""; *act; act++) switch (*act) {
        case 't': table(); break;
        case 'i': index_of_offsets(); break;
        case 'r': regions(); break;
        case 'b': block(1 << 20); break;
        case 'a': aligned(1 << 16, 1 << 20, 0); break;
        case 'g': aligned(1 << 16, 1 << 20, 20 << 20); break;
        case 's': aligned(1 << 16, 20 << 20, 1 << 20); break;
        case 'l': aligned(64, 1 << 20, 3 << 20); break;
        case 'm': advised(); break;
        case 'n': low_threshold(); break;
        case 'o': among_others(); break;
    }
    puts("ready");
    fflush(stdout);
    pause();
}

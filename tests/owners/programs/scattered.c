/* A main arena in regions that mmap gave, because brk fails: something is mapped behind its end. Letters are done
   in order: b = brk fails from now on, m = 4 MiB of blocks, f = frees some, o = memory of its own that the kernel
   puts beside the regions, c = memory of its own that begins like a region's first chunk, e = that ends like one,
   l = large blocks. Prints `T START END NAME|NAME` for each piece and what mallinfo2 says. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS = 4000 };
static char *blocks[10 * BLOCKS];
static int count;

static void truth(void *start, size_t length, const char *names) {
    printf("T %lx %lx %s\n", (unsigned long)start, (unsigned long)start + length, names);
}
static size_t *own(size_t length) {
    size_t *memory = mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t n = 0; n < length / sizeof *memory; n++) memory[n] = n * 7;
    truth(memory, length, "own");
    return memory;
}
static void failing_brk(void) {
    unsigned long end = ((unsigned long)sbrk(0) + 4095) & ~4095UL;
    if (mmap((void *)end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) exit(1);
}

int main(int argc, char **words) {
    static char line[1 << 16];
    setvbuf(stdout, line, _IOFBF, sizeof line);
    for (char *act = words[1]; *act; act++) switch (*act) {
        case 'b': failing_brk(); break;
        case 'm':
            for (int n = 0; n < BLOCKS; n++) {
                size_t length = 500 + n % 1000;
                char *block = blocks[count++] = malloc(length);
                memset(block, 1, length);
            }
            break;
        case 'f': for (int n = 0; n < count; n += 1 + n % 3) free(blocks[n]), blocks[n] = 0; break;
        case 'o': own(64 << 10); break;
        case 'c': own(1 << 20)[1] = 0x101; break;
        case 'e': {
            size_t length = 1 << 20, *memory = own(length), *end = memory + length / sizeof *memory;
            end[-3] = end[-1] = 2 * sizeof *memory | 1;
            break;
        }
        case 'l': {
            size_t length = 300000;
            char *block = memset(malloc(length), 1, length);
            truth(block, length, "malloc-large-block");
        }
    }
    for (int n = 0; n < count; n++)
        if (blocks[n] && n % 50 == 0) truth(blocks[n], malloc_usable_size(blocks[n]), "malloc-heap");
    struct mallinfo2 now = mallinfo2();
    printf("arena %zu\nused %zu\nfree %zu\n", (size_t)now.arena, (size_t)now.uordblks, (size_t)now.fordblks);
    puts("ready");
    fflush(stdout);
    pause();
}

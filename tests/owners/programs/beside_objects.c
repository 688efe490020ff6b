/* Memory of a program's own that touches, covers or resembles what executables and libraries own.
   Prints `T START END NAME|NAME`: the owners that are right, `own` for memory of the program's own. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char array[8 << 20] __attribute__((aligned(4096)));

static void truth(void *start, size_t length, const char *names) {
    printf("T %lx %lx %s\n", (unsigned long)start, (unsigned long)start + length, names);
}
/* Small mappings: the kernel merges them with the pages of the dynamic linker. */
static void small(int seed) {
    srand(seed);
    for (int n = 1 + rand() % 4; n > 0; n--) {
        size_t length = 4096 * (1 + rand() % 12);
        char *memory = mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(memory, n, length);
        truth(memory, length, "own");
    }
}
/* A file that is only read has no zeroed variables behind it and nothing that is read-only after relocation. */
static void reading(const char *path) {
    int file = open(path, O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status)) exit(1);
    char *behind = mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t length = (status.st_size + 4095) & ~4095L;
    char *content = mmap(behind, status.st_size, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
    truth(content, length, "own");
    memset(behind + length, 1, 1 << 20);
    truth(behind + length, 1 << 20, "own");
    char *block = malloc(300000); /* malloc's memory is known although libc.so.6 is mapped twice */
    memset(block, 1, 300000);
    truth(block, 300000, "malloc-large-block");
}
/* Files and shared memory that are mapped over an array. */
static void covering(const char *path) {
    int file = open(path, O_RDONLY);
    array[0] = array[sizeof array - 1] = 1;
    truth(mmap(array + (1 << 20), 4096, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0), 4096, "own");
    void *shared = mmap(array + (2 << 20), 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    truth(shared, 1 << 20, "shared-anonymous");
    truth(array, 1 << 20, "bss");
    truth(array + (4 << 20), 1 << 20, "bss");
}

int main(int count, char **words) {
    setvbuf(stdout, 0, _IONBF, 0);
    if (count > 2 && !strcmp(words[1], "small")) small(atoi(words[2]));
    if (count > 2 && !strcmp(words[1], "reading")) for (int n = 2; n < count; n++) reading(words[n]);
    if (count > 1 && !strcmp(words[1], "covering")) covering(words[0]);
    puts("ready");
    pause();
}

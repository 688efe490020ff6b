/* Keeps each of its blocks in a page beside a guard, all in one mapping, as glibc 2.42 and later have stacks of threads. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define BLOCKS 100   /* in each page */

int main(void) {
    char *at = mmap(0, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int page = 0; page < 5; page += 2)
        for (int i = 0; i < BLOCKS; i++) ((void **)(at + page * PAGE))[i] = malloc(100 + i);
    int refused = 0;
    for (int page = 1; page < 5; page += 2) refused |= madvise(at + page * PAGE, PAGE, 102);   /* MADV_GUARD_INSTALL */
    puts(refused ? "no guards" : "ready");
    fflush(stdout);
    pause();
}

/* Memory that can be run although nobody asked for it: with READ_IMPLIES_EXEC what is readable is executable.
   Prints `T START END NAME|NAME` for each piece of memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

static void truth(void *start, size_t length, const char *names) {
    printf("T %lx %lx %s\n", (unsigned long)start, (unsigned long)start + length, names);
}

int main(void) {
    if (personality(PER_LINUX | READ_IMPLIES_EXEC) < 0) return 1;
    for (int n = 0; n < 400; n++) {
        char *block = memset(malloc(1000), 1, 1000);
        if (n % 100 == 99) truth(block, 1000, "malloc-heap");
    }
    truth(memset(malloc(1 << 20), 1, 1 << 20), 1 << 20, "malloc-large-block");
    char *own = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    truth(memset(own, 1, 1 << 20), 1 << 20, "own");
    char *constant = mmap(0, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    truth(constant, 1 << 20, "own");
    puts("ready");
    fflush(stdout);
    pause();
}

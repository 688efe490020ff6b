/* A process whose parent had a heap: what it takes from brk itself is a mapping of its own behind the parent's.
   Prints its pid and `T START END malloc-heap` for blocks of both. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void fill(void) {
    for (int n = 0; n < 1000; n++) {
        char *block = memset(malloc(1000), 1, 1000);
        if (n % 50 == 0) printf("T %lx %lx malloc-heap\n", (unsigned long)block, (unsigned long)block + 1000);
    }
}

int main(void) {
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    fill();
    pid_t child = fork();
    if (child) {
        waitpid(child, 0, 0);
        return 0;
    }
    prctl(PR_SET_PDEATHSIG, 9);
    fill();
    printf("child %d\nready\n", getpid());
    fflush(stdout);
    pause();
}

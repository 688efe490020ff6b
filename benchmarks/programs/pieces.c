/* Memory of every size from whatever malloc is, allocated and freed by four threads, and memory that the program
   maps for itself in between: pieces NAMES SEED prints `T START END NAMES` for the first, `own` for the second. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS = 4, PIECES = 2500, ROUNDS = 10000 };
static const char *names;
static unsigned seed;
static pthread_barrier_t done;

static size_t drawn(unsigned *state) {
    int which = rand_r(state) % 100;
    if (which < 90) return 8 + rand_r(state) % 2000;
    if (which < 97) return 4000 + rand_r(state) % 60000;
    if (which < 99) return 100000 + rand_r(state) % 900000;
    return 2000000 + rand_r(state) % 2000000;
}
static void truth(char *start, size_t length, const char *whose) {
    printf("T %lx %lx %s\n", (unsigned long)start, (unsigned long)start + length, whose);
}
static void *work(void *number) {
    unsigned state = seed * 77 + (long)number;
    char *piece[PIECES] = {0};
    size_t size[PIECES];
    for (int n = 0; n < ROUNDS; n++) {
        int at = rand_r(&state) % PIECES;
        if (piece[at] && rand_r(&state) % 2) {
            free(piece[at]);
            piece[at] = 0;
        } else if (!piece[at]) {
            piece[at] = malloc(size[at] = drawn(&state));
            memset(piece[at], 1, size[at]);
        }
        if (n % 500 == 0) {
            size_t length = 4096 * (1 + rand_r(&state) % 300);
            char *mine = mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(mine, 2, length);
            truth(mine, length, "own");
        }
    }
    for (int at = 0; at < PIECES; at++)
        if (piece[at]) truth(piece[at], size[at], names);
    pthread_barrier_wait(&done);
    pause();
    return 0;
}
int main(int count, char **words) {
    static char buffer[4 << 20];
    pthread_t thread;
    names = words[1];
    seed = count > 2 ? atoi(words[2]) : 0;
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    pthread_barrier_init(&done, 0, THREADS + 1);
    for (long n = 0; n < THREADS; n++) pthread_create(&thread, 0, work, (void *)n);
    pthread_barrier_wait(&done);
    puts("ready");
    fflush(stdout);
    pause();
}

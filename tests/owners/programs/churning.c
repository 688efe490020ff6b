// Two threads free and allocate blocks of 16 to 415 bytes without a pause; each holds half of 20,000.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 20000 };
static pthread_barrier_t filled;

static void *churn(void *seed_of) {
    unsigned seed = (unsigned)(long)seed_of;
    void **held = calloc(SLOTS, sizeof *held);
    for (long step = 0;; step++) {
        int at = step < SLOTS / 2 ? step * 2 : rand_r(&seed) % SLOTS;
        if (held[at]) {
            free(held[at]);
            held[at] = 0;
        } else {
            size_t size = 16 + rand_r(&seed) % 400;
            held[at] = memset(malloc(size), 1, size);
        }
        if (step == SLOTS) pthread_barrier_wait(&filled);
    }
}

int main(void) {
    pthread_barrier_init(&filled, 0, 3);
    for (long seed = 1; seed <= 2; seed++) {
        pthread_t thread;
        pthread_create(&thread, 0, churn, (void *)seed);
    }
    pthread_barrier_wait(&filled);
    puts("ready");
    fflush(stdout);
    pause();
}

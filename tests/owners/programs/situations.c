// Situations that need one answer: is it in use, or freed and kept? The first word of each line from standard
// input says what to do next; every step ends with "ready".
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 400000 };
static void *held[MANY];
static void *last;

static void *filled(size_t size) { return memset(malloc(size), 1, size); }

static void load(int count, size_t size) {
    for (int i = 0; i < count; i++) held[i] = filled(size);
    last = filled(size);  // so that the top does not grow when the rest is freed
}

static void *in_thread(void *step) {
    static __thread void *mine[20000];
    for (int i = 0; i < 20000; i++) mine[i] = filled(200);
    for (int i = 0; i < 19990; i++) free(mine[i]);
    pthread_barrier_wait(step);
    pthread_barrier_wait(step);  // for ever: nobody else comes
    return 0;
}

int main(void) {
    static char word[64];
    setvbuf(stdout, 0, _IONBF, 0);
    puts("ready");
    while (scanf("%63s", word) == 1) {
        if (!strcmp(word, "load")) load(200000, 200);
        if (!strcmp(word, "free_all")) for (int i = 0; i < 200000; i++) free(held[i]);
        if (!strcmp(word, "free_15_of_16"))
            for (int i = 0; i < 200000; i++) if (i % 16) free(held[i]);
        if (!strcmp(word, "free_but_one_a_page"))
            for (int i = 0; i < 200000; i++) if (i % 20) free(held[i]);
        if (!strcmp(word, "leak")) for (int i = 0; i < 200000; i++) filled(40);
        if (!strcmp(word, "threads")) {
            static pthread_barrier_t step;
            pthread_barrier_init(&step, 0, 9);
            for (int i = 0; i < 8; i++) {
                pthread_t thread;
                pthread_create(&thread, 0, in_thread, &step);
            }
            pthread_barrier_wait(&step);
        }
        if (!strcmp(word, "trim")) malloc_trim(0);
        puts("ready");
    }
}

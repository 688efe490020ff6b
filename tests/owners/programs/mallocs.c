// Allocates and frees in several threads, then answers: i = mallinfo2, t = what malloc_trim(0) returned.
// Arguments: blocks a thread, further threads, per mille kept, seed. With BEFORE_2_33 there is mallinfo only.
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef BEFORE_2_33
#define mallinfo2 mallinfo
#endif

static int blocks, threads, kept;
static pthread_barrier_t done;

static long resident(void) {
    long size, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    if (fscanf(file, "%ld %ld", &size, &pages) != 2) return 0;
    fclose(file);
    return pages * 4096;
}

static void churn(unsigned seed) {
    void **held = malloc(blocks * sizeof *held);
    for (int i = 0; i < blocks; i++) {
        size_t size = 16 + (rand_r(&seed) % 20 ? rand_r(&seed) % 400 : rand_r(&seed) % 20000);
        held[i] = malloc(size);
        memset(held[i], 0xAB, size);
    }
    for (int i = 0; i < blocks; i++)
        if (rand_r(&seed) % 1000 >= kept) free(held[i]);
}

static void *thread(void *seed) {
    churn((unsigned)(long)seed);
    pthread_barrier_wait(&done);
    for (;;) pause();
}

int main(int count, char **words) {
    blocks = atoi(words[1]), threads = atoi(words[2]), kept = atoi(words[3]);
    int seed = atoi(words[4]);
    pthread_barrier_init(&done, 0, threads + 1);
    for (long i = 0; i < threads; i++) {
        pthread_t made;
        pthread_create(&made, 0, thread, (void *)(i + seed * 100));
    }
    churn(seed);
    for (int i = 0; i < 5; i++) memset(malloc(3 << 20), 1, 3 << 20);
    pthread_barrier_wait(&done);
    setvbuf(stdout, 0, _IONBF, 0);
    static char buffer[4096];
    setvbuf(stdin, buffer, _IOFBF, sizeof buffer);
    puts("ready");
    for (int word; (word = getchar()) != EOF;) {
        if (word == 'i') {
            struct mallinfo2 now = mallinfo2();
            printf("arena %zu\nfree %zu\nused %zu\nlarge %zu\nlarge_blocks %zu\n", (size_t)now.arena,
                   (size_t)now.fordblks, (size_t)now.uordblks, (size_t)now.hblkhd, (size_t)now.hblks);
        } else if (word == 't') {
            long before = resident();
            malloc_trim(0);
            printf("returned %ld\n", before - resident());
        } else {
            continue;
        }
        puts("ready");
    }
}

// Allocates and frees with musl's malloc and counts what it holds. Arguments: blocks, per mille kept, seed.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words) {
    int blocks = atoi(words[1]), kept = atoi(words[2]);
    unsigned seed = atoi(words[3]);
    void **held = malloc(blocks * sizeof *held);
    long number = 1, bytes = blocks * sizeof *held;
    size_t *sizes = malloc(blocks * sizeof *sizes);
    for (int i = 0; i < blocks; i++) {
        sizes[i] = 1 + (rand_r(&seed) % 50 ? rand_r(&seed) % 500 : rand_r(&seed) % 300000);
        held[i] = memset(malloc(sizes[i]), 1, sizes[i]);
    }
    for (int i = 0; i < blocks; i++) {
        if (rand_r(&seed) % 1000 >= kept) {
            free(held[i]);
        } else {
            number++;
            bytes += sizes[i];
        }
    }
    free(sizes);
    printf("blocks %ld\nbytes %ld\nready\n", number, bytes);
    fflush(stdout);
    pause();
}

/* Processes that do nothing: idle COUNT forks so many less one, each with some memory of its own, prints "ready"
 * and ends with its standard input, and they with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words) {
    int wanted = count > 1 ? atoi(words[1]) : 1, ends[2];
    char *shared = malloc(1 << 20), byte;
    memset(shared, 1, 1 << 20);
    if (pipe(ends)) return perror("pipe"), 1;
    for (int i = 1; i < wanted; i++) {
        pid_t child = fork();
        if (child < 0) return perror("fork"), 1;
        if (child == 0) {
            size_t own = (size_t)(100 + i % 100) << 10;
            close(ends[1]);
            memset(malloc(own), 2, own);
            return read(ends[0], &byte, 1) < 0; /* until the first process ends */
        }
    }
    puts("ready");
    fflush(stdout);
    return read(0, &byte, 1) < 0;
}

// A heap whose records contradict each other until the program has been held still once: epoll_wait returns
// EINTR then (ptrace(2)), and the program mends what it broke. With an argument it leaves it broken.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

int main(int argc, char **argv) {
    (void)argv;
    char *volatile freed = malloc(3000), *volatile behind = malloc(100);  // volatile: to be left by the compiler
    memset(behind, 1, 100);
    volatile size_t *size_of_freed = (size_t *)behind - 2;  // the boundary tag, in front of the size of what is behind
    free(freed);
    size_t right = *size_of_freed;
    *size_of_freed = right + 64;
    if (write(1, "ready\n", 6) != 6) return 1;  // stdio would ask malloc for a buffer
    struct epoll_event event;
    int events = epoll_create1(0);
    while (epoll_wait(events, &event, 1, -1) < 0 && errno == EINTR && argc > 1);
    *size_of_freed = right;
    pause();
}

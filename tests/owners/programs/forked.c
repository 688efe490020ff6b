/* A process that one thread of another forked: its main thread runs on that thread's stack. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void say(const char *word) {
    pthread_attr_t how;
    void *start;
    size_t length;
    pthread_getattr_np(pthread_self(), &how);
    pthread_attr_getstack(&how, &start, &length);
    printf("%s %lx %d\n", word, (unsigned long)start + length - 4096, gettid());
    printf("T %lx %lx thread-stack\n", (unsigned long)start, (unsigned long)start + length);
}
static void *child_thread(void *nothing) {
    say("other");
    printf("child %d\nready\n", getpid());
    fflush(stdout);
    pause();
    return nothing;
}
static void *forking(void *nothing) {
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_t thread;
        say("main");
        pthread_create(&thread, 0, child_thread, 0);
        pause();
    }
    pause();
    return nothing;
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, (void *(*)(void *))pause, 0);
    pthread_create(&thread, 0, forking, 0);
    pause();
}

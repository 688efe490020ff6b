/* Memory of every size from whatever malloc is, from several threads, and one mapping of its own. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t done;

static void say(const char *word, char *block, size_t size) {
    memset(block, 1, size);
    printf("%s %lx %zu\n", word, (unsigned long)block, size);
}

static void *work(void *unused) {
    pthread_mutex_lock(&turn);
    for (size_t size = 64; size < 8000; size += 37) say("block", malloc(size), size);
    pthread_mutex_unlock(&turn);
    pthread_barrier_wait(&done);
    pause();
    return unused;
}

int main(void) {
    pthread_t thread;
    for (size_t size = 16; size < 16000; size += 16) say("block", malloc(size), size);
    for (size_t size = 100000; size < 2000000; size += 100000) say("block", malloc(size), size);
    say("block", malloc(80 << 20), 80 << 20);
    say("own", mmap(0, 3 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 3 << 20);
    pthread_barrier_init(&done, 0, 5);
    for (int n = 0; n < 4; n++) pthread_create(&thread, 0, work, 0);
    pthread_barrier_wait(&done);
    puts("ready");
    fflush(stdout);
    return getchar();
}

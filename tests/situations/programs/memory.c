/* One thing after another happens to this program's memory. `memory CASE FOLDER` prints `ready`, and for
 * each line that it reads does the next step of its case and prints `done`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>
#define MIB (1UL << 20)
#define PAGE 4096UL

static const char *folder;

static void said(const char *word) {
    puts(word);
    fflush(stdout);
}

static void next(void) {
    said("done");
    if (getchar() == EOF) exit(0);
}

static void fill(volatile char *at, size_t size) {
    for (size_t i = 0; i < size; i += PAGE) at[i] = 1;
}

static char *map(size_t size, int flags, int fd) {
    int anonymous = fd < 0 ? MAP_ANONYMOUS : 0;
    return mmap(NULL, size, PROT_READ | PROT_WRITE, flags | anonymous, fd, 0);
}

static int file(const char *name, size_t size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, (off_t)size)) exit(3);
    return fd;
}

static void own_mapping(void) { fill(map(50 * MIB, MAP_PRIVATE, -1), 50 * MIB); }

static void own_freed_and_little_malloced(void) {
    char *at = map(50 * MIB, MAP_PRIVATE, -1);
    fill(at, 50 * MIB);
    next();
    munmap(at, 50 * MIB);
    for (int i = 0; i < 2500; i++) memset(malloc(1000), 1, 1000);
}

/* All of its code has run before it is looked at: a function that runs first maps pages of its file. */
static void nothing(void) { next(); }

static void deleted_file(void) {
    int fd = file("data", 100 * MIB);
    fill(map(100 * MIB, MAP_SHARED, fd), 100 * MIB);
    close(fd);
    next();
    char path[4096];
    snprintf(path, sizeof path, "%s/data", folder);
    unlink(path);
}

static void memory_file(void) {
    int fd = memfd_create("frames", 0);
    if (ftruncate(fd, 60 * MIB)) exit(3);
    fill(map(60 * MIB, MAP_SHARED, fd), 60 * MIB);
}

static void posix_shared(void) {
    int fd = shm_open("/vmdiff-situation", O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, 40 * MIB)) exit(3);
    fill(map(40 * MIB, MAP_SHARED, fd), 40 * MIB);
    shm_unlink("/vmdiff-situation");
}

static void sysv_shared(void) {
    int id = shmget(IPC_PRIVATE, 30 * MIB, IPC_CREAT | 0600);
    char *at = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    fill(at, 30 * MIB);
}

static void huge_pages(void) {
    char *at = map(66 * MIB, MAP_PRIVATE, -1);
    at = (char *)(((unsigned long)at + 2 * MIB - 1) & ~(2 * MIB - 1));
    madvise(at, 64 * MIB, MADV_HUGEPAGE);
    fill(at, 64 * MIB);
}

static void hugetlb(void) {
    char *at = map(16 * MIB, MAP_PRIVATE | MAP_HUGETLB, -1);
    if (at == MAP_FAILED) exit(4);
    fill(at, 16 * MIB);
}

static void swapped_out(void) {
    char *at = map(96 * MIB, MAP_PRIVATE, -1);
    fill(at, 96 * MIB);
    next();
    madvise(at, 96 * MIB, MADV_PAGEOUT);
}

static void freed_lazily(void) {
    char *at = map(96 * MIB, MAP_PRIVATE, -1);
    fill(at, 96 * MIB);
    next();
    madvise(at, 96 * MIB, MADV_FREE);
}

static void forked(void) {
    char *at = map(220 * MIB, MAP_PRIVATE, -1);
    int pipes[2];
    char one;
    fill(at, 220 * MIB);
    next();
    if (pipe(pipes)) exit(3);
    pid_t child = fork();
    if (!child) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
    }
    printf("child %d\n", child);
    next();
    fill(at, 220 * MIB);
    next();
    kill(child, SIGKILL);
    waitpid(child, &(int){0}, 0);
    (void)one;
}

static pthread_barrier_t all;

static void *fills_its_arena(void *nothing_given) {
    for (int i = 0; i < 1024; i++) memset(malloc(16 << 10), 1, 16 << 10);
    pthread_barrier_wait(&all);
    for (;;) pause();
    return nothing_given;
}

static void arenas(void) {
    pthread_t one;
    pthread_barrier_init(&all, NULL, 13);
    for (int i = 0; i < 12; i++) pthread_create(&one, NULL, fills_its_arena, NULL);
    pthread_barrier_wait(&all);
}

static void many_alike(void) {
    for (int i = 0; i < 20000; i++) {
        char *at = mmap(NULL, 256 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) exit(4);
        mprotect(at, 64 * PAGE, PROT_READ | PROT_WRITE);
        *at = 1;
    }
}

static void leaks_a_size(void) {
    size_t count = (size_t)atoi(getenv("BLOCKS"));
    for (size_t i = 0; i < count; i++) memset(malloc(4000), 1, 4000);
}

static void *blocks[1 << 18];

static void fill_blocks(size_t size) {
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memset(blocks[i] = malloc(size), 1, size);
}

/* One block of each page stays: none of what was freed is a whole page. */
static void survivors(void) {
    fill_blocks(240);
    next();
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) if (i % 16) free(blocks[i]);
}

/* Only the last block stays, which lies at the end of the heap. */
static void all_but_the_last(void) {
    fill_blocks(240);
    next();
    for (size_t i = 0; i + 1 < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
}

static void open_memory_file(void) {
    int fd = memfd_create("frames", 0);
    char piece[1 << 14] = {1};
    for (int i = 0; i < 60 * 64; i++) if (write(fd, piece, sizeof piece) < 0) exit(3);
}

static const struct { const char *name; void (*act)(void); } CASES[] = {
    {"own-mapping", own_mapping},
    {"own-freed-and-little-malloced", own_freed_and_little_malloced},
    {"nothing", nothing},
    {"deleted-file", deleted_file},
    {"memory-file", memory_file},
    {"posix-shared", posix_shared},
    {"sysv-shared", sysv_shared},
    {"huge-pages", huge_pages},
    {"hugetlb", hugetlb},
    {"swapped-out", swapped_out},
    {"freed-lazily", freed_lazily},
    {"forked", forked},
    {"arenas", arenas},
    {"many-alike", many_alike},
    {"leaks-a-size", leaks_a_size},
    {"survivors", survivors},
    {"all-but-the-last", all_but_the_last},
    {"open-memory-file", open_memory_file},
};

int main(int count, char **words) {
    if (count != 3) return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    folder = words[2];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (strcmp(words[1], CASES[i].name)) continue;
        said("ready");
        if (getchar() == EOF) return 0;
        CASES[i].act();
        next();
        return 0;
    }
    return 2;
}

/* Situations in which a finding would be tempting, and false. `tempting CASE FOLDER` prepares, prints a
 * line, waits for one, acts, prints a line, and waits again. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define MIB (1UL << 20)
#define PAGE 4096UL

static const char *folder;
static int pipes[2];
static pid_t child;

static void stage(void) {
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) exit(0);
}

static char *anonymous(size_t size, int flags) {
    return mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
}

static char *file(const char *in, const char *name, size_t size, int prot, int flags) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", in, name);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size)) exit(3);
    char *at = mmap(NULL, size, prot, flags, fd, 0);
    close(fd);
    return at;
}

static void touch(volatile char *at, size_t size) {
    for (size_t i = 0; i < size; i += PAGE) (void)at[i];
}

static void fill(volatile char *at, size_t size, char with) {
    for (size_t i = 0; i < size; i += PAGE) at[i] = with;
}

/* A child that writes to (or reads) memory, says so, and stays until it is killed. */
static void fork_using(char *at, size_t size, int writes) {
    char said;
    if (pipe(pipes)) exit(3);
    child = fork();
    if (!child) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (writes) fill(at, size, 2); else touch(at, size);
        if (write(pipes[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    if (read(pipes[0], &said, 1) != 1) exit(3);
}

static void end_child(void) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    child = 0;
}

static void freed_own_and_malloced_little(void) {
    char *at = anonymous(50 * MIB, MAP_PRIVATE);
    fill(at, 50 * MIB, 1);
    stage();
    munmap(at, 50 * MIB);
    for (int i = 0; i < 2500; i++) memset(malloc(1000), 1, 1000);
}

static void file_written_by_two(void) {
    stage();
    char *at = file(folder, "shared", 40 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
    fill(at, 40 * MIB, 1);
    fork_using(at, 40 * MIB, 1);
}

static void filled_then_protected(void) {
    stage();
    char *at = anonymous(100 * MIB, MAP_PRIVATE);
    fill(at, 100 * MIB, 1);
    mprotect(at, 100 * MIB, PROT_NONE);
}

static void collapsed(void) {
    char *at = anonymous(64 * MIB, MAP_PRIVATE);
    at = (char *)(((unsigned long)at + 2 * MIB - 1) & ~(2 * MIB - 1));
    madvise(at, 60 * MIB, MADV_NOHUGEPAGE);
    fill(at, 60 * MIB, 1);
    stage();
    madvise(at, 60 * MIB, MADV_HUGEPAGE);
    madvise(at, 60 * MIB, MADV_COLLAPSE);
}

static void shared_gone_private_come(void) {
    char *at = anonymous(50 * MIB, MAP_SHARED);
    fill(at, 50 * MIB, 1);
    fork_using(at, 50 * MIB, 1);
    stage();
    munmap(at, 50 * MIB);
    fill(anonymous(50 * MIB, MAP_PRIVATE), 50 * MIB, 2);
}

static void sharer_of_locked_ended(void) {
    char *at = anonymous(8 * MIB, MAP_SHARED);
    fill(at, 8 * MIB, 1);
    fork_using(at, 8 * MIB, 1);
    mlock(at, 8 * MIB);
    stage();
    end_child();
}

static void *returns(void *nothing) { return nothing; }

static void threads_that_ended(void) {
    pthread_t all[3];
    stage();
    for (int i = 0; i < 3; i++) pthread_create(&all[i], NULL, returns, NULL);
    for (int i = 0; i < 3; i++) pthread_join(all[i], NULL);
}

static void locked_as_root(void) {
    struct rlimit limit = {8 * MIB, 8 * MIB};
    stage();
    char *at = anonymous(20 * MIB, MAP_PRIVATE);
    setrlimit(RLIMIT_MEMLOCK, &limit);
    mlock(at, 20 * MIB);
}

static void copied_and_dropped(void) {
    static char buffer[1 << 16];
    char path[4096];
    char *at = file(folder, "lazy", 60 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    stage();
    fill(at, 30 * MIB, 1);
    snprintf(path, sizeof path, "%s/lazy", folder);
    int fd = open(path, O_RDONLY);
    fsync(fd);
    lseek(fd, 30 * MIB, SEEK_SET);
    while (read(fd, buffer, sizeof buffer) > 0) {}
    posix_fadvise(fd, 0, 30 * MIB, POSIX_FADV_DONTNEED);
}

static void unpacked_library(void) {
    char from[4096], to[4096], buffer[1 << 16];
    Dl_info found;
    stage();
    if (!dladdr((void *)dlsym(RTLD_DEFAULT, "printf"), &found)) exit(3);
    snprintf(from, sizeof from, "%s/library.so", folder);
    snprintf(to, sizeof to, "%s/unpacked.so", folder);
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0700);
    for (ssize_t got; (got = read(in, buffer, sizeof buffer)) > 0;) if (write(out, buffer, got) != got) exit(3);
    close(in), close(out);
    if (!dlopen(to, RTLD_NOW)) exit(4);
    unlink(to);
}

static void beside_writable_code(void) {
    char *at = anonymous(128 * PAGE, MAP_PRIVATE);
    mprotect(at + 64 * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    stage();
    mprotect(at, 64 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static void locked_file(void) {
    char *at = file(folder, "locked", 20 * MIB, PROT_READ, MAP_SHARED);
    stage();
    mlock(at, 20 * MIB);
}

static void file_in_memory(void) {
    char *at = file("/run", "vmdiff-tempting", 30 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED);
    fill(at, 30 * MIB, 1);
    munmap(at, 30 * MIB);
    stage();
    at = file("/run", "vmdiff-tempting", 30 * MIB, PROT_READ, MAP_SHARED);
    touch(at, 30 * MIB);
    fork_using(at, 30 * MIB, 0);
    unlink("/run/vmdiff-tempting");
}

static void child_ended(void) {
    char *at = anonymous(40 * MIB, MAP_PRIVATE);
    fill(at, 40 * MIB, 1);
    fork_using(at, 0, 0);
    stage();
    end_child();
}

static void *fills(void *nothing) {
    for (int i = 0; i < 16 * 640; i++) {
        char *block = malloc(100 << 10);
        *block = 1;
    }
    return nothing;
}

static pthread_barrier_t filled;

static void *fills_and_stays(void *nothing) {
    fills(nothing);
    pthread_barrier_wait(&filled);
    for (;;) pause();
}

static void one_arena_of_many_heaps(void) {
    pthread_t one;
    pthread_barrier_init(&filled, NULL, 2);
    stage();
    pthread_create(&one, NULL, fills_and_stays, NULL);
    pthread_barrier_wait(&filled);
}

static void freed_and_others_swapped(void) {
    char *both = anonymous(60 * MIB, MAP_PRIVATE);
    fill(both, 30 * MIB, 1);
    stage();
    munmap(both, 30 * MIB);
    fill(both + 30 * MIB, 10 * MIB, 2);
    madvise(both + 30 * MIB, 10 * MIB, MADV_PAGEOUT);
}

/* A file that is there, and whose name says that it is not. */
static void named_deleted(void) {
    stage();
    touch(file(folder, "data (deleted)", 20 * MIB, PROT_READ, MAP_SHARED), 20 * MIB);
}

static void another_name(void) {
    char from[4096], to[4096];
    touch(file(folder, "one", 20 * MIB, PROT_READ, MAP_SHARED), 20 * MIB);
    snprintf(from, sizeof from, "%s/one", folder);
    snprintf(to, sizeof to, "%s/two", folder);
    stage();
    if (link(from, to) || unlink(from)) exit(3);
}

/* Memory that the kernel itself lists as deleted files, which it never was. */
static void memory_listed_as_deleted(void) {
    stage();
    int fd = memfd_create("frames", 0), id = shmget(IPC_PRIVATE, 20 * MIB, IPC_CREAT | 0600);
    if (ftruncate(fd, 20 * MIB)) exit(3);
    fill(mmap(NULL, 20 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), 20 * MIB, 1);
    fill(shmat(id, NULL, 0), 20 * MIB, 1);
    shmctl(id, IPC_RMID, NULL);
    fill(anonymous(20 * MIB, MAP_SHARED), 20 * MIB, 1);
}

static void huge_not_touched(void) {
    stage();
    if (mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED) exit(4);
}

static void huge_but_transparent(void) {
    char *at = anonymous(34 * MIB, MAP_PRIVATE);
    at = (char *)(((unsigned long)at + 2 * MIB - 1) & ~(2 * MIB - 1));
    madvise(at, 32 * MIB, MADV_HUGEPAGE);
    stage();
    fill(at, 32 * MIB, 1);
}

/* Page tables of 1 MiB, as any 512 MiB need that are filled in small pages. */
static void filled_densely(void) {
    char *at = anonymous(600 * MIB, MAP_PRIVATE);
    madvise(at, 600 * MIB, MADV_NOHUGEPAGE);
    stage();
    fill(at, 600 * MIB, 1);
}

static const struct { const char *name; void (*act)(void); } CASES[] = {
    {"freed-own-and-malloced-little", freed_own_and_malloced_little},
    {"file-written-by-two", file_written_by_two},
    {"filled-then-protected", filled_then_protected},
    {"collapsed", collapsed},
    {"shared-gone-private-come", shared_gone_private_come},
    {"sharer-of-locked-ended", sharer_of_locked_ended},
    {"threads-that-ended", threads_that_ended},
    {"locked-as-root", locked_as_root},
    {"copied-and-dropped", copied_and_dropped},
    {"unpacked-library", unpacked_library},
    {"beside-writable-code", beside_writable_code},
    {"locked-file", locked_file},
    {"file-in-memory", file_in_memory},
    {"child-ended", child_ended},
    {"one-arena-of-many-heaps", one_arena_of_many_heaps},
    {"freed-and-others-swapped", freed_and_others_swapped},
    {"named-deleted", named_deleted},
    {"another-name", another_name},
    {"memory-listed-as-deleted", memory_listed_as_deleted},
    {"huge-not-touched", huge_not_touched},
    {"huge-but-transparent", huge_but_transparent},
    {"filled-densely", filled_densely},
};

int main(int count, char **words) {
    if (count != 3) return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    folder = words[2];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (strcmp(words[1], CASES[i].name)) continue;
        CASES[i].act();
        stage();
        if (child) end_child();
        return 0;
    }
    return 2;
}

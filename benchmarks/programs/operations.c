// Do to its own memory what a line says, and answer with the result and errno: m(map) f(ile) u(nmap) p(rotect)
// r(emap) a(dvise) t(ouch). It uses no malloc after its start, so every owner but its own mappings stays as it is.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static char line[4096];

int main(int count, char **words) {
    int file = open(words[count - 1], O_RDWR);
    for (;;) {
        int length = 0;
        for (;; length++) {
            if (read(0, line + length, 1) <= 0) return 0;
            if (line[length] == '\n') break;
        }
        line[length] = 0;
        char what;
        unsigned long a = 0, b = 0, c = 0, d = 0;
        long result = -1;
        sscanf(line, "%c %lx %lx %lx %lx", &what, &a, &b, &c, &d);
        if (what == 'm') result = (long)mmap((void *)a, b, c, d | MAP_ANONYMOUS, -1, 0);
        if (what == 'f') result = (long)mmap(0, b, c, d, file, a);
        if (what == 'u') result = munmap((void *)a, b);
        if (what == 'p') result = mprotect((void *)a, b, c);
        if (what == 'r') result = (long)mremap((void *)a, b, c, MREMAP_MAYMOVE);
        if (what == 'a') result = madvise((void *)a, b, c);
        if (what == 't') {
            for (unsigned long at = 0; at < b; at += 4096) ((volatile char *)a)[at] = 1;
            result = 0;
        }
        length = sprintf(line, "%lx %d\n", result, result == -1 ? errno : 0);
        if (write(1, line, length) < 0) return 1;
    }
}

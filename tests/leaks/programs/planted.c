/* Loses blocks on purpose: prints how many, then waits, or ends for tools that look then; built without optimisation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct node { struct node *next; long value[5]; };
static struct node *volatile head, *volatile hidden;
static void *volatile tagged, *volatile high, *volatile interior, *volatile resized;
static long lost;

static void *fresh(size_t size) { void *p = malloc(size); memset(p, 'x', size); return p; }

__attribute__((noinline)) static void plant(void) {
    for (int i = 0; i < 20000; i++) { struct node *n = fresh(sizeof *n); n->next = head; head = n; }
    for (int i = 0; i < 5000; i++, lost++) fresh(100 + i % 400);
    for (int i = 0; i < 1000; i++, lost += 3) {   /* lists of three, lost whole */
        struct node *a = fresh(sizeof *a), *b = fresh(sizeof *b), *c = fresh(sizeof *c);
        a->next = b; b->next = c; c->next = 0;
    }
    for (int i = 0; i < 500; i++, lost += 2) {    /* circles */
        struct node *a = fresh(sizeof *a), *b = fresh(sizeof *b);
        a->next = b; b->next = a;
    }
    for (int i = 0; i < 20; i++, lost++) fresh(300000);
    for (int i = 0; i < 3000; i++) free(fresh(100 + i % 400));
    tagged = (char *)fresh(5000) + 3;
    high = fresh(6000);
#if __SIZEOF_POINTER__ == 8
    high = (void *)((unsigned long)high | 0xabcdul << 48);
#endif
    interior = (char *)fresh(300000) + 299000;
    resized = realloc(fresh(100), 700000);
}

/* The last pointers are still in registers, on the stack and in lists of free blocks: write over them. */
__attribute__((noinline)) static void wipe(void) { volatile char b[65536]; for (int i = 0; i < 65536; i++) b[i] = 0; }

int main(void) {
    plant();
    wipe();
    printf("%ld\n", lost);
    fflush(stdout);
    if (!getenv("ENDS")) pause();
}

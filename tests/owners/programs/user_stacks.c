/* Stacks that a program supplies, fibers and signal stacks. Prints `T START END NAME|NAME` for each piece of
   memory: the owners that are right, `own` for memory that belongs to nobody but the program. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifndef NO_FIBERS
#include <ucontext.h>
#endif

static void truth(void *start, size_t length, const char *names) {
    printf("T %lx %lx %s\n", (unsigned long)start, (unsigned long)start + length, names);
}
static char *mapped(size_t length, int flags) {
    return mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}
static void *ending(void *nothing) { return nothing; }
static void *waiting(void *nothing) { pause(); return nothing; }

static pthread_t started(char *stack, size_t length, void *(*function)(void *)) {
    pthread_t thread;
    pthread_attr_t how;
    pthread_attr_init(&how);
    if (stack) pthread_attr_setstack(&how, stack, length);
    pthread_create(&thread, &how, function, 0);
    return thread;
}

/* The thread has ended and was joined: the memory is the program's again, the old record is still in it. */
static void joined(int flags) {
    size_t length = 1 << 20;
    char *stack = mapped(length, flags);
    pthread_join(started(stack, length, ending), 0);
    memset(stack, 0x55, length - 16384);
    truth(stack, length, "own");
}
static void side_by_side(void) {
    size_t length = 256 << 10;
    char *stacks = mapped(8 * length, MAP_STACK);
    for (int n = 0; n < 8; n++) started(stacks + n * length, length, waiting);
    truth(stacks, 8 * length, "thread-stack");
}
static void in_malloc(void) {
    size_t length = 1 << 20;
    void *stack;
    if (posix_memalign(&stack, 4096, length)) exit(1);
    started(stack, length, waiting);
    truth(stack, length, "thread-stack|malloc-large-block|musl-malloc");
}
static void deep(void) { /* the memory above a stack in one mapping with it is the program's */
    size_t length = 1 << 20;
    char *memory = mapped(3 * length, 0);
    memset(memory + 2 * length, 1, length);
    started(memory, length, waiting);
    truth(memory, length, "thread-stack");
    truth(memory + length, 2 * length, "own");
}
#ifndef NO_FIBERS
static ucontext_t back, fiber;
static char *fiber_stack;
static void in_fiber(void) { pause(); }
static void *switching(void *nothing) {
    getcontext(&fiber);
    fiber.uc_stack.ss_sp = fiber_stack + 4096;
    fiber.uc_stack.ss_size = 508 << 10;
    fiber.uc_link = &back;
    makecontext(&fiber, in_fiber, 0);
    swapcontext(&back, &fiber);
    return nothing;
}
static void fibers(int flags, int supplied) { /* a fiber with a guard below runs on a thread */
    fiber_stack = mapped(512 << 10, flags);
    mprotect(fiber_stack, 4096, PROT_NONE);
    truth(fiber_stack + 4096, 508 << 10, "own");
    size_t length = 1 << 20;
    char *stack = supplied ? mapped(length, flags) : 0;
    if (stack) truth(stack, length, "thread-stack");
    started(stack, length, switching);
}
#endif
static void handler(int number) { (void)number; pause(); }
static void *signalled(void *nothing) {
    char *memory = mapped(17 * 4096, MAP_STACK);
    mprotect(memory, 4096, PROT_NONE);
    stack_t stack = {.ss_sp = memory + 4096, .ss_size = 16 * 4096};
    sigaltstack(&stack, 0);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, 0);
    truth(memory + 4096, 16 * 4096, "own");
    fflush(stdout);
    raise(SIGUSR1);
    return nothing;
}

int main(int count, char **words) {
    setvbuf(stdout, 0, _IONBF, 0);
    for (const char *act = count > 1 ? words[1] : ""; *act; act++) switch (*act) {
        case 'j': joined(0); break;
        case 'J': joined(MAP_STACK); break;
        case 's': side_by_side(); break;
        case 'm': in_malloc(); break;
        case 'd': deep(); break;
#ifndef NO_FIBERS
        case 'f': fibers(0, 0); break;
        case 'F': fibers(MAP_STACK, 1); break;
#endif
        case 'a': started(0, 0, signalled); break;
    }
    usleep(100000);
    puts("ready");
    pause();
}

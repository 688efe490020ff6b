/* Loses blocks on purpose: prints how many and how many bytes it asked for, then waits; built without optimisation. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace app {
struct Base { virtual ~Base() {} };
struct Session : Base { char data[200]; Base *peer = nullptr; };
struct Node : Base { Node *next = nullptr; long value[4]; };
}
app::Node *head;
auto &keep = *new std::vector<app::Base *>;   /* never destroyed: nothing more is lost when the program ends */
auto &names = *new std::map<int, std::string>;
void *tagged, *interior;
static long lost;

__attribute__((noinline)) static void *fresh(size_t size) { void *p = malloc(size); memset(p, 'x', size); return p; }

__attribute__((noinline)) static void plant() {
    for (int i = 0; i < 20000; i++) { auto n = new app::Node; n->next = head; head = n; }
    for (int i = 0; i < 10000; i++) names[i] = std::string(40, 'a' + i % 26);
    for (int i = 0; i < 5000; i++) keep.push_back(new app::Session);
    tagged = (char *)fresh(5000) + 3;
    interior = (char *)fresh(300000) + 299000;
    for (int i = 0; i < 3000; i++, lost++) fresh(1000);
    for (int i = 0; i < 2000; i++, lost += 2) { auto s = new app::Session; s->peer = new app::Node; }
    for (int i = 0; i < 1000; i++, lost += 2) {   /* circles */
        auto a = new app::Node, b = new app::Node; a->next = b; b->next = a;
    }
    auto v = new std::vector<app::Node *>; v->reserve(500); lost += 2;   /* a container, lost whole */
    for (int i = 0; i < 500; i++, lost++) v->push_back(new app::Node);
    fresh(400000); lost++;
}

__attribute__((noinline)) static void wipe() { volatile char b[65536]; for (int i = 0; i < 65536; i++) b[i] = 0; }

static void work() { for (;;) { volatile long n = 0; while (n < 200000) n++; void *p = malloc(100 + n % 7); usleep(1000); free(p); } }

int main(int argc, char **argv) {
    if (argc > 1) for (int i = 0; i < 4; i++) (new std::thread(work))->detach();   /* keeps nothing: four std::thread are lost */
    if (argc > 1) lost += 4;
    plant();
    wipe();
    printf("%ld\n", lost);
    fflush(stdout);
    if (!getenv("ENDS")) pause();
}

// Makes objects of C++ classes, deletes some, and prints how many there are; for each line that it reads, once more.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace app {
struct Base { virtual ~Base() {} };
struct Session : Base { char data[200]; };
struct Node : Base { Node *next = nullptr; long value[4]; };
template <class T> struct Cache : Base { T held[10]; };
}
std::vector<app::Base *> keep;
std::map<int, std::string> names;

int main() {
    for (int round = 1;; round++) {
        for (int i = 0; i < 1000; i++) keep.push_back(new app::Session);
        for (int i = 0; i < 3000; i++) keep.push_back(new app::Node);
        for (int i = 0; i < 500; i++) keep.push_back(new app::Cache<double>);
        for (int i = 0; i < 100; i++) names[round * 100 + i] = std::string(50, 'x');
        auto first = keep.end() - 4500;
        for (int i = 0; i < 400; i++) delete first[i];
        keep.erase(first, first + 400);
        printf("app::Session %d\napp::Node %d\napp::Cache<double> %d\nready\n", 600 * round, 3000 * round, 500 * round);
        fflush(stdout);
        if (getchar() == EOF) return 0;
    }
}

/* Loads a library and does not initialise what is in it. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments) {
    if (count < 2 || !dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL)) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    puts("ready");
    fflush(stdout);
    getchar();
    return 0;
}

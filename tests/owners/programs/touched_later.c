/* A large block of malloc beside a mapping of its own, which the kernel merges into one. Each line that it
   reads has it touch one more page of the mapping. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SIZE = 1 << 20, PAGE = 4096 };

int main(void) {
  volatile char *block = malloc(SIZE);
  volatile char *own = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t at = 0; at < SIZE / 2; at += PAGE) block[at] = own[at] = 1;
  printf("ready\n");
  fflush(stdout);
  for (size_t at = SIZE / 2; getchar() != EOF && at < SIZE; at += PAGE) {
    own[at] = 1;
    printf("done\n");
    fflush(stdout);
  }
  return block[0];
}

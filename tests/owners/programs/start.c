// The entry of a program that is linked to another glibc than the machine's, whose crt1.o it has not.
#include <stdlib.h>
int main(int, char **);
#ifdef __x86_64__
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov (%rsp), %rdi\n lea 8(%rsp), %rsi\n and $-16, %rsp\n"
        " call main\n mov %eax, %edi\n call exit\n");
#else
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov (%esp), %eax\n lea 4(%esp), %ecx\n and $-16, %esp\n"
        " sub $8, %esp\n push %ecx\n push %eax\n call main\n sub $12, %esp\n push %eax\n call exit\n");
#endif

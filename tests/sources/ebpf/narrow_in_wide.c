/* A 64-bit program that opens a file by int 0x80, as malware does that hopes not to be seen. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

int main(void)
{
	char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result;
	strcpy(low, "/etc/hostname");
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(5L), "b"(low), "c"(0L), "d"(0L) : "memory");
	return result < 0;
}

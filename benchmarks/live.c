/* Makes one system call again and again and says what that cost.
 *
 *   live CALL       then on standard input, line by line, how many to make; it answers with the
 *                   nanoseconds of its own CPU time
 *
 * CALL is close (of no descriptor), getuid, or open (of /etc/hostname, and close). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(int argc, char **argv)
{
	const char *call = argc > 1 ? argv[1] : "close";
	long n, i;
	puts("ready");
	fflush(stdout);
	while (scanf("%ld", &n) == 1) {
		long long start = now_ns();
		if (!strcmp(call, "open")) {
			for (i = 0; i < n; i++)
				syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, "/etc/hostname", O_RDONLY));
		} else if (!strcmp(call, "getuid")) {
			for (i = 0; i < n; i++)
				syscall(SYS_getuid);
		} else {
			for (i = 0; i < n; i++)
				syscall(SYS_close, -1);
		}
		printf("%lld\n", now_ns() - start);
		fflush(stdout);
	}
	return 0;
}

/* A 32-bit program without any library: what it calls, it calls by int 0x80.
 *
 *   gcc -m32 -nostdlib -static -fno-pie -no-pie -ffreestanding -fno-stack-protector
 *
 * Numbers are those of asm/unistd_32.h. The test knows what each call was given. */

static int call(int number, int a, int b, int c, int d, int e)
{
	int result;
	__asm__ volatile("int $0x80" : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
	return result;
}

#define P(pointer) ((int)(pointer))
#define CALL(...) call(__VA_ARGS__)

struct vector {
	int start, size;
};

static char buffer[64];
static const char hello[] = "hello", more[] = "-more";
static struct vector vectors[2] = {{P(hello), 5}, {P(more), 5}};
static unsigned char address[16] = {2, 0, 0, 9, 127, 0, 0, 1};

static int socketcall(int which, int a, int b, int c, int d, int e, int f)
{
	int words[6] = {a, b, c, d, e, f};
	return CALL(102, which, P(words), 0, 0, 0);
}

int main_of_32(char *program)
{
	int fd, udp, at;
	int mapping[6] = {0, 8192, 3, 0x22, -1, 0};
	int message[7] = {P(address), 16, P(vectors), 2, 0, 0, 0};
	int half_second[2] = {0, 1234};
	long long wide[2] = {0, 5678};
	char *arguments[3] = {"first", "second", 0}, *environment[2] = {"NARROW=1", 0};

	fd = CALL(5, P("narrow-file"), 0102, 0640, 0, 0);			 /* open */
	CALL(4, fd, P(hello), 5, 0, 0);						 /* write */
	CALL(146, fd, P(vectors), 2, 0, 0);					 /* writev */
	CALL(181, fd, P("pos"), 3, 100, 1);					 /* pwrite64 */
	CALL(140, fd, 1, 7, P(buffer), 0);					 /* _llseek */
	CALL(19, fd, -3, 2, 0, 0);						 /* lseek */
	CALL(300, -100, P("narrow-file"), P(buffer), 0x100, 0);			 /* fstatat64 */
	CALL(182, P("narrow-file"), 12, 0xffff, 0, 0);				 /* chown of 16 bits */
	CALL(212, P("narrow-file"), 70000, -1, 0, 0);				 /* chown32 */
	CALL(15, P("narrow-file"), 0600, 0, 0, 0);				 /* chmod */
	CALL(90, P(mapping), 0, 0, 0, 0);					 /* mmap by a structure */
	CALL(192, 0, 4096, 1, 2, fd);						 /* mmap2 */
	CALL(22, P("/nonexistent"), 0, 0, 0, 0);				 /* umount */
	CALL(162, P(half_second), 0, 0, 0, 0);					 /* nanosleep */
	CALL(414, 0, 0, P(wide), 0, 0);						 /* ppoll_time64 */
	udp = socketcall(1, 2, 2, 0, 0, 0, 0);					 /* socket */
	socketcall(3, udp, P(address), 16, 0, 0, 0);				 /* connect */
	socketcall(9, udp, P(hello), 5, 0, 0x1234, 99);				 /* send */
	socketcall(16, udp, P(message), 0, 0, 0, 0);				 /* sendmsg */
	at = CALL(359, 2, 1, 0, 0, 0);						 /* socket */
	CALL(362, at, P(address), 16, 0, 0);					 /* connect */
	CALL(117, 2, 0, 1, 01600, 0);						 /* ipc: semget */
	CALL(164, -1, 0, 0xffff, 0, 0);						 /* setresuid of 16 bits */
	CALL(268, P("/"), 84, P(buffer), 0, 0);					 /* statfs64 */
	CALL(11, P("/nonexistent"), P(arguments), P(environment), 0, 0);	 /* execve */
	CALL(3000, 0, 0, 0, 0, 0);						 /* nothing */
	CALL(11, P("/bin/true"), P(arguments), P(environment), 0, 0);		 /* execve */
	CALL(1, 1, 0, 0, 0, 0);
	return 0;
}

__asm__(".globl _start\n_start: and $-16, %esp\n call main_of_32\n hlt");

/* What system calls have done: one case per event type, one line per parameter or two. The arguments
 * are still in the registers; what they point to is read from the memory of the process.
 *
 * Every type and every parameter is that of rulekit/schema/tables/event_table.json. */
#pragma once

#include "process.h"
#include "socket.h"

/* Parameters that are arguments as they are. */
#define RES put_u64(e, c->ret);
#define FD(n) put_s64(e, c->a[n]);
#define S64(n) put_s64(e, c->a[n]);
#define U64(n) put_u64(e, c->a[n]);
#define U32(n) put_u32(e, c->a[n]);
#define U16(n) put_u16(e, c->a[n]);
#define U8(n) put_u8(e, c->a[n]);
#define TEXT(n) put_user_text(e, c->a[n]);
#define ADDRESS(n, size) put_address(e, c->a[n], c->a[size]);

/* A signed number that is as wide as a register. */
INLINE u64 signed_argument(struct call *c, u32 n)
{
	return c->halves ? (s64)(s32)c->a[n] : c->a[n];
}

#define CASE(event, ...)                                                                           \
	case event:                                                                                \
		__VA_ARGS__                                                                        \
		break;

/* What an open tells of the file that it opened. */
struct opened {
	u64 ino;
	u32 flags, dev, layer;
};

/* The verifier does not let separate functions return more than a number: it lies in the buffer. */
SEPARATE u32 find_opened(s32 fd)
{
	struct opened o = {};
	struct file *file = file_of(fd);
	u8 *bytes = own_scratch();
	struct inode *inode;
	if (!bytes)
		return 0;
	if (file) {
		inode = READ(file, f_inode);
		o.dev = encoded_dev(READ(READ(inode, i_sb), s_dev));
		o.ino = READ(inode, i_ino);
		o.layer = layer_of(inode);
		if (READ(file, f_mode) & FMODE_CREATED)
			o.flags |= PPM_O_F_CREATED;
		if (o.layer == LAYER_UPPER)
			o.flags |= PPM_FD_UPPER_LAYER;
		if (o.layer == LAYER_LOWER)
			o.flags |= PPM_FD_LOWER_LAYER;
	}
	*(struct opened *)(bytes + WORK_AT) = o;
	return 0;
}

INLINE struct opened opened_file(struct event *e, struct call *c)
{
	find_opened(c->ret);
	return *(struct opened *)(e->bytes + WORK_AT);
}

INLINE void exit_open(struct event *e, struct call *c, u32 name)
{
	struct opened o = opened_file(e, c);
	RES
	if (name)
		put_s64(e, c->a[0]);
	put_user_text(e, c->a[name]);
	put_u32(e, open_flags(c->a[name + 1]) | o.flags);
	put_u32(e, open_mode(c->a[name + 1], c->a[name + 2]));
	put_u32(e, o.dev);
	put_u64(e, o.ino);
}

INLINE void exit_openat2(struct event *e, struct call *c)
{
	struct opened o = opened_file(e, c);
	u64 how[3] = {};
	bpf_probe_read_user(how, sizeof(how), (void *)c->a[2]);
	RES FD(0) TEXT(1)
	put_u32(e, open_flags(how[0]) | o.flags);
	put_u32(e, open_mode(how[0], how[1]));
	put_u32(e, resolve_flags(how[2]));
	put_u32(e, o.dev);
	put_u64(e, o.ino);
}

INLINE void exit_creat(struct event *e, struct call *c)
{
	struct opened o = opened_file(e, c);
	RES TEXT(0)
	put_u32(e, c->a[1] & 07777);
	put_u32(e, o.dev);
	put_u64(e, o.ino);
	put_u16(e, o.layer == LAYER_UPPER   ? PPM_FD_UPPER_LAYER_CREAT
		   : o.layer == LAYER_LOWER ? PPM_FD_LOWER_LAYER_CREAT
					    : 0);
}

INLINE void exit_open_by_handle(struct event *e, struct call *c)
{
	struct opened o = opened_file(e, c);
	struct file *file = file_of(c->ret);
	RES FD(0)
	put_u32(e, open_flags(c->a[2]) | o.flags);
	if (file)
		put_path(e, &file->f_path);
	else
		put_empty(e);
	put_u32(e, o.dev);
	put_u64(e, o.ino);
}

/* Bytes that a call moved, or that it would have moved had it not failed. */
INLINE s64 offered(struct call *c, u64 size)
{
	return c->ret > 0 ? c->ret : (s64)size;
}

INLINE void put_read_data(struct event *e, struct call *c, u64 pointer)
{
	put_user_bytes(e, pointer, c->ret > 0 ? c->ret : 0);
}

INLINE u64 position(struct call *c, u32 n)
{
	return c->halves ? c->a[n] | c->a[n + 1] << 32 : c->a[n];
}

INLINE void put_vector(struct event *e, u64 written)
{
	close_param(e, written & AT_MASK);
}

INLINE void exit_vector_read(struct event *e, struct call *c)
{
	/* The size stands before the data, and is known after them. */
	u64 written;
	e->at += 4;
	written = vector_into(e, c, c->a[1], c->a[2], c->ret);
	e->at -= 4;
	put_u32(e, written >> 32);
	put_vector(e, written);
	FD(0)
}

INLINE void exit_vector_write(struct event *e, struct call *c)
{
	u64 written = vector_into(e, c, c->a[1], c->a[2], offered(c, settings.snaplen));
	put_vector(e, written);
	FD(0)
	put_u32(e, written >> 32);
}

INLINE void exit_send(struct event *e, struct call *c)
{
	RES
	put_user_bytes(e, c->a[1], offered(c, c->a[2]));
	FD(0) U32(2)
	put_tuple(e, c->a[0], c->a[4], c->a[5], OUTBOUND);
}

INLINE void put_sender(struct event *e, struct call *c, u64 address, u32 size)
{
	if (c->ret < 0)
		put_empty(e);
	else
		put_tuple(e, c->a[0], address, size, INBOUND);
}

INLINE void exit_sendmsg(struct event *e, struct call *c)
{
	struct message m = message_at(c->a[1], c->narrow);
	u64 written;
	RES
	written = vector_into(e, c, m.vector, m.count, offered(c, settings.snaplen));
	put_vector(e, written);
	FD(0)
	put_u32(e, written >> 32);
	put_tuple(e, c->a[0], m.name, m.name_size, OUTBOUND);
}

INLINE void exit_recvmsg(struct event *e, struct call *c)
{
	struct message m = message_at(c->a[1], c->narrow);
	u64 written;
	RES
	e->at += 4;
	written = vector_into(e, c, m.vector, m.count, c->ret);
	e->at -= 4;
	put_u32(e, written >> 32);
	put_vector(e, written);
	put_sender(e, c, m.name, m.name_size);
	put_user_bytes(e, m.control, c->ret < 0 ? 0 : m.control_size);
	FD(0)
}

/* The first of the messages; how many there were is the result. */
INLINE void exit_sendmmsg(struct event *e, struct call *c)
{
	struct message m = message_at(c->a[1], c->narrow);
	u64 written;
	RES FD(0)
	e->at += 4;
	written = vector_into(e, c, m.vector, m.count, settings.snaplen);
	e->at -= 4;
	put_u32(e, written >> 32);
	put_vector(e, written);
	put_tuple(e, c->a[0], m.name, m.name_size, OUTBOUND);
}

INLINE void exit_recvmmsg(struct event *e, struct call *c)
{
	struct message m = message_at(c->a[1], c->narrow);
	u32 received = c->ret > 0 ? user_u32(c->a[1] + (c->narrow ? 28 : 56)) : 0;
	u64 written;
	RES FD(0)
	e->at += 4;
	written = vector_into(e, c, m.vector, m.count, received);
	e->at -= 4;
	put_u32(e, written >> 32);
	put_vector(e, written);
	put_sender(e, c, m.name, m.name_size);
	put_user_bytes(e, m.control, c->ret < 0 ? 0 : m.control_size);
}

INLINE void exit_connect(struct event *e, struct call *c)
{
	enum { K_EINPROGRESS = 115 };
	RES
	if (c->ret == 0 || c->ret == -K_EINPROGRESS)
		put_tuple(e, c->a[0], c->a[1], c->a[2], OUTBOUND);
	else
		put_empty(e);
	FD(0) ADDRESS(1, 2)
}

INLINE void exit_accept(struct event *e, struct call *c)
{
	struct sock *listener = c->ret < 0 ? 0 : sock_of(c->a[0]);
	u32 length = 0, most = 0;
	if (listener) {
		length = READ(listener, sk_ack_backlog);
		most = READ(listener, sk_max_ack_backlog);
	}
	RES
	if (c->ret < 0)
		put_empty(e);
	else
		put_tuple(e, c->ret, 0, 0, INBOUND);
	put_u8(e, most ? length * 100 / most : 0);
	put_u32(e, length);
	put_u32(e, most);
}

INLINE void exit_getsockopt(struct event *e, struct call *c)
{
	u32 size = user_u32(c->a[4]);
	RES FD(0)
	put_u8(e, option_level(c->a[1]));
	put_u8(e, option_name(c->a[1], c->a[2]));
	put_option(e, c->a[1], c->a[2], c->ret < 0 ? 0 : c->a[3], size);
	put_u32(e, size);
}

INLINE void exit_pair(struct event *e, struct call *c, u64 pair)
{
	s32 fds[2] = {-1, -1};
	if (!c->ret)
		bpf_probe_read_user(fds, sizeof(fds), (void *)pair);
	RES
	put_s64(e, fds[0]);
	put_s64(e, fds[1]);
}

INLINE void exit_pipe(struct event *e, struct call *c)
{
	s32 fd = -1;
	struct file *file;
	if (!c->ret)
		bpf_probe_read_user(&fd, sizeof(fd), (void *)c->a[0]);
	exit_pair(e, c, c->a[0]);
	file = file_of(fd);
	put_u64(e, file ? READ(READ(file, f_inode), i_ino) : 0);
}

INLINE void exit_socketpair(struct event *e, struct call *c)
{
	s32 fd = -1;
	struct unix_sock *one;
	if (!c->ret)
		bpf_probe_read_user(&fd, sizeof(fd), (void *)c->a[3]);
	exit_pair(e, c, c->a[3]);
	one = (void *)sock_of(fd);
	put_u64(e, (u64)one);
	put_u64(e, one ? (u64)READ(one, peer) : 0);
	U32(0) U32(1) U32(2)
}

/* Two limits, current and most; -1 is none, or not known. */
SEPARATE u32 write_limit(u32 at, u64 pointer, u32 narrow)
{
	struct pair limit = {-1ull, -1ull};
	u8 *bytes = own_scratch();
	if (!bytes)
		return 0;
	if (pointer) {
		limit = user_pair(pointer, narrow);
		if (narrow && (u32)limit.first == -1u)
			limit.first = -1ull;
		if (narrow && (u32)limit.second == -1u)
			limit.second = -1ull;
	}
	*(u64 *)(bytes + (at & AT_MASK)) = limit.first;
	*(u64 *)(bytes + (at & AT_MASK) + 8) = limit.second;
	return 16;
}

INLINE void put_limit(struct event *e, u64 pointer, bool narrow)
{
	write_limit(e->at, pointer, narrow);
	close_param(e, 8);
	close_param(e, 8);
}

INLINE u8 limit_of(u32 resource)
{
	return resource <= PPM_RLIMIT_RTTIME ? resource : PPM_RLIMIT_UNKNOWN;
}

INLINE void exit_prlimit(struct event *e, struct call *c)
{
	RES
	put_limit(e, c->ret < 0 ? 0 : c->a[2], false);
	put_limit(e, c->ret < 0 ? 0 : c->a[3], false);
	S64(0)
	put_u8(e, limit_of(c->a[1]));
}

INLINE void exit_ppoll(struct event *e, struct call *c)
{
	RES
	put_poll(e, c);
	put_u64(e, c->a[2] ? nanoseconds(c->a[2], c->narrow) : -1ull);
	put_u32(e, user_u32(c->a[3]));
}

INLINE void exit_semop(struct event *e, struct call *c)
{
	u16 operations[6] = {};
	u32 n = c->a[2];
	if (n)
		bpf_probe_read_user(operations, n > 1 ? 12 : 6, (void *)c->a[1]);
	RES U32(2)
	put_u16(e, operations[0]);
	put_u16(e, operations[1]);
	put_u16(e, semaphore_flags(operations[2]));
	put_u16(e, operations[3]);
	put_u16(e, operations[4]);
	put_u16(e, semaphore_flags(operations[5]));
	U32(0)
}

INLINE void exit_quotactl(struct event *e, struct call *c)
{
	enum { QIF_DQBLK = 8, GETS = PPM_Q_GETQUOTA | PPM_Q_SETQUOTA, INFOS = PPM_Q_GETINFO | PPM_Q_SETINFO };
	u32 command = quota_command(c->a[0]);
	u64 block[QIF_DQBLK] = {}, info[3] = {};
	u32 format = 0;
	if (c->ret == 0 && command & GETS)
		bpf_probe_read_user(block, sizeof(block), (void *)c->a[3]);
	if (c->ret == 0 && command & INFOS)
		bpf_probe_read_user(info, sizeof(info), (void *)c->a[3]);
	if (c->ret == 0 && command == PPM_Q_GETFMT)
		format = user_u32(c->a[3]);
	RES TEXT(1)
	if (command == PPM_Q_QUOTAON)
		put_user_text(e, c->a[3]);
	else
		put_empty(e);
	put_u64(e, block[0]);
	put_u64(e, block[1]);
	put_u64(e, block[2]);
	put_u64(e, block[3]);
	put_u64(e, block[4]);
	put_u64(e, block[6]);
	put_u64(e, block[7]);
	put_u64(e, info[0]);
	put_u64(e, info[1]);
	put_u8(e, info[2]);
	put_u8(e, quota_format(format));
	put_u16(e, command);
	put_u8(e, quota_type(c->a[0]));
	put_u32(e, command & GETS || command == PPM_Q_XGETQUOTA || command == PPM_Q_XSETQLIM ? c->a[2] : 0);
	put_u8(e, command == PPM_Q_QUOTAON ? quota_format(c->a[2]) : PPM_QFMT_NOT_USED);
}

INLINE void exit_ptrace(struct event *e, struct call *c)
{
	u16 request = ptrace_request(c->a[0]);
	u8 *at;
	RES
	at = room(e);
	*at = PPM_PTRACE_IDX_UINT64;
	*(u64 *)(at + 1) = c->a[2];
	close_param(e, 9);
	at = room(e);
	switch (request) {
	case PPM_PTRACE_CONT:
	case PPM_PTRACE_SINGLESTEP:
	case PPM_PTRACE_DETACH:
	case PPM_PTRACE_SYSCALL:
		*at = PPM_PTRACE_IDX_SIGTYPE;
		at[1] = c->a[3];
		close_param(e, 2);
		break;
	case PPM_PTRACE_PEEKTEXT:
	case PPM_PTRACE_PEEKDATA:
	case PPM_PTRACE_PEEKUSR:
		*at = PPM_PTRACE_IDX_UINT64;
		*(u64 *)(at + 1) = c->ret < 0 ? 0 : user_word(c->a[3], c->narrow);
		close_param(e, 9);
		break;
	default:
		*at = PPM_PTRACE_IDX_UINT64;
		*(u64 *)(at + 1) = c->a[3];
		close_param(e, 9);
	}
	put_u16(e, request);
	S64(1)
}

INLINE void exit_ring_setup(struct event *e, struct call *c)
{
	u32 params[6] = {};
	bpf_probe_read_user(params, sizeof(params), (void *)c->a[1]);
	RES U32(0)
	put_u32(e, params[0]);
	put_u32(e, params[1]);
	put_u32(e, ring_setup_flags(params[2]));
	put_u32(e, params[3]);
	put_u32(e, params[4]);
	put_u32(e, params[5] & 0x7ff);
}

INLINE void exit_fsconfig(struct event *e, struct call *c)
{
	u32 command = c->a[1];
	RES FD(0) U32(1) TEXT(2)
	if (command == PPM_FSCONFIG_SET_BINARY)
		put_user_bytes(e, c->a[3], c->a[4]);
	else
		put_empty(e);
	if (command == PPM_FSCONFIG_SET_STRING || command == PPM_FSCONFIG_SET_PATH ||
	    command == PPM_FSCONFIG_SET_PATH_EMPTY)
		put_user_text(e, c->a[3]);
	else
		put_empty(e);
	U32(4)
}

INLINE void exit_prctl(struct event *e, struct call *c)
{
	enum { SET_NAME = 15, GET_CHILD_SUBREAPER = 37 };
	u32 option = c->a[0];
	RES U32(0)
	if (option == SET_NAME) {
		TEXT(1)
		put_u64(e, 0);
		return;
	}
	put_empty(e);
	put_u64(e, option == GET_CHILD_SUBREAPER ? (s64)(s32)user_u32(c->a[1]) : c->a[1]);
}

INLINE void put_key_argument(struct event *e, struct call *c, u32 n, bool text)
{
	u8 *at = room(e);
	long length = 0;
	if (!text) {
		*at = PPM_KEYCTL_IDX_INT64;
		*(u64 *)(at + 1) = signed_argument(c, n);
		close_param(e, 9);
		return;
	}
	*at = PPM_KEYCTL_IDX_CHARBUF;
	if (c->a[n])
		length = bpf_probe_read_user_str(at + 1, MAX_PATH, (void *)c->a[n]);
	if (length < 0 || length > MAX_PATH)
		length = 0;
	close_param(e, length + 1);
}

INLINE void exit_keyctl(struct event *e, struct call *c)
{
	enum { JOIN_SESSION = 1, SEARCH = 10, RESTRICT = 29 };
	u32 operation = c->a[0];
	RES U32(0)
	put_key_argument(e, c, 1, operation == JOIN_SESSION);
	put_key_argument(e, c, 2, operation == SEARCH || operation == RESTRICT);
	put_key_argument(e, c, 3, operation == SEARCH || operation == RESTRICT);
	put_key_argument(e, c, 4, false);
}

INLINE void exit_capset(struct event *e, struct call *c)
{
	struct cred *cred = READ(c->task, cred);
	RES
	put_u64(e, READ(cred, cap_inheritable).bits);
	put_u64(e, READ(cred, cap_permitted).bits);
	put_u64(e, READ(cred, cap_effective).bits);
}

INLINE void exit_three_ids(struct event *e, struct call *c)
{
	u32 mask = c->flags & ROUTE_SHORT_IDS ? 0xffff : 0xffffffff;
	RES
	put_u32(e, user_u32(c->a[0]) & mask);
	put_u32(e, user_u32(c->a[1]) & mask);
	put_u32(e, user_u32(c->a[2]) & mask);
}

INLINE void put_process_data(struct event *e, struct call *c)
{
	RES S64(0)
	put_vector(e, vector_into(e, c, c->a[1], c->a[2], c->ret));
}

INLINE void on_exit(struct call *c, struct route *route)
{
	struct event event, *e = &event;
	u32 type = route->type;
	bool at;
	/* A program that started was told of when it did, and so was whom a call made. */
	if (c->ret == 0 && (type == PPME_SYSCALL_EXECVE_19_X || type == PPME_SYSCALL_EXECVEAT_X ||
			    is_clone(type)))
		return;
	if (!begin(e, type, route->n_params, c->task->pid))
		return;
	switch (type) {
		CASE(PPME_GENERIC_X, put_u16(e, route->code); put_u16(e, route->native);)

		/* processes */
	case PPME_SYSCALL_CLONE_20_X:
	case PPME_SYSCALL_CLONE3_X:
	case PPME_SYSCALL_FORK_20_X:
	case PPME_SYSCALL_VFORK_20_X:
		put_clone(e, c, type);
		break;
	case PPME_SYSCALL_EXECVE_19_X:
	case PPME_SYSCALL_EXECVEAT_X:
		at = type == PPME_SYSCALL_EXECVEAT_X;
		put_failed_exec(e, c, at ? c->a[2] : c->a[1], at ? c->a[3] : c->a[2]);
		if (!at)
			put_user_text(e, c->a[0]);
		break;
		CASE(PPME_SYSCALL_PRCTL_X, exit_prctl(e, c);)
		CASE(PPME_SYSCALL_PTRACE_X, exit_ptrace(e, c);)
		CASE(PPME_SYSCALL_KILL_X, RES S64(0) U8(1))
		CASE(PPME_SYSCALL_TKILL_X, RES S64(0) U8(1))
		CASE(PPME_SYSCALL_TGKILL_X, RES S64(0) S64(1) U8(2))
		CASE(PPME_SYSCALL_SETPGID_X, RES S64(0) S64(1))
		CASE(PPME_SYSCALL_SETSID_X, RES)
		CASE(PPME_SYSCALL_SETNS_X, RES FD(0) put_u32(e, clone_flags(c->a[1]));)
		CASE(PPME_SYSCALL_UNSHARE_X, RES put_u32(e, clone_flags(c->a[0]));)
		CASE(PPME_SYSCALL_SECCOMP_X, RES U64(0) U64(1))
		CASE(PPME_SYSCALL_CAPSET_X, exit_capset(e, c);)
		CASE(PPME_SYSCALL_GETRLIMIT_X, RES put_limit(e, c->ret < 0 ? 0 : c->a[1], c->narrow);
		     put_u8(e, limit_of(c->a[0]));)
		CASE(PPME_SYSCALL_SETRLIMIT_X, RES put_limit(e, c->a[1], c->narrow);
		     put_u8(e, limit_of(c->a[0]));)
		CASE(PPME_SYSCALL_PRLIMIT_X, exit_prlimit(e, c);)
		CASE(PPME_SYSCALL_PIDFD_OPEN_X, RES S64(0) put_u32(e, MOVE(c->a[1], K_O_NONBLOCK, PPM_PIDFD_NONBLOCK));)
		CASE(PPME_SYSCALL_PIDFD_GETFD_X, RES FD(0) FD(1) U32(2))
		CASE(PPME_SYSCALL_PROCESS_VM_READV_X, put_process_data(e, c);)
		CASE(PPME_SYSCALL_PROCESS_VM_WRITEV_X, put_process_data(e, c);)

		/* users */
		CASE(PPME_SYSCALL_SETUID_X, RES U32(0))
		CASE(PPME_SYSCALL_SETGID_X, RES U32(0))
		CASE(PPME_SYSCALL_SETREUID_X, RES U32(0) U32(1))
		CASE(PPME_SYSCALL_SETREGID_X, RES U32(0) U32(1))
		CASE(PPME_SYSCALL_SETRESUID_X, RES U32(0) U32(1) U32(2))
		CASE(PPME_SYSCALL_SETRESGID_X, RES U32(0) U32(1) U32(2))
		CASE(PPME_SYSCALL_GETUID_X, put_u32(e, c->ret);)
		CASE(PPME_SYSCALL_GETEUID_X, put_u32(e, c->ret);)
		CASE(PPME_SYSCALL_GETGID_X, put_u32(e, c->ret);)
		CASE(PPME_SYSCALL_GETEGID_X, put_u32(e, c->ret);)
		CASE(PPME_SYSCALL_GETRESUID_X, exit_three_ids(e, c);)
		CASE(PPME_SYSCALL_GETRESGID_X, exit_three_ids(e, c);)

		/* files */
		CASE(PPME_SYSCALL_OPEN_X, exit_open(e, c, 0);)
		CASE(PPME_SYSCALL_OPENAT_2_X, exit_open(e, c, 1);)
		CASE(PPME_SYSCALL_OPENAT2_X, exit_openat2(e, c);)
		CASE(PPME_SYSCALL_CREAT_X, exit_creat(e, c);)
		CASE(PPME_SYSCALL_OPEN_BY_HANDLE_AT_X, exit_open_by_handle(e, c);)
		CASE(PPME_SYSCALL_CLOSE_X, RES FD(0))
		CASE(PPME_SYSCALL_CLOSE_RANGE_X, RES U32(0) U32(1) U32(2))
		CASE(PPME_SYSCALL_DUP_1_X, RES FD(0))
		CASE(PPME_SYSCALL_DUP2_X, RES FD(0) FD(1))
		CASE(PPME_SYSCALL_DUP3_X, RES FD(0) FD(1) put_u32(e, descriptor_flags(c->a[2]));)
		CASE(PPME_SYSCALL_FCNTL_X, RES FD(0) put_u8(e, fcntl_command(c->a[1])); U64(2))
		CASE(PPME_SYSCALL_PIPE_X, exit_pipe(e, c);)
		CASE(PPME_SYSCALL_PIPE2_X, exit_pipe(e, c); put_u32(e, open_flags(c->a[1]) & ~1u);)
		CASE(PPME_SYSCALL_MEMFD_CREATE_X, RES TEXT(0) put_u32(e, c->a[1] & 7);)
		CASE(PPME_SYSCALL_EVENTFD_X, RES U64(0) put_u32(e, 0);)
		CASE(PPME_SYSCALL_EVENTFD2_X, RES put_u16(e, descriptor_flags(c->a[1])); put_u64(e, (u32)c->a[0]);)
		CASE(PPME_SYSCALL_SIGNALFD_X, RES FD(0) put_u32(e, user_u32(c->a[1])); put_u8(e, 0);)
		CASE(PPME_SYSCALL_SIGNALFD4_X, RES put_u16(e, descriptor_flags(c->a[3])); FD(0)
		     put_u32(e, user_u32(c->a[1]));)
		CASE(PPME_SYSCALL_TIMERFD_CREATE_X, RES U8(0) put_u8(e, descriptor_flags(c->a[1]));)
		CASE(PPME_SYSCALL_INOTIFY_INIT_X, RES put_u8(e, 0);)
		CASE(PPME_SYSCALL_INOTIFY_INIT1_X, RES put_u16(e, descriptor_flags(c->a[0]));)
		CASE(PPME_SYSCALL_USERFAULTFD_X, RES put_u32(e, descriptor_flags(c->a[0]));)
		CASE(PPME_SYSCALL_EPOLL_CREATE_X, RES U32(0))
		CASE(PPME_SYSCALL_EPOLL_CREATE1_X, RES put_u32(e, MOVE(c->a[0], K_O_CLOEXEC, PPM_EPOLL_CLOEXEC));)
		CASE(PPME_SYSCALL_EPOLLWAIT_X, RES S64(2))
		CASE(PPME_SYSCALL_POLL_X, RES put_poll(e, c); S64(2))
		CASE(PPME_SYSCALL_PPOLL_X, exit_ppoll(e, c);)
		CASE(PPME_SYSCALL_SELECT_X, RES)
		CASE(PPME_SYSCALL_READ_X, RES put_read_data(e, c, c->a[1]); FD(0) U32(2))
		CASE(PPME_SYSCALL_WRITE_X, RES put_user_bytes(e, c->a[1], offered(c, c->a[2])); FD(0) U32(2))
		CASE(PPME_SYSCALL_PREAD_X, RES put_read_data(e, c, c->a[1]); FD(0) U32(2) put_u64(e, position(c, 3));)
		CASE(PPME_SYSCALL_PWRITE_X, RES put_user_bytes(e, c->a[1], offered(c, c->a[2])); FD(0) U32(2)
		     put_u64(e, position(c, 3));)
		CASE(PPME_SYSCALL_READV_X, RES exit_vector_read(e, c);)
		CASE(PPME_SYSCALL_PREADV_X, RES exit_vector_read(e, c); put_u64(e, position(c, 3));)
		CASE(PPME_SYSCALL_WRITEV_X, RES exit_vector_write(e, c);)
		CASE(PPME_SYSCALL_PWRITEV_X, RES exit_vector_write(e, c); put_u64(e, position(c, 3));)
		CASE(PPME_SYSCALL_LSEEK_X, RES FD(0) put_u64(e, signed_argument(c, 1)); U8(2))
		CASE(PPME_SYSCALL_LLSEEK_X, RES FD(0) put_u64(e, c->a[1] << 32 | c->a[2]); U8(4))
		CASE(PPME_SYSCALL_IOCTL_3_X, RES FD(0) U64(1) U64(2))
		CASE(PPME_SYSCALL_SENDFILE_X, RES put_u64(e, user_word(c->a[2], c->narrow)); FD(0) FD(1) U64(3))
		CASE(PPME_SYSCALL_SPLICE_X, RES FD(0) FD(2) U64(4) put_u32(e, c->a[5] & 0xf);)
		CASE(PPME_SYSCALL_COPY_FILE_RANGE_X, RES FD(2) put_u64(e, user_u64(c->a[3])); FD(0)
		     put_u64(e, user_u64(c->a[1])); U64(4))
		CASE(PPME_SYSCALL_FLOCK_X, RES FD(0) put_u32(e, c->a[1] & 0xf);)
		CASE(PPME_SYSCALL_GETDENTS_X, RES FD(0))
		CASE(PPME_SYSCALL_GETDENTS64_X, RES FD(0))
		CASE(PPME_SYSCALL_STAT_X, RES TEXT(0))
		CASE(PPME_SYSCALL_LSTAT_X, RES TEXT(0))
		CASE(PPME_SYSCALL_FSTAT_X, RES FD(0))
		CASE(PPME_SYSCALL_NEWFSTATAT_X, RES FD(0) TEXT(1) put_u32(e, c->a[3] & 0x1900);)
		CASE(PPME_SYSCALL_ACCESS_X, RES TEXT(0) put_u32(e, c->a[1] & 7);)
		CASE(PPME_SYSCALL_GETCWD_X, RES put_user_text(e, c->ret > 0 ? c->a[0] : 0);)
		CASE(PPME_SYSCALL_CHDIR_X, RES TEXT(0))
		CASE(PPME_SYSCALL_FCHDIR_X, RES FD(0))
		CASE(PPME_SYSCALL_CHROOT_X, RES TEXT(0))
		CASE(PPME_SYSCALL_MKDIR_2_X, RES TEXT(0) U32(1))
		CASE(PPME_SYSCALL_MKDIRAT_X, RES FD(0) TEXT(1) U32(2))
		CASE(PPME_SYSCALL_RMDIR_2_X, RES TEXT(0))
		CASE(PPME_SYSCALL_UNLINK_2_X, RES TEXT(0))
		CASE(PPME_SYSCALL_UNLINKAT_2_X, RES FD(0) TEXT(1) put_u32(e, c->a[2] & PPM_AT_REMOVEDIR);)
		CASE(PPME_SYSCALL_RENAME_X, RES TEXT(0) TEXT(1))
		CASE(PPME_SYSCALL_RENAMEAT_X, RES FD(0) TEXT(1) FD(2) TEXT(3))
		CASE(PPME_SYSCALL_RENAMEAT2_X, RES FD(0) TEXT(1) FD(2) TEXT(3) put_u32(e, c->a[4] & 7);)
		CASE(PPME_SYSCALL_LINK_2_X, RES TEXT(0) TEXT(1))
		CASE(PPME_SYSCALL_LINKAT_2_X, RES FD(0) TEXT(1) FD(2) TEXT(3) put_u32(e, c->a[4] & 0x1400);)
		CASE(PPME_SYSCALL_SYMLINK_X, RES TEXT(0) TEXT(1))
		CASE(PPME_SYSCALL_SYMLINKAT_X, RES TEXT(0) FD(1) TEXT(2))
		CASE(PPME_SYSCALL_CHMOD_X, RES TEXT(0) put_u32(e, c->a[1] & 07777);)
		CASE(PPME_SYSCALL_FCHMOD_X, RES FD(0) put_u32(e, c->a[1] & 07777);)
		CASE(PPME_SYSCALL_FCHMODAT_X, RES FD(0) TEXT(1) put_u32(e, c->a[2] & 07777);)
		CASE(PPME_SYSCALL_CHOWN_X, RES TEXT(0) U32(1) U32(2))
		CASE(PPME_SYSCALL_LCHOWN_X, RES TEXT(0) U32(1) U32(2))
		CASE(PPME_SYSCALL_FCHOWN_X, RES FD(0) U32(1) U32(2))
		/* The table has the name of not following links at the value of following them. */
		CASE(PPME_SYSCALL_FCHOWNAT_X, RES FD(0) TEXT(1) U32(2) U32(3)
		     put_u32(e, MOVE(c->a[4], 0x100, PPM_AT_SYMLINK_FOLLOW) | (c->a[4] & PPM_AT_EMPTY_PATH));)
		CASE(PPME_SYSCALL_MKNOD_X, RES TEXT(0) U32(1) put_u32(e, device_of(c->a[2]));)
		CASE(PPME_SYSCALL_MKNODAT_X, RES FD(0) TEXT(1) U32(2) put_u32(e, device_of(c->a[3]));)
		CASE(PPME_SYSCALL_MOUNT_X, RES TEXT(0) TEXT(1) TEXT(2) put_u32(e, mount_flags(c->a[3]));)
		CASE(PPME_SYSCALL_UMOUNT_1_X, RES TEXT(0))
		CASE(PPME_SYSCALL_UMOUNT2_X, RES TEXT(0) put_u32(e, c->a[1] & 0xf);)
		CASE(PPME_SYSCALL_FSCONFIG_X, exit_fsconfig(e, c);)
		CASE(PPME_SYSCALL_QUOTACTL_X, exit_quotactl(e, c);)

		/* memory */
		CASE(PPME_SYSCALL_BRK_4_X, RES put_memory(e, c->task); U64(0))
		CASE(PPME_SYSCALL_MMAP_X, RES put_memory(e, c->task); U64(0) U64(1)
		     put_u32(e, protection(c->a[2])); put_u32(e, mapping_flags(c->a[3])); FD(4) U64(5))
		CASE(PPME_SYSCALL_MUNMAP_X, RES put_memory(e, c->task); U64(0) U64(1))
		CASE(PPME_SYSCALL_MPROTECT_X, RES U64(0) U64(1) put_u32(e, protection(c->a[2]));)
		CASE(PPME_SYSCALL_MLOCK_X, RES U64(0) U64(1))
		CASE(PPME_SYSCALL_MUNLOCK_X, RES U64(0) U64(1))
		CASE(PPME_SYSCALL_MLOCK2_X, RES U64(0) U64(1) put_u32(e, c->a[2] & 1);)
		CASE(PPME_SYSCALL_MLOCKALL_X, RES put_u32(e, c->a[0] & 7);)
		CASE(PPME_SYSCALL_MUNLOCKALL_X, RES)

		/* sockets */
		CASE(PPME_SOCKET_SOCKET_X, RES U32(0) U32(1) U32(2) put_u32(e, descriptor_flags(c->a[1]));)
		CASE(PPME_SOCKET_BIND_X, RES ADDRESS(1, 2) FD(0))
		CASE(PPME_SOCKET_CONNECT_X, exit_connect(e, c);)
		CASE(PPME_SOCKET_LISTEN_X, RES FD(0) U32(1))
		CASE(PPME_SOCKET_ACCEPT_5_X, exit_accept(e, c);)
		CASE(PPME_SOCKET_ACCEPT4_6_X, exit_accept(e, c); put_u32(e, descriptor_flags(c->a[3]));)
		CASE(PPME_SOCKET_SHUTDOWN_X, RES FD(0) put_u8(e, c->a[1] <= 2 ? c->a[1] : (u8)PPM_SHUT_UNKNOWN);)
		CASE(PPME_SOCKET_GETSOCKNAME_X)
		CASE(PPME_SOCKET_GETPEERNAME_X)
		CASE(PPME_SOCKET_SOCKETPAIR_X, exit_socketpair(e, c);)
		CASE(PPME_SOCKET_SETSOCKOPT_X, RES FD(0) put_u8(e, option_level(c->a[1]));
		     put_u8(e, option_name(c->a[1], c->a[2]));
		     put_option(e, c->a[1], c->a[2], c->a[3], c->a[4]); U32(4))
		CASE(PPME_SOCKET_GETSOCKOPT_X, exit_getsockopt(e, c);)
		CASE(PPME_SOCKET_SENDTO_X, exit_send(e, c);)
		CASE(PPME_SOCKET_RECVFROM_X, RES put_read_data(e, c, c->a[1]);
		     put_sender(e, c, c->a[4], user_u32(c->a[5])); FD(0) U32(2))
		CASE(PPME_SOCKET_SENDMSG_X, exit_sendmsg(e, c);)
		CASE(PPME_SOCKET_SENDMMSG_X, exit_sendmmsg(e, c);)
		CASE(PPME_SOCKET_RECVMSG_X, exit_recvmsg(e, c);)
		CASE(PPME_SOCKET_RECVMMSG_X, exit_recvmmsg(e, c);)

		/* the rest */
		CASE(PPME_SYSCALL_FUTEX_X, RES U64(0) put_u16(e, c->a[1] & 0x1ff); put_u64(e, (u32)c->a[2]);)
		CASE(PPME_SYSCALL_NANOSLEEP_X, RES put_u64(e, nanoseconds(c->a[0], c->narrow));)
		CASE(PPME_SYSCALL_SEMOP_X, exit_semop(e, c);)
		CASE(PPME_SYSCALL_SEMCTL_X, RES U32(0) U32(1) put_u16(e, semaphore_command(c->a[2])); U32(3))
		CASE(PPME_SYSCALL_SEMGET_X, RES U32(0) U32(1) put_u32(e, semaphore_get_flags(c->a[2]));)
		CASE(PPME_SYSCALL_BPF_2_X, RES U32(0))
		CASE(PPME_SYSCALL_KEYCTL_X, exit_keyctl(e, c);)
		CASE(PPME_SYSCALL_IO_URING_SETUP_X, exit_ring_setup(e, c);)
		CASE(PPME_SYSCALL_IO_URING_ENTER_X, RES FD(0) U32(1) U32(2) put_u32(e, c->a[3] & 0xf);
		     put_u32(e, c->a[3] & 8 ? 0 : user_u32(c->a[4]));)
		CASE(PPME_SYSCALL_IO_URING_REGISTER_X, RES FD(0) U16(1) U64(2) U32(3))
		CASE(PPME_SYSCALL_INIT_MODULE_X, RES put_user_bytes(e, c->a[0], c->a[1]); U64(1) TEXT(2))
		CASE(PPME_SYSCALL_FINIT_MODULE_X, RES FD(0) TEXT(1) put_u32(e, c->a[2] & 7);)
		CASE(PPME_SYSCALL_DELETE_MODULE_X, RES TEXT(0) put_u32(e, module_delete_flags(c->a[1]));)
	}
	submit(e);
}

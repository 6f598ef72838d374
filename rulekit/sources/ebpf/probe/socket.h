/* Addresses: of sockets and of programs, in the form of the capture format. */
#pragma once

#include "data.h"
#include "file.h"

enum { F_UNIX = 1, F_INET = 2, F_INET6 = 10, S_IFMT = 0170000, S_IFSOCK = 0140000 };
enum { SUN_PATH = 108 };

/* As programs write it: IPv4 ends before `v6`, where `v4` is something else. */
struct address {
	u16 family;
	u16 port; /* network order */
	u32 v4;
	u64 v6[2];
};

INLINE u16 host_order(u16 port)
{
	return __builtin_bswap16(port);
}

INLINE struct sock *sock_of(s32 fd)
{
	struct file *file = file_of(fd);
	struct socket *socket;
	if (!file || (READ(READ(file, f_inode), i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = READ(file, private_data);
	return socket ? READ(socket, sk) : 0;
}

/* The path of a unix address: without the leading zero of an abstract one, with one at its end.
 * `size` is that of the path. Returns the bytes written. */
INLINE u32 end_path(u8 *bytes, u32 at, u32 size)
{
	size &= 127;
	if (size > SUN_PATH)
		size = SUN_PATH;
	bytes[(at + size) & AT_MASK] = 0;
	/* The kernel counts the zero of a path, or not, as the program did. */
	if (size && bytes[(at + size - 1) & AT_MASK] == 0)
		return size;
	return size + 1;
}

INLINE u32 user_path(u8 *bytes, u32 at, u64 address, u32 size)
{
	u64 path = address + 2;
	u8 first = 0;
	if (size <= 2) {
		bytes[at & AT_MASK] = 0;
		return 1;
	}
	size -= 2;
	bpf_probe_read_user(&first, 1, (void *)path);
	if (first) {
		long n;
		if (size > SUN_PATH)
			size = SUN_PATH;
		/* A path ends at its first zero, wherever the program said. */
		n = bpf_probe_read_user_str(bytes + (at & AT_MASK), (size & 127) + 1, (void *)path);
		if (n > 0 && n <= 128)
			return n;
		bytes[at & AT_MASK] = 0;
		return 1;
	}
	size = (size - 1) & 127;
	if (size)
		bpf_probe_read_user(bytes + (at & AT_MASK), size, (void *)(path + 1));
	return end_path(bytes, at, size);
}

INLINE u32 kernel_path(u8 *bytes, u32 at, struct sock *sk)
{
	struct unix_sock *socket = (void *)sk;
	struct unix_address *address = sk ? READ(socket, addr) : 0;
	const char *path;
	u32 size;
	char first = 0;
	if (!address || (size = READ(address, len)) <= 2) {
		bytes[at & AT_MASK] = 0;
		return 1;
	}
	size -= 2;
	path = (const char *)&address->name + sizeof(u16);
	bpf_probe_read_kernel(&first, 1, path);
	if (!first) {
		path++;
		size--;
	}
	size &= 127;
	bpf_probe_read_kernel(bytes + (at & AT_MASK), size, path);
	return end_path(bytes, at, size);
}

/* An address that a program passed (SOCKADDR); returns its length, 0 for families without form. */
SEPARATE u32 write_address(u32 start, u64 pointer, u32 size)
{
	u8 *bytes = own_scratch(), *at;
	struct address a = {};
	if (!bytes || !pointer || size < 2)
		return 0;
	if (bpf_probe_read_user(&a, size < sizeof(a) ? size & 31 : sizeof(a), (void *)pointer))
		return 0;
	start &= AT_MASK;
	at = bytes + start;
	*at = a.family;
	if (a.family == F_INET) {
		*(u32 *)(at + 1) = a.v4;
		*(u16 *)(at + 5) = host_order(a.port);
		return 7;
	}
	if (a.family == F_INET6) {
		*(u64 *)(at + 1) = a.v6[0];
		*(u64 *)(at + 9) = a.v6[1];
		*(u16 *)(at + 17) = host_order(a.port);
		return 19;
	}
	if (a.family == F_UNIX)
		return 1 + user_path(bytes, start + 1, pointer, size);
	return 0;
}

INLINE void put_address(struct event *e, u64 pointer, u64 size)
{
	close_param(e, write_address(e->at, pointer, size) & AT_MASK);
}

struct ends {
	u64 local[2], peer[2];
	u16 local_port, peer_port;
};

/* The two ends of a socket (SOCKTUPLE): who sends first. `address` is the peer that a program named
 * for this one call; it counts more than the one that the socket is connected to. */
SEPARATE u32 write_tuple(u32 start, s32 fd, u64 address, u32 size, u32 inbound)
{
	struct sock *sk = sock_of(fd), *peer;
	struct unix_sock *unix = (void *)sk;
	struct inet_sock *inet = (void *)sk;
	u8 *bytes = own_scratch(), *at;
	struct address a = {};
	struct ends s = {};
	u16 family;
	if (!bytes || !sk)
		return 0;
	start &= AT_MASK;
	at = bytes + start;
	family = READ(sk, __sk_common.skc_family);
	*at = family;
	if (family == F_UNIX) {
		peer = READ(unix, peer);
		*(u64 *)(at + 1) = inbound ? (u64)peer : (u64)sk;
		*(u64 *)(at + 9) = inbound ? (u64)sk : (u64)peer;
		if (inbound)
			return 17 + kernel_path(bytes, start + 17, sk);
		if (address && size > 2)
			return 17 + user_path(bytes, start + 17, address, size);
		return 17 + kernel_path(bytes, start + 17, peer);
	}
	if (family != F_INET && family != F_INET6)
		return 0;
	if (address && size >= 16)
		bpf_probe_read_user(&a, size < sizeof(a) ? size & 31 : sizeof(a), (void *)address);
	s.local_port = READ(sk, __sk_common.skc_num);
	s.peer_port = READ(sk, __sk_common.skc_dport);
	if (family == F_INET) {
		bpf_probe_read_kernel(s.local, 4, &sk->__sk_common.skc_rcv_saddr);
		/* Where a datagram leaves from is known before the socket is bound to it. */
		if (!(u32)s.local[0])
			bpf_probe_read_kernel(s.local, 4, &inet->inet_saddr);
		bpf_probe_read_kernel(s.peer, 4, &sk->__sk_common.skc_daddr);
		if (a.family == F_INET) {
			s.peer[0] = a.v4;
			s.peer_port = a.port;
		}
	} else {
		bpf_probe_read_kernel(s.local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(s.peer, 16, &sk->__sk_common.skc_v6_daddr);
		if (a.family == F_INET6) {
			s.peer[0] = a.v6[0];
			s.peer[1] = a.v6[1];
			s.peer_port = a.port;
		}
	}
	s.peer_port = host_order(s.peer_port);
	if (family == F_INET) {
		*(u32 *)(at + 1) = inbound ? s.peer[0] : s.local[0];
		*(u16 *)(at + 5) = inbound ? s.peer_port : s.local_port;
		*(u32 *)(at + 7) = inbound ? s.local[0] : s.peer[0];
		*(u16 *)(at + 11) = inbound ? s.local_port : s.peer_port;
		return 13;
	}
	*(u64 *)(at + 1) = inbound ? s.peer[0] : s.local[0];
	*(u64 *)(at + 9) = inbound ? s.peer[1] : s.local[1];
	*(u16 *)(at + 17) = inbound ? s.peer_port : s.local_port;
	*(u64 *)(at + 19) = inbound ? s.local[0] : s.peer[0];
	*(u64 *)(at + 27) = inbound ? s.local[1] : s.peer[1];
	*(u16 *)(at + 35) = inbound ? s.local_port : s.peer_port;
	return 37;
}

enum { OUTBOUND = 0, INBOUND = 1 };

INLINE void put_tuple(struct event *e, s32 fd, u64 address, u32 size, u32 inbound)
{
	close_param(e, write_tuple(e->at, fd, address, size, inbound) & AT_MASK);
}

/* A message header of sendmsg and its like. */
struct message {
	u64 name, vector, count, control, control_size;
	u32 name_size;
};

INLINE struct message message_at(u64 pointer, bool narrow)
{
	struct message m = {};
	u64 wide[6] = {};
	u32 small[6] = {};
	if (narrow) {
		bpf_probe_read_user(small, sizeof(small), (void *)pointer);
		m.name = small[0];
		m.name_size = small[1];
		m.vector = small[2];
		m.count = small[3];
		m.control = small[4];
		m.control_size = small[5];
	} else {
		bpf_probe_read_user(wide, sizeof(wide), (void *)pointer);
		m.name = wide[0];
		m.name_size = wide[1];
		m.vector = wide[2];
		m.count = wide[3];
		m.control = wide[4];
		m.control_size = wide[5];
	}
	return m;
}

/* The value of a socket option (DYN); returns its length. */
SEPARATE u32 write_option(u32 start, u32 level, u32 name, u64 value, u32 size)
{
	u8 *at = own_scratch();
	struct pair t;
	if (!at)
		return 0;
	at += start & AT_MASK;
	if (level != K_SOL_SOCKET || !value) {
		*at = PPM_SOCKOPT_IDX_UNKNOWN;
		return 1 + write_user_bytes(start + 1, value, size);
	}
	switch (option_name(level, name)) {
	case PPM_SOCKOPT_SO_ERROR:
		*at = PPM_SOCKOPT_IDX_ERRNO;
		*(s64 *)(at + 1) = -(s64)(s32)user_u32(value);
		return 9;
	case PPM_SOCKOPT_SO_RCVTIMEO:
	case PPM_SOCKOPT_SO_SNDTIMEO:
		t = user_pair(value, size < 16);
		*at = PPM_SOCKOPT_IDX_TIMEVAL;
		*(u64 *)(at + 1) = t.first * 1000000000ull + t.second * 1000;
		return 9;
	case PPM_SOCKOPT_SO_COOKIE:
		*at = PPM_SOCKOPT_IDX_UINT64;
		*(u64 *)(at + 1) = user_u64(value);
		return 9;
	case PPM_SOCKOPT_UNKNOWN:
	case PPM_SOCKOPT_SO_LINGER:
	case PPM_SOCKOPT_SO_PEERCRED:
	case PPM_SOCKOPT_SO_BINDTODEVICE:
	case PPM_SOCKOPT_SO_ATTACH_FILTER:
	case PPM_SOCKOPT_SO_PEERNAME:
	case PPM_SOCKOPT_SO_PEERSEC:
	case PPM_SOCKOPT_SO_PEERGROUPS:
	case PPM_SOCKOPT_SO_MEMINFO:
		*at = PPM_SOCKOPT_IDX_UNKNOWN;
		return 1 + write_user_bytes(start + 1, value, size);
	}
	*at = PPM_SOCKOPT_IDX_UINT32;
	*(u32 *)(at + 1) = user_u32(value);
	return 5;
}

INLINE void put_option(struct event *e, u32 level, u32 name, u64 value, u32 size)
{
	close_param(e, write_option(e->at, level, name, value, size) & AT_MASK);
}

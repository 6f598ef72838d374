/* The tasks of the scope and their descriptors at the start, as entries of the capture format's lists:
 * what iterators write is the body of a block. */
#pragma once

#include "process.h"
#include "socket.h"

enum {
	LIST_TEXT = 1024, /* longest text of an entry, but for lists */
	FD_NAME = 1023,
	TCP_LISTENING = 10,
	K_SOCK_RAW = 3,
	MAGIC_PIPE = 0x50495045,
	MAGIC_ANON = 0x09041934,
	MAGIC_PIDFD = 0x50494446,
	/* ids of the format */
	FD_DIRECTORY = 2,
	FD_IPV4 = 3,
	FD_IPV6 = 4,
	FD_IPV4_SERVER = 5,
	FD_IPV6_SERVER = 6,
	FD_FIFO = 7,
	FD_UNIX = 8,
	FD_EVENT = 9,
	FD_SIGNAL = 11,
	FD_EPOLL = 12,
	FD_INOTIFY = 13,
	FD_TIMER = 14,
	FD_NETLINK = 15,
	FD_FILE = 16,
	FD_BPF = 17,
	FD_USERFAULT = 18,
	FD_RING = 19,
	FD_MEMFD = 20,
	FD_PIDFD = 21,
	F_NETLINK = 16,
};

/* An entry in the making. Its end lies in the buffer, like a cursor: where an entry was one of two
 * ways, the verifier need not follow both to the end. */
struct entry {
	u8 *bytes;
};

INLINE volatile u32 *entry_end(struct entry *e)
{
	return (volatile u32 *)(e->bytes + ENTRY_END_AT);
}

#define ADD(type)                                                                                  \
	INLINE void add_##type(struct entry *e, type value)                                        \
	{                                                                                          \
		u32 at = *entry_end(e);                                                            \
		*(type *)(e->bytes + (at & AT_MASK)) = value;                                      \
		*entry_end(e) = at + sizeof(type);                                                 \
	}
ADD(u8)
ADD(u16)
ADD(u32)
ADD(u64)

/* Where a text goes; its length stands before it. */
INLINE u32 text_at(struct entry *e)
{
	return (*entry_end(e) + 2) & AT_MASK;
}

INLINE void end_text(struct entry *e, u32 length)
{
	u32 at = *entry_end(e);
	*(u16 *)(e->bytes + (at & AT_MASK)) = length;
	*entry_end(e) = at + 2 + length;
}

/* What was written with a final zero that does not belong to it. */
INLINE void end_zero_text(struct entry *e, long length, u32 longest)
{
	u32 n = length > 0 ? length - 1 : 0;
	end_text(e, n > longest ? longest : n);
}

INLINE void add_kernel_text(struct entry *e, const char *text)
{
	end_zero_text(e, bpf_probe_read_kernel_str(e->bytes + text_at(e), 256, text), 256);
}

INLINE void add_path(struct entry *e, struct path *path, u32 longest)
{
	u64 dentry = (u64)READ(path, dentry), mnt = (u64)READ(path, mnt);
	end_zero_text(e, write_path(text_at(e), dentry, mnt, OF_ITERATOR) & AT_MASK, longest);
}

INLINE void end_entry(struct entry *e, struct seq_file *seq)
{
	u32 n = *entry_end(e) & 0x7fff;
	*(u32 *)e->bytes = n;
	bpf_seq_write(seq, e->bytes, n);
}

/* Texts of a task that is not the current one, with their final zeros; `longest` is a power of two.
 * Only iterators that may sleep can read them. */
INLINE u32 copy_texts(struct entry *e, struct task_struct *task, u64 start, u64 end, u32 longest)
{
	u32 at = text_at(e), n = end > start ? end - start > longest ? longest : end - start : 0;
	if (!n || bpf_copy_from_user_task(e->bytes + at, n, (void *)start, task, 0))
		return 0;
	e->bytes[at + ((n - 1) & (longest - 1))] = 0;
	return n;
}

INLINE void add_executable(struct entry *e, struct mm_struct *mm)
{
	add_path(e, &READ(mm, exe_file)->f_path, LIST_TEXT);
}

/* argv[0], the path of the program, the other arguments. */
INLINE void add_arguments(struct entry *e, struct task_struct *task, struct mm_struct *mm, bool sleeps)
{
	u64 start = READ(mm, arg_start), end = READ(mm, arg_end);
	long first = 0;
	if (!sleeps || !copy_texts(e, task, start, end, MAX_LIST)) {
		end_text(e, 0);
		add_executable(e, mm);
		end_text(e, 0);
		return;
	}
	first = bpf_probe_read_kernel_str(e->bytes + WORK_AT, LIST_TEXT, e->bytes + text_at(e));
	if (first < 1 || first > LIST_TEXT)
		first = 1;
	end_text(e, first - 1);
	add_executable(e, mm);
	end_text(e, copy_texts(e, task, start + first, end, MAX_LIST));
}

INLINE void add_memory(struct entry *e, struct mm_struct *mm)
{
	add_u32(e, pages_kb(READ(mm, total_vm)));
	add_u32(e, pages_kb(counted_pages(mm, 0)) + pages_kb(counted_pages(mm, 1)) +
			   pages_kb(counted_pages(mm, 3)));
	add_u32(e, pages_kb(counted_pages(mm, 2)));
}

/* One task, as an entry of the process list (the ninth form). */
INLINE int list_task(struct task_struct *task, struct seq_file *seq, bool sleeps)
{
	struct entry entry = {}, *e = &entry;
	struct mm_struct *mm; /* threads of the kernel have none: what is read from there is 0 */
	struct cred *cred;
	struct inode *inode;
	struct file *file;
	bool main, nested;
	u32 flags = 0, n;
	if (!task || !task_in_scope(task))
		return 0;
	e->bytes = iterator_scratch();
	if (!e->bytes)
		return 0;
	mm = READ(task, mm);
	cred = READ(task, cred);
	main = task->pid == task->tgid;
	nested = own_pid_namespace(task);
	if (!main)
		flags |= PPM_CL_CLONE_THREAD | PPM_CL_CLONE_FILES;
	if (nested)
		flags |= PPM_CL_CHILD_IN_PIDNS;
	*entry_end(e) = 4;
	add_u64(e, task->pid);
	add_u64(e, task->tgid);
	add_u64(e, READ(READ(task, real_parent), tgid));
	add_u64(e, (s64)own_number(task, PID_SESSION));
	add_u64(e, (s64)own_number(task, PID_PGRP));
	add_kernel_text(e, task->comm);
	add_arguments(e, task, mm, sleeps);
	if (main)
		add_path(e, &READ(task, fs)->pwd, LIST_TEXT);
	else
		end_text(e, 0);
	add_u64(e, limit_of_files(task));
	add_u32(e, flags);
	add_u32(e, READ(cred, euid.val));
	add_u32(e, READ(cred, egid.val));
	add_memory(e, mm);
	add_u64(e, READ(task, maj_flt));
	add_u64(e, READ(task, min_flt));
	n = 0;
	if (main && sleeps)
		n = copy_texts(e, task, READ(mm, env_start), READ(mm, env_end), MAX_LIST);
	end_text(e, n);
	add_u64(e, (s64)own_number(task, PID_SELF));
	add_u64(e, (s64)own_number(task, PID_GROUP));
	n = write_cgroups(text_at(e), task, OF_ITERATOR) & AT_MASK;
	end_text(e, n > MAX_LIST ? MAX_LIST : n);
	add_path(e, &READ(task, fs)->root, LIST_TEXT);
	add_u64(e, settings.epoch_ns + (nested ? namespace_start(task) : 0));
	add_u32(e, terminal_of(task));
	add_u32(e, login_of(task));
	file = READ(mm, exe_file);
	inode = READ(file, f_inode);
	flags = 0;
	if (inode)
		flags = executable_flags(inode, cred, is_memfd(READ(file, f_path.dentry)));
	add_u8(e, (flags & PPM_EXE_WRITABLE) != 0);
	add_u64(e, READ(cred, cap_inheritable).bits);
	add_u64(e, READ(cred, cap_permitted).bits);
	add_u64(e, READ(cred, cap_effective).bits);
	add_u8(e, (flags & PPM_EXE_UPPER_LAYER) != 0);
	add_u64(e, READ(inode, i_ino));
	add_u64(e, changed_ns(inode));
	add_u64(e, modified_ns(inode));
	add_u8(e, (flags & PPM_EXE_FROM_MEMFD) != 0);
	add_u8(e, (flags & PPM_EXE_LOWER_LAYER) != 0);
	add_u64(e, (s64)host_number(task, PID_PGRP));
	end_entry(e, seq);
	return 0;
}

/* ``prefix[number]``, as /proc calls what has no path. */
INLINE void add_numbered_name(struct entry *e, u64 prefix, u32 length, u64 number)
{
	u32 at = text_at(e), i, digits = 1;
	u64 rest = number;
	for (i = 0; i < 19; i++) {
		rest /= 10;
		if (!rest)
			break;
		digits++;
	}
	*(u64 *)(e->bytes + at) = prefix;
	at += length;
	for (i = 0; i < 20; i++) {
		if (i >= digits)
			break;
		e->bytes[(at + digits - 1 - i) & AT_MASK] = '0' + number % 10;
		number /= 10;
	}
	e->bytes[(at + digits) & AT_MASK] = ']';
	end_text(e, length + digits + 1);
}

/* What stands behind an anonymous inode, by the first seven letters of its name. */
INLINE u8 anonymous_type(struct dentry *dentry)
{
	u64 name = 0;
	bpf_probe_read_kernel(&name, 7, READ(dentry, d_name.name));
	switch (name) {
	case 0x66746e6576655bull: return FD_EVENT;     /* [eventf */
	case 0x70746e6576655bull: return FD_EPOLL;     /* [eventp */
	case 0x796669746f6e69ull: return FD_INOTIFY;   /* inotify */
	case 0x6c616e6769735bull: return FD_SIGNAL;    /* [signal */
	case 0x6672656d69745bull: return FD_TIMER;     /* [timerf */
	case 0x6166726573755bull: return FD_USERFAULT; /* [userfa */
	case 0x6972755f6f695bull: return FD_RING;      /* [io_uri */
	case 0x5d64666469705bull: return FD_PIDFD;     /* [pidfd] */
	case 0x70616d2d667062ull:		       /* bpf-map, */
	case 0x6f72702d667062ull: return FD_BPF;       /* bpf-pro */
	}
	return 0;
}

enum { L4_UNKNOWN, L4_NONE, L4_TCP, L4_UDP, L4_ICMP, L4_RAW };

INLINE u8 layer_four(struct sock *sk)
{
	u32 protocol = READ(sk, sk_protocol);
	if (READ(sk, sk_type) == K_SOCK_RAW)
		return L4_RAW;
	return protocol == 6 ? L4_TCP : protocol == 17 ? L4_UDP : protocol == 1 ? L4_ICMP : L4_UNKNOWN;
}

INLINE void add_bytes(struct entry *e, const void *from, u32 size)
{
	u32 at = *entry_end(e);
	bpf_probe_read_kernel(e->bytes + (at & AT_MASK), size, from);
	*entry_end(e) = at + size;
}

/* From the type on; false for sockets that the format has no form for. */
INLINE bool add_socket(struct entry *e, struct sock *sk)
{
	struct unix_sock *unix = (void *)sk;
	u32 family = READ(sk, __sk_common.skc_family), n;
	u16 local = READ(sk, __sk_common.skc_num);
	u16 peer = host_order(READ(sk, __sk_common.skc_dport));
	/* What waits for others: a stream that listens, datagrams from anybody. */
	bool server = READ(sk, __sk_common.skc_state) == TCP_LISTENING ||
		      (layer_four(sk) == L4_UDP && local && !peer);
	if (family == F_INET) {
		add_u8(e, server ? FD_IPV4_SERVER : FD_IPV4);
		add_bytes(e, &sk->__sk_common.skc_rcv_saddr, 4);
		if (!server)
			add_bytes(e, &sk->__sk_common.skc_daddr, 4);
	} else if (family == F_INET6) {
		add_u8(e, server ? FD_IPV6_SERVER : FD_IPV6);
		add_bytes(e, &sk->__sk_common.skc_v6_rcv_saddr, 16);
		if (!server)
			add_bytes(e, &sk->__sk_common.skc_v6_daddr, 16);
	} else if (family == F_UNIX) {
		add_u8(e, FD_UNIX);
		add_u64(e, (u64)sk);
		add_u64(e, (u64)READ(unix, peer));
		n = kernel_path(e->bytes, text_at(e), sk);
		end_zero_text(e, n & AT_MASK, FD_NAME);
		return true;
	} else if (family == F_NETLINK) {
		add_u8(e, FD_NETLINK);
		end_text(e, 0);
		return true;
	} else {
		return false;
	}
	add_u16(e, local);
	if (!server)
		add_u16(e, peer);
	add_u8(e, layer_four(sk));
	return true;
}

INLINE bool closes_on_exec(struct task_struct *task, u32 fd)
{
	struct fdtable *table = READ(READ(task, files), fdt);
	unsigned long *bits = READ(table, close_on_exec), word = 0;
	bpf_probe_read_kernel(&word, sizeof(word), bits + fd / 64);
	return word >> (fd & 63) & 1;
}

INLINE bool add_file(struct entry *e, struct task_struct *task, u32 fd, struct file *file)
{
	struct inode *inode = READ(file, f_inode);
	struct super_block *sb = READ(inode, i_sb);
	struct dentry *dentry = READ(file, f_path.dentry);
	u64 ino = READ(inode, i_ino), magic = READ(sb, s_magic);
	u32 mode = READ(inode, i_mode) & S_IFMT, flags;
	u8 type;
	add_u64(e, ino);
	if (mode == S_IFSOCK) {
		struct socket *socket = READ(file, private_data);
		struct sock *sk = socket ? READ(socket, sk) : 0;
		return sk && add_socket(e, sk);
	}
	if (magic == MAGIC_PIPE) {
		add_u8(e, FD_FIFO);
		add_numbered_name(e, 0x5b3a65706970ull, 6, ino); /* pipe:[ */
		return true;
	}
	type = magic == MAGIC_PIDFD ? FD_PIDFD : magic == MAGIC_ANON ? anonymous_type(dentry) : 0;
	if (type) {
		add_u8(e, type);
		add_kernel_text(e, (const char *)READ(dentry, d_name.name));
		return true;
	}
	if (magic == MAGIC_ANON)
		return false;
	type = is_memfd(dentry) ? FD_MEMFD : mode == 0040000 ? FD_DIRECTORY : mode == 0010000 ? FD_FIFO : FD_FILE;
	add_u8(e, type);
	if (type == FD_FILE) {
		flags = open_flags(READ(file, f_flags));
		if (closes_on_exec(task, fd))
			flags |= PPM_O_CLOEXEC;
		add_u32(e, flags);
	}
	add_path(e, &file->f_path, FD_NAME);
	if (type == FD_FILE)
		add_u32(e, encoded_dev(READ(sb, s_dev)));
	return true;
}

/* One descriptor: the process that has it, then an entry of its list. */
INLINE int list_file(struct task_struct *task, u32 fd, struct file *file, struct seq_file *seq)
{
	struct entry entry = {}, *e = &entry;
	/* Only main threads have lists. */
	if (!task || !file || task->pid != task->tgid || !task_in_scope(task))
		return 0;
	e->bytes = iterator_scratch();
	if (!e->bytes)
		return 0;
	*entry_end(e) = 4;
	add_u64(e, task->tgid);
	add_u32(e, 0);
	add_u64(e, fd);
	if (!add_file(e, task, fd, file))
		return 0;
	*(u32 *)(e->bytes + 12) = *entry_end(e) - 12;
	end_entry(e, seq);
	return 0;
}

/* An event as it is written: a whole event block of the capture format, so that whoever drains the
 * ring copies and does not translate.
 *
 *   0 block type, total length   8 cpu   10 time, thread, length, type, number of parameters
 *  36 a length of 16 bits per parameter, then the parameters back to back, padding, total length
 */
#pragma once

#include "bpf.h"
#include "tables.h"

enum {
	BLOCK_EVENT = 0x216,
	LENGTHS_AT = 36,
	EVENT_AT = 10,
	AT_MASK = 0xffff,
	/* What one call of a helper may add at most; a longer event is counted and left out. */
	MAX_PIECE = 0x7fff,
	MAX_EVENT = 0xff00,
	SCRATCH_BYTES = 0x20000,
	WORK_AT = 0x18000, /* room in the buffer for what is put together from its end */
	ENTRY_END_AT = 0x1fff0, /* cursors: of an entry, of a loop */
	CURSOR_AT = 0x1fff8,
	MAX_PATH = 4096,
	MAX_LIST = 4096,
};

enum counter {
	COUNT_PRODUCED,	    /* events in the scope that were asked for */
	COUNT_RING_FULL,    /* of them, lost because nobody drained the ring in time */
	COUNT_TOO_LONG,	    /* of them, lost because they do not fit into a block */
	COUNT_NO_SCRATCH,   /* of them, lost because the buffer of the cpu was not there */
	COUNT_UNREADABLE,   /* parameters without a value because their memory was paged out or gone */
	COUNT_NOT_FOLLOWED, /* tasks of a tree that are not watched because no memory was left to mark them */
	N_COUNTERS,
};

struct {
	MAP_UINT(type, BPF_MAP_TYPE_RINGBUF);
	MAP_UINT(max_entries, 8 << 20);
} ring SEC(".maps");

/* One buffer per cpu: tracepoints run with preemption off, and none of ours inside another. One more
 * for iterators, which can sleep; they run one after the other. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
	MAP_UINT(max_entries, 1);
	MAP_UINT(key_size, 4);
	MAP_UINT(value_size, SCRATCH_BYTES);
} scratch SEC(".maps");

struct {
	MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	MAP_UINT(max_entries, N_COUNTERS);
	MAP_UINT(key_size, 4);
	MAP_UINT(value_size, 8);
} counters SEC(".maps");

/* Events lost by type. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	MAP_UINT(max_entries, N_EVENT_TYPES);
	MAP_UINT(key_size, 4);
	MAP_UINT(value_size, 8);
} lost SEC(".maps");

/* What the loader fills in before loading; the verifier leaves out what it decides. */
struct settings {
	u64 epoch_ns;	  /* of the boot: time of an event is this and the time since */
	u64 cgroup_id;	  /* SCOPE_CGROUP */
	s32 cgroup_level; /* of it below the root; -1: it is in `scope_cgroup` */
	u32 scope;	  /* SCOPE_* */
	u32 pidns;	  /* SCOPE_PIDNS: inode number, level of the namespace */
	u32 pidns_level;
	u32 root_tgid;	  /* SCOPE_TREE: process with all that it starts */
	u32 self_tgid;	  /* the reader of the ring, which is never watched */
	u32 snaplen;	  /* bytes of data that are kept */
	u32 n_cpus;	  /* that the machine may ever have */
};
const volatile struct settings settings = {};

struct event {
	u8 *bytes;
	u32 at;
	u32 length_at;
	u32 type;
};

INLINE void count(u32 which)
{
	u64 *value = bpf_map_lookup_elem(&counters, &which);
	if (value)
		*value += 1;
}

INLINE void count_lost(u32 type, u32 reason)
{
	u64 *value = bpf_map_lookup_elem(&lost, &type);
	if (value)
		*value += 1;
	count(reason);
}

INLINE u8 *own_scratch(void)
{
	u32 cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&scratch, &cpu);
}

INLINE u8 *iterator_scratch(void)
{
	u32 index = settings.n_cpus;
	return bpf_map_lookup_elem(&scratch, &index);
}

enum { OF_EVENT, OF_ITERATOR };

INLINE u8 *scratch_of(u32 user)
{
	return user == OF_ITERATOR ? iterator_scratch() : own_scratch();
}

/* A number that the verifier cannot follow. Where a loop moves a position by what it reads, it would
 * tell apart every way through the loop; so it forgets the ways, and the masks keep it content. */
INLINE volatile u32 *cursor(u8 *bytes)
{
	return (volatile u32 *)(bytes + CURSOR_AT);
}

INLINE bool begin(struct event *e, u32 type, u32 n_params, u64 tid)
{
	u8 *bytes = own_scratch();
	count(COUNT_PRODUCED);
	if (!bytes) {
		count_lost(type, COUNT_NO_SCRATCH);
		return false;
	}
	e->bytes = bytes;
	e->type = type;
	e->length_at = LENGTHS_AT;
	e->at = LENGTHS_AT + 2 * n_params;
	*(u32 *)bytes = BLOCK_EVENT;
	*(u16 *)(bytes + 8) = bpf_get_smp_processor_id();
	*(u64 *)(bytes + 10) = settings.epoch_ns + bpf_ktime_get_boot_ns();
	*(u64 *)(bytes + 18) = tid;
	*(u16 *)(bytes + 30) = type;
	*(u32 *)(bytes + 32) = n_params;
	return true;
}

INLINE void submit(struct event *e)
{
	u32 at = e->at & AT_MASK;
	u32 total;
	if (at > MAX_EVENT) {
		count_lost(e->type, COUNT_TOO_LONG);
		return;
	}
	*(u32 *)(e->bytes + 26) = at - EVENT_AT;
	*(u32 *)(e->bytes + at) = 0;
	total = ((at + 3) & ~3u) + 4;
	*(u32 *)(e->bytes + 4) = total;
	*(u32 *)(e->bytes + ((total - 4) & AT_MASK)) = total;
	if (bpf_ringbuf_output(&ring, e->bytes, total, BPF_RB_NO_WAKEUP))
		count_lost(e->type, COUNT_RING_FULL);
}

/* Where the next parameter goes; `close_param` says how long it came to be. */
INLINE u8 *room(struct event *e)
{
	return e->bytes + (e->at & AT_MASK);
}

INLINE void close_param(struct event *e, u32 length)
{
	*(u16 *)(e->bytes + (e->length_at & AT_MASK)) = length;
	e->length_at += 2;
	e->at += length;
}

INLINE void put_empty(struct event *e)
{
	close_param(e, 0);
}

INLINE void put_u8(struct event *e, u8 value)
{
	*room(e) = value;
	close_param(e, 1);
}

INLINE void put_u16(struct event *e, u16 value)
{
	*(u16 *)room(e) = value;
	close_param(e, 2);
}

INLINE void put_u32(struct event *e, u32 value)
{
	*(u32 *)room(e) = value;
	close_param(e, 4);
}

INLINE void put_u64(struct event *e, u64 value)
{
	*(u64 *)room(e) = value;
	close_param(e, 8);
}

/* Numbers of 32 bits that the format has as 64: descriptors, results, process ids. */
INLINE void put_s64(struct event *e, s32 value)
{
	put_u64(e, (s64)value);
}

/* A text of the process with its final zero; none at all where there is no pointer. */
SEPARATE u32 write_user_text(u32 at, u64 pointer)
{
	u8 *bytes = own_scratch();
	long n;
	if (!bytes || !pointer)
		return 0;
	n = bpf_probe_read_user_str(bytes + (at & AT_MASK), MAX_PATH, (void *)pointer);
	if (n < 0) {
		count(COUNT_UNREADABLE);
		return 0;
	}
	return n;
}

INLINE void put_user_text(struct event *e, u64 pointer)
{
	close_param(e, write_user_text(e->at, pointer) & AT_MASK);
}

INLINE void put_kernel_text(struct event *e, const void *pointer)
{
	long n = bpf_probe_read_kernel_str(room(e), MAX_PATH, pointer);
	close_param(e, n < 0 ? 0 : n & (2 * MAX_PATH - 1));
}

/* As much of a buffer as is kept. */
SEPARATE u32 write_user_bytes(u32 at, u64 pointer, s64 size)
{
	u8 *bytes = own_scratch();
	u32 n = settings.snaplen;
	if (!bytes || !pointer || size <= 0)
		return 0;
	if (size < n)
		n = size;
	if (n > MAX_PIECE)
		n = MAX_PIECE;
	if (bpf_probe_read_user(bytes + (at & AT_MASK), n, (void *)pointer)) {
		count(COUNT_UNREADABLE);
		return 0;
	}
	return n;
}

INLINE void put_user_bytes(struct event *e, u64 pointer, s64 size)
{
	close_param(e, write_user_bytes(e->at, pointer, size) & AT_MASK);
}

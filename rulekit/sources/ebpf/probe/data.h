/* Parameters that are put together from memory of the process: buffers, lists, times. */
#pragma once

#include "call.h"
#include "values.h"

enum { MAX_VECTORS = 1024, MAX_ARGUMENTS = 256, MAX_POLL = 256 };

INLINE u64 user_u64(u64 pointer)
{
	u64 value = 0;
	if (pointer)
		bpf_probe_read_user(&value, sizeof(value), (void *)pointer);
	return value;
}

INLINE u32 user_u32(u64 pointer)
{
	u32 value = 0;
	if (pointer)
		bpf_probe_read_user(&value, sizeof(value), (void *)pointer);
	return value;
}

/* A number that is as wide as a pointer of the program. */
INLINE u64 user_word(u64 pointer, bool narrow)
{
	return narrow ? user_u32(pointer) : user_u64(pointer);
}

/* Two numbers, one behind the other: of a timespec, of a limit. */
struct pair {
	u64 first, second;
};

INLINE struct pair user_pair(u64 pointer, bool narrow)
{
	struct pair p = {};
	u32 half[2] = {};
	if (!narrow) {
		bpf_probe_read_user(&p, sizeof(p), (void *)pointer);
		return p;
	}
	bpf_probe_read_user(half, sizeof(half), (void *)pointer);
	p.first = half[0];
	p.second = half[1];
	return p;
}

INLINE u64 nanoseconds(u64 timespec, bool narrow)
{
	struct pair p = user_pair(timespec, narrow);
	return p.first * 1000000000ull + p.second;
}

/* The buffers of a vector one after the other, up to `most` bytes of them. Returns how long they are
 * together (upper half), whatever was taken, and how many bytes were written. */
SEPARATE u64 write_vector(u32 start, u64 vector, u32 count, u32 most, u32 narrow)
{
	u8 *bytes = own_scratch();
	u32 step = narrow ? 8 : 16, i;
	u64 total = 0;
	if (!bytes)
		return 0;
	*cursor(bytes) = 0;
	for (i = 0; i < MAX_VECTORS; i++) {
		struct pair piece;
		u32 done, n;
		if (i >= count)
			break;
		piece = user_pair(vector + i * step, narrow);
		total += piece.second;
		done = *cursor(bytes);
		if (done >= most)
			continue;
		n = most - done;
		if (piece.second < n)
			n = piece.second;
		if (n > MAX_PIECE)
			n = MAX_PIECE;
		if (!n || bpf_probe_read_user(bytes + ((start + done) & AT_MASK), n,
					      (void *)piece.first))
			continue;
		*cursor(bytes) = done + n;
	}
	return total << 32 | *cursor(bytes);
}

INLINE u32 at_most(s64 size)
{
	return size <= 0 ? 0 : size > settings.snaplen ? settings.snaplen : size;
}

/* `moved` is how many bytes the call moved, or negative. */
INLINE u64 vector_into(struct event *e, struct call *c, u64 vector, u64 count, s64 moved)
{
	return write_vector(e->at, vector, count, at_most(moved), c->narrow);
}

/* The texts that a list of pointers names, each with its final zero; returns their length. */
SEPARATE u32 write_texts(u32 start, u64 list, u32 narrow)
{
	u8 *bytes = own_scratch();
	u32 step = narrow ? 4 : 8, i;
	if (!bytes)
		return 0;
	*cursor(bytes) = 0;
	for (i = 0; i < MAX_ARGUMENTS; i++) {
		u64 text = user_word(list + i * step, narrow);
		u32 done = *cursor(bytes);
		long n;
		if (!text || done >= MAX_LIST - 1)
			break;
		n = bpf_probe_read_user_str(bytes + ((start + done) & AT_MASK),
					    (MAX_LIST - done) & (2 * MAX_LIST - 1), (void *)text);
		if (n <= 0)
			break;
		*cursor(bytes) = done + n;
	}
	return *cursor(bytes);
}

/* Descriptors of a poll with what was found about each. */
SEPARATE u32 write_poll(u32 start, u64 list, u32 count)
{
	u8 *bytes = own_scratch();
	u32 i, at;
	if (!bytes)
		return 0;
	if (count > MAX_POLL)
		count = MAX_POLL;
	if (bpf_probe_read_user(bytes + WORK_AT, (count & (2 * MAX_POLL - 1)) * 8, (void *)list))
		count = 0;
	*(u16 *)(bytes + (start & AT_MASK)) = count;
	at = start + 2;
	for (i = 0; i < MAX_POLL; i++) {
		u64 entry;
		if (i >= count)
			break;
		entry = *(u64 *)(bytes + WORK_AT + i * 8);
		*(s64 *)(bytes + (at & AT_MASK)) = (s32)entry;
		*(u16 *)(bytes + ((at + 8) & AT_MASK)) = poll_events(entry >> 48);
		at += 10;
	}
	return at - start;
}

INLINE void put_poll(struct event *e, struct call *c)
{
	close_param(e, write_poll(e->at, c->a[0], c->a[1]) & AT_MASK);
}

/* System calls: their numbers, their arguments, and what becomes of them. */
#pragma once

#include "record.h"

enum {
	TS_COMPAT = 2,
	X32_BIT = 0x40000000,
	CALL_MASK = 1023,
	/* Where the routes of each kind begin, see routes.py. */
	ROUTES_COMPAT = 1024,
	ROUTES_SOCKETCALL = ROUTES_COMPAT + 512,
	ROUTES_IPC = ROUTES_SOCKETCALL + 32,
	N_ROUTES = 2048,
	ROUTE_NARROW = 1,     /* structures of the call have the layout of 32-bit programs */
	ROUTE_SOCKETCALL = 2, /* the first argument says which call it is */
	ROUTE_IPC = 4,
	ROUTE_INDIRECT = 8,   /* the first argument says where the arguments are */
	ROUTE_SHORT_IDS = 16, /* users and groups have 16 bits */
	ROUTE_PAGES = 32,     /* an offset counts pages */
};

/* What becomes of a system call, by its number. */
struct route {
	u16 type;    /* of the exit event; PPME_GENERIC_X for calls without one of their own */
	u16 code;    /* of the call in the format, whatever the architecture */
	u16 native;  /* its number as generic events have it */
	u8 wanted;   /* whether the event is delivered */
	u8 n_params; /* of the exit event */
	u8 flags;    /* ROUTE_* */
	u8 reserved[3];
};

struct {
	MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
	MAP_UINT(max_entries, N_ROUTES);
	MAP_UINT(key_size, 4);
	MAP_UINT(value_size, sizeof(struct route));
} routes SEC(".maps");

struct call {
	struct task_struct *task;
	s64 ret;
	u64 a[6];
	bool narrow; /* structures have the layout of 32-bit programs */
	bool halves; /* registers have 32 bits: what is longer takes two of them */
	u8 flags;    /* ROUTE_* */
};

INLINE struct route *find_route(u32 index)
{
	return bpf_map_lookup_elem(&routes, &index);
}

#if defined(__TARGET_ARCH_x86)

/* Arguments that lie in memory, one word each. */
INLINE void read_arguments(struct call *c, u32 pointer)
{
	u32 words[6] = {};
	bpf_probe_read_user(words, sizeof(words), (void *)(u64)pointer);
	c->a[0] = words[0];
	c->a[1] = words[1];
	c->a[2] = words[2];
	c->a[3] = words[3];
	c->a[4] = words[4];
	c->a[5] = words[5];
}

/* ipc(2) passes on what it is given in another order than the calls themselves have. */
INLINE void order_ipc(struct call *c, u32 which)
{
	enum { SEMOP = 1, SEMGET = 2, SEMCTL = 3, SEMTIMEDOP = 4, MSGGET = 13, SHMGET = 23 };
	u64 first = c->a[1], second = c->a[2], third = c->a[3], pointer = c->a[4];
	c->a[0] = first;
	c->a[1] = second;
	c->a[2] = third;
	c->a[3] = 0;
	if (which == SEMOP || which == SEMTIMEDOP) {
		c->a[1] = pointer;
		c->a[2] = second;
	} else if (which == SEMCTL) {
		u32 value = 0;
		bpf_probe_read_user(&value, sizeof(value), (void *)pointer);
		c->a[3] = value;
	}
}

INLINE u64 long_id(u64 id)
{
	return (u16)id == 0xffff ? 0xffffffff : (u16)id;
}

/* Users and groups as the calls of today have them. Where the first argument is none, it is a path
 * or a descriptor, and then there is a third one. */
INLINE void lengthen_ids(struct call *c, u32 type)
{
	if (type == PPME_SYSCALL_GETRESUID_X || type == PPME_SYSCALL_GETRESGID_X)
		return;
	if (type != PPME_SYSCALL_CHOWN_X && type != PPME_SYSCALL_LCHOWN_X &&
	    type != PPME_SYSCALL_FCHOWN_X)
		c->a[0] = long_id(c->a[0]);
	c->a[1] = long_id(c->a[1]);
	c->a[2] = long_id(c->a[2]);
}

/* A 32-bit program, or a program of any kind that called as one does. */
INLINE struct route *narrow_route_of(struct call *c, struct pt_regs *regs, u32 number)
{
	struct route *route = number <= CALL_MASK ? find_route(number | ROUTES_COMPAT) : 0;
	u32 which = (u32)regs->bx;
	if (!route || number >= ROUTES_SOCKETCALL - ROUTES_COMPAT)
		return 0;
	c->halves = true;
	c->a[0] = (u32)regs->bx;
	c->a[1] = (u32)regs->cx;
	c->a[2] = (u32)regs->dx;
	c->a[3] = (u32)regs->si;
	c->a[4] = (u32)regs->di;
	c->a[5] = (u32)regs->bp;
	if (route->flags & ROUTE_SOCKETCALL && which < 32) {
		route = find_route(ROUTES_SOCKETCALL + (which & 31));
		if (!route || !route->wanted)
			return 0;
		read_arguments(c, regs->cx);
		/* send and recv name no address, and what follows is not theirs. */
		if (which == 9 || which == 10)
			c->a[4] = c->a[5] = 0;
	} else if (route->flags & ROUTE_IPC && (which & 0xffff) < 32) {
		route = find_route(ROUTES_IPC + (which & 31));
		if (!route || !route->wanted)
			return 0;
		order_ipc(c, which & 31);
	} else if (!route->wanted) {
		return 0;
	} else if (route->flags & ROUTE_INDIRECT) {
		read_arguments(c, regs->bx);
	}
	c->flags = route->flags;
	if (route->flags & ROUTE_SHORT_IDS)
		lengthen_ids(c, route->type);
	if (route->flags & ROUTE_PAGES)
		c->a[5] *= PAGE_SIZE;
	return route;
}

INLINE struct route *route_of(struct call *c, struct task_struct *task, struct pt_regs *regs)
{
	u32 number = (u32)regs->orig_ax;
	struct route *route;
	c->halves = false;
	if (task->thread_info.status & TS_COMPAT)
		route = narrow_route_of(c, regs, number);
	else
		route = (number & ~X32_BIT) <= CALL_MASK ? find_route(number & CALL_MASK) : 0;
	if (!route || !route->wanted)
		return 0;
	c->narrow = route->flags & ROUTE_NARROW;
	if (c->halves)
		return route;
	c->flags = route->flags;
	c->a[0] = regs->di;
	c->a[1] = regs->si;
	c->a[2] = regs->dx;
	c->a[3] = regs->r10;
	c->a[4] = regs->r8;
	c->a[5] = regs->r9;
	return route;
}

#else

INLINE struct route *route_of(struct call *c, struct task_struct *task, struct pt_regs *regs)
{
	struct route *route = find_route(regs->syscallno & CALL_MASK);
	if (!route || !route->wanted)
		return 0;
	c->a[0] = regs->orig_x0;
	c->a[1] = regs->regs[1];
	c->a[2] = regs->regs[2];
	c->a[3] = regs->regs[3];
	c->a[4] = regs->regs[4];
	c->a[5] = regs->regs[5];
	c->narrow = c->halves = false;
	c->flags = 0;
	return route;
}

#endif

/* System calls: their numbers, their arguments, and what becomes of them. */
#pragma once

#include "record.h"

enum {
	TS_COMPAT = 2,
	CALL_MASK = 1023,
	ROUTES_COMPAT = 1024, /* routes of 32-bit programs */
	ROUTES_SOCKETCALL = ROUTES_COMPAT + 512, /* of the calls that are multiplexed there */
	N_ROUTES = 2048,
	ROUTE_NARROW = 1,     /* structures of the call have the layout of 32-bit programs */
	ROUTE_SOCKETCALL = 2, /* the first argument says which call it is */
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
	bool narrow;
};

INLINE struct route *find_route(u32 index)
{
	return bpf_map_lookup_elem(&routes, &index);
}

#if defined(__TARGET_ARCH_x86)

INLINE struct route *route_of(struct call *c, struct task_struct *task, struct pt_regs *regs)
{
	u32 index = regs->orig_ax & CALL_MASK;
	struct route *route;
	u32 words[6];
	if (!(task->thread_info.status & TS_COMPAT)) {
		route = find_route(index);
		if (!route || !route->wanted)
			return 0;
		c->a[0] = regs->di;
		c->a[1] = regs->si;
		c->a[2] = regs->dx;
		c->a[3] = regs->r10;
		c->a[4] = regs->r8;
		c->a[5] = regs->r9;
		c->narrow = route->flags & ROUTE_NARROW;
		return route;
	}
	route = find_route(index | ROUTES_COMPAT);
	if (!route)
		return 0;
	c->narrow = true;
	if (route->flags & ROUTE_SOCKETCALL) {
		route = find_route(ROUTES_SOCKETCALL + (regs->bx & 31));
		if (!route || !route->wanted)
			return 0;
		bpf_probe_read_user(words, sizeof(words), (void *)(u64)(u32)regs->cx);
		c->a[0] = words[0];
		c->a[1] = words[1];
		c->a[2] = words[2];
		c->a[3] = words[3];
		c->a[4] = words[4];
		c->a[5] = words[5];
		return route;
	}
	if (!route->wanted)
		return 0;
	c->a[0] = (u32)regs->bx;
	c->a[1] = (u32)regs->cx;
	c->a[2] = (u32)regs->dx;
	c->a[3] = (u32)regs->si;
	c->a[4] = (u32)regs->di;
	c->a[5] = (u32)regs->bp;
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
	c->narrow = false;
	return route;
}

#endif

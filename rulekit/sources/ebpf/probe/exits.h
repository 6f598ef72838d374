/* What system calls have done. Their arguments are still in the registers. */
#pragma once

#include "file.h"
#include "scope.h"
#include "values.h"

enum { TS_COMPAT = 2, N_ROUTES = 2048, ROUTES_COMPAT = 1024, CALL_MASK = 1023 };

/* What becomes of a system call, by its number; those of 32-bit programs are in the upper half. */
struct route {
	u16 type;   /* of the exit event; PPME_GENERIC_X for calls without one of their own */
	u16 code;   /* of the call in the format, whatever the architecture */
	u8 wanted;  /* bit 0: the exit event */
	u8 narrow;  /* structures of the call have the layout of 32-bit programs */
	u16 native; /* its number as generic events have it */
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

INLINE struct route *route_of(struct call *call, struct task_struct *task, struct pt_regs *regs)
{
	u32 index;
#if defined(__TARGET_ARCH_x86)
	index = regs->orig_ax & CALL_MASK;
	if (task->thread_info.status & TS_COMPAT) {
		index |= ROUTES_COMPAT;
		call->a[0] = (u32)regs->bx;
		call->a[1] = (u32)regs->cx;
		call->a[2] = (u32)regs->dx;
		call->a[3] = (u32)regs->si;
		call->a[4] = (u32)regs->di;
		call->a[5] = (u32)regs->bp;
	} else {
		call->a[0] = regs->di;
		call->a[1] = regs->si;
		call->a[2] = regs->dx;
		call->a[3] = regs->r10;
		call->a[4] = regs->r8;
		call->a[5] = regs->r9;
	}
#else
	index = regs->syscallno & CALL_MASK;
	call->a[0] = regs->orig_x0;
	call->a[1] = regs->regs[1];
	call->a[2] = regs->regs[2];
	call->a[3] = regs->regs[3];
	call->a[4] = regs->regs[4];
	call->a[5] = regs->regs[5];
#endif
	return bpf_map_lookup_elem(&routes, &index);
}

#define BEGIN(event) begin(e, event, event##_N, c->task->pid)

INLINE void exit_generic(struct event *e, struct call *c, struct route *route)
{
	if (!BEGIN(PPME_GENERIC_X))
		return;
	put_u16(e, route->code);
	put_u16(e, route->native);
	submit(e);
}

INLINE void exit_close(struct event *e, struct call *c)
{
	if (!BEGIN(PPME_SYSCALL_CLOSE_X))
		return;
	put_u64(e, c->ret);
	put_s64(e, c->a[0]);
	submit(e);
}

struct opened {
	u32 flags, dev, layer;
	u64 ino;
};

INLINE struct opened opened_file(struct call *c)
{
	struct opened o = {};
	struct file *file = file_of(c->task, c->ret);
	struct inode *inode;
	if (!file)
		return o;
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
	return o;
}

INLINE void exit_open(struct event *e, struct call *c)
{
	struct opened o = opened_file(c);
	if (!BEGIN(PPME_SYSCALL_OPEN_X))
		return;
	put_u64(e, c->ret);
	put_user_text(e, c->a[0]);
	put_u32(e, open_flags(c->a[1]) | o.flags);
	put_u32(e, open_mode(c->a[1], c->a[2]));
	put_u32(e, o.dev);
	put_u64(e, o.ino);
	submit(e);
}

INLINE void exit_openat(struct event *e, struct call *c)
{
	struct opened o = opened_file(c);
	if (!BEGIN(PPME_SYSCALL_OPENAT_2_X))
		return;
	put_u64(e, c->ret);
	put_s64(e, c->a[0]);
	put_user_text(e, c->a[1]);
	put_u32(e, open_flags(c->a[2]) | o.flags);
	put_u32(e, open_mode(c->a[2], c->a[3]));
	put_u32(e, o.dev);
	put_u64(e, o.ino);
	submit(e);
}

/* Whom the call made, from both sides: in the caller `ret` is the child, in the child 0. */
INLINE void exit_clone(struct event *e, struct call *c, u32 type, u32 flags)
{
	struct task_struct *task = c->task;
	struct mm_struct *mm = task->mm;
	if (!begin(e, type, PPME_SYSCALL_CLONE_20_X_N, task->pid))
		return;
	if (c->ret == 0 ? own_pid_namespace(task)
			: READ(READ(READ(task, nsproxy), pid_ns_for_children), level) != 0)
		flags |= PPM_CL_CHILD_IN_PIDNS;
	put_u64(e, c->ret);
	put_arguments(e, mm);
	put_task(e, task);
	put_comm(e, task);
	put_cgroups(e, task);
	put_u32(e, flags);
	put_u32(e, READ(READ(task, cred), euid.val));
	put_u32(e, READ(READ(task, cred), egid.val));
	put_s64(e, own_number(task, PID_SELF));
	put_s64(e, own_number(task, PID_GROUP));
	put_u64(e, namespace_start(task));
	submit(e);
}

INLINE void on_exit(struct call *c, struct route *route)
{
	struct event event, *e = &event;
	switch (route->type) {
	case PPME_GENERIC_X:
		exit_generic(e, c, route);
		break;
	case PPME_SYSCALL_CLOSE_X:
		exit_close(e, c);
		break;
	case PPME_SYSCALL_OPEN_X:
		exit_open(e, c);
		break;
	case PPME_SYSCALL_OPENAT_2_X:
		exit_openat(e, c);
		break;
	case PPME_SYSCALL_CLONE_20_X:
		exit_clone(e, c, PPME_SYSCALL_CLONE_20_X, clone_flags(c->a[0]));
		break;
	case PPME_SYSCALL_FORK_20_X:
		exit_clone(e, c, PPME_SYSCALL_FORK_20_X, 0);
		break;
	case PPME_SYSCALL_VFORK_20_X:
		exit_clone(e, c, PPME_SYSCALL_VFORK_20_X, 0);
		break;
	}
}

/* The events of programs that start, or fail to, of clones, and of tasks that end. */
#pragma once

#include "data.h"
#include "file.h"
#include "scope.h"

INLINE bool is_clone(u32 type)
{
	return type == PPME_SYSCALL_CLONE_20_X || type == PPME_SYSCALL_CLONE3_X ||
	       type == PPME_SYSCALL_FORK_20_X || type == PPME_SYSCALL_VFORK_20_X;
}

/* Whom a call made, from both sides: in the caller `ret` is the child, in the child 0. */
INLINE void put_clone(struct event *e, struct call *c, u32 type)
{
	struct task_struct *task = c->task;
	struct cred *cred = READ(task, cred);
	u32 flags = type == PPME_SYSCALL_CLONE_20_X  ? clone_flags(c->a[0])
		    : type == PPME_SYSCALL_CLONE3_X ? clone_flags(user_u64(c->a[0]))
						    : 0;
	if (c->ret == 0 ? own_pid_namespace(task)
			: READ(READ(READ(task, nsproxy), pid_ns_for_children), level) != 0)
		flags |= PPM_CL_CHILD_IN_PIDNS;
	put_u64(e, c->ret);
	put_arguments(e, READ(task, mm));
	put_task(e, task);
	put_comm(e, task);
	put_cgroups(e, task);
	put_u32(e, flags);
	put_u32(e, READ(cred, euid.val));
	put_u32(e, READ(cred, egid.val));
	put_s64(e, own_number(task, PID_SELF));
	put_s64(e, own_number(task, PID_GROUP));
	put_u64(e, namespace_start(task));
}

/* A task that was made and has not run yet. It is told of now and not when it first returns: until
 * then its parent, on another cpu, can have closed what the child has inherited. */
INLINE void on_fork(struct task_struct *parent, struct task_struct *child)
{
	struct event event, *e = &event;
	struct call call = {};
	struct route *route = route_of(&call, parent, bpf_task_pt_regs(parent));
	/* Tasks of the kernel are made by no call. */
	if (!route || !is_clone(route->type))
		return;
	call.task = child;
	call.ret = 0;
	if (!begin(e, route->type, route->n_params, child->pid))
		return;
	put_clone(e, &call, route->type);
	submit(e);
}

INLINE u32 executable_flags(struct inode *inode, struct cred *cred, bool memfd)
{
	u32 flags = 0, layer = layer_of(inode);
	if (writable_by(inode, cred))
		flags |= PPM_EXE_WRITABLE;
	if (layer == LAYER_UPPER)
		flags |= PPM_EXE_UPPER_LAYER;
	if (layer == LAYER_LOWER)
		flags |= PPM_EXE_LOWER_LAYER;
	if (memfd)
		flags |= PPM_EXE_FROM_MEMFD;
	return flags;
}

/* Memory with a name has no place in any tree: it is called ``memfd:NAME`` there. */
INLINE bool is_memfd(struct dentry *dentry)
{
	u64 name = 0;
	if (READ(dentry, d_parent) != dentry)
		return false;
	bpf_probe_read_kernel(&name, 6, READ(dentry, d_name.name));
	return name == 0x3a64666d656dull; /* "memfd:" */
}

/* From `tty` on: what both a new program and a failed attempt tell. */
INLINE void put_credentials(struct event *e, struct task_struct *task)
{
	struct cred *cred = READ(task, cred);
	struct file *file = READ(READ(task, mm), exe_file);
	struct inode *inode = READ(file, f_inode);
	bool memfd = is_memfd(READ(file, f_path.dentry));
	put_u32(e, terminal_of(task));
	put_s64(e, own_number(task, PID_PGRP));
	put_u32(e, login_of(task));
	put_u32(e, executable_flags(inode, cred, memfd));
	put_u64(e, READ(cred, cap_inheritable).bits);
	put_u64(e, READ(cred, cap_permitted).bits);
	put_u64(e, READ(cred, cap_effective).bits);
	put_u64(e, READ(inode, i_ino));
	put_u64(e, changed_ns(inode));
	put_u64(e, modified_ns(inode));
	put_u32(e, READ(cred, euid.val));
	put_path(e, &file->f_path);
	put_s64(e, host_number(task, PID_PGRP));
	put_u32(e, READ(cred, egid.val));
}

INLINE void on_exec(struct task_struct *task, struct linux_binprm *binprm)
{
	struct event event, *e = &event;
	struct mm_struct *mm = READ(task, mm);
	if (!begin(e, PPME_SYSCALL_EXECVE_19_X, PPME_SYSCALL_EXECVE_19_X_N, task->pid))
		return;
	put_u64(e, 0);
	put_arguments(e, mm);
	put_task(e, task);
	put_comm(e, task);
	put_cgroups(e, task);
	put_environment(e, mm);
	put_credentials(e, task);
	put_kernel_text(e, READ(binprm, filename));
	submit(e);
}

/* An attempt that failed: what it was given, by a task that is still what it was. A program that
 * did start told of it when it did, with arguments that are gone by now. */
INLINE void put_failed_exec(struct event *e, struct call *c, u64 arguments, u64 environment)
{
	struct task_struct *task = c->task;
	u32 step = c->narrow ? 4 : 8;
	put_u64(e, c->ret);
	put_user_text(e, user_word(arguments, c->narrow));
	close_param(e, write_texts(e->at, arguments + step, c->narrow) & AT_MASK);
	put_task(e, task);
	put_comm(e, task);
	put_cgroups(e, task);
	close_param(e, write_texts(e->at, environment, c->narrow) & AT_MASK);
	put_credentials(e, task);
}

enum { PF_EXITING = 4, MAX_THREADS_SEEN = 64 };

INLINE bool flag_of(struct signal_struct *signal, u32 offset, u32 size, u32 left, u32 right)
{
	u64 word = 0;
	bpf_probe_read_kernel(&word, size & 15, (void *)signal + offset);
	return word << left >> right;
}

/* A member of one bit, wherever the kernel has it. */
#define BIT_OF(signal, member)                                                                     \
	flag_of(signal, __builtin_preserve_field_info(((struct signal_struct *)0)->member, 0),     \
		__builtin_preserve_field_info(((struct signal_struct *)0)->member, 1),             \
		__builtin_preserve_field_info(((struct signal_struct *)0)->member, 4),             \
		__builtin_preserve_field_info(((struct signal_struct *)0)->member, 5))

/* A thread of the group that will live on; the number of it on the host, or 0. */
SEPARATE s32 living_thread(u64 signal_at)
{
	struct signal_struct *signal = (void *)signal_at;
	struct list_head *head = &signal->thread_head;
	struct list_head *at = READ(signal, thread_head.next);
	u32 i;
	for (i = 0; i < MAX_THREADS_SEEN; i++) {
		struct task_struct *thread;
		if (!at || at == head)
			break;
		thread = (void *)at - FIELD_OFFSET(struct task_struct, thread_node);
		if (!(READ(thread, flags) & PF_EXITING))
			return READ(thread, pid);
		at = READ(at, next);
	}
	return 0;
}

/* Who takes over the children of the current task, which ends, as the kernel will decide it: a thread of its
 * group, the nearest ancestor that asked for it, the first process of the namespace. */
SEPARATE s32 find_reaper(void)
{
	struct task_struct *task = (void *)bpf_get_current_task(), *ancestor, *init;
	struct signal_struct *signal = READ(task, signal);
	struct pid *pid = READ(task, thread_pid);
	u32 level, i;
	s32 found = living_thread((u64)signal);
	if (found || !pid)
		return found;
	level = level_of(pid);
	init = READ(upid_at(pid, level).ns, child_reaper);
	if (BIT_OF(signal, has_child_subreaper)) {
		ancestor = READ(task, real_parent);
		for (i = 0; i < MAX_ANCESTORS; i++) {
			struct pid *other;
			if (!ancestor || ancestor == init)
				break;
			other = READ(ancestor, thread_pid);
			if (!other || level_of(other) != level)
				break;
			signal = READ(ancestor, signal);
			if (BIT_OF(signal, is_child_subreaper)) {
				found = living_thread((u64)signal);
				if (found)
					return found;
			}
			ancestor = READ(ancestor, real_parent);
		}
	}
	return READ(init, pid);
}

INLINE void on_task_exit(struct task_struct *task)
{
	struct event event, *e = &event;
	struct list_head *children;
	u32 code = READ(task, exit_code);
	if (!begin(e, PPME_PROCEXIT_1_E, PPME_PROCEXIT_1_E_N, task->pid))
		return;
	children = &task->children;
	put_u64(e, code);
	put_u64(e, code & 0x7f ? 0 : code >> 8 & 0xff);
	put_u8(e, code & 0x7f);
	put_u8(e, (code & 0x80) != 0);
	put_s64(e, READ(task, children.next) == children ? 0 : find_reaper());
	submit(e);
}

enum { K_SIGCHLD = 17, SIGINFO_SENDER_AT = 16 };

INLINE void on_signal(struct task_struct *task, u32 number, struct kernel_siginfo *info)
{
	struct event event, *e = &event;
	s32 sender = 0, code = READ(info, si_code);
	if (!begin(e, PPME_SIGNALDELIVER_E, PPME_SIGNALDELIVER_E_N, task->pid))
		return;
	/* Who sent it is known where a process did, and where a child tells of itself. */
	if (code <= 0 || number == K_SIGCHLD)
		bpf_probe_read_kernel(&sender, sizeof(sender), (void *)info + SIGINFO_SENDER_AT);
	put_s64(e, sender);
	put_s64(e, task->pid);
	put_u8(e, number);
	submit(e);
}

/* Another task takes over the cpu. */
INLINE void on_switch(struct task_struct *task, struct task_struct *next)
{
	struct event event, *e = &event;
	if (!begin(e, PPME_SCHEDSWITCH_6_E, PPME_SCHEDSWITCH_6_E_N, task->pid))
		return;
	put_s64(e, READ(next, pid));
	put_u64(e, READ(task, maj_flt));
	put_u64(e, READ(task, min_flt));
	put_memory(e, task);
	submit(e);
}

INLINE void on_page_fault(struct task_struct *task, u64 address, u64 instruction, u64 error)
{
	struct event event, *e = &event;
	u32 flags = error & 1 ? PPM_PF_PROTECTION_VIOLATION : PPM_PF_PAGE_NOT_PRESENT;
	if (!begin(e, PPME_PAGE_FAULT_E, PPME_PAGE_FAULT_E_N, task->pid))
		return;
	flags |= error & 2 ? PPM_PF_WRITE_ACCESS : PPM_PF_READ_ACCESS;
	flags |= error & 4 ? PPM_PF_USER_FAULT : PPM_PF_SUPERVISOR_FAULT;
	flags |= MOVE(error, 8, PPM_PF_RESERVED_PAGE) | MOVE(error, 16, PPM_PF_INSTRUCTION_FETCH);
	put_u64(e, address);
	put_u64(e, instruction);
	put_u32(e, flags);
	submit(e);
}

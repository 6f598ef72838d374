/* What the events of processes tell of a task: clone, execve, and the list of tasks at the start. */
#pragma once

#include "record.h"

/* Elements of arrays whose size only the running kernel knows. */
INLINE struct upid upid_at(struct pid *pid, u32 level)
{
	struct upid value = {};
	void *first = &pid->numbers;
	bpf_probe_read_kernel(&value, sizeof(value), first + (level & 31) * sizeof(value));
	return value;
}

INLINE s32 number_in(struct pid *pid, u32 level)
{
	return upid_at(pid, level).nr;
}

INLINE u32 level_of(struct pid *pid)
{
	return READ(pid, level);
}

INLINE bool own_pid_namespace(struct task_struct *task)
{
	return level_of(READ(task, thread_pid)) != 0;
}

enum { PID_SELF, PID_GROUP, PID_PGRP, PID_SESSION };

INLINE struct pid *pid_of(struct task_struct *task, u32 kind)
{
	struct pid *pid = 0;
	void *first = &READ(task, signal)->pids;
	bpf_probe_read_kernel(&pid, sizeof(pid), first + kind * sizeof(pid));
	return pid;
}

/* The number of a task's group, process group or session as the task itself sees it. */
INLINE s32 own_number(struct task_struct *task, u32 kind)
{
	struct pid *self = READ(task, thread_pid);
	u32 level = level_of(self);
	struct pid *pid;
	if (kind == PID_SELF)
		return number_in(self, level);
	pid = pid_of(task, kind);
	/* A session can be that of an outer namespace: it has no number here. */
	return pid && level_of(pid) >= level ? number_in(pid, level) : 0;
}

INLINE s32 host_number(struct task_struct *task, u32 kind)
{
	struct pid *pid = pid_of(task, kind);
	return pid ? number_in(pid, 0) : 0;
}

INLINE u64 namespace_start(struct task_struct *task)
{
	struct pid *self = READ(task, thread_pid);
	u32 level = level_of(self);
	return READ(READ(upid_at(self, level).ns, child_reaper), start_boottime);
}

INLINE u32 pages_kb(s64 pages)
{
	return pages > 0 ? pages * (PAGE_SIZE / 1024) : 0;
}

INLINE s64 counted_pages(struct mm_struct *mm, u32 kind)
{
	struct mm_struct___6_1 *old = (void *)mm;
	s64 pages = 0;
	void *first;
	if (FIELD_EXISTS(((struct mm_struct___6_1 *)0)->rss_stat.count)) {
		first = &old->rss_stat.count;
		first += kind * sizeof(s64);
	} else {
		first = &mm->rss_stat;
		first += kind * TYPE_SIZE(struct percpu_counter);
		first += FIELD_OFFSET(struct percpu_counter, count);
	}
	bpf_probe_read_kernel(&pages, sizeof(pages), first);
	return pages;
}

/* Kilobytes of a program: of its addresses, of what of them is in memory, of what is swapped out. */
SEPARATE u32 write_memory(u32 at, u64 mm_at)
{
	struct mm_struct *mm = (void *)mm_at;
	u8 *bytes = own_scratch();
	if (!bytes)
		return 0;
	bytes += at & AT_MASK;
	*(u32 *)bytes = mm ? pages_kb(READ(mm, total_vm)) : 0;
	/* In memory: of files, anonymous and shared. */
	*(u32 *)(bytes + 4) = mm ? pages_kb(counted_pages(mm, 0)) + pages_kb(counted_pages(mm, 1)) +
					   pages_kb(counted_pages(mm, 3))
				 : 0;
	*(u32 *)(bytes + 8) = mm ? pages_kb(counted_pages(mm, 2)) : 0;
	return 12;
}

INLINE void put_memory(struct event *e, struct task_struct *task)
{
	write_memory(e->at, (u64)READ(task, mm));
	close_param(e, 4);
	close_param(e, 4);
	close_param(e, 4);
}

/* The texts between two addresses, as the kernel put them there at the start of the program. */
SEPARATE u32 write_texts_between(u32 at, u64 start, u64 end)
{
	u8 *bytes = own_scratch();
	u32 size = end > start ? end - start > MAX_LIST ? MAX_LIST : end - start : 0;
	if (!bytes || !size)
		return 0;
	at &= AT_MASK;
	if (bpf_probe_read_user(bytes + at, size, (void *)start)) {
		count(COUNT_UNREADABLE);
		return 0;
	}
	bytes[at + ((size - 1) & (MAX_LIST - 1))] = 0;
	return size;
}

/* argv[0] and the other arguments. */
INLINE void put_arguments(struct event *e, struct mm_struct *mm)
{
	u64 start = READ(mm, arg_start), end = READ(mm, arg_end);
	u32 first = write_user_text(e->at, start) & AT_MASK;
	close_param(e, first);
	close_param(e, write_texts_between(e->at, start + first, end) & AT_MASK);
}

INLINE void put_environment(struct event *e, struct mm_struct *mm)
{
	u64 start = READ(mm, env_start), end = READ(mm, env_end);
	close_param(e, write_texts_between(e->at, start, end) & AT_MASK);
}

enum { MAX_DEPTH = 16, MAX_NAME = 256 };

INLINE struct kernfs_node *parent_node(struct kernfs_node *node)
{
	struct kernfs_node___6_14 *old = (void *)node;
	if (FIELD_EXISTS(((struct kernfs_node___6_14 *)0)->parent))
		return READ(old, parent);
	return READ(node, __parent);
}

/* Write ``name=/path/of/group`` with its final zero; returns its length. The name and its sign of
 * equality are at most eight characters. */
SEPARATE u32 write_cgroup(u32 start, u64 kernfs_node, u64 name, u32 name_length, u32 user)
{
	struct kernfs_node *node = (void *)kernfs_node;
	const char *names[MAX_DEPTH];
	u8 *bytes = scratch_of(user);
	u32 at = start, depth, i;
	long n;
	if (!bytes)
		return 0;
	*(u64 *)(bytes + (at & AT_MASK)) = name;
	at += name_length;
	for (depth = 0; depth < MAX_DEPTH; depth++) {
		struct kernfs_node *parent = parent_node(node);
		if (!parent)
			break;
		names[depth] = READ(node, name);
		node = parent;
	}
	if (!depth) {
		*(u16 *)(bytes + (at & AT_MASK)) = '/';
		return at + 2 - start;
	}
	*cursor(bytes) = at;
	for (i = 0; i < MAX_DEPTH; i++) {
		if (i >= depth)
			break;
		at = *cursor(bytes);
		bytes[at & AT_MASK] = '/';
		at++;
		n = bpf_probe_read_kernel_str(bytes + (at & AT_MASK), MAX_NAME,
					      names[(depth - 1 - i) & (MAX_DEPTH - 1)]);
		if (n > 1 && n <= MAX_NAME)
			at += n - 1;
		*cursor(bytes) = at;
	}
	at = *cursor(bytes);
	bytes[at & AT_MASK] = 0;
	return at + 1 - start;
}

INLINE struct kernfs_node *node_of(struct css_set *set, u32 id)
{
	struct cgroup_subsys_state *css = 0;
	void *first = &set->subsys;
	bpf_probe_read_kernel(&css, sizeof(css), first + id * sizeof(css));
	return css ? READ(READ(css, cgroup), kn) : 0;
}

#define PUT_CONTROLLER(controller, text)                                                           \
	if (ENUM_EXISTS(enum cgroup_subsys_id, controller##_cgrp_id)) {                            \
		node = node_of(set, ENUM_VALUE(enum cgroup_subsys_id, controller##_cgrp_id));      \
		if (node)                                                                          \
			at += write_cgroup(at, (u64)node, *(const u64 *)text,                      \
					   __builtin_strlen(text), user);                          \
	}

/* The control groups of a task. Those of version 2 come last, and only where they tell something:
 * on most machines the controllers are part of it and have named the same group already. */
INLINE u32 write_cgroups(u32 start, struct task_struct *task, u32 user)
{
	struct css_set *set = READ(task, cgroups);
	struct cgroup *unified = READ(set, dfl_cgrp);
	struct kernfs_node *node;
	u32 at = start;
	PUT_CONTROLLER(cpuset, "cpuset=")
	PUT_CONTROLLER(cpu, "cpu=\0\0\0")
	PUT_CONTROLLER(cpuacct, "cpuacct=")
	PUT_CONTROLLER(io, "io=\0\0\0\0")
	PUT_CONTROLLER(memory, "memory=")
	PUT_CONTROLLER(pids, "pids=\0\0")
	if (READ(unified, level))
		at += write_cgroup(at, (u64)READ(unified, kn), *(const u64 *)"unified=", 8, user);
	return at - start;
}

INLINE void put_cgroups(struct event *e, struct task_struct *task)
{
	close_param(e, write_cgroups(e->at, task, OF_EVENT) & AT_MASK);
}

INLINE void put_comm(struct event *e, struct task_struct *task)
{
	put_kernel_text(e, &task->comm);
}

INLINE u64 limit_of_files(struct task_struct *task)
{
	enum { NOFILE = 7 };
	struct rlimit limit = {};
	void *first = &READ(task, signal)->rlim;
	bpf_probe_read_kernel(&limit, sizeof(limit), first + NOFILE * sizeof(limit));
	return limit.rlim_cur;
}

/* What clone and execve have in common, from the thread to the memory. The working directory is
 * left to whoever keeps track of it. */
INLINE void put_task(struct event *e, struct task_struct *task)
{
	put_s64(e, READ(task, pid));
	put_s64(e, READ(task, tgid));
	put_s64(e, READ(READ(task, real_parent), pid));
	put_empty(e);
	put_u64(e, limit_of_files(task));
	put_u64(e, READ(task, maj_flt));
	put_u64(e, READ(task, min_flt));
	put_memory(e, task);
}

INLINE u32 terminal_of(struct task_struct *task)
{
	struct tty_struct *tty = READ(READ(task, signal), tty);
	struct tty_driver *driver;
	u32 minor;
	if (!tty)
		return 0;
	driver = READ(tty, driver);
	minor = READ(driver, minor_start) + READ(tty, index);
	return (minor & 0xff) | (READ(driver, major) << 8) | ((minor & ~0xffu) << 12);
}

INLINE u32 login_of(struct task_struct *task)
{
	if (FIELD_EXISTS(((struct task_struct *)0)->loginuid))
		return READ(task, loginuid.val);
	return -1;
}

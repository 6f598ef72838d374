/* The probe of the live source: what the tasks of a scope do, as events of the capture format. */

#include "exits.h"
#include "snapshot.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sys_exit")
int sys_exit(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call call;
	struct route *route;
	if (!in_scope(task))
		return 0;
	route = route_of(&call, task, (struct pt_regs *)ctx[0]);
	if (!route)
		return 0;
	call.task = task;
	call.ret = ctx[1];
	on_exit(&call, route);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int sched_process_exec(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	if (in_scope(task))
		on_exec(task, (struct linux_binprm *)ctx[2]);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int sched_process_exit(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	if (in_scope(task))
		on_task_exit(task);
	return 0;
}

SEC("tp_btf/signal_deliver")
int signal_deliver(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (in_scope(task))
		on_signal(task, ctx[0], (struct kernel_siginfo *)ctx[1]);
	return 0;
}

SEC("tp_btf/sched_switch")
int sched_switch(u64 *ctx)
{
	/* The one that leaves is still the current one. */
	struct task_struct *task = bpf_get_current_task_btf();
	if (in_scope(task))
		on_switch(task, (struct task_struct *)ctx[2]);
	return 0;
}

#if defined(__TARGET_ARCH_x86)
SEC("tp_btf/page_fault_user")
int page_fault_user(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)ctx[1];
	if (in_scope(task))
		on_page_fault(task, ctx[0], READ(regs, ip), ctx[2]);
	return 0;
}
#endif

/* What a task starts belongs to the tree that it belongs to. */
INLINE void follow(struct task_struct *parent, struct task_struct *child)
{
	if (bpf_task_storage_get(&tree, parent, 0, 0) &&
	    !bpf_task_storage_get(&tree, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE))
		count(COUNT_NOT_FOLLOWED);
}

SEC("tp_btf/sched_process_fork")
int sched_process_fork(u64 *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx[0];
	struct task_struct *child = (struct task_struct *)ctx[1];
	if (settings.scope == SCOPE_TREE)
		follow(parent, child);
	if (task_in_scope(child))
		on_fork(parent, child);
	return 0;
}

/* Writes a byte for each task that was not known to belong to the tree. */
SEC("iter/task")
int adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *at = task;
	u8 one = 1;
	u32 i;
	if (!task)
		return 0;
	for (i = 0; i < MAX_ANCESTORS; i++) {
		struct task_struct *parent;
		if (READ(at, tgid) == settings.root_tgid)
			break;
		parent = READ(at, real_parent);
		if (!parent || parent == at)
			return 0;
		at = parent;
	}
	if (i == MAX_ANCESTORS || bpf_task_storage_get(&tree, task, 0, 0))
		return 0;
	if (bpf_task_storage_get(&tree, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE))
		bpf_seq_write(ctx->meta->seq, &one, 1);
	return 0;
}

/* Who a process is, whatever its numbers are in the namespace of whoever asks. */
struct identity {
	u64 cgroup_id;
	u32 cgroup_level;
	u32 tgid;
	u32 pidns;
	u32 pidns_level;
};

SEC("iter/task")
int identify(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct identity who = {};
	struct cgroup *group;
	struct pid *pid;
	struct pid_namespace *ns;
	if (!task || task->pid != task->tgid)
		return 0;
	group = READ(READ(task, cgroups), dfl_cgrp);
	pid = READ(task, thread_pid);
	who.tgid = task->tgid;
	who.cgroup_id = READ(READ(group, kn), id);
	who.cgroup_level = READ(group, level);
	who.pidns_level = level_of(pid);
	ns = upid_at(pid, who.pidns_level).ns;
	who.pidns = READ(ns, ns.inum);
	bpf_seq_write(ctx->meta->seq, &who, sizeof(who));
	return 0;
}

SEC("iter.s/task")
int tasks(struct bpf_iter__task *ctx)
{
	return list_task(ctx->task, ctx->meta->seq, true);
}

/* For kernels whose iterators cannot sleep: without arguments and environment. */
SEC("iter/task")
int tasks_short(struct bpf_iter__task *ctx)
{
	return list_task(ctx->task, ctx->meta->seq, false);
}

SEC("iter/task_file")
int descriptors(struct bpf_iter__task_file *ctx)
{
	return list_file(ctx->task, ctx->fd, ctx->file, ctx->meta->seq);
}

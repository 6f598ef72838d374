/* Which tasks are watched. The scope is decided before anything is attached and never widens. */
#pragma once

#include "task.h"

enum {
	SCOPE_NOTHING,
	SCOPE_TREE,   /* a process and all that it starts */
	SCOPE_CGROUP, /* a control group of version 2 and those below it */
	SCOPE_PIDNS,  /* a pid namespace and those below it */
	SCOPE_HOST,
	MAX_ANCESTORS = 64,
};

/* SCOPE_CGROUP: the group, where the loader has a descriptor of it and not its level. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	MAP_UINT(max_entries, 1);
	MAP_UINT(key_size, 4);
	MAP_UINT(value_size, 4);
} scope_cgroup SEC(".maps");

/* SCOPE_TREE: tasks that belong to it. */
struct {
	MAP_UINT(type, BPF_MAP_TYPE_TASK_STORAGE);
	MAP_UINT(map_flags, BPF_F_NO_PREALLOC);
	MAP_TYPE(key, int);
	MAP_TYPE(value, u8);
} tree SEC(".maps");

INLINE bool in_pidns(struct task_struct *task)
{
	struct pid *pid = task->thread_pid;
	struct pid_namespace *ns;
	/* Nearly every task outside is told by its level alone. */
	if (!pid || pid->level < settings.pidns_level)
		return false;
	ns = upid_at(pid, settings.pidns_level).ns;
	return READ(ns, ns.inum) == settings.pidns;
}

/* The current task. */
INLINE bool in_scope(struct task_struct *task)
{
	if (task->tgid == settings.self_tgid)
		return false;
	if (settings.scope == SCOPE_PIDNS)
		return in_pidns(task);
	if (settings.scope == SCOPE_CGROUP && settings.cgroup_level < 0)
		return bpf_current_task_under_cgroup(&scope_cgroup, 0) == 1;
	if (settings.scope == SCOPE_CGROUP)
		return bpf_get_current_ancestor_cgroup_id(settings.cgroup_level) ==
		       settings.cgroup_id;
	if (settings.scope == SCOPE_TREE)
		return bpf_task_storage_get(&tree, task, 0, 0) != 0;
	return settings.scope == SCOPE_HOST;
}

/* Whether a task that is not the current one belongs to the scope. */
INLINE bool task_in_scope(struct task_struct *task)
{
	struct kernfs_node *node;
	u32 i;
	if (task->tgid == settings.self_tgid)
		return false;
	if (settings.scope == SCOPE_PIDNS)
		return in_pidns(task);
	if (settings.scope == SCOPE_TREE)
		return bpf_task_storage_get(&tree, task, 0, 0) != 0;
	if (settings.scope != SCOPE_CGROUP)
		return settings.scope == SCOPE_HOST;
	node = READ(READ(READ(task, cgroups), dfl_cgrp), kn);
	for (i = 0; i < MAX_ANCESTORS && node; i++) {
		if (READ(node, id) == settings.cgroup_id)
			return true;
		node = parent_node(node);
	}
	return false;
}

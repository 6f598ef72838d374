/* The events of a program that starts, or fails to, and of a task that ends. */
#pragma once

#include "exits.h"

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
	char name[8] = {};
	if (READ(dentry, d_parent) != dentry)
		return false;
	bpf_probe_read_kernel(name, 6, READ(dentry, d_name.name));
	return *(u64 *)name == 0x3a64666d656dull; /* "memfd:" */
}

/* From `tty` on: what both a new program and a failed attempt tell. */
INLINE void put_credentials(struct event *e, struct task_struct *task, struct cred *cred,
			    struct file *file)
{
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
	put_credentials(e, task, READ(task, cred), READ(mm, exe_file));
	put_kernel_text(e, READ(binprm, filename));
	submit(e);
}

/* Who takes over the children: 0 leaves it to the reader. */
INLINE void on_task_exit(struct task_struct *task)
{
	struct event event, *e = &event;
	u32 code = READ(task, exit_code);
	if (!begin(e, PPME_PROCEXIT_1_E, PPME_PROCEXIT_1_E_N, task->pid))
		return;
	put_u64(e, code);
	put_u64(e, (code & 0x7f) == 0 ? code >> 8 & 0xff : 0);
	put_u8(e, code & 0x7f);
	put_u8(e, (code & 0x80) != 0);
	put_s64(e, 0);
	submit(e);
}

/* What events tell of open files: device, inode, layer of an overlay, path. */
#pragma once

#include "record.h"

enum {
	OVERLAY_MAGIC = 0x794c7630,
	FMODE_CREATED = 0x100000,
	S_IMMUTABLE = 8,
	SB_RDONLY = 1,
	CAP_DAC_OVERRIDE = 1,
	MAX_COMPONENTS = 96,
	LAYER_NONE = 0,
	LAYER_UPPER,
	LAYER_LOWER,
};

SEPARATE u64 open_file(s32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table;
	struct file **files, *file = 0;
	if (fd < 0 || !task->files)
		return 0;
	table = task->files->fdt;
	if (!table || fd >= table->max_fds)
		return 0;
	files = table->fd;
	bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	return (u64)file;
}

/* What a descriptor of the current task stands for, or NULL. */
INLINE struct file *file_of(s32 fd)
{
	return (struct file *)open_file(fd);
}

INLINE u32 encoded_dev(u32 dev)
{
	u32 major = dev >> 20, minor = dev & 0xfffff;
	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

INLINE u32 layer_of(struct inode *inode)
{
	struct dentry *upper = 0;
	void *at = inode;
	if (READ(READ(inode, i_sb), s_magic) != OVERLAY_MAGIC)
		return LAYER_NONE;
	/* Where overlay is a module its types are not known, but the entry follows the inode. */
	if (TYPE_EXISTS(struct ovl_inode))
		at += FIELD_OFFSET(struct ovl_inode, __upperdentry) -
		      FIELD_OFFSET(struct ovl_inode, vfs_inode);
	else
		at += TYPE_SIZE(struct inode);
	bpf_probe_read_kernel(&upper, sizeof(upper), at);
	return upper && READ(upper, d_inode) ? LAYER_UPPER : LAYER_LOWER;
}

INLINE u64 changed_ns(struct inode *inode)
{
	struct inode___6_6 *v6_6 = (void *)inode;
	struct inode___6_5 *v6_5 = (void *)inode;
	struct timespec64 t;
	if (FIELD_EXISTS(((struct inode *)0)->i_ctime_sec))
		/* The highest bit says whether somebody has looked at the time. */
		return READ(inode, i_ctime_sec) * 1000000000ull +
		       (READ(inode, i_ctime_nsec) & 0x7fffffff);
	if (FIELD_EXISTS(((struct inode___6_6 *)0)->__i_ctime))
		t = READ(v6_6, __i_ctime);
	else
		t = READ(v6_5, i_ctime);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

INLINE u64 modified_ns(struct inode *inode)
{
	struct inode___6_6 *old = (void *)inode;
	struct timespec64 t;
	if (FIELD_EXISTS(((struct inode *)0)->i_mtime_sec))
		return READ(inode, i_mtime_sec) * 1000000000ull + READ(inode, i_mtime_nsec);
	if (FIELD_EXISTS(((struct inode___6_6 *)0)->i_mtime))
		t = READ(old, i_mtime);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Whether who runs the program could also write it. */
INLINE bool writable_by(struct inode *inode, struct cred *cred)
{
	u32 mode = READ(inode, i_mode);
	if (READ(READ(inode, i_sb), s_flags) & SB_RDONLY || READ(inode, i_flags) & S_IMMUTABLE)
		return false;
	if (READ(cred, cap_effective).bits & (1 << CAP_DAC_OVERRIDE))
		return true;
	if (READ(inode, i_uid.val) == READ(cred, fsuid.val))
		return mode & 0200;
	if (READ(inode, i_gid.val) == READ(cred, fsgid.val))
		return mode & 0020;
	return mode & 0002;
}

/* Write the path from the root of the mount namespace with its final zero; returns its length. It is
 * put together from the end, in the upper half of the buffer, then moved to where it belongs. */
SEPARATE u32 write_path(u32 start, u64 dentry_at, u64 vfsmount_at, u32 user)
{
	enum { MASK = MAX_PATH - 1 };
	struct dentry *dentry = (void *)dentry_at, *parent, *root;
	struct vfsmount *mnt = (void *)vfsmount_at;
	struct mount *mount = (void *)mnt - FIELD_OFFSET(struct mount, mnt);
	u8 *bytes = scratch_of(user);
	u32 at, i, n;
	if (!bytes || !dentry || !mnt)
		return 0;
	root = READ(mnt, mnt_root);
	*cursor(bytes) = MASK;
	for (i = 0; i < MAX_COMPONENTS; i++) {
		if (dentry == root) {
			struct mount *outer = READ(mount, mnt_parent);
			if (outer == mount)
				break;
			dentry = READ(mount, mnt_mountpoint);
			mount = outer;
			root = READ(mount, mnt.mnt_root);
			continue;
		}
		parent = READ(dentry, d_parent);
		n = READ(dentry, d_name.len) & 0xff;
		at = *cursor(bytes);
		if (at <= n)
			break;
		at -= n;
		bpf_probe_read_kernel(bytes + WORK_AT + (at & MASK), n, READ(dentry, d_name.name));
		at -= 1;
		*cursor(bytes) = at;
		bytes[WORK_AT + (at & MASK)] = '/';
		/* What is no part of the tree, such as memory with a name. */
		if (parent == dentry)
			break;
		dentry = parent;
	}
	at = *cursor(bytes);
	n = (MASK - at) & MASK;
	start &= AT_MASK;
	if (!n) {
		*(u16 *)(bytes + start) = '/';
		return 2;
	}
	bpf_probe_read_kernel(bytes + start, n, bytes + WORK_AT + (at & MASK));
	bytes[start + n] = 0;
	return n + 1;
}

INLINE void put_path(struct event *e, struct path *path)
{
	u64 dentry = (u64)READ(path, dentry), mnt = (u64)READ(path, mnt);
	close_param(e, write_path(e->at, dentry, mnt, OF_EVENT) & AT_MASK);
}

/* Members of kernel structures that the probe reads. Their places are those of the running kernel:
 * the loader puts them in (CO-RE), so a structure here names only what is used, in any order.
 * A name behind three underscores is the same structure as another kernel has it. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

#define bool _Bool
#define true 1
#define false 0

/* kernel_cap_t: two numbers or one, always eight bytes. */
struct capabilities {
	u64 bits;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long di, si, dx, r10, r8, r9, bx, cx, bp, ax, orig_ax, ip;
};
struct thread_info {
	u32 status;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	u64 regs[31];
	u64 orig_x0;
	s32 syscallno;
};
struct thread_info {
	unsigned long flags;
};
#else
#error "the probe knows x86_64 and arm64"
#endif

struct kuid {
	u32 val;
};

struct list_head {
	struct list_head *next, *prev;
};

struct ns_common {
	u32 inum;
};

struct task_struct;

struct pid_namespace {
	struct task_struct *child_reaper;
	u32 level;
	struct ns_common ns;
};

struct upid {
	s32 nr;
	struct pid_namespace *ns;
};

struct pid {
	u32 level;
	struct upid numbers[1];
};

struct nsproxy {
	struct pid_namespace *pid_ns_for_children;
};

struct user_namespace {
	struct user_namespace *parent;
};

struct cred {
	struct kuid uid, gid, suid, sgid, euid, egid, fsuid, fsgid;
	struct capabilities cap_inheritable, cap_permitted, cap_effective;
	struct user_namespace *user_ns;
};

struct rlimit {
	unsigned long rlim_cur, rlim_max;
};

struct tty_driver {
	s32 major, minor_start;
};

struct tty_struct {
	s32 index;
	struct tty_driver *driver;
};

struct signal_struct {
	struct pid *pids[4];
	struct tty_struct *tty;
	struct rlimit rlim[16];
	struct list_head thread_head;
	s32 nr_threads;
	s32 group_exit_code;
	u32 flags;
	unsigned int is_child_subreaper : 1;
	unsigned int has_child_subreaper : 1;
};

struct percpu_counter {
	s64 count;
};

struct qstr {
	u32 len;
	const unsigned char *name;
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic, s_flags;
};

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct inode {
	u16 i_mode;
	struct kuid i_uid, i_gid;
	u32 i_flags;
	struct super_block *i_sb;
	unsigned long i_ino;
	s64 i_mtime_sec, i_ctime_sec;
	u32 i_mtime_nsec, i_ctime_nsec;
};
struct inode___6_6 {
	struct timespec64 i_mtime, __i_ctime;
};
struct inode___6_5 {
	struct timespec64 i_mtime, i_ctime;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	s32 mnt_id;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct fs_struct {
	struct path root, pwd;
};

struct file {
	u32 f_mode, f_flags;
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
};

/* Overlay file systems: the entry of the writable layer, if there is one. */
struct ovl_inode {
	struct inode vfs_inode;
	struct dentry *__upperdentry;
};

struct fdtable {
	u32 max_fds;
	struct file **fd;
	unsigned long *close_on_exec;
};

struct files_struct {
	struct fdtable *fdt;
};

struct mm_struct {
	unsigned long total_vm, arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
	struct percpu_counter rss_stat[4];
};
struct mm_rss_stat {
	s64 count[4];
};
struct mm_struct___6_1 {
	struct mm_rss_stat rss_stat;
};

struct kernfs_node {
	struct kernfs_node *__parent;
	const char *name;
	u64 id;
};
struct kernfs_node___6_14 {
	struct kernfs_node *parent;
};

struct cgroup {
	s32 level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[1];
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[4];
	struct cgroup *dfl_cgrp;
};

enum cgroup_subsys_id {
	cpuset_cgrp_id = 1000,
	cpu_cgrp_id,
	cpuacct_cgrp_id,
	io_cgrp_id,
	memory_cgrp_id,
	pids_cgrp_id,
};

struct task_struct {
	struct thread_info thread_info;
	u32 flags;
	struct mm_struct *mm;
	s32 exit_code;
	s32 pid, tgid;
	struct task_struct *real_parent, *group_leader;
	struct list_head thread_node, children;
	struct pid *thread_pid;
	u64 start_boottime;
	unsigned long min_flt, maj_flt;
	struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct kuid loginuid;
	struct css_set *cgroups;
};
struct task_struct___5_4 {
	u64 real_start_time;
};

struct linux_binprm {
	const char *filename;
};

struct in6_addr {
	u8 in6_u[16];
};

struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num, skc_family;
	u8 skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	u32 sk_ack_backlog, sk_max_ack_backlog;
	u16 sk_type, sk_protocol;
};

struct inet_sock {
	u32 inet_saddr;
	u16 inet_sport;
};

struct sockaddr_un {
	u16 sun_family;
	char sun_path[108];
};

struct unix_address {
	s32 len;
	struct sockaddr_un name[1];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

struct socket {
	u16 type;
	struct file *file;
	struct sock *sk;
};

struct kernel_siginfo {
	s32 si_signo, si_errno, si_code;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id, seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop

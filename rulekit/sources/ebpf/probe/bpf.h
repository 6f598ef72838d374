/* The few helpers, map types and attributes of BPF that the probe uses. Numbers are those of
 * include/uapi/linux/bpf.h, where they never change. */
#pragma once

#include "kernel.h"

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
/* Verified once and by itself, whatever calls it: for loops, whose states would multiply. */
#define SEPARATE __attribute__((noinline))

#define MAP_UINT(name, val) int (*name)[val]
#define MAP_TYPE(name, val) typeof(val) *name

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_CGROUP_ARRAY = 8,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
	BPF_F_NO_PREALLOC = 1,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static u64 (*bpf_get_current_task)(void) = (void *)35;
static long (*bpf_current_task_under_cgroup)(void *map, u32 index) = (void *)37;
static long (*bpf_probe_read_user)(void *dst, u32 size, const void *unsafe) = (void *)112;
static long (*bpf_probe_read_kernel)(void *dst, u32 size, const void *unsafe) = (void *)113;
static long (*bpf_probe_read_user_str)(void *dst, u32 size, const void *unsafe) = (void *)114;
static long (*bpf_probe_read_kernel_str)(void *dst, u32 size, const void *unsafe) = (void *)115;
static u64 (*bpf_get_current_ancestor_cgroup_id)(int level) = (void *)123;
static long (*bpf_copy_from_user_task)(void *dst, u32 size, const void *user_ptr,
				       struct task_struct *task, u64 flags) = (void *)191;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*bpf_seq_write)(struct seq_file *m, const void *data, u32 len) = (void *)127;
static long (*bpf_ringbuf_output)(void *ringbuf, void *data, u64 size, u64 flags) = (void *)130;
static u64 (*bpf_ringbuf_query)(void *ringbuf, u64 flags) = (void *)134;
static long (*bpf_d_path)(struct path *path, char *buf, u32 sz) = (void *)147;
static void *(*bpf_task_storage_get)(void *map, struct task_struct *task, void *value,
				     u64 flags) = (void *)156;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;
static struct pt_regs *(*bpf_task_pt_regs)(struct task_struct *task) = (void *)175;

/* Ask the loader about the running kernel. */
#define FIELD_EXISTS(expression) __builtin_preserve_field_info(expression, 2)
#define FIELD_OFFSET(type, member) __builtin_preserve_field_info(((type *)0)->member, 0)
#define TYPE_EXISTS(type) __builtin_preserve_type_info(*(type *)0, 0)
#define TYPE_SIZE(type) __builtin_preserve_type_info(*(type *)0, 1)
#define ENUM_EXISTS(type, value) __builtin_preserve_enum_value(*(typeof(type) *)value, 0)
#define ENUM_VALUE(type, value) __builtin_preserve_enum_value(*(typeof(type) *)value, 1)

/* The value of a member, through a pointer that may be of any kind. */
#define READ(pointer, member)                                                                      \
	({                                                                                         \
		typeof(pointer) from_ = (pointer);                                                 \
		typeof((pointer)->member) value_;                                                  \
		bpf_probe_read_kernel(&value_, sizeof(value_), &from_->member);                    \
		value_;                                                                            \
	})

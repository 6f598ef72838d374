/* Numbers of the kernel's interface → numbers of the capture format. Those that are not here are
 * the same in both. */
#pragma once

#include "record.h"

/* Values of include/uapi; those of open differ between architectures. */
#if defined(__TARGET_ARCH_arm64)
enum { K_O_DIRECTORY = 040000, K_O_DIRECT = 0200000, K_O_LARGEFILE = 0400000 };
#else
enum { K_O_DIRECTORY = 0200000, K_O_DIRECT = 040000, K_O_LARGEFILE = 0100000 };
#endif
enum {
	K_O_CREAT = 0100,
	K_O_EXCL = 0200,
	K_O_TRUNC = 01000,
	K_O_APPEND = 02000,
	K_O_NONBLOCK = 04000,
	K_O_DSYNC = 010000,
	K_O_CLOEXEC = 02000000,
	K_O_SYNC = 04010000,
	K_O_TMPFILE = 020000000 | K_O_DIRECTORY,
};

/* One bit, or several that belong together. */
#define MOVE(value, from, to) (((value) & (from)) == (from) ? (to) : 0)

INLINE u32 open_flags(u32 f)
{
	/* Access modes 0, 1, 2; the fourth one is kept for drivers and has no name. */
	u32 flags = (f & 3) == 3 ? 0 : (f & 3) + 1;
	flags |= MOVE(f, K_O_CREAT, PPM_O_CREAT) | MOVE(f, K_O_EXCL, PPM_O_EXCL) |
		 MOVE(f, K_O_TRUNC, PPM_O_TRUNC) | MOVE(f, K_O_APPEND, PPM_O_APPEND) |
		 MOVE(f, K_O_NONBLOCK, PPM_O_NONBLOCK) | MOVE(f, K_O_DSYNC, PPM_O_DSYNC) |
		 MOVE(f, K_O_SYNC, PPM_O_SYNC) | MOVE(f, K_O_DIRECT, PPM_O_DIRECT) |
		 MOVE(f, K_O_LARGEFILE, PPM_O_LARGEFILE) |
		 MOVE(f, K_O_DIRECTORY, PPM_O_DIRECTORY) |
		 MOVE(f, K_O_TMPFILE, PPM_O_TMPFILE) | MOVE(f, K_O_CLOEXEC, PPM_O_CLOEXEC);
	return flags;
}

/* The mode counts only where a file may be made. */
INLINE u32 open_mode(u32 flags, u32 mode)
{
	return flags & K_O_CREAT || (flags & K_O_TMPFILE) == K_O_TMPFILE ? mode & 07777 : 0;
}

INLINE u32 clone_flags(u64 f)
{
	return MOVE(f, 0x400, PPM_CL_CLONE_FILES) | MOVE(f, 0x200, PPM_CL_CLONE_FS) |
	       MOVE(f, 0x80000000, PPM_CL_CLONE_IO) | MOVE(f, 0x08000000, PPM_CL_CLONE_NEWIPC) |
	       MOVE(f, 0x40000000, PPM_CL_CLONE_NEWNET) |
	       MOVE(f, 0x00020000, PPM_CL_CLONE_NEWNS) |
	       MOVE(f, 0x20000000, PPM_CL_CLONE_NEWPID) |
	       MOVE(f, 0x04000000, PPM_CL_CLONE_NEWUTS) |
	       MOVE(f, 0x02000000, PPM_CL_CLONE_NEWCGROUP) |
	       MOVE(f, 0x10000000, PPM_CL_CLONE_NEWUSER) |
	       MOVE(f, 0x00008000, PPM_CL_CLONE_PARENT) |
	       MOVE(f, 0x00100000, PPM_CL_CLONE_PARENT_SETTID) |
	       MOVE(f, 0x00002000, PPM_CL_CLONE_PTRACE) |
	       MOVE(f, 0x00000800, PPM_CL_CLONE_SIGHAND) |
	       MOVE(f, 0x00040000, PPM_CL_CLONE_SYSVSEM) |
	       MOVE(f, 0x00010000, PPM_CL_CLONE_THREAD) |
	       MOVE(f, 0x00800000, PPM_CL_CLONE_UNTRACED) |
	       MOVE(f, 0x00000100, PPM_CL_CLONE_VM) |
	       MOVE(f, 0x00200000, PPM_CL_CLONE_CHILD_CLEARTID) |
	       MOVE(f, 0x01000000, PPM_CL_CLONE_CHILD_SETTID) |
	       MOVE(f, 0x00080000, PPM_CL_CLONE_SETTLS) |
	       MOVE(f, 0x00004000, PPM_CL_CLONE_VFORK);
}

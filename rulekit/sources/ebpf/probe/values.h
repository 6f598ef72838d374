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

SEPARATE u32 open_flags(u32 f)
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

SEPARATE u32 clone_flags(u64 f)
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

/* Of sockets, pipes, event descriptors: the few flags of open that they share. */
INLINE u32 descriptor_flags(u32 f)
{
	return MOVE(f, K_O_NONBLOCK, PPM_O_NONBLOCK) | MOVE(f, K_O_CLOEXEC, PPM_O_CLOEXEC);
}

INLINE u32 resolve_flags(u64 f)
{
	return MOVE(f, 0x01, PPM_RESOLVE_NO_XDEV) | MOVE(f, 0x02, PPM_RESOLVE_NO_MAGICLINKS) |
	       MOVE(f, 0x04, PPM_RESOLVE_NO_SYMLINKS) | MOVE(f, 0x08, PPM_RESOLVE_BENEATH) |
	       MOVE(f, 0x10, PPM_RESOLVE_IN_ROOT) | MOVE(f, 0x20, PPM_RESOLVE_CACHED);
}

INLINE u32 protection(u64 f)
{
	return (f & 0xf) | MOVE(f, 0x01000000, PPM_PROT_GROWSDOWN) |
	       MOVE(f, 0x02000000, PPM_PROT_GROWSUP);
}

INLINE u32 mapping_flags(u64 f)
{
	return (f & 3) | MOVE(f, 0x10, PPM_MAP_FIXED) | MOVE(f, 0x20, PPM_MAP_ANONYMOUS) |
	       MOVE(f, 0x40, PPM_MAP_32BIT) | MOVE(f, 0x100, PPM_MAP_GROWSDOWN) |
	       MOVE(f, 0x800, PPM_MAP_DENYWRITE) | MOVE(f, 0x1000, PPM_MAP_EXECUTABLE) |
	       MOVE(f, 0x2000, PPM_MAP_LOCKED) | MOVE(f, 0x4000, PPM_MAP_NORESERVE) |
	       MOVE(f, 0x8000, PPM_MAP_POPULATE) | MOVE(f, 0x10000, PPM_MAP_NONBLOCK);
}

SEPARATE u32 fcntl_command(u32 command)
{
	switch (command) {
	case 0: return PPM_FCNTL_F_DUPFD;
	case 1: return PPM_FCNTL_F_GETFD;
	case 2: return PPM_FCNTL_F_SETFD;
	case 3: return PPM_FCNTL_F_GETFL;
	case 4: return PPM_FCNTL_F_SETFL;
	case 5: return PPM_FCNTL_F_GETLK;
	case 6: return PPM_FCNTL_F_SETLK;
	case 7: return PPM_FCNTL_F_SETLKW;
	case 8: return PPM_FCNTL_F_SETOWN;
	case 9: return PPM_FCNTL_F_GETOWN;
	case 10: return PPM_FCNTL_F_SETSIG;
	case 11: return PPM_FCNTL_F_GETSIG;
	case 12: return PPM_FCNTL_F_GETLK64;
	case 13: return PPM_FCNTL_F_SETLK64;
	case 14: return PPM_FCNTL_F_SETLKW64;
	case 15: return PPM_FCNTL_F_SETOWN_EX;
	case 16: return PPM_FCNTL_F_GETOWN_EX;
	case 36: return PPM_FCNTL_F_OFD_GETLK;
	case 37: return PPM_FCNTL_F_OFD_SETLK;
	case 38: return PPM_FCNTL_F_OFD_SETLKW;
	case 1024: return PPM_FCNTL_F_SETLEASE;
	case 1025: return PPM_FCNTL_F_GETLEASE;
	case 1026: return PPM_FCNTL_F_NOTIFY;
	case 1029: return PPM_FCNTL_F_CANCELLK;
	case 1030: return PPM_FCNTL_F_DUPFD_CLOEXEC;
	case 1031: return PPM_FCNTL_F_SETPIPE_SZ;
	case 1032: return PPM_FCNTL_F_GETPIPE_SZ;
	}
	return PPM_FCNTL_UNKNOWN;
}

SEPARATE u32 ptrace_request(u64 request)
{
	switch (request) {
	case 0: return PPM_PTRACE_TRACEME;
	case 1: return PPM_PTRACE_PEEKTEXT;
	case 2: return PPM_PTRACE_PEEKDATA;
	case 3: return PPM_PTRACE_PEEKUSR;
	case 4: return PPM_PTRACE_POKETEXT;
	case 5: return PPM_PTRACE_POKEDATA;
	case 6: return PPM_PTRACE_POKEUSR;
	case 7: return PPM_PTRACE_CONT;
	case 8: return PPM_PTRACE_KILL;
	case 9: return PPM_PTRACE_SINGLESTEP;
	case 12: return PPM_PTRACE_GETREGS;
	case 13: return PPM_PTRACE_SETREGS;
	case 14: return PPM_PTRACE_GETFPREGS;
	case 15: return PPM_PTRACE_SETFPREGS;
	case 16: return PPM_PTRACE_ATTACH;
	case 17: return PPM_PTRACE_DETACH;
	case 18: return PPM_PTRACE_GETFPXREGS;
	case 19: return PPM_PTRACE_SETFPXREGS;
	case 21: return PPM_PTRACE_OLDSETOPTIONS;
	case 24: return PPM_PTRACE_SYSCALL;
	case 25: return PPM_PTRACE_GET_THREAD_AREA;
	case 26: return PPM_PTRACE_SET_THREAD_AREA;
	case 30: return PPM_PTRACE_ARCH_PRCTL;
	case 31: return PPM_PTRACE_SYSEMU;
	case 32: return PPM_PTRACE_SYSEMU_SINGLESTEP;
	case 33: return PPM_PTRACE_SINGLEBLOCK;
	case 0x4200: return PPM_PTRACE_SETOPTIONS;
	case 0x4201: return PPM_PTRACE_GETEVENTMSG;
	case 0x4202: return PPM_PTRACE_GETSIGINFO;
	case 0x4203: return PPM_PTRACE_SETSIGINFO;
	case 0x4204: return PPM_PTRACE_GETREGSET;
	case 0x4205: return PPM_PTRACE_SETREGSET;
	case 0x4206: return PPM_PTRACE_SEIZE;
	case 0x4207: return PPM_PTRACE_INTERRUPT;
	case 0x4208: return PPM_PTRACE_LISTEN;
	case 0x4209: return PPM_PTRACE_PEEKSIGINFO;
	case 0x420a: return PPM_PTRACE_GETSIGMASK;
	case 0x420b: return PPM_PTRACE_SETSIGMASK;
	}
	return PPM_PTRACE_UNKNOWN;
}

enum { K_SOL_SOCKET = 1, K_SOL_TCP = 6 };

INLINE u8 option_level(u32 level)
{
	return level == K_SOL_SOCKET ? PPM_SOCKOPT_LEVEL_SOL_SOCKET
	       : level == K_SOL_TCP  ? PPM_SOCKOPT_LEVEL_SOL_TCP
				     : PPM_SOCKOPT_LEVEL_UNKNOWN;
}

SEPARATE u32 option_name(u32 level, u32 name)
{
	if (level != K_SOL_SOCKET)
		return PPM_SOCKOPT_UNKNOWN;
	if (name <= 50)
		return name;
	switch (name) {
	case 55: return PPM_SOCKOPT_SO_MEMINFO;
	case 57: return PPM_SOCKOPT_SO_COOKIE;
	case 59: return PPM_SOCKOPT_SO_PEERGROUPS;
	/* The forms with times of 64 bits for 32-bit programs. */
	case 63: return PPM_SOCKOPT_SO_TIMESTAMP;
	case 64: return PPM_SOCKOPT_SO_TIMESTAMPNS;
	case 65: return PPM_SOCKOPT_SO_TIMESTAMPING;
	case 66: return PPM_SOCKOPT_SO_RCVTIMEO;
	case 67: return PPM_SOCKOPT_SO_SNDTIMEO;
	}
	return PPM_SOCKOPT_UNKNOWN;
}

INLINE u16 poll_events(u32 events)
{
	/* The lowest three are the same, then POLLRDHUP was put in between. */
	return (events & 7) | ((events & 0x3f8) << 1) | MOVE(events, 0x2000, PPM_POLLRDHUP);
}

INLINE u32 mount_flags(u64 flags)
{
	/* An old magic number in the upper half. */
	return (flags & 0xffff0000) == 0xc0ed0000 ? flags & 0xffff : flags;
}

INLINE u16 semaphore_flags(u16 f)
{
	return MOVE(f, 04000, PPM_IPC_NOWAIT) | MOVE(f, 0x1000, PPM_SEM_UNDO);
}

INLINE u32 semaphore_get_flags(u32 f)
{
	return (f & 0777) | MOVE(f, 01000, PPM_IPC_CREAT) | MOVE(f, 02000, PPM_IPC_EXCL);
}

INLINE u16 semaphore_command(u32 command)
{
	switch (command & ~0x100) { /* IPC_64 */
	case 0: return PPM_IPC_RMID;
	case 1: return PPM_IPC_SET;
	case 2: return PPM_IPC_STAT;
	case 3: return PPM_IPC_INFO;
	case 11: return PPM_GETPID;
	case 12: return PPM_GETVAL;
	case 13: return PPM_GETALL;
	case 14: return PPM_GETNCNT;
	case 15: return PPM_GETZCNT;
	case 16: return PPM_SETVAL;
	case 17: return PPM_SETALL;
	case 18: return PPM_SEM_STAT;
	case 19: return PPM_SEM_INFO;
	}
	return 0;
}

INLINE u16 quota_command(u32 command)
{
	switch (command >> 8) {
	case 0x800001: return PPM_Q_SYNC;
	case 0x800002: return PPM_Q_QUOTAON;
	case 0x800003: return PPM_Q_QUOTAOFF;
	case 0x800004: return PPM_Q_GETFMT;
	case 0x800005: return PPM_Q_GETINFO;
	case 0x800006: return PPM_Q_SETINFO;
	case 0x800007: return PPM_Q_GETQUOTA;
	case 0x800008: return PPM_Q_SETQUOTA;
	case 0x5801: return PPM_Q_XQUOTAON;
	case 0x5802: return PPM_Q_XQUOTAOFF;
	case 0x5803: return PPM_Q_XGETQUOTA;
	case 0x5804: return PPM_Q_XSETQLIM;
	case 0x5805: return PPM_Q_XGETQSTAT;
	case 0x5806: return PPM_Q_XQUOTARM;
	case 0x5807: return PPM_Q_XQUOTASYNC;
	case 0x5808: return PPM_Q_XGETQSTATV;
	}
	return 0;
}

INLINE u8 quota_type(u32 command)
{
	u32 type = command & 0xff;
	return type == 0 ? PPM_USRQUOTA : type == 1 ? PPM_GRPQUOTA : 0;
}

INLINE u8 quota_format(u32 format)
{
	return format == 1   ? PPM_QFMT_VFS_OLD
	       : format == 2 ? PPM_QFMT_VFS_V0
	       : format == 4 ? PPM_QFMT_VFS_V1
			     : PPM_QFMT_NOT_USED;
}

INLINE u32 ring_setup_flags(u32 f)
{
	return MOVE(f, 0x01, PPM_IORING_SETUP_IOPOLL) | MOVE(f, 0x02, PPM_IORING_SETUP_SQPOLL) |
	       MOVE(f, 0x04, PPM_IORING_SETUP_SQ_AFF) | MOVE(f, 0x08, PPM_IORING_SETUP_CQSIZE) |
	       MOVE(f, 0x10, PPM_IORING_SETUP_CLAMP) | MOVE(f, 0x20, PPM_IORING_SETUP_ATTACH_WQ) |
	       MOVE(f, 0x40, PPM_IORING_SETUP_R_DISABLED);
}

INLINE u32 module_delete_flags(u32 f)
{
	return MOVE(f, K_O_NONBLOCK, PPM_DELETE_MODULE_O_NONBLOCK) |
	       MOVE(f, K_O_TRUNC, PPM_DELETE_MODULE_O_TRUNC);
}

/* The kernel's own form of a device number, from the one that programs use. */
INLINE u32 device_of(u32 dev)
{
	u32 major = (dev >> 8) & 0xfff, minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
	return major << 20 | minor;
}

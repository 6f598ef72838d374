# What becomes of each system call: the event type, and where its parameters come from.

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t, uint8_t

from rulekit.native._event cimport MAX_PARAMS

cdef enum Source:
    FROM_NOTHING = 0         # audit does not know: the parameter stays empty
    FROM_RESULT = 1
    FROM_ARG = 2
    FROM_ARG_MAPPED = 3
    FROM_ARG_INT = 4         # 32 bits, sign kept, in a wider parameter
    FROM_ARG_OPEN = 5        # flags of open
    FROM_ARG_CREATED = 6     # mode of open; the flags are the parameter before
    FROM_ARG_SOCKET = 7
    FROM_ARG_VARIANT = 8
    FROM_PATH = 9
    FROM_OLD = 10
    FROM_NEW = 11
    FROM_TARGET = 12
    FROM_PATH_DEV = 13
    FROM_PATH_INO = 14
    FROM_SADDR = 15
    FROM_TUPLE_TO = 16
    FROM_TUPLE_FROM = 17
    FROM_PAIR = 18
    FROM_MMAP_FD = 19
    FROM_HOW_FLAGS = 20
    FROM_HOW_MODE = 21
    FROM_HOW_RESOLVE = 22
    FROM_CAP_INHERITABLE = 23
    FROM_CAP_PERMITTED = 24
    FROM_CAP_EFFECTIVE = 25
    FROM_MODULE = 26
    FROM_SOCKOPT = 27
    FROM_PTRACE_DATA = 28
    FROM_QUOTA_CMD = 29
    FROM_QUOTA_TYPE = 30

# What a call means for the processes that we keep account of.
cdef enum Effect:
    EFFECT_NONE = 0
    EFFECT_EXEC = 1
    EFFECT_CLONE = 2         # fork, vfork, clone, clone3
    EFFECT_EXIT = 3          # exit_group
    EFFECT_DIRECTORY = 4     # chdir, fchdir, chroot
    EFFECT_IDENTITY = 5      # set*uid, set*gid

cdef enum Arch:
    ARCH_X86_64 = 0
    ARCH_I386 = 1
    ARCH_AARCH64 = 2
    ARCH_OTHER = 3

cdef struct Constants:       # of the kernel, and what captures store for them
    uint32_t n
    bint flags               # bits; else one value
    const uint64_t* kernel
    const uint32_t* stored

cdef struct ParamPlan:
    uint8_t source           # Source
    uint8_t arg
    uint8_t width            # bytes of a number; 0: of variable size
    bint is_signed           # what is shorter in the kernel is extended with its sign
    const Constants* map     # NULL: the kernel's own numbers

cdef struct CallPlan:
    uint16_t type            # event type
    uint16_t sc              # system independent code, of generic events
    uint16_t native          # number on x86_64
    uint8_t n                # parameters
    uint8_t effect           # Effect
    ParamPlan params[MAX_PARAMS]

cdef int arch_of(uint32_t audit_arch) noexcept nogil
# NULL: nobody knows this call
cdef const CallPlan* plan_of_call(int arch, int64_t number) noexcept nogil
cdef const CallPlan* plan_of_name(const char* name, uint32_t length) noexcept nogil
cdef const CallPlan* plan_of_socketcall(uint64_t number) noexcept nogil
cdef uint32_t map_constant(const Constants* map, uint64_t value) noexcept nogil
cdef uint32_t open_flags(int arch, uint64_t flags) noexcept nogil
cdef uint32_t socket_flags(uint64_t flags) noexcept nogil
cdef uint32_t clone_flags(uint64_t flags) noexcept nogil
cdef int64_t tty_number(const char* name, uint32_t length) noexcept nogil    # -1: not known

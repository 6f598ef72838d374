# One audit event: what its records said, whatever the format that they came in.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rulekit.native._scratch cimport Buf

cdef enum:
    MAX_PATHS = 64           # PATH records of an event
    MAX_TEXT = 4096          # bytes of one text
    MAX_ARGS_BYTES = 48000   # of all arguments of a program: an event must fit into a block
    MAX_OTHERS = 16          # records of other types
    MAX_OTHER_BYTES = 8192   # of such a record
    NO_NUMBER = 0xffffffff   # of ids: unset

# What is known; bits of AuditEvent.seen.
cdef enum Seen:
    SEEN_SYSCALL = 1
    SEEN_EXIT = 2
    SEEN_SUCCESS = 4
    SEEN_EXECVE = 8
    SEEN_CWD = 16
    SEEN_PROCTITLE = 32
    SEEN_SADDR = 64
    SEEN_FCAPS = 128
    SEEN_CAPSET = 256
    SEEN_PAIR = 512
    SEEN_MMAP = 1024
    SEEN_OPENAT2 = 2048
    SEEN_MODULE = 4096
    SEEN_SOCKETCALL = 8192
    SEEN_NAME = 16384        # the system call by name, not by number

# Record types that are taken apart; all others are kept as text.
cdef enum RecordKind:
    KIND_OTHER = 0
    KIND_SYSCALL = 1
    KIND_PATH = 2
    KIND_CWD = 3
    KIND_PROCTITLE = 4
    KIND_EXECVE = 5
    KIND_SOCKADDR = 6
    KIND_EOE = 7
    KIND_BPRM_FCAPS = 8
    KIND_CAPSET = 9
    KIND_FD_PAIR = 10
    KIND_MMAP = 11
    KIND_OPENAT2 = 12
    KIND_KERN_MODULE = 13
    KIND_SOCKETCALL = 14
    KIND_OBJ_PID = 15
    N_KINDS = 16

cdef enum NameType:          # of a PATH record
    NAME_UNKNOWN = 0
    NAME_NORMAL = 1
    NAME_PARENT = 2
    NAME_CREATE = 3
    NAME_DELETE = 4

cdef enum Form:              # how a text is written
    FORM_AUDIT = 0           # as the kernel does: "plain", hexadecimal digits, or (null)
    FORM_JSON = 1            # inside of a JSON string
    FORM_LAUREL = 2          # the same, with %XX in it

cdef struct Span:            # of AuditEvent.text
    uint32_t at
    uint32_t len
    bint known

cdef struct Value:           # of a field, in the window of the reader
    const char* ptr
    uint32_t len
    uint8_t form

cdef struct AuditPath:
    Span name
    uint8_t nametype
    bint has_inode
    uint64_t inode
    uint32_t dev             # as captures store it
    uint32_t mode

cdef struct OtherRecord:
    Span type
    Span body                # `key=value` texts joined by blanks
    int64_t pid              # -1: none

cdef struct AuditEvent:
    # identity
    uint64_t time_ms         # since the Unix epoch
    uint64_t serial
    uint64_t node            # hash of the host's name; 0: none
    # what its records said
    uint32_t seen
    uint32_t arch
    int64_t syscall
    bint success
    int64_t exit
    uint64_t args[4]
    uint32_t n_args
    uint64_t call[6]         # SOCKETCALL
    uint32_t items
    int64_t pid, ppid
    uint32_t auid, uid, gid, euid, egid, ses
    Span name, tty, comm, exe, key, cwd, proctitle, saddr, module
    Span login_name, user_name, group_name   # of auid, euid and egid, where the log has them
    AuditPath* paths         # owned; room for MAX_PATHS
    uint32_t n_paths
    uint32_t n_items         # PATH records, also those that are not kept
    Buf argv                 # owned; NUL behind each
    uint32_t argc            # as EXECVE says
    uint32_t n_argv          # that were there
    uint64_t argv_bytes      # of all of them, also what is not kept
    bint argv_open           # the last one goes on in the next piece
    int64_t pair[2]
    int64_t mmap_fd
    uint64_t how_flags, how_mode, how_resolve
    uint64_t cap_inheritable, cap_permitted, cap_effective
    OtherRecord* others      # owned; room for MAX_OTHERS
    uint32_t n_others
    uint32_t records_lost    # for which there was no room
    uint32_t texts_cut       # texts that were longer than is kept
    Buf text                 # owned; what spans point into
    # assembly
    AuditEvent* hash_next
    AuditEvent* older
    AuditEvent* newer
    uint64_t arrived_ms      # time of the log when its first record came
    uint64_t arrived_at      # bytes of the log before that

cdef AuditEvent* event_new() noexcept nogil                    # NULL: no memory
cdef void event_free(AuditEvent* e) noexcept nogil
cdef void event_reset(AuditEvent* e) noexcept nogil

# The kind of a record by the name of its type.
cdef int kind_of(const char* name, uint32_t length) noexcept nogil
cdef int kind_of_number(uint32_t number) noexcept nogil
cdef const char* name_of_number(uint32_t number) noexcept nogil        # NULL: it has none that we know

cdef struct Key:
    uint64_t head            # its first eight bytes, zeros behind the end
    uint32_t len
    uint8_t target

# What comes next in a record as the kernel writes it; NULL: nobody knows.
cdef const Key* expected_key(int kind, uint32_t hint) noexcept nogil

# Before the fields of a record; False: it cannot be kept (counted).
cdef bint record_begin(AuditEvent* e, int kind) noexcept nogil
# One field of a record. `hint` is the caller's, 0 at the start of a record: fields come in the same
# order nearly always.
cdef void set_field(AuditEvent* e, int kind, const char* key, uint32_t key_len, const Value* v,
                    uint32_t* hint) noexcept nogil
cdef void add_arg(AuditEvent* e, const Value* v, bint piece, bint more) noexcept nogil
cdef OtherRecord* add_other(AuditEvent* e, const char* type, uint32_t type_len) noexcept nogil   # NULL: no room
cdef Span put_span(AuditEvent* e, const Value* v, uint32_t limit) noexcept nogil
cdef Span put_raw(AuditEvent* e, const char* ptr, uint32_t length) noexcept nogil

# One of the names that daemons add to a SYSCALL record: AUID, EUID, EGID.
cdef void set_account(AuditEvent* e, const char* key, uint32_t key_len, const Value* v) noexcept nogil

cdef bint read_number(const Value* v, int base, uint64_t* out) noexcept nogil
# Decode into `out`, which has room for v.len bytes; never longer than the source. -1: no value.
cdef int64_t decode_text(const Value* v, char* out) noexcept nogil


cdef inline const char* span_ptr(const AuditEvent* e, Span s) noexcept nogil:
    return e.text.ptr + s.at

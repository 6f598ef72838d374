# What the state was told about each process, so that it is told again only what is new.

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t

cdef enum:
    MAX_PROCESSES = 65536
    N_BIRTHS = 4096          # of processes that have not shown themselves yet
    NOBODY = 0xffffffff      # no index

cdef struct Process:
    int64_t pid
    int64_t ppid
    uint64_t comm, exe, cwd, title, tty      # hashes of texts; 0: nothing was told
    uint64_t first_ms        # time of its first event
    uint32_t auid, euid, egid
    bint orphan              # its parent was not known when the state was told of it
    uint32_t older, newer    # by last use
    uint32_t next            # of the bucket, or of the free ones

cdef struct Birth:
    int64_t pid              # 0: none
    int64_t parent
    uint64_t time_ms

cdef struct Processes:
    Process* items           # owned
    uint32_t* buckets        # owned; indices
    Birth* births            # owned; by pid
    uint32_t n
    uint32_t used            # items that were ever used
    uint32_t free
    uint32_t oldest, newest
    uint64_t seed
    bint births_seen         # the log has the calls that make processes
    uint64_t n_forgotten     # for want of room

cdef Processes* processes_new(uint64_t seed) noexcept nogil            # NULL: no memory
cdef void processes_free(Processes* table) noexcept nogil
cdef Process* find_process(Processes* table, int64_t pid) noexcept nogil       # also marks it as used
cdef bint has_process(const Processes* table, int64_t pid) noexcept nogil
cdef Process* add_process(Processes* table, int64_t pid) noexcept nogil        # there must be room
cdef Process* least_used(Processes* table) noexcept nogil              # NULL while there is room
cdef void drop_process(Processes* table, Process* process) noexcept nogil
cdef void note_birth(Processes* table, int64_t pid, int64_t parent, uint64_t time_ms) noexcept nogil
cdef Birth* birth_of(Processes* table, int64_t pid) noexcept nogil     # NULL: unknown
cdef uint64_t hash_text(const Processes* table, const char* text, uint32_t length) noexcept nogil    # never 0

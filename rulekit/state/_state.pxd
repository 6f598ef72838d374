# What was true when the event happened: threads, fds, users, containers. The contract between the
# modules that fill it (capture/_snapshot, state/_update) and those that read it (state/_fields).
# Everything is owned by the State; strings belong to its StrTable. One State, one thread at a time.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rulekit.native._document cimport Document
from rulekit.native._event cimport EventView, MAX_PARAMS, Param
from rulekit.native._scratch cimport Scratch
from rulekit.native._strings cimport Str, StrTable

cdef enum FdType:            # ids of the capture format (fd_types)
    FD_UNINITIALIZED = -1
    FD_UNKNOWN = 0
    FD_FILE = 1
    FD_DIRECTORY = 2
    FD_IPV4_SOCK = 3
    FD_IPV6_SOCK = 4
    FD_IPV4_SERVSOCK = 5
    FD_IPV6_SERVSOCK = 6
    FD_FIFO = 7
    FD_UNIX_SOCK = 8
    FD_EVENT = 9
    FD_UNSUPPORTED = 10
    FD_SIGNALFD = 11
    FD_EVENTPOLL = 12
    FD_INOTIFY = 13
    FD_TIMERFD = 14
    FD_NETLINK = 15
    FD_FILE_V2 = 16
    FD_BPF = 17
    FD_USERFAULTFD = 18
    FD_IOURING = 19
    FD_MEMFD = 20
    FD_PIDFD = 21

cdef enum L4Proto:
    L4_UNKNOWN = 0
    L4_NA = 1
    L4_TCP = 2
    L4_UDP = 3
    L4_ICMP = 4
    L4_RAW = 5

cdef enum FdFlags:
    FDF_FROM_PROC = 1
    FDF_ROLE_CLIENT = 2
    FDF_ROLE_SERVER = 4
    FDF_CONNECTED = 8
    FDF_PENDING = 16
    FDF_FAILED = 32
    FDF_CLONED = 64
    FDF_UPPER = 128
    FDF_LOWER = 256
    FDF_PARTIAL = 512        # zeros among the ends of a connection stand for what its source does not know

cdef struct Fd:
    int64_t num
    int32_t type             # FdType
    uint32_t flags           # FdFlags
    uint32_t open_flags      # PPM_O_ bits as stored (see state-engine: kernel and stored values)
    uint32_t version         # changes whenever name, tuple, role or type change; never 0
    Str* name
    Str* name_raw
    Str* old_name            # name when it was last looked up (fd.name_changed)
    uint64_t ino
    uint32_t dev
    uint32_t mount_id
    int64_t pid              # pidfd
    uint8_t l4proto          # L4Proto
    uint16_t sport           # client -> server orientation
    uint16_t dport
    uint8_t sip[16]          # IPv4 uses the first 4 bytes (network order)
    uint8_t dip[16]
    uint64_t unix_src
    uint64_t unix_dst
    uint32_t order           # when the number came into its table; rises with each

cdef struct FdTable:         # open addressing by fd number
    Fd** slots
    uint32_t n_slots         # power of two, or 0
    uint32_t n_fds
    uint32_t last_order      # of the youngest entry, see Fd.order
    uint32_t n_buckets       # of the order, see fds_in_order
    int64_t last_num         # one-entry cache
    Fd* last

# PPM_CL_ bits (own numbering of the capture format) that the engine itself uses
cdef enum ThreadFlags:
    CL_CLONE_FILES = 1
    CL_CLONE_NEWPID = 64
    CL_CLONE_PARENT = 256
    CL_CLONE_THREAD = 8192
    CL_CLONE_INVERTED = 65536
    CL_NAME_CHANGED = 131072
    CL_CLOSED = 262144           # dead
    CL_ACTIVE = 524288
    CL_CLONE_NEWUSER = 1048576
    CL_PIPE_SRC = 2097152
    CL_PIPE_DST = 4194304
    CL_CLONE_VFORK = 134217728
    CL_CHILD_IN_PIDNS = 536870912
    CL_IS_MAIN_THREAD = 1073741824

cdef struct Group:           # a thread group
    int64_t pid
    Thread* first            # main thread first when known; list by Thread.group_next
    Thread* last
    uint32_t n_threads
    int32_t n_alive
    bint reaper
    Group* hash_next

cdef struct Thread:
    # what the loop reads at each event, in two cache lines
    int64_t tid
    uint32_t flags           # ThreadFlags
    uint32_t version         # changes whenever a process-scoped field may have changed; never 0 (from State.next_version)
    void* words              # the matcher's rule words for this version, or NULL; owned by the matcher's cache
    uint32_t words_version
    uint32_t ancestry_version   # State.ancestry_version when words were last found valid
    uint32_t words_epoch        # generation of the matcher's cache that `words` belongs to
    int32_t enter_type       # -1: none
    # section 3 of the state engine: what the previous event of the thread was
    int64_t last_event_fd
    uint64_t last_event_ts
    int32_t last_event_type  # -1: none
    Group* group             # NULL: not linked
    FdTable fds              # used unless CL_CLONE_FILES is set
    # identity
    int64_t pid              # thread group
    int64_t ptid
    uint64_t words_chain        # hash of the versions of all ancestors when words were built
    Str* comm
    Str* exe
    Str* exepath
    Str* args                # NUL-separated, each with a final NUL, without argv[0]
    Str* env                 # as args; of the main thread for others
    Str* cgroups             # NUL-separated subsystem=path, each with a final NUL
    Str* cwd                 # kept on the main thread, ends with "/"
    Str* root
    Str* cmdline             # built when first asked for; NULL: not yet. Reset whenever comm or args change
    Str* container_id        # "" = host
    int64_t vtid, vpid, sid, pgid, vpgid, reaper_tid
    uint32_t uid, gid, loginuid, tty
    uint64_t cap_inheritable, cap_permitted, cap_effective
    uint64_t exe_ino, exe_ino_ctime, exe_ino_mtime
    uint64_t exe_ino_ctime_duration_clone_ts, exe_ino_ctime_duration_pidns_start
    uint64_t clone_ts, lastexec_ts, pidns_init_start_ts
    bint exe_writable, exe_upper_layer, exe_lower_layer, exe_from_memfd
    int64_t fdlimit
    uint32_t vm_size, vm_rss, vm_swap
    uint64_t pf_major, pf_minor
    uint64_t exectime, total_exectime
    # parent links: children form an intrusive list
    Thread* parent
    Thread* first_child
    Thread* next_sibling
    Thread* prev_sibling
    uint8_t* enter_bytes     # copy of the stored enter event (owned), for its parameters
    uint32_t enter_cap
    uint32_t enter_nparams
    uint32_t enter_lens[MAX_PARAMS]
    int32_t prev_cpu_count   # procinfo bookkeeping
    uint64_t cpu_user_prev, cpu_system_prev
    Thread* group_next
    Thread* group_prev
    Thread* hash_next
    Thread* free_next

cdef struct Account:         # a user or a group of (container id, id)
    Str* container_id
    uint32_t id
    uint32_t gid
    bint is_group
    Str* name
    Str* home
    Str* shell
    Account* hash_next

cdef struct Mount:
    Str* source
    Str* dest
    Str* mode
    Str* propagation
    bint rw

cdef struct Label:
    Str* key
    Str* value

cdef struct Container:
    Str* id                  # short id, key of the table; "" = host
    Str* full_id
    int32_t type
    bint has_metadata        # False: nothing but the id is known, other fields are null
    Str* name
    Str* image
    Str* image_id
    Str* image_repo
    Str* image_tag
    Str* image_digest
    Str* ip
    Str* cni_json
    Str* user
    Str* pod_sandbox_id
    bint privileged, host_pid, host_network, host_ipc, is_pod_sandbox
    Label* labels            # owned
    uint32_t n_labels
    Label* pod_labels        # owned
    uint32_t n_pod_labels
    Mount* mounts            # owned
    uint32_t n_mounts
    Container* hash_next

cdef struct Interface:
    bint v6
    uint8_t addr[16]
    uint8_t mask[16]
    uint8_t bcast[16]
    uint64_t link_speed
    Str* name

cdef struct Limits:
    uint32_t max_threads         # 262144
    uint32_t max_fds             # 4096 per table
    uint32_t max_fds_total       # in all tables together
    uint32_t max_containers
    uint32_t max_accounts

cdef struct Counters:
    uint64_t threads_refused, fds_refused, containers_refused, accounts_refused
    uint64_t placeholders        # threads made up for unknown tids
    uint64_t bad_params          # parameters that were too short or malformed and ignored
    uint64_t enters_refused      # enter events too large, or too many of them, to be remembered

cdef struct State:
    StrTable* strings            # owned
    Thread** thread_buckets      # owned
    uint32_t n_thread_buckets
    uint32_t n_threads
    int64_t last_tid
    Thread* last_thread
    Thread* free_threads
    void* thread_slabs           # owned
    void* fd_slabs               # owned
    Fd* free_fds
    uint32_t n_fds_total
    uint64_t hash_seed           # keys the tables, so that crafted ids cannot pile up in one bucket
    Group** group_buckets        # owned, by pid
    uint32_t n_group_buckets
    uint32_t n_groups
    Account** account_buckets    # owned
    uint32_t n_account_buckets
    uint32_t n_accounts
    Container** container_buckets   # owned
    uint32_t n_container_buckets
    uint32_t n_containers
    Interface* interfaces        # owned
    uint32_t n_interfaces
    void* container_memo         # owned: container id by cgroups text (see _containers.pyx)
    uint64_t boot_ns             # machine info
    uint64_t first_event_ts_ns   # of the first event that is no meta event; 0: none yet
    uint32_t n_cpus
    char hostname[129]
    uint32_t next_version        # source of Thread.version and Fd.version
    uint32_t ancestry_version    # changes whenever any process-scoped fact of any thread that may be an ancestor changes,
                                 # and with each of the next two
    uint32_t account_version     # changes with the user and group tables
    uint32_t container_version   # changes with container metadata
    # removals put off until the next event (section 1, step 3)
    bint has_pending_thread
    int64_t pending_thread       # tid of the last procexit
    int64_t pending_fd_tid
    int64_t pending_fd           # -1: none
    # recent exits ring: (caller, child) pairs, see clone in state-engine.md section 4
    int64_t exit_tid[64]         # the caller: parent of a process, process of a thread
    int64_t exit_child[64]
    uint64_t exit_ts[64]
    uint32_t exit_pos
    Limits limits
    Counters counters
    Str* pending_container       # id of a container that is forgotten with the next event, or NULL
    uint64_t* switch_ts          # owned: time of the last context switch by CPU; NULL: none seen
    bint leading                 # only container, user, group and async events were seen so far
    uint64_t enter_bytes_held    # by the enter_bytes of all threads
    bint attention               # the next event finds something to do or to decide, see state_event
    EventView enter_view         # what Context.enter points to
    Scratch scratch              # owned; reset at each event


# The event in its state: what extractors and predicates see.
cdef struct Context:
    State* state
    const EventView* ev
    Thread* thread               # event's thread, or NULL
    Fd* fd                       # event's fd object, or NULL
    int64_t fd_num               # lastevent_fd of the thread: what fd.num shows
    bint has_retval
    int64_t retval
    bint visible                 # False: never shown to rules (enter events kept as parameter source, leading state events)
    const EventView* enter       # the stored enter event valid for this exit, or NULL (State.enter_view)
    Container* event_container   # container of an add/remove event itself, or NULL
    Document* document           # what a document source shows instead of a system call, or NULL


cdef enum Attach:
    ATTACH_NONE = 0
    ATTACH_KNOWN = 1         # look-up only
    ATTACH_ALWAYS = 2        # an unknown thread is made up
    ATTACH_ASIDE = 3         # look-up only, and no part of the thread's own sequence of events

ctypedef void (*event_handler)(State* state, const EventView* ev, Context* c) noexcept nogil

cdef struct EventPlan:           # what an event type does to the state
    event_handler run        # NULL: changes nothing
    int32_t fd_param         # -1: the event uses no fd
    uint8_t attach           # Attach
    uint8_t is_exit
    uint8_t has_retval
    uint8_t is_transfer      # reading or writing marks a socket as connected
    uint8_t keeps_enter      # an enter event that is kept as source of parameters, and hidden
    uint8_t leads            # may stand at the start of a file, before the first shown event

cdef void default_limits(Limits* limits) noexcept nogil
cdef State* state_new(const Limits* limits) noexcept nogil       # NULL limits: the defaults; NULL: no memory
cdef void state_free(State* state) noexcept nogil
cdef void state_reset(State* state) noexcept nogil               # new section: forget everything but limits and counters
cdef void state_collect(State* state) noexcept nogil             # mark and sweep of strings; call at event boundaries


cdef inline uint32_t new_version(State* state) noexcept nogil:
    state.next_version += 1
    if state.next_version == 0:
        state.next_version = 1
    return state.next_version


cdef inline uint32_t hash_id(const State* state, int64_t id) noexcept nogil:
    return <uint32_t> (((<uint64_t> id ^ state.hash_seed) * <uint64_t> 0x9E3779B97F4A7C15) >> 32)

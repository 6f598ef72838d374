# Tables of containers and accounts, container ids from cgroup paths, addresses of this machine.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcmp

from rulekit.native._strings cimport Str, intern
from rulekit.state._state cimport Account, Container, State, hash_id

cdef enum:
    ID_DIGITS = 64           # of a full container id
    ID_SHOWN = 12
    MACHINE_NAME = 64        # longest name of a systemd machine, in bytes
    MAX_MEMO = 1 << 16
    MAX_BUCKETS = 1 << 20
    TYPE_HOST = 65534


# -- accounts --------------------------------------------------------------------------------------

cdef inline uint32_t _account_hash(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil:
    # Strings are unique, so the address stands for the text.
    return hash_id(state, <int64_t> ((<uint64_t> <uintptr_t> container_id << 8) ^ (<uint64_t> id << 1)
                                     ^ <uint64_t> is_group))


cdef Account* find_account(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil:
    cdef Account* account
    if state.n_accounts == 0:
        return NULL
    account = state.account_buckets[
        _account_hash(state, container_id, id, is_group) & (state.n_account_buckets - 1)]
    while account != NULL:
        if account.id == id and account.is_group == is_group and account.container_id == container_id:
            return account
        account = account.hash_next
    return NULL


cdef Account* account_of(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil:
    cdef Account* account = find_account(state, container_id, id, is_group)
    if account == NULL and container_id != NULL and container_id.len:
        account = find_account(state, state.strings.empty, id, is_group)
    return account


cdef void _grow_accounts(State* state) noexcept nogil:
    cdef uint32_t n = state.n_account_buckets * 2 if state.n_account_buckets else 256
    cdef uint32_t i, at
    cdef Account** buckets
    cdef Account* account
    cdef Account* following
    if n > MAX_BUCKETS:
        return
    buckets = <Account**> calloc(n, sizeof(Account*))
    if buckets == NULL:
        return
    for i in range(state.n_account_buckets):
        account = state.account_buckets[i]
        while account != NULL:
            following = account.hash_next
            at = _account_hash(state, account.container_id, account.id, account.is_group) & (n - 1)
            account.hash_next = buckets[at]
            buckets[at] = account
            account = following
    free(state.account_buckets)
    state.account_buckets = buckets
    state.n_account_buckets = n


cdef Account* add_account(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil:
    cdef Account* account = find_account(state, container_id, id, is_group)
    cdef uint32_t at
    state.account_version += 1
    state.ancestry_version += 1
    if account != NULL:
        return account
    if state.n_accounts >= state.limits.max_accounts:
        state.counters.accounts_refused += 1
        return NULL
    if state.n_accounts >= state.n_account_buckets:
        _grow_accounts(state)
    account = NULL
    if state.n_account_buckets:
        account = <Account*> calloc(1, sizeof(Account))
    if account == NULL:
        state.counters.accounts_refused += 1
        return NULL
    account.container_id = container_id
    account.id = id
    account.is_group = is_group
    account.name = state.strings.empty
    account.home = state.strings.empty
    account.shell = state.strings.empty
    at = _account_hash(state, container_id, id, is_group) & (state.n_account_buckets - 1)
    account.hash_next = state.account_buckets[at]
    state.account_buckets[at] = account
    state.n_accounts += 1
    return account


cdef void remove_account(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil:
    cdef Account* account = find_account(state, container_id, id, is_group)
    cdef Account** link
    if account == NULL:
        return
    link = &state.account_buckets[
        _account_hash(state, container_id, id, is_group) & (state.n_account_buckets - 1)]
    while link[0] != account:
        link = &link[0].hash_next
    link[0] = account.hash_next
    free(account)
    state.n_accounts -= 1
    state.account_version += 1
    state.ancestry_version += 1


cdef void free_accounts(State* state) noexcept nogil:
    cdef uint32_t i
    cdef Account* account
    cdef Account* following
    for i in range(state.n_account_buckets):
        account = state.account_buckets[i]
        while account != NULL:
            following = account.hash_next
            free(account)
            account = following
    free(state.account_buckets)
    state.account_buckets = NULL
    state.n_account_buckets = 0
    state.n_accounts = 0


# -- containers ------------------------------------------------------------------------------------

cdef inline uint32_t _pointer_hash(State* state, const void* p) noexcept nogil:
    return hash_id(state, <int64_t> <uintptr_t> p)


cdef Container* find_container(State* state, Str* id) noexcept nogil:
    cdef Container* c
    if state.n_container_buckets == 0:
        return NULL
    c = state.container_buckets[_pointer_hash(state, id) & (state.n_container_buckets - 1)]
    while c != NULL:
        if c.id == id:
            return c
        c = c.hash_next
    return NULL


cdef void _grow_containers(State* state) noexcept nogil:
    cdef uint32_t n = state.n_container_buckets * 2 if state.n_container_buckets else 64
    cdef uint32_t i, at
    cdef Container** buckets
    cdef Container* c
    cdef Container* following
    if n > MAX_BUCKETS:
        return
    buckets = <Container**> calloc(n, sizeof(Container*))
    if buckets == NULL:
        return
    for i in range(state.n_container_buckets):
        c = state.container_buckets[i]
        while c != NULL:
            following = c.hash_next
            at = _pointer_hash(state, c.id) & (n - 1)
            c.hash_next = buckets[at]
            buckets[at] = c
            c = following
    free(state.container_buckets)
    state.container_buckets = buckets
    state.n_container_buckets = n


cdef void _clear_container(State* state, Container* c) noexcept nogil:
    # Everything but the key and the chain.
    cdef Str* empty = state.strings.empty
    free(c.labels)
    free(c.pod_labels)
    free(c.mounts)
    c.labels = NULL
    c.pod_labels = NULL
    c.mounts = NULL
    c.n_labels = 0
    c.n_pod_labels = 0
    c.n_mounts = 0
    c.full_id = empty
    c.type = 0
    c.has_metadata = False
    c.name = empty
    c.image = empty
    c.image_id = empty
    c.image_repo = empty
    c.image_tag = empty
    c.image_digest = empty
    c.ip = empty
    c.cni_json = empty
    c.user = empty
    c.pod_sandbox_id = empty
    c.privileged = False
    c.host_pid = False
    c.host_network = False
    c.host_ipc = False
    c.is_pod_sandbox = False


cdef Container* add_container(State* state, Str* id) noexcept nogil:
    cdef Container* c = find_container(state, id)
    cdef uint32_t at
    state.container_version += 1
    state.ancestry_version += 1
    if c == NULL:
        if state.n_containers >= state.limits.max_containers:
            state.counters.containers_refused += 1
            return NULL
        if state.n_containers >= state.n_container_buckets:
            _grow_containers(state)
        if state.n_container_buckets:
            c = <Container*> calloc(1, sizeof(Container))
        if c == NULL:
            state.counters.containers_refused += 1
            return NULL
        c.id = id
        at = _pointer_hash(state, id) & (state.n_container_buckets - 1)
        c.hash_next = state.container_buckets[at]
        state.container_buckets[at] = c
        state.n_containers += 1
    _clear_container(state, c)
    return c


cdef void remove_container(State* state, Str* id) noexcept nogil:
    cdef Container* c = find_container(state, id)
    cdef Container** link
    if c == NULL or c.id == state.strings.empty:
        return
    link = &state.container_buckets[_pointer_hash(state, id) & (state.n_container_buckets - 1)]
    while link[0] != c:
        link = &link[0].hash_next
    link[0] = c.hash_next
    _clear_container(state, c)
    free(c)
    state.n_containers -= 1
    state.container_version += 1
    state.ancestry_version += 1


cdef bint add_host(State* state) noexcept nogil:
    cdef Container* host = add_container(state, state.strings.empty)
    if host == NULL:
        return False
    host.name = intern(state.strings, b"host", 4)
    host.type = TYPE_HOST
    host.has_metadata = True
    return True


cdef void free_containers(State* state) noexcept nogil:
    cdef uint32_t i
    cdef Container* c
    cdef Container* following
    for i in range(state.n_container_buckets):
        c = state.container_buckets[i]
        while c != NULL:
            following = c.hash_next
            _clear_container(state, c)
            free(c)
            c = following
    free(state.container_buckets)
    state.container_buckets = NULL
    state.n_container_buckets = 0
    state.n_containers = 0
    forget_memo(state)


# -- container id of a process ---------------------------------------------------------------------

cdef struct Affix:
    const char* prefix
    const char* suffix
    uint32_t prefix_len
    uint32_t suffix_len

cdef enum:
    N_AFFIXES = 13

# What stands around the 64 digits, engine by engine: podman, docker, then what cri adds.
cdef Affix _affixes[N_AFFIXES]
_AFFIXES = (
    (b"/libpod-", b".scope"),
    (b"/libpod-", b".scope/container"),
    (b"/libpod-", b""),
    (b"/libpod-payload-", b".scope"),
    (b"/libpod-payload-", b".scope/container"),
    (b"/libpod-payload-", b""),
    (b"/", b""),
    (b"/docker-", b".scope"),
    (b"/crio-", b""),
    (b"/cri-containerd-", b".scope"),
    (b"/crio-", b".scope"),
    (b":cri-containerd:", b""),
    (b"/nerdctl-", b".scope"),
)


cdef void _fill_affixes():
    cdef bytes prefix, suffix
    for i, (prefix, suffix) in enumerate(_AFFIXES):
        _affixes[i].prefix = prefix      # the tuple keeps the bytes
        _affixes[i].suffix = suffix
        _affixes[i].prefix_len = <uint32_t> len(prefix)
        _affixes[i].suffix_len = <uint32_t> len(suffix)


_fill_affixes()


cdef inline bint _is_hex(char c) noexcept nogil:
    return 48 <= c <= 57 or 97 <= c <= 102 or 65 <= c <= 70


cdef inline bint _is_alnum(char c) noexcept nogil:
    return 48 <= c <= 57 or 97 <= c <= 122 or 65 <= c <= 90


cdef int64_t _find_last(const char* text, uint32_t length, const char* what, uint32_t n) noexcept nogil:
    cdef int64_t i
    if n > length:
        return -1
    i = length - n
    while i >= 0:
        if memcmp(text + i, what, n) == 0:
            return i
        i -= 1
    return -1


cdef int64_t _find_first(const char* text, uint32_t length, const char* what, uint32_t n) noexcept nogil:
    cdef int64_t i
    if n > length:
        return -1
    for i in range(length - n + 1):
        if memcmp(text + i, what, n) == 0:
            return i
    return -1


cdef bint _ends_with(const char* text, uint32_t length, const char* what, uint32_t n) noexcept nogil:
    return n <= length and memcmp(text + length - n, what, n) == 0


cdef bint _digits_between(const char* path, uint32_t length, const Affix* affix, const char** id) noexcept nogil:
    cdef int64_t start = _find_last(path, length, affix.prefix, affix.prefix_len)
    cdef int64_t end
    cdef int i
    if start < 0:
        return False
    start += affix.prefix_len
    end = _find_last(path, length, affix.suffix, affix.suffix_len)
    if end - start != ID_DIGITS:
        return False
    for i in range(ID_DIGITS):
        if not _is_hex(path[start + i]):
            return False
    id[0] = path + start
    return True


cdef uint32_t _identifier(const char* path, uint32_t length) noexcept nogil:
    # Length of a containerd identifier at the start: letters and digits, joined by single . _ or -
    cdef uint32_t n = 0
    while n < length:
        if not _is_alnum(path[n]):
            return 0
        while n < length and _is_alnum(path[n]):
            n += 1
        if n == length or not (path[n] == 46 or path[n] == 95 or path[n] == 45):
            return n
        n += 1
    return 0


cdef bint _containerd(const char* path, uint32_t length, const char** id, uint32_t* id_len) noexcept nogil:
    # The first "/<namespace>/" of the path names the prefix; the id is what follows its last
    # occurrence. Units of systemd are not containers.
    cdef uint32_t i, n
    cdef int64_t at
    if (_ends_with(path, length, b".service", 8) or _ends_with(path, length, b".slice", 6)
            or _ends_with(path, length, b".scope", 6)):
        return False
    for i in range(length):
        if path[i] != 47:
            continue
        n = _identifier(path + i + 1, length - i - 1)
        if n == 0 or i + 1 + n >= length or path[i + 1 + n] != 47:
            continue
        at = _find_last(path, length, path + i, n + 2) + n + 2
        if length - at > ID_DIGITS:
            return False
        id[0] = path + at
        id_len[0] = <uint32_t> (length - at if length - at < ID_SHOWN else ID_SHOWN)
        return id_len[0] != 0
    return False


cdef bint _until_slash(const char* path, uint32_t length, int64_t start, const char** id,
                       uint32_t* id_len) noexcept nogil:
    cdef uint32_t n = 0
    while start + n < length and path[start + n] != 47:
        n += 1
    id[0] = path + start
    id_len[0] = n
    return n != 0


cdef bint _lxc(const char* path, uint32_t length, const char** id, uint32_t* id_len) noexcept nogil:
    cdef int64_t at = _find_first(path, length, b"/lxc/", 5)
    if at >= 0:
        return _until_slash(path, length, at + 5, id, id_len)
    at = _find_first(path, length, b"/lxc.payload/", 13)
    if at >= 0:
        return _until_slash(path, length, at + 13, id, id_len)
    at = _find_first(path, length, b"/lxc.payload.", 13)
    return at >= 0 and _until_slash(path, length, at + 13, id, id_len)


cdef bint _libvirt(const char* path, uint32_t length, const char** id, uint32_t* id_len) noexcept nogil:
    cdef int64_t at
    cdef int64_t end
    cdef uint32_t cut = 0
    if _ends_with(path, length, b".libvirt-lxc", 12):
        end = length - 12
        at = end
        while at > 0 and path[at - 1] != 47:
            at -= 1
        if at > 0 and end > at:
            id[0] = path + at
            id_len[0] = <uint32_t> (end - at)
            return True
    if _ends_with(path, length, b".scope", 6):
        cut = 6
    elif _ends_with(path, length, b".scope/libvirt", 14):
        cut = 14
    if cut:
        # systemd writes the dash before the name as \x2d
        at = _find_first(path, length, b"-lxc\\x2", 7)
        if at >= 0:
            at += 8
            end = length - cut
            if end > at:
                id[0] = path + at
                id_len[0] = <uint32_t> (end - at)
                return True
    at = _find_first(path, length, b"/libvirt/lxc/", 13)
    return at >= 0 and _until_slash(path, length, at + 13, id, id_len)


cdef bint _bpm(const char* path, uint32_t length, const char** id, uint32_t* id_len) noexcept nogil:
    cdef int64_t at = _find_first(path, length, b"bpm-", 4)
    cdef int64_t end
    cdef int64_t i
    if at < 0:
        return False
    at += 4
    end = _find_first(path + at, <uint32_t> (length - at), b".scope", 6)
    if end <= 0:
        return False
    for i in range(at, at + end):
        if not (_is_alnum(path[i]) or path[i] == 46 or path[i] == 95 or path[i] == 45):
            return False
    id[0] = path + at
    id_len[0] = <uint32_t> end
    return True


cdef bint _between(const char* path, uint32_t length, const char* before, uint32_t before_len,
                   const char* after, uint32_t after_len, const char** name,
                   uint32_t* name_len) noexcept nogil:
    # The rest of a folder's name after `before`, which ends with `after`.
    cdef int64_t at = _find_first(path, length, before, before_len)
    if at < 0 or not _until_slash(path, length, at + before_len, name, name_len):
        return False
    if name_len[0] <= after_len or not _ends_with(name[0], name_len[0], after, after_len):
        return False
    name_len[0] -= after_len
    return name_len[0] <= MACHINE_NAME


cdef uint32_t _unescape(const char* name, uint32_t length, char* out) noexcept nogil:
    # systemd writes bytes that unit names may not hold as \xNN.
    cdef uint32_t i = 0, n = 0, j
    cdef int value, digit
    while i < length:
        value = -1
        if i + 3 < length and name[i] == 92 and name[i + 1] == 120:
            value = 0
            for j in range(i + 2, i + 4):
                digit = name[j]
                if 48 <= digit <= 57:
                    digit -= 48
                elif 97 <= digit <= 102:
                    digit -= 87
                else:
                    value = -1
                    break
                value = value * 16 + digit
        if value > 0:
            out[n] = <char> value
            i += 4
        else:
            out[n] = name[i]
            i += 1
        n += 1
    return n


cdef bint _nspawn(const char* path, uint32_t length, char* out, uint32_t* n) noexcept nogil:
    # Machines of systemd-nspawn: a service of its own, or a scope that systemd-machined made. The
    # supervisor runs on the host. Scopes of libvirt hold programs of the host (qemu), or are
    # looked at below (lxc).
    cdef const char* name = NULL
    cdef uint32_t length_of_name = 0
    n[0] = 0
    if _between(path, length, b"/systemd-nspawn@", 16, b".service", 8, &name, &length_of_name):
        if _ends_with(path, length, b"/supervisor", 11):
            return True
    elif not _between(path, length, b"/machine.slice/machine-", 23, b".scope", 6, &name,
                      &length_of_name):
        return False
    elif (length_of_name > 8 and memcmp(name, b"qemu\\x2d", 8) == 0) or (
            length_of_name > 7 and memcmp(name, b"lxc\\x2d", 7) == 0):
        return False
    n[0] = _unescape(name, length_of_name, out)
    return True


cdef Str* _id_of_path(State* state, const char* path, uint32_t length) noexcept nogil:
    cdef const char* id = NULL
    cdef uint32_t n = 0
    cdef int i
    cdef char[MACHINE_NAME] machine
    for i in range(N_AFFIXES):
        if _digits_between(path, length, &_affixes[i], &id):
            return intern(state.strings, id, ID_SHOWN)
    if _nspawn(path, length, machine, &n):
        return intern(state.strings, machine, n) if n else state.strings.empty
    if (_containerd(path, length, &id, &n) or _lxc(path, length, &id, &n)
            or _libvirt(path, length, &id, &n) or _bpm(path, length, &id, &n)):
        return intern(state.strings, id, n)
    return state.strings.empty


cdef Str* _search_id(State* state, Str* cgroups) noexcept nogil:
    cdef const char* p = cgroups.ptr
    cdef const char* end = p + cgroups.len
    cdef const char* stop
    cdef const char* path
    cdef Str* id
    while p < end:
        stop = <const char*> memchr(p, 0, end - p)
        if stop == NULL:
            stop = end
        path = <const char*> memchr(p, 61, stop - p)
        if path != NULL:
            path += 1
            id = _id_of_path(state, path, <uint32_t> (stop - path))
            if id != state.strings.empty:
                return id
        p = stop + 1
    return state.strings.empty


# The answer is kept by the cgroups text: a host has as many of them as it has containers and units.
cdef struct MemoEntry:
    Str* cgroups
    Str* id

cdef struct Memo:
    uint32_t n_slots
    uint32_t n_used
    MemoEntry* slots


cdef void forget_memo(State* state) noexcept nogil:
    cdef Memo* memo = <Memo*> state.container_memo
    if memo != NULL:
        free(memo.slots)
        free(memo)
        state.container_memo = NULL


cdef Memo* _new_memo(uint32_t n_slots) noexcept nogil:
    cdef Memo* memo = <Memo*> malloc(sizeof(Memo))
    if memo == NULL:
        return NULL
    memo.n_slots = n_slots
    memo.n_used = 0
    memo.slots = <MemoEntry*> calloc(n_slots, sizeof(MemoEntry))
    if memo.slots == NULL:
        free(memo)
        return NULL
    return memo


cdef inline MemoEntry* _memo_slot(State* state, Memo* memo, Str* cgroups) noexcept nogil:
    cdef uint32_t at = _pointer_hash(state, cgroups) & (memo.n_slots - 1)
    while memo.slots[at].cgroups != NULL and memo.slots[at].cgroups != cgroups:
        at = (at + 1) & (memo.n_slots - 1)
    return &memo.slots[at]


cdef Str* container_id_of(State* state, Str* cgroups) noexcept nogil:
    cdef Memo* memo = <Memo*> state.container_memo
    cdef Memo* bigger
    cdef MemoEntry* entry
    cdef Str* id
    cdef uint32_t i
    if cgroups == NULL or cgroups.len == 0:
        return state.strings.empty
    if memo != NULL:
        entry = _memo_slot(state, memo, cgroups)
        if entry.cgroups == cgroups:
            return entry.id
    id = _search_id(state, cgroups)
    if memo == NULL or memo.n_used * 2 >= memo.n_slots:
        bigger = _new_memo(1024 if memo == NULL or memo.n_slots >= MAX_MEMO else memo.n_slots * 2)
        if bigger == NULL:
            return id
        if memo != NULL and bigger.n_slots > memo.n_slots:
            for i in range(memo.n_slots):
                if memo.slots[i].cgroups != NULL:
                    _memo_slot(state, bigger, memo.slots[i].cgroups)[0] = memo.slots[i]
            bigger.n_used = memo.n_used
        forget_memo(state)
        memo = bigger
        state.container_memo = memo
    entry = _memo_slot(state, memo, cgroups)
    entry.cgroups = cgroups
    entry.id = id
    memo.n_used += 1
    return id


# -- interfaces ------------------------------------------------------------------------------------

cdef bint address_is_local(State* state, const uint8_t* addr, bint v6) noexcept nogil:
    # IPv6 privacy addresses change all the time, so the network part decides there.
    cdef uint32_t i
    for i in range(state.n_interfaces):
        if state.interfaces[i].v6 == v6 and memcmp(state.interfaces[i].addr, addr, 8 if v6 else 4) == 0:
            return True
    return False

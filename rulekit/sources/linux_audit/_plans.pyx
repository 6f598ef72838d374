"""The plans of system calls, filled at import from `rulekit.schema.linux_audit`."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t, uint8_t
from libc.stdlib cimport calloc
from libc.string cimport memcmp, memcpy

from rulekit.schema.events import event_types
from rulekit.schema.linux_audit import audit_table
from rulekit.schema.values import value_tables

cdef enum:
    N_CALLS = 512
    NAME_SLOTS = 1024
    GENERIC_X = 1
    O_CLOEXEC = 4096
    O_NONBLOCK = 64

cdef struct Name:
    const char* text
    uint32_t len
    const CallPlan* plan

cdef struct Tty:
    const char* prefix
    uint32_t len
    uint32_t major
    uint32_t minor

cdef const CallPlan* _x86_64[N_CALLS]
cdef const CallPlan* _i386[N_CALLS]
cdef const CallPlan* _aarch64[N_CALLS]
cdef const CallPlan* _socketcalls[32]
cdef Name _names[NAME_SLOTS]
cdef Tty _ttys[16]
cdef uint32_t _n_ttys = 0
cdef uint32_t _arches[3]
cdef const Constants* _open
cdef const Constants* _open_aarch64
cdef const Constants* _clone

_SOURCES = {
    "res": FROM_RESULT, "path": FROM_PATH, "old": FROM_OLD, "new": FROM_NEW, "target": FROM_TARGET,
    "path.dev": FROM_PATH_DEV, "path.ino": FROM_PATH_INO, "saddr": FROM_SADDR, "to": FROM_TUPLE_TO,
    "from": FROM_TUPLE_FROM, "mmap.fd": FROM_MMAP_FD, "how.flags": FROM_HOW_FLAGS, "how.mode": FROM_HOW_MODE,
    "how.resolve": FROM_HOW_RESOLVE, "capset.inheritable": FROM_CAP_INHERITABLE,
    "capset.permitted": FROM_CAP_PERMITTED, "capset.effective": FROM_CAP_EFFECTIVE, "module": FROM_MODULE,
    "sockopt": FROM_SOCKOPT, "ptrace": FROM_PTRACE_DATA, "quota.cmd": FROM_QUOTA_CMD, "quota.type": FROM_QUOTA_TYPE,
}
_ARGS = {
    "": FROM_ARG, "map": FROM_ARG_MAPPED, "int": FROM_ARG_INT, "open": FROM_ARG_OPEN, "created": FROM_ARG_CREATED,
    "socket": FROM_ARG_SOCKET, "variant": FROM_ARG_VARIANT,
}
_WIDTHS = {
    "INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "ERRNO": 8,
    "FD": 8, "PID": 8, "SYSCALLID": 2, "SIGTYPE": 1, "RELTIME": 8, "ABSTIME": 8, "BOOL": 4, "FLAGS8": 1, "FLAGS16": 2,
    "FLAGS32": 4, "UID": 4, "GID": 4, "SIGSET": 4, "MODE": 4, "ENUMFLAGS8": 1, "ENUMFLAGS16": 2, "ENUMFLAGS32": 4,
}
_SIGNED = frozenset({"FD", "PID", "ERRNO"})
# What a mapped argument of these parameters is looked up in.
_NEEDS_MAP = frozenset({FROM_ARG_MAPPED, FROM_HOW_RESOLVE, FROM_SOCKOPT, FROM_QUOTA_CMD, FROM_QUOTA_TYPE})
_EFFECTS = {
    "execve": EFFECT_EXEC, "execveat": EFFECT_EXEC,
    "clone": EFFECT_CLONE, "clone3": EFFECT_CLONE, "fork": EFFECT_CLONE, "vfork": EFFECT_CLONE,
    "exit_group": EFFECT_EXIT,
    "chdir": EFFECT_DIRECTORY, "fchdir": EFFECT_DIRECTORY, "chroot": EFFECT_DIRECTORY,
    "setuid": EFFECT_IDENTITY, "setgid": EFFECT_IDENTITY, "setreuid": EFFECT_IDENTITY, "setregid": EFFECT_IDENTITY,
    "setresuid": EFFECT_IDENTITY, "setresgid": EFFECT_IDENTITY,
}


cdef const Constants* _constants(str name) except? NULL:
    """Return the table of kernel constants of a flag table, NULL when the numbers are the same."""
    entry = audit_table()["kernel"].get(name)
    if entry is None:
        return NULL
    cdef Constants* table = <Constants*> calloc(1, sizeof(Constants))
    cdef uint64_t* kernel
    cdef uint32_t* stored
    cdef uint32_t i
    names = dict(value_tables()["flag_tables"][name.partition(".")[0]])
    if table == NULL:
        raise MemoryError
    table.n = len(entry["values"])
    table.flags = entry["kind"] == "flags"
    kernel = <uint64_t*> calloc(table.n, sizeof(uint64_t))
    stored = <uint32_t*> calloc(table.n, sizeof(uint32_t))
    if kernel == NULL or stored == NULL:
        raise MemoryError
    for i, (constant, number) in enumerate(entry["values"].items()):
        kernel[i] = number
        stored[i] = names[constant]
    table.kernel = kernel
    table.stored = stored
    return table


cdef int _fill_param(ParamPlan* target, object param, str source) except -1:
    kind = param.type.removeprefix("PT_")
    target.width = _WIDTHS.get(kind, 0)
    target.is_signed = kind in _SIGNED
    if source in _SOURCES:
        target.source = _SOURCES[source]
    elif source.startswith("pair."):
        target.source = FROM_PAIR
        target.arg = int(source[5:])
    elif source[0] == "a" and source[1:2].isdigit():
        target.arg = int(source[1])
        target.source = _ARGS[source[3:]]
    else:
        raise ValueError(f"linux_audit.json: {source!r} is no source of a parameter")
    if target.source in _NEEDS_MAP and param.values is not None:
        target.map = _constants(param.values)
    return 0


cdef CallPlan* _new_plan(str call, object exit_type, dict sources, int sc, int native) except NULL:
    cdef CallPlan* plan = <CallPlan*> calloc(1, sizeof(CallPlan))
    cdef int i
    if plan == NULL:
        raise MemoryError
    plan.sc = sc
    plan.native = native
    plan.effect = _EFFECTS.get(call, EFFECT_NONE)
    event = None if exit_type is None else event_types()[exit_type]
    if event is not None and plan.effect in (EFFECT_EXEC, EFFECT_CLONE):
        plan.type = event.id
        plan.n = len(event.params)
    elif event is None or event.name not in sources:
        plan.type = GENERIC_X
        plan.n = 2
    else:
        plan.type = event.id
        plan.n = len(event.params)
        for i in range(plan.n):
            source = sources[event.name].get(event.params[i].name)
            if source is not None:
                _fill_param(&plan.params[i], event.params[i], source)
    return plan


cdef int _fill() except -1:
    global _open, _open_aarch64, _clone, _n_ttys
    cdef CallPlan* plan
    cdef const CallPlan** by_number
    cdef uint32_t at
    cdef char* copy
    cdef int number
    table = audit_table()
    values = value_tables()
    by_name = {}
    natives = {call["name"]: int(n) for n, call in values["syscalls_x86_64"].items()}
    for arch in ("x86_64", "aarch64"):
        by_number = &_x86_64[0]
        if arch == "aarch64":
            by_number = &_aarch64[0]
        for text, call in values[f"syscalls_{arch}"].items():
            if int(text) >= N_CALLS:
                continue
            name = call["name"]
            if name not in by_name:
                plan = _new_plan(name, call["exit"], table["events"], call["sc"], natives.get(name, 0xffff))
                by_name[name] = <size_t> plan
            by_number[<int> int(text)] = <const CallPlan*> <size_t> by_name[name]
    for text, other in values["ia32_to_x86_64"].items():
        if int(text) < N_CALLS and 0 <= other < N_CALLS:
            _i386[<int> int(text)] = _x86_64[<int> other]
    for text, name in table["i386"]["numbers"].items():
        _i386[<int> int(text)] = <const CallPlan*> <size_t> by_name[name]
    for number, name in enumerate(table["socketcalls"]):
        if name in ("send", "recv"):
            name += "to" if name == "send" else "from"
        if name in by_name:
            _socketcalls[number] = <const CallPlan*> <size_t> by_name[name]
    for name, address in by_name.items():
        raw = name.encode()
        copy = <char*> calloc(len(raw) + 1, 1)
        if copy == NULL:
            raise MemoryError
        memcpy(copy, <const char*> raw, len(raw))
        at = _hash(copy, <uint32_t> len(raw))
        while _names[at].text != NULL:
            at = (at + 1) & (NAME_SLOTS - 1)
        _names[at].text = copy
        _names[at].len = <uint32_t> len(raw)
        _names[at].plan = <const CallPlan*> <size_t> address
    for number, arch in enumerate(("x86_64", "i386", "aarch64")):
        _arches[number] = int(table["arches"][arch], 16)
    # The longest names first: ttyS before tty.
    for prefix, (major, minor) in sorted(table["ttys"].items(), key=lambda item: -len(item[0])):
        raw = prefix.encode()
        copy = <char*> calloc(len(raw) + 1, 1)
        if copy == NULL:
            raise MemoryError
        memcpy(copy, <const char*> raw, len(raw))
        _ttys[_n_ttys].prefix = copy
        _ttys[_n_ttys].len = <uint32_t> len(raw)
        _ttys[_n_ttys].major = major
        _ttys[_n_ttys].minor = minor
        _n_ttys += 1
    _open = _constants("file_flags")
    _open_aarch64 = _constants("file_flags.aarch64")
    _clone = _constants("clone_flags")
    return 0


cdef inline uint32_t _hash(const char* text, uint32_t length) noexcept nogil:
    cdef uint32_t hash = 2166136261U
    cdef uint32_t i
    for i in range(length):
        hash = (hash ^ <unsigned char> text[i]) * 16777619U
    return hash & (NAME_SLOTS - 1)


_fill()


cdef int arch_of(uint32_t audit_arch) noexcept nogil:
    cdef int i
    for i in range(3):
        if _arches[i] == audit_arch:
            return i
    return ARCH_OTHER


cdef const CallPlan* plan_of_call(int arch, int64_t number) noexcept nogil:
    if arch == ARCH_X86_64:
        number &= ~<int64_t> 0x40000000      # the x32 bit
        return _x86_64[number] if 0 <= number < N_CALLS else NULL
    if number < 0 or number >= N_CALLS or arch == ARCH_OTHER:
        return NULL
    return _i386[number] if arch == ARCH_I386 else _aarch64[number]


cdef const CallPlan* plan_of_name(const char* name, uint32_t length) noexcept nogil:
    cdef uint32_t at = _hash(name, length)
    while _names[at].text != NULL:
        if _names[at].len == length and memcmp(_names[at].text, name, length) == 0:
            return _names[at].plan
        at = (at + 1) & (NAME_SLOTS - 1)
    return NULL


cdef const CallPlan* plan_of_socketcall(uint64_t number) noexcept nogil:
    return _socketcalls[number] if number < 32 else NULL


cdef uint32_t map_constant(const Constants* map, uint64_t value) noexcept nogil:
    cdef uint32_t i
    cdef uint32_t out = 0
    if map == NULL:
        return <uint32_t> value
    for i in range(map.n):
        if map.flags:
            if value & map.kernel[i] == map.kernel[i]:
                out |= map.stored[i]
        elif value == map.kernel[i]:
            return map.stored[i]
    return out


cdef uint32_t open_flags(int arch, uint64_t flags) noexcept nogil:
    cdef uint32_t mode = flags & 3
    return map_constant(_open_aarch64 if arch == ARCH_AARCH64 else _open, flags) | (mode + 1 if mode < 3 else 0)


cdef uint32_t socket_flags(uint64_t flags) noexcept nogil:
    return (O_CLOEXEC if flags & 0o2000000 else 0) | (O_NONBLOCK if flags & 0o4000 else 0)


cdef uint32_t clone_flags(uint64_t flags) noexcept nogil:
    return map_constant(_clone, flags)


cdef int64_t tty_number(const char* name, uint32_t length) noexcept nogil:
    cdef uint32_t i, k
    cdef uint64_t minor
    if (length == 6 and memcmp(name, b"(none)", 6) == 0) or length == 0 or name[0] == c'?':
        return 0
    for i in range(_n_ttys):
        k = _ttys[i].len
        if length < k or memcmp(name, _ttys[i].prefix, k) != 0:
            continue
        minor = 0
        while k < length and c'0' <= name[k] <= c'9' and minor < 1 << 20:
            minor = minor * 10 + <uint64_t> (name[k] - c'0')
            k += 1
        if k < length:
            continue
        minor += _ttys[i].minor
        return <int64_t> ((minor & 0xff) | (<uint64_t> _ttys[i].major << 8) | (minor & ~<uint64_t> 0xff) << 12)
    return -1

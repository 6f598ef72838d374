"""The C tables of events, flags, syscalls and signals, filled at import from `rulekit.schema`.

All memory is allocated once and never freed: pointers into it may be kept for ever.
"""

from libc.stdlib cimport calloc
from libc.string cimport memcpy, strcmp

from rulekit.schema.events import event_table
from rulekit.schema.values import value_tables


cdef struct _NamedTable:
    const char* name
    const FlagName* rows


cdef struct _Names:          # names by a small number, NULL where there is none
    const char** items
    uint32_t n


cdef _NamedTable* _flag_tables = NULL
cdef int _n_flag_tables = 0
cdef _Names _ppm_sc
cdef _Names _x86_64
cdef _Names _errnos
cdef _Names _signals
cdef _Names _capabilities


cdef void* _permanent(size_t size) except NULL:
    cdef void* block = calloc(1, size if size else 1)
    if block == NULL:
        raise MemoryError
    return block


cdef const char* _text(str value) except NULL:
    cdef bytes raw = value.encode()
    cdef char* copy = <char*> _permanent(len(raw) + 1)
    memcpy(copy, <const char*> raw, len(raw))
    return copy


cdef int _fill_names(_Names* target, dict names) except -1:
    """Fill `target` from a mapping of decimal texts to names."""
    cdef uint32_t number
    target.n = max(int(n) for n in names) + 1
    target.items = <const char**> _permanent(target.n * sizeof(char*))
    for text, name in names.items():
        number = int(text)
        target.items[number] = _text(name)
    return 0


cdef const FlagName* _fill_flags(list rows) except NULL:
    cdef FlagName* table = <FlagName*> _permanent((len(rows) + 1) * sizeof(FlagName))
    cdef Py_ssize_t i
    for i in range(len(rows)):
        name, value = rows[i]
        table[i].name = _text(name)
        table[i].len = len(name.encode())
        table[i].value = value
    return table


cdef int _fill_param(ParamInfo* target, dict row, dict types, dict formats, dict dynamic) except -1:
    cdef Py_ssize_t i
    cdef ParamInfo* table
    target.name = _text(row.get("name", ""))
    target.type = types[row["type"]]
    target.fmt = formats[row["fmt"]]
    target.dirfd_param = row.get("dirfd_param", -1)
    values = row.get("values")
    if values is not None:
        target.values = flag_table(values.encode())
        if target.values == NULL:
            raise ValueError(f"event table names an unknown flag table {values!r}")
    variants = row.get("dyn")
    if variants is not None:
        rows = dynamic[variants]
        target.n_dyn = max(r["index"] for r in rows) + 1
        table = <ParamInfo*> _permanent(target.n_dyn * sizeof(ParamInfo))
        for r in rows:
            i = r["index"]
            _fill_param(&table[i], r, types, formats, dynamic)
        target.dyn = table
    return 0


cdef int _fill_events() except -1:
    global event_infos, n_event_types
    cdef dict table = event_table()
    cdef dict bits = table["event_flags"]
    cdef dict categories = table["categories"]
    cdef EventInfo* infos = <EventInfo*> _permanent(N_EVENT_TYPES * sizeof(EventInfo))
    cdef EventInfo* info
    cdef int i, p
    if len(table["events"]) > N_EVENT_TYPES or table["max_event_params"] > MAX_PARAMS:
        raise ValueError("event table is larger than the native one")
    for i in range(N_EVENT_TYPES):
        infos[i].name = b"unknown"
        infos[i].fd_param = -1
    for i, event in enumerate(table["events"]):
        if event["id"] != i:
            raise ValueError("event table is not sorted by id")
        info = &infos[i]
        info.known = True
        info.name = _text(event["name"])
        for flag in event["flags"]:
            info.flags |= <uint32_t> bits["EF_" + flag]
        info.category = categories["EC_" + event["category"]]
        if event["source"] is not None:
            info.category |= <uint32_t> categories["EC_" + event["source"]]
        info.fd_param = event.get("fd_param", -1)
        info.nparams = len(event["params"])
        for p, row in enumerate(event["params"]):
            _fill_param(&info.params[p], row, table["param_types"], table["print_formats"],
                        table["dynamic_params"])
    event_infos = infos
    n_event_types = len(table["events"])
    return 0


cdef int _fill_all() except -1:
    global _flag_tables, _n_flag_tables
    cdef dict tables = value_tables()
    cdef dict flags = tables["flag_tables"]
    _flag_tables = <_NamedTable*> _permanent(len(flags) * sizeof(_NamedTable))
    for name, rows in flags.items():
        _flag_tables[_n_flag_tables].name = _text(name)
        _flag_tables[_n_flag_tables].rows = _fill_flags(rows)
        _n_flag_tables += 1
    _fill_names(&_ppm_sc, tables["ppm_sc"])
    _fill_names(&_x86_64, {n: call["name"] for n, call in tables["syscalls_x86_64"].items()})
    _fill_names(&_errnos, tables["errno"])
    _fill_names(&_signals, tables["signals"])
    _fill_names(&_capabilities, tables["capabilities"])
    return _fill_events()


cdef inline const char* _name(const _Names* names, int64_t number) noexcept nogil:
    if number < 0 or number >= names.n:
        return NULL
    return names.items[number]


cdef const char* syscall_name(uint32_t ppm_sc) noexcept nogil:
    return _name(&_ppm_sc, ppm_sc)


cdef const char* native_syscall_name(uint32_t number) noexcept nogil:
    return _name(&_x86_64, number)


cdef const char* errno_name(int number) noexcept nogil:
    return _name(&_errnos, number)


cdef const char* signal_name(int number) noexcept nogil:
    return _name(&_signals, number)


cdef const char* capability_name(int bit) noexcept nogil:
    return _name(&_capabilities, bit)


cdef const FlagName* flag_table(const char* name) noexcept nogil:
    cdef int i
    for i in range(_n_flag_tables):
        if strcmp(_flag_tables[i].name, name) == 0:
            return _flag_tables[i].rows
    return NULL


_fill_all()


def describe_event(int type_id):
    """Return what the native table holds about a type, for tests: a dict, or None if unknown."""
    cdef const EventInfo* info
    cdef const FlagName* row
    cdef uint32_t i
    if type_id < 0 or type_id >= N_EVENT_TYPES or not event_infos[type_id].known:
        return None
    info = &event_infos[type_id]
    params = []
    for i in range(info.nparams):
        row = info.params[i].values
        flags = [] if row != NULL else None
        while row != NULL and row.name != NULL:
            flags.append((row.name.decode(), row.value))
            row += 1
        params.append({
            "name": info.params[i].name.decode(), "type": info.params[i].type,
            "fmt": info.params[i].fmt, "dirfd_param": info.params[i].dirfd_param,
            "flags": flags, "n_dyn": info.params[i].n_dyn,
        })
    return {"name": info.name.decode(), "flags": info.flags, "category": info.category,
            "fd_param": info.fd_param, "params": params}


def describe_names(str kind, int number):
    """Return the native name of a number, or None.

    `kind` is one of syscall, native_syscall, errno, signal, capability.
    """
    cdef const char* name = NULL
    if kind == "syscall":
        name = syscall_name(number)
    elif kind == "native_syscall":
        name = native_syscall_name(number)
    elif kind == "errno":
        name = errno_name(number)
    elif kind == "signal":
        name = signal_name(number)
    elif kind == "capability":
        name = capability_name(number)
    else:
        raise ValueError(f"no such names: {kind}")
    return None if name == NULL else name.decode()

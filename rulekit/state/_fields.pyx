# hot: every event passes here
"""The registry of fields, and their text in outputs."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset, strcmp

from rulekit.native._event cimport BLOCK_PARTIAL, N_EVENT_TYPES, event_infos, n_event_types
from rulekit.native._scratch cimport Buf, buf_free, buf_put, buf_putc
from rulekit.schema.events import event_table
from rulekit.schema.fields import field_table
from rulekit.schema.linux_audit import is_unknown
from rulekit.schema.mapped import mapped_field
from rulekit.state._fields_container cimport register_container
from rulekit.state._fields_evt cimport register_evt
from rulekit.state._fields_fd cimport register_fd
from rulekit.state._fields_json cimport prepare_json, register_json
from rulekit.state._fields_k8s cimport prepare_k8s, register_k8s
from rulekit.state._fields_mapped cimport prepare_mapped
from rulekit.state._fields_path cimport register_path
from rulekit.state._fields_pod cimport prepare_pod, register_pod
from rulekit.state._fields_proc cimport register_proc
from rulekit.state._fields_thread cimport register_thread
from rulekit.state._render cimport PT_SOCKADDR, put_buf, put_value

cdef extern from "<regex.h>" nogil:
    ctypedef struct regex_t:
        pass
    enum: REG_EXTENDED
    enum: REG_NOSUB
    int regcomp(regex_t* pattern, const char* text, int flags)
    void regfree(regex_t* pattern)

# Classes without a provider here, and fields that their providers stopped filling.
_ALWAYS_NULL = (
    "container.healthcheck",
    "container.liveness_probe",
    "container.readiness_probe",
    "proc.is_container_healthcheck",
    "proc.is_container_liveness_probe",
    "proc.is_container_readiness_probe",
)
_ALWAYS_NULL_CLASSES = ("k8s.rc.", "k8s.svc.", "k8s.rs.", "k8s.deployment.", "k8s.ns.id", "k8s.ns.label")
_TIMES = frozenset(
    {
        "evt.time",
        "evt.time.s",
        "evt.time.iso8601",
        "evt.datetime",
        "evt.datetime.s",
        "evt.outputtime",
    }
)
# Compared with a name, never shown as one.
_NAMES = frozenset({"fd.cip.name", "fd.sip.name", "fd.lip.name", "fd.rip.name"})
_PRINT_SELF = frozenset({"proc.apid", "proc.aenv"})
_LEVELS = frozenset(
    {"proc.aname", "proc.apid", "proc.aexe", "proc.aexepath", "proc.acmdline", "proc.aargs"}
)

# Null for events of sources that know less than a recorder: these, and what audit cannot know.
_OF_CONTAINERS = ("container.", "k8s.", "thread.cgroup", "fd.container")
_OF_CAPABILITIES = "thread.cap_"

# name -> (address of the extractor, scope)
cdef dict _extractors = {}


cdef bint x_null(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return False


cdef bint x_known(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # Of a field that audit knows nothing about: null, not the value that the state begins with.
    if c.ev.block_flags & BLOCK_PARTIAL:
        return False
    return (<extract_fn> ref.known)(c, ref, out)


cdef bint x_known_container(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # The same, unless somebody asked for the process's control groups.
    cdef Thread* thread
    if c.ev.block_flags & BLOCK_PARTIAL:
        thread = thread_of(c)
        if thread == NULL or thread.cgroups.len == 0:
            return False
    return (<extract_fn> ref.known)(c, ref, out)


cdef bint x_known_capabilities(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # Audit reports them when a program gains some, or changes them: zeros are no report.
    cdef Thread* thread
    if c.ev.block_flags & BLOCK_PARTIAL:
        thread = thread_of(c)
        if thread == NULL or not (thread.cap_permitted | thread.cap_effective | thread.cap_inheritable):
            return False
    return (<extract_fn> ref.known)(c, ref, out)


cdef int _add(const char* name, extract_fn function, int scope) except -1:
    _extractors[(<bytes> name).decode()] = (<size_t> function, scope)
    return 0


cdef int _register() except -1:
    register_evt(_add)
    register_fd(_add)
    register_path(_add)
    register_proc(_add)
    register_thread(_add)
    register_container(_add)
    register_json(_add)
    register_k8s(_add)
    register_pod(_add)
    for field in field_table().values():
        if field.removed or field.name in _extractors:
            continue
        if (
            field.name in _ALWAYS_NULL
            or field.cls == "k8smeta"
            or field.name.startswith(_ALWAYS_NULL_CLASSES)
        ):
            _add(field.name.encode(), x_null, SCOPE_CONST)
    return 0


_register()
_PT_IDS = dict(event_table()["param_types"])
_PF_IDS = dict(event_table()["print_formats"])


cdef extract_fn find_extractor(const char* name) noexcept:
    entry = _extractors.get((<bytes> name).decode("utf-8", "replace"))
    return NULL if entry is None else <extract_fn> <size_t> entry[0]


cdef int field_scope(const char* name) noexcept:
    entry = _extractors.get((<bytes> name).decode("utf-8", "replace"))
    return SCOPE_EVENT if entry is None else entry[1]


def extractable() -> dict[str, str]:
    """Return the scope of every field that can be extracted, by field name."""
    names = {
        SCOPE_EVENT: "event",
        SCOPE_THREAD: "thread",
        SCOPE_ANCESTRY: "ancestry",
        SCOPE_FD: "fd",
        SCOPE_CONST: "const",
    }
    return {name: names[scope] for name, (_, scope) in _extractors.items()}


# --- FieldRef ------------------------------------------------------------------------------------

cdef int _fill_params(FieldRef* ref, bytes name) except -1:
    # Event type -> index of the parameter of that name.
    cdef int kind, i
    ref.params = <int8_t*> malloc(N_EVENT_TYPES)
    if ref.params == NULL:
        raise MemoryError
    memset(ref.params, -1, N_EVENT_TYPES)
    for kind in range(n_event_types):
        for i in range(event_infos[kind].nparams):
            if strcmp(event_infos[kind].params[i].name, name) == 0:
                ref.params[kind] = <int8_t> i
                break
    return 0


cdef int _fill_types(FieldRef* ref, object key) except -1:
    # Event types of that name or id: 1, others -1.
    cdef int kind
    cdef bytes name = key
    ref.params = <int8_t*> malloc(N_EVENT_TYPES)
    if ref.params == NULL:
        raise MemoryError
    memset(ref.params, -1, N_EVENT_TYPES)
    if name.isdigit():
        if int(name) < n_event_types:
            ref.params[<int> int(name)] = 1
        return 0
    for kind in range(n_event_types):
        if event_infos[kind].known and strcmp(event_infos[kind].name, name) == 0:
            ref.params[kind] = 1
    return 0


cdef int _fill_pattern(FieldRef* ref, bytes key) except -1:
    cdef regex_t* pattern = <regex_t*> calloc(1, sizeof(regex_t))
    if pattern == NULL:
        raise MemoryError
    if regcomp(pattern, key, REG_EXTENDED | REG_NOSUB) != 0:
        free(pattern)
        raise ValueError(f"not a regular expression: {key.decode('utf-8', 'replace')}")
    ref.pattern = pattern
    return 0


cdef bint init_field_ref(
    FieldRef* ref, str name, object index, object key, int kind, bint single=False
) except False:
    cdef bytes raw_key
    cdef char* copy
    memset(ref, 0, sizeof(FieldRef))
    ref.index = -1
    entry = _extractors.get(name)
    field = field_table().get(name)
    declared = mapped_field(name)
    if declared is not None:
        entry = (<size_t> <extract_fn> x_null, SCOPE_EVENT)
    if entry is None or field is None:
        raise ValueError(f"field {name} cannot be extracted from events")
    ref.extract = <void*> <size_t> entry[0]
    if is_unknown(name) or name.startswith(_OF_CAPABILITIES):
        ref.known = ref.extract
        if name.startswith(_OF_CONTAINERS):
            ref.extract = <void*> x_known_container
        elif name.startswith(_OF_CAPABILITIES):
            ref.extract = <void*> x_known_capabilities
        else:
            ref.extract = <void*> x_known
    ref.scope = entry[1]
    ref.kind = kind
    ref.fmt = _PF_IDS[field.fmt]
    ref.pt = _PT_IDS[field.type]
    ref.has_arg = index is not None or key is not None
    if key is not None:
        raw_key = key.encode("utf-8", "surrogateescape") if isinstance(key, str) else bytes(key)
        if index is None and raw_key.isdigit() and (name in _LEVELS or name.startswith("container.mount")
                                                    or name in ("evt.arg", "proc.args", "fd.types", "proc.aenv")):
            index = int(raw_key)
        if name == "proc.env" and raw_key.isdigit():
            raw_key = b""         # read as an index, which means nothing here
        if index is None and raw_key:
            copy = <char*> malloc(len(raw_key) + 1)
            if copy == NULL:
                raise MemoryError
            memcpy(copy, <const char*> raw_key, len(raw_key) + 1)
            ref.key = copy
            ref.key_len = <uint32_t> len(raw_key)
    else:
        raw_key = b""
    try:
        if index is not None:
            ref.number = <uint64_t> (int(index) & 0xFFFFFFFFFFFFFFFF)
            # an index beyond what there can be must not become "no index"
            ref.index = min(max(int(index), -1), 0x7FFFFFFF)
        if declared is not None:
            prepare_mapped(ref, declared)
        elif name in ("evt.arg", "evt.rawarg") and ref.index < 0:
            _fill_params(ref, raw_key)
        elif name == "evt.buffer":
            _fill_params(ref, b"data")
        elif name == "evt.type.is":
            _fill_types(ref, raw_key or str(index).encode())
            ref.flags |= REF_UNPRINTABLE
        elif name == "evt.around" and index is None:
            ref.number = <uint64_t> (int(raw_key) & 0xFFFFFFFFFFFFFFFF)
        elif name == "evt.abspath":
            ref.number = 1 if raw_key in (b"src", b".src") else 2 if raw_key in (b"dst", b".dst") else 0
        elif name.startswith("container.mount") and ref.key != NULL:
            _fill_pattern(ref, raw_key)
        elif name in ("json.value", "jevt.value"):
            prepare_json(ref, raw_key)
        elif name.startswith("ka."):
            prepare_k8s(ref, name)
        elif name.startswith("pod."):
            prepare_pod(ref, name)
    except BaseException:
        free_field_ref(ref)
        raise
    if name in ("fd.cnet", "fd.snet", "fd.lnet", "fd.rnet"):
        ref.flags |= REF_NETWORK
    elif field.quantifier == "ends" or "filter_only" in field.restrictions:
        ref.flags |= REF_ENDS
    elif field.quantifier == "list":
        ref.flags |= REF_LIST
    elif field.quantifier == "ancestors" and ref.index < 0 and ref.key == NULL:
        ref.flags |= REF_ANCESTORS
        if name in _PRINT_SELF:
            ref.flags |= REF_PRINT_SELF
        if single:
            _join_ancestors(ref)
    elif name == "proc.aargs" and ref.index < 0:
        _join_ancestors(ref)
    if name in _NAMES:
        ref.flags |= REF_UNPRINTABLE
    elif name in _TIMES:
        ref.flags |= REF_TIME
    elif name.startswith("evt.deltatime"):
        ref.flags |= REF_DELTA
    elif name == "evt.rawarg":
        ref.flags |= REF_RAW
    return True


cdef void free_field_ref(FieldRef* ref) noexcept:
    free(<void*> ref.key)
    ref.key = NULL
    free(ref.params)
    ref.params = NULL
    if ref.pattern != NULL:
        regfree(<regex_t*> ref.pattern)
        free(ref.pattern)
        ref.pattern = NULL


cdef void _join_ancestors(FieldRef* ref) noexcept:
    ref.items = ref.extract
    ref.extract = <void*> &_joined
    ref.flags &= ~<uint16_t> REF_ANCESTORS


cdef bint _joined(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Value above
    cdef Buf text
    cdef uint32_t i
    cdef bint found
    memset(&above, 0, sizeof(Value))
    memset(&text, 0, sizeof(Buf))
    if ref.flags & REF_PRINT_SELF:
        ref.index = 0
        found = (<extract_fn> ref.items)(c, ref, out)
        ref.index = -1
        return found
    if not (<extract_fn> ref.items)(c, ref, &above):
        return False
    for i in range(above.n_items):
        if text.len:
            buf_putc(&text, c' ')
        put_value(&text, &above.items[i], ref.fmt, 0)
    if text.len == 0:
        buf_free(&text)
        return False
    return put_buf(c, out, &text)


# --- Text ----------------------------------------------------------------------------------------

cdef void render_extracted(const FieldRef* ref, const Value* value, Buf* out) noexcept nogil:
    cdef uint32_t i
    cdef size_t start = out.len
    if ref.flags & (REF_UNPRINTABLE | REF_ENDS):
        buf_put(out, "<NA>", 4)
    elif ref.flags & REF_ANCESTORS and value.kind == V_LIST:
        for i in range(value.n_items):
            if out.len > start:
                buf_putc(out, c' ')
            put_value(out, &value.items[i], ref.fmt, ref.buffers)
        if out.len == start:
            buf_put(out, "<NA>", 4)
    else:
        put_value(out, value, ref.fmt, ref.buffers)


cdef void render_field(Context* c, FieldRef* ref, Buf* out) noexcept nogil:
    cdef Value value
    if extract_printed(c, ref, &value):
        render_extracted(ref, &value, out)
    else:
        buf_put(out, "<NA>", 4)


cdef bint extract_printed(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # As outputs show it: two of the ancestor fields print the process itself, and empty parameters
    # print as their type does.
    cdef bint found
    if ref.flags & REF_PRINT_SELF:
        ref.index = 0
        found = extract(c, ref, out)
        ref.index = -1
        return found
    if ref.flags & REF_RAW:
        found = extract(c, ref, out) or out.pt != 0
        return found and out.pt != PT_SOCKADDR
    if ref.flags & REF_NETWORK:
        return extract(c, ref, out) and put_cstr(out, "<IPNET>")
    return extract(c, ref, out)


cdef bint render_value(const Value* value, uint8_t fmt, Buf* out) noexcept nogil:
    put_value(out, value, fmt, False)
    return value.kind != V_NULL

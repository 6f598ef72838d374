# Events that carry facts about containers, users and groups. Containers come as JSON, some few per
# container and life: there the GIL is taken and the standard reader used.

import json

from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

from rulekit.native._event cimport has_param, param_u64
from rulekit.native._strings cimport Str, intern
from rulekit.state._containers cimport (
    add_account, add_container, find_container, remove_account
)
from rulekit.state._params cimport Text, intern_text, plain_text
from rulekit.state._state cimport Account, Container, Label, Mount

cdef enum:
    USER_DELETED = 356
    GROUP_DELETED = 360
    UNKNOWN_TYPE = 65535
    MAX_ITEMS = 512          # labels or mounts of one container
    SHORT_ID = 12


# -- accounts --------------------------------------------------------------------------------------

cdef bint _no_account(Text name) noexcept nogil:
    # "+" and "-" entries of an account database refer to another one.
    return name.len != 0 and (name.ptr[0] == 43 or name.ptr[0] == 45)


cdef void on_user(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef uint32_t uid = <uint32_t> param_u64(ev, 0, 0)
    cdef Text name = plain_text(ev, 2)
    cdef Str* container = intern_text(state, plain_text(ev, 5))
    cdef Account* account
    if not has_param(ev, 0) or _no_account(name):
        return
    if ev.type == USER_DELETED:
        remove_account(state, container, uid, False)
        return
    account = add_account(state, container, uid, False)
    if account == NULL:
        return
    account.gid = <uint32_t> param_u64(ev, 1, 0)
    account.name = intern_text(state, name)
    account.home = intern_text(state, plain_text(ev, 3))
    account.shell = intern_text(state, plain_text(ev, 4))


cdef void on_group(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef uint32_t gid = <uint32_t> param_u64(ev, 0, 0)
    cdef Text name = plain_text(ev, 1)
    cdef Str* container = intern_text(state, plain_text(ev, 2))
    cdef Account* account
    if not has_param(ev, 0) or _no_account(name):
        return
    if ev.type == GROUP_DELETED:
        remove_account(state, container, gid, True)
        return
    account = add_account(state, container, gid, True)
    if account != NULL:
        account.gid = gid
        account.name = intern_text(state, name)


# -- containers ------------------------------------------------------------------------------------

cdef Str* _text(State* state, dict source, str key):
    value = source.get(key)
    if not isinstance(value, str) or not value:
        return state.strings.empty
    return _intern(state, value)


cdef Str* _intern(State* state, str value):
    cdef bytes raw
    try:
        raw = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = value.encode("utf-8", "replace")
    return intern(state.strings, raw, len(raw))


cdef bint _flag(dict source, str key):
    return source.get(key) is True


cdef Label* _labels(State* state, object source, uint32_t* count):
    cdef Label* labels
    cdef uint32_t n = 0
    count[0] = 0
    if not isinstance(source, dict) or not source:
        return NULL
    labels = <Label*> calloc(min(len(source), MAX_ITEMS), sizeof(Label))
    if labels == NULL:
        return NULL
    for key, value in (<dict> source).items():
        if not isinstance(value, str) or n == MAX_ITEMS:
            state.counters.bad_params += 1
            continue
        labels[n].key = _intern(state, key)
        labels[n].value = _intern(state, value)
        n += 1
    count[0] = n
    return labels


cdef Mount* _mounts(State* state, object source, uint32_t* count):
    cdef Mount* mounts
    cdef uint32_t n = 0
    count[0] = 0
    if not isinstance(source, list) or not source:
        return NULL
    mounts = <Mount*> calloc(min(len(source), MAX_ITEMS), sizeof(Mount))
    if mounts == NULL:
        return NULL
    for item in <list> source:
        if not isinstance(item, dict) or n == MAX_ITEMS:
            state.counters.bad_params += 1
            continue
        mounts[n].source = _text(state, item, "Source")
        mounts[n].dest = _text(state, item, "Destination")
        mounts[n].mode = _text(state, item, "Mode")
        mounts[n].propagation = _text(state, item, "Propagation")
        mounts[n].rw = _flag(item, "RW")
        n += 1
    count[0] = n
    return mounts


cdef Str* _identity(State* state, dict source):
    # "" : the object names no container
    value = source.get("id")
    if not isinstance(value, str) or not value:
        value = source.get("full_id")
        if not isinstance(value, str) or not value:
            return state.strings.empty
        value = (<str> value)[:SHORT_ID]
    return _intern(state, value)


cdef Container* _add(State* state, dict source):
    cdef Str* id = _identity(state, source)
    cdef Container* c
    if id == state.strings.empty:
        state.counters.bad_params += 1
        return NULL
    c = add_container(state, id)
    if c == NULL:
        return NULL
    kind = source.get("type")
    if isinstance(kind, int) and not isinstance(kind, bool) and 0 <= kind <= UNKNOWN_TYPE:
        c.type = <int> kind
    else:
        c.type = UNKNOWN_TYPE
    c.has_metadata = True
    c.full_id = _text(state, source, "full_id")
    c.name = _text(state, source, "name")
    c.image = _text(state, source, "image")
    c.image_id = _text(state, source, "imageid")
    c.image_repo = _text(state, source, "imagerepo")
    c.image_tag = _text(state, source, "imagetag")
    c.image_digest = _text(state, source, "imagedigest")
    c.ip = _text(state, source, "ip")
    c.cni_json = _text(state, source, "cni_json")
    c.user = _text(state, source, "User")
    c.pod_sandbox_id = _text(state, source, "pod_sandbox_id")
    c.privileged = _flag(source, "privileged")
    c.host_pid = _flag(source, "host_pid")
    c.host_network = _flag(source, "host_network")
    c.host_ipc = _flag(source, "host_ipc")
    c.is_pod_sandbox = _flag(source, "is_pod_sandbox")
    c.labels = _labels(state, source.get("labels"), &c.n_labels)
    c.pod_labels = _labels(state, source.get("pod_sandbox_labels"), &c.n_pod_labels)
    c.mounts = _mounts(state, source.get("Mounts"), &c.n_mounts)
    return c


cdef Container* _read(State* state, const char* text, uint32_t length, bint removed):
    cdef Container* c
    cdef Str* id
    source = json.loads((<bytes> text[:length]).decode("utf-8", "surrogateescape"))
    if isinstance(source, dict) and isinstance(source.get("container"), dict):
        source = source["container"]
    if not isinstance(source, dict):
        state.counters.bad_params += 1
        return NULL
    if not removed:
        return _add(state, source)
    id = _identity(state, source)
    c = find_container(state, id) if id != state.strings.empty else NULL
    if c != NULL:
        # Rules see it once more.
        state.pending_container = id
        state.attention = True
    return c


cdef Container* _read_guarded(State* state, const char* text, uint32_t length, bint removed) noexcept with gil:
    try:
        return _read(state, text, length, removed)
    except Exception:
        # Whatever is wrong with the text (syntax, depth, size), the event itself stays.
        state.counters.bad_params += 1
        return NULL


cdef void on_container(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Text text = plain_text(ev, 0)
    if text.len:
        c.event_container = _read_guarded(state, text.ptr, text.len, False)


cdef void on_async(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Text name = plain_text(ev, 1)
    cdef Text text = plain_text(ev, 2)
    if not text.len:
        return
    if name.len == 9 and memcmp(name.ptr, b"container", 9) == 0:
        c.event_container = _read_guarded(state, text.ptr, text.len, False)
    elif name.len == 17 and memcmp(name.ptr, b"container_removed", 17) == 0:
        c.event_container = _read_guarded(state, text.ptr, text.len, True)


# -- back to text ----------------------------------------------------------------------------------

cdef str _read_str(const Str* text):
    return "" if text == NULL else text.ptr[:text.len].decode("utf-8", "surrogateescape")


cdef dict _read_labels(const Label* labels, uint32_t n):
    return {_read_str(labels[i].key): _read_str(labels[i].value) for i in range(n)}


cdef bytes _container_text(const Container* c):
    inner = {
        "id": _read_str(c.id),
        "full_id": _read_str(c.full_id),
        "type": c.type,
        "name": _read_str(c.name),
        "image": _read_str(c.image),
        "imageid": _read_str(c.image_id),
        "imagerepo": _read_str(c.image_repo),
        "imagetag": _read_str(c.image_tag),
        "imagedigest": _read_str(c.image_digest),
        "User": _read_str(c.user),
        "ip": _read_str(c.ip),
        "cni_json": _read_str(c.cni_json),
        "privileged": bool(c.privileged),
        "host_pid": bool(c.host_pid),
        "host_network": bool(c.host_network),
        "host_ipc": bool(c.host_ipc),
        "is_pod_sandbox": bool(c.is_pod_sandbox),
        "pod_sandbox_id": _read_str(c.pod_sandbox_id),
        "labels": _read_labels(c.labels, c.n_labels),
        "pod_sandbox_labels": _read_labels(c.pod_labels, c.n_pod_labels),
        "Mounts": [
            {
                "Source": _read_str(c.mounts[i].source),
                "Destination": _read_str(c.mounts[i].dest),
                "Mode": _read_str(c.mounts[i].mode),
                "RW": bool(c.mounts[i].rw),
                "Propagation": _read_str(c.mounts[i].propagation),
            }
            for i in range(c.n_mounts)
        ],
    }
    text = json.dumps({"container": inner}, ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape")


cdef list container_texts(State* state):
    cdef Container* c
    cdef uint32_t i
    found = []
    for i in range(state.n_container_buckets):
        c = state.container_buckets[i]
        while c != NULL:
            if c.has_metadata and c.id != state.strings.empty:
                found.append(_container_text(c))
            c = c.hash_next
    return found

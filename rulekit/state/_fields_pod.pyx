"""Extractors of the class pod: the pod that a request to a Kubernetes API server creates or changes.

The fields are rulekit's own. They read the pod of every object that has or makes one, take all kinds
of containers alike, say `unset` where the author of the pod said nothing, and give a container what
it inherits from its pod (as the API defines it: core/v1, SecurityContext and PodSecurityContext).

A pod is taken apart once per document, into arrays of values by what they are called. Of repeated
keys the last one counts, as for the API server; null is the same as nothing.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memset

from rulekit.native._document cimport Document, Place, document_at, place_child, place_root
from rulekit.native._json cimport (
    Json, JsonItems, json_begin, json_is_array, json_is_object, json_is_string, json_key_is, json_next,
)
from rulekit.native._scratch cimport scratch_alloc
from rulekit.state._fields cimport (
    SCOPE_EVENT, FieldRef, Value, extract_fn, put_list, put_text,
)
from rulekit.state._fields_json cimport put_json
from rulekit.state._state cimport Context

cdef enum:
    MAX_KEYS = 16            # of one object
    MAX_TEMPLATES = 4        # in each other
    MAX_CONTAINERS = 1 << 17 # of one kind: more than a request can hold

cdef enum Top:               # what is looked for in any object
    T_KIND, T_METADATA, T_SPEC, T_TEMPLATE, N_TOP

cdef enum Meta:
    M_NAME, M_GENERATE_NAME, M_NAMESPACE, M_ANNOTATIONS, N_META

cdef enum Spec:              # of a pod, and of what makes pods
    P_CONTAINERS, P_INIT_CONTAINERS, P_EPHEMERAL_CONTAINERS, P_SECURITY, P_HOST_NETWORK, P_HOST_PID,
    P_HOST_IPC, P_HOST_USERS, P_OS, P_VOLUMES, P_ACCOUNT, P_TOKEN, P_TEMPLATE, P_JOB_TEMPLATE, N_SPEC

cdef enum Security:          # of a pod or a container
    S_PRIVILEGED, S_ESCALATION, S_READ_ONLY, S_NON_ROOT, S_USER, S_GROUP, S_PROC_MOUNT, S_SECCOMP,
    S_APPARMOR, S_SELINUX, S_WINDOWS, S_CAPABILITIES, S_SYSCTLS, S_FS_GROUP, S_GROUPS, N_SECURITY

cdef enum Container:
    C_NAME, C_IMAGE, C_SECURITY, C_PORTS, C_LIVENESS, C_READINESS, C_STARTUP, C_LIFECYCLE, N_CONTAINER

cdef enum Member:            # of an object found by one of the above
    O_NONE, O_TYPE, O_USER, O_ROLE, O_HOST_PROCESS, O_NAME, O_ADD, O_DROP, O_HOST_PORT, O_HOST, O_PATH,
    O_HOST_PATH, O_HTTP_GET, O_TCP_SOCKET, O_POST_START, O_PRE_STOP, N_MEMBER

cdef struct Key:
    const char* text
    uint32_t len

cdef struct ContainerView:
    uint8_t kind             # Spec: the list it is in
    Json parts[N_CONTAINER]
    Json security[N_SECURITY]

cdef struct PodView:         # in scratch memory; of the current document
    bint found
    Json kind
    Json meta[N_META]        # of the object
    Json annotations         # of the pod
    Json spec[N_SPEC]
    Json security[N_SECURITY]
    ContainerView* containers
    uint32_t n

cdef Key TOP[N_TOP]
cdef Key META[N_META]
cdef Key SPEC[N_SPEC]
cdef Key SECURITY[N_SECURITY]
cdef Key CONTAINER[N_CONTAINER]
cdef Key MEMBER[N_MEMBER]
cdef list _kept = []         # the texts of the keys


cdef int _fill(Key* keys, str names) except -1:
    cdef int i
    cdef bytes text
    for i, name in enumerate(names.split()):
        text = name.encode()
        _kept.append(text)
        keys[i].text = <const char*> text
        keys[i].len = <uint32_t> len(text)
    return 0


_fill(TOP, "kind metadata spec template")
_fill(META, "name generateName namespace annotations")
_fill(
    SPEC,
    "containers initContainers ephemeralContainers securityContext hostNetwork hostPID hostIPC hostUsers"
    " os volumes serviceAccountName automountServiceAccountToken template jobTemplate",
)
_fill(
    SECURITY,
    "privileged allowPrivilegeEscalation readOnlyRootFilesystem runAsNonRoot runAsUser runAsGroup"
    " procMount seccompProfile appArmorProfile seLinuxOptions windowsOptions capabilities sysctls"
    " fsGroup supplementalGroups",
)
_fill(
    CONTAINER,
    "name image securityContext ports livenessProbe readinessProbe startupProbe lifecycle",
)
_fill(
    MEMBER,
    "- type user role hostProcess name add drop hostPort host path hostPath httpGet tcpSocket"
    " postStart preStop",
)

cdef Place* VERB = place_child(place_root(), b"verb")
cdef Place* REQUEST = place_child(place_root(), b"requestObject")
cdef Place* RESPONSE = place_child(place_root(), b"responseObject")
cdef Place* TARGET_NAME = place_child(place_child(place_root(), b"objectRef"), b"name")
cdef Place* TARGET_NAMESPACE = place_child(place_child(place_root(), b"objectRef"), b"namespace")

cdef const char* APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


# ---- taking apart -------------------------------------------------------------------------------

cdef inline bint _is_null(Json value) noexcept nogil:
    return value.len == 0 or (value.len == 4 and memcmp(value.ptr, <const char*> "null", 4) == 0)


cdef void _pick(Json value, const Key* keys, int n, Json* found) noexcept nogil:
    # The members of these names; the last one of a name counts.
    cdef JsonItems items
    cdef bint escaped
    cdef int i
    memset(found, 0, n * sizeof(Json))
    if not json_is_object(value):
        return
    json_begin(&items, value)
    while json_next(&items):
        escaped = memchr(items.key.ptr, c'\\', items.key.len) != NULL
        for i in range(n):
            if (
                (items.key.len == keys[i].len + 2 or escaped)
                and json_key_is(items.key, keys[i].text, keys[i].len)
            ):
                if _is_null(items.value):
                    found[i].ptr = NULL
                    found[i].len = 0
                else:
                    found[i] = items.value
                break


cdef inline Json _member(Json value, Member member) noexcept nogil:
    cdef Json found
    _pick(value, &MEMBER[<int> member], 1, &found)
    return found


cdef bint _find(PodView* pod, Json value) noexcept nogil:
    """Find the pod in an object: itself, or the template of what makes pods."""
    cdef Json top[N_TOP]
    cdef Json meta[N_META]
    cdef Json inner
    cdef bint is_pod
    cdef int depth
    _pick(value, TOP, N_TOP, top)
    pod.kind = top[<int> T_KIND]
    is_pod = json_is_string(pod.kind) and json_key_is(pod.kind, "Pod", 3)
    _pick(top[<int> T_METADATA], META, N_META, pod.meta)
    pod.annotations = pod.meta[<int> M_ANNOTATIONS]
    for depth in range(MAX_TEMPLATES):
        inner = top[<int> T_TEMPLATE]
        if json_is_object(top[<int> T_SPEC]):
            _pick(top[<int> T_SPEC], SPEC, N_SPEC, pod.spec)
            if json_is_array(pod.spec[<int> P_CONTAINERS]) or is_pod:
                return True
            inner = pod.spec[<int> P_TEMPLATE]
            if inner.ptr == NULL:
                inner = pod.spec[<int> P_JOB_TEMPLATE]
        if not json_is_object(inner):
            return False
        _pick(inner, TOP, N_TOP, top)
        _pick(top[<int> T_METADATA], META, N_META, meta)
        pod.annotations = meta[<int> M_ANNOTATIONS]
    return False


cdef uint32_t _count(Json value) noexcept nogil:
    cdef JsonItems items
    cdef uint32_t n = 0
    if json_is_array(value):
        json_begin(&items, value)
        while n < MAX_CONTAINERS and json_next(&items):
            n += 1
    return n


cdef void _take_containers(PodView* pod, Spec kind, uint32_t n) noexcept nogil:
    cdef JsonItems items
    cdef ContainerView* container
    json_begin(&items, pod.spec[<int> kind])
    while n and json_next(&items):
        container = &pod.containers[pod.n]
        container.kind = <uint8_t> kind
        _pick(items.value, CONTAINER, N_CONTAINER, container.parts)
        _pick(container.parts[<int> C_SECURITY], SECURITY, N_SECURITY, container.security)
        pod.n += 1
        n -= 1


cdef PodView* _pod_of(Context* c) noexcept nogil:
    """Return the pod of the current document, taken apart on the first call; NULL: there is none."""
    cdef PodView* pod
    cdef Json verb
    cdef uint32_t n, n_init, n_ephemeral
    if c.document == NULL:
        return NULL
    if c.document.pod_epoch == c.document.epoch:
        pod = <PodView*> c.document.pod
        return pod if pod != NULL and pod.found else NULL
    pod = <PodView*> scratch_alloc(&c.state.scratch, sizeof(PodView))
    c.document.pod = pod
    c.document.pod_epoch = c.document.epoch
    if pod == NULL:
        return NULL
    pod.containers = NULL
    pod.n = 0
    # A patch says what changes; the object that results is the server's answer.
    verb = document_at(c.document, VERB)
    if json_is_string(verb) and json_key_is(verb, "patch", 5):
        pod.found = _find(pod, document_at(c.document, RESPONSE))
    else:
        pod.found = _find(pod, document_at(c.document, REQUEST))
    if not pod.found:
        return NULL
    _pick(pod.spec[<int> P_SECURITY], SECURITY, N_SECURITY, pod.security)
    n_init = _count(pod.spec[<int> P_INIT_CONTAINERS])
    n = _count(pod.spec[<int> P_CONTAINERS])
    n_ephemeral = _count(pod.spec[<int> P_EPHEMERAL_CONTAINERS])
    pod.containers = <ContainerView*> scratch_alloc(
        &c.state.scratch, (n + n_init + n_ephemeral + 1) * sizeof(ContainerView)
    )
    if pod.containers == NULL:
        pod.found = False
        return NULL
    _take_containers(pod, P_CONTAINERS, n)
    _take_containers(pod, P_INIT_CONTAINERS, n_init)
    _take_containers(pod, P_EPHEMERAL_CONTAINERS, n_ephemeral)
    return pod


# ---- values -------------------------------------------------------------------------------------

cdef inline bint _unset(Value* out) noexcept nogil:
    return put_text(out, "unset", 5)


cdef bint _is_zero(Json value) noexcept nogil:
    # A number that is 0 however it is written, -0 among them.
    cdef uint32_t i
    if not (c'0' <= value.ptr[0] <= c'9' or value.ptr[0] == c'-'):
        return False
    for i in range(value.len):
        if value.ptr[i] == c'e' or value.ptr[i] == c'E':
            break
        if c'1' <= value.ptr[i] <= c'9':
            return False
    return True


cdef bint _put(Context* c, Value* out, Json value) noexcept nogil:
    if value.ptr == NULL or (value.len == 2 and value.ptr[0] == c'"'):
        return _unset(out)
    if _is_zero(value):
        return put_text(out, "0", 1)
    return put_json(c, out, value)


cdef inline bint _add(Context* c, Value* out, Json value) noexcept nogil:
    if not _put(c, &out.items[out.n_items], value):
        return False
    out.n_items += 1
    return True


cdef inline int slot_of(const FieldRef* ref) noexcept nogil:
    return <int> ref.number


cdef inline Member member_of(const FieldRef* ref) noexcept nogil:
    return <Member> (ref.memory & 255)


cdef inline bint inherits(const FieldRef* ref) noexcept nogil:
    return (ref.memory & 256) != 0


cdef inline Json _inner(const FieldRef* ref, Json value) noexcept nogil:
    return value if member_of(ref) == O_NONE else _member(value, member_of(ref))


# ---- of the pod ---------------------------------------------------------------------------------

cdef bint x_kind(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    return pod != NULL and _put(c, out, pod.kind)


cdef bint x_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef Json name
    if pod == NULL:
        return False
    name = pod.meta[<int> M_NAME]
    if name.ptr == NULL:
        name = document_at(c.document, TARGET_NAME)
    if _is_null(name):
        name = pod.meta[<int> M_GENERATE_NAME]
    return _put(c, out, name)


cdef bint x_namespace(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef Json name
    if pod == NULL:
        return False
    name = pod.meta[<int> M_NAMESPACE]
    if name.ptr == NULL:
        name = document_at(c.document, TARGET_NAMESPACE)
    return _put(c, out, name)


cdef bint x_spec(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    return pod != NULL and _put(c, out, _inner(ref, pod.spec[slot_of(ref)]))


cdef bint x_security(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    return pod != NULL and _put(c, out, _inner(ref, pod.security[slot_of(ref)]))


# Items of an array, or a member of each.
cdef bint x_security_list(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef JsonItems items
    cdef Json value
    if pod == NULL:
        return False
    value = pod.security[slot_of(ref)]
    if not json_is_array(value) or not put_list(c, out, _count(value)):
        return False
    json_begin(&items, value)
    while out.n_items < MAX_CONTAINERS and json_next(&items):
        if not _add(c, out, _inner(ref, items.value)):
            return False
    return out.n_items != 0


cdef bint x_volume_types(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # What a volume has besides its name; more than one cannot be, but then all of them count.
    cdef PodView* pod = _pod_of(c)
    cdef JsonItems volumes, items
    cdef uint32_t n = 0
    cdef int32_t at = -1
    cdef bint any_type
    if pod == NULL or not json_is_array(pod.spec[<int> P_VOLUMES]):
        return False
    json_begin(&volumes, pod.spec[<int> P_VOLUMES])
    while json_next(&volumes):
        n += 1
        if json_is_object(volumes.value):
            json_begin(&items, volumes.value)
            while json_next(&items):
                n += 1
    if not put_list(c, out, n):
        return False
    json_begin(&volumes, pod.spec[<int> P_VOLUMES])
    while json_next(&volumes):
        at += 1
        if ref.index >= 0 and at != ref.index:
            continue
        any_type = False
        if json_is_object(volumes.value):
            json_begin(&items, volumes.value)
            while json_next(&items):
                if json_key_is(items.key, "name", 4) or _is_null(items.value):
                    continue
                any_type = True
                if not _add(c, out, items.key):
                    return False
        if not any_type:
            _unset(&out.items[out.n_items])
            out.n_items += 1
    return out.n_items != 0


cdef bint x_host_paths(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef JsonItems volumes
    cdef uint32_t n = 0
    cdef int32_t at = -1
    if pod == NULL or not json_is_array(pod.spec[<int> P_VOLUMES]):
        return False
    json_begin(&volumes, pod.spec[<int> P_VOLUMES])
    while json_next(&volumes):
        n += 1
    if not put_list(c, out, n):
        return False
    json_begin(&volumes, pod.spec[<int> P_VOLUMES])
    while json_next(&volumes):
        at += 1
        if ref.index >= 0 and at != ref.index:
            continue
        if not _add(c, out, _member(_member(volumes.value, O_HOST_PATH), O_PATH)):
            return False
    return out.n_items != 0


cdef void _profile_name(Value* out) noexcept nogil:
    # As the field that replaced the annotation says it.
    if out.len == 15 and memcmp(out.ptr, <const char*> "runtime/default", 15) == 0:
        put_text(out, "RuntimeDefault", 14)
    elif out.len >= 10 and memcmp(out.ptr, <const char*> "localhost/", 10) == 0:
        put_text(out, "Localhost", 9)
    elif out.len == 10 and memcmp(out.ptr, <const char*> "unconfined", 10) == 0:
        put_text(out, "Unconfined", 10)


cdef bint x_annotations(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef JsonItems items
    cdef Value name
    cdef uint32_t n = 0
    if pod == NULL or not json_is_object(pod.annotations):
        return False
    json_begin(&items, pod.annotations)
    while json_next(&items):
        n += 1
    if not put_list(c, out, n):
        return False
    json_begin(&items, pod.annotations)
    while json_next(&items):
        if not put_json(c, &name, items.key):
            return False
        if name.len >= 47 and memcmp(name.ptr, APPARMOR, 47) == 0:
            if not _add(c, out, items.value):
                return False
            _profile_name(&out.items[out.n_items - 1])
    return out.n_items != 0


# ---- of its containers, one entry each ----------------------------------------------------------

cdef inline bint _wanted(const FieldRef* ref, uint32_t i) noexcept nogil:
    return ref.index < 0 or <uint32_t> ref.index == i


cdef bint x_container_types(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef uint32_t i
    if pod == NULL or not put_list(c, out, pod.n):
        return False
    for i in range(pod.n):
        if not _wanted(ref, i):
            continue
        if pod.containers[i].kind == P_CONTAINERS:
            put_text(&out.items[out.n_items], "container", 9)
        elif pod.containers[i].kind == P_INIT_CONTAINERS:
            put_text(&out.items[out.n_items], "init", 4)
        else:
            put_text(&out.items[out.n_items], "ephemeral", 9)
        out.n_items += 1
    return out.n_items != 0


cdef bint x_parts(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef uint32_t i
    if pod == NULL or not put_list(c, out, pod.n):
        return False
    for i in range(pod.n):
        if _wanted(ref, i) and not _add(c, out, pod.containers[i].parts[slot_of(ref)]):
            return False
    return out.n_items != 0


cdef bint x_securities(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef Json value
    cdef uint32_t i
    if pod == NULL or not put_list(c, out, pod.n):
        return False
    for i in range(pod.n):
        if not _wanted(ref, i):
            continue
        value = pod.containers[i].security[slot_of(ref)]
        if slot_of(ref) == S_SELINUX and value.ptr != NULL:
            value = _inner(ref, value)       # these options are inherited as a whole
        else:
            value = _inner(ref, value)
            if value.ptr == NULL and inherits(ref):
                value = _inner(ref, pod.security[slot_of(ref)])
        if not _add(c, out, value):
            return False
    return out.n_items != 0


cdef bint _annotation_of(Context* c, PodView* pod, Json name, Value* out) noexcept nogil:
    cdef JsonItems items
    cdef Value key, wanted
    if not json_is_object(pod.annotations) or not put_json(c, &wanted, name):
        return False
    json_begin(&items, pod.annotations)
    while json_next(&items):
        if (
            put_json(c, &key, items.key)
            and key.len == 47 + wanted.len
            and memcmp(key.ptr, APPARMOR, 47) == 0
            and memcmp(key.ptr + 47, wanted.ptr, wanted.len) == 0
        ):
            if not _put(c, out, items.value):
                return False
            _profile_name(out)
            return True
    return False


# The field of the container, else its annotation, else the field of the pod.
cdef bint x_apparmor(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef ContainerView* container
    cdef Json value
    cdef uint32_t i
    if pod == NULL or not put_list(c, out, pod.n):
        return False
    for i in range(pod.n):
        if not _wanted(ref, i):
            continue
        container = &pod.containers[i]
        value = _member(container.security[<int> S_APPARMOR], O_TYPE)
        if value.ptr == NULL:
            if _annotation_of(c, pod, container.parts[<int> C_NAME], &out.items[out.n_items]):
                out.n_items += 1
                continue
            value = _member(pod.security[<int> S_APPARMOR], O_TYPE)
        if not _add(c, out, value):
            return False
    return out.n_items != 0


cdef bint x_drops_all(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef JsonItems items
    cdef Json dropped
    cdef uint32_t i
    cdef bint every
    if pod == NULL or not put_list(c, out, pod.n):
        return False
    for i in range(pod.n):
        if not _wanted(ref, i):
            continue
        every = False
        dropped = _member(pod.containers[i].security[<int> S_CAPABILITIES], O_DROP)
        if json_is_array(dropped):
            json_begin(&items, dropped)
            while json_next(&items):
                if json_is_string(items.value) and json_key_is(items.value, "ALL", 3):
                    every = True
        if every:
            put_text(&out.items[out.n_items], "true", 4)
        else:
            put_text(&out.items[out.n_items], "false", 5)
        out.n_items += 1
    return out.n_items != 0


# ---- of its containers, several entries each; `unset` for one without ---------------------------

cdef bint x_added(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef JsonItems items
    cdef Json added, nothing
    cdef uint32_t i, before, n = 0
    nothing.ptr = NULL
    nothing.len = 0
    if pod == NULL:
        return False
    for i in range(pod.n):
        n += 1 + _count(_member(pod.containers[i].security[<int> S_CAPABILITIES], O_ADD))
    if not put_list(c, out, n):
        return False
    for i in range(pod.n):
        if not _wanted(ref, i):
            continue
        before = out.n_items
        added = _member(pod.containers[i].security[<int> S_CAPABILITIES], O_ADD)
        if json_is_array(added):
            json_begin(&items, added)
            while out.n_items < n and json_next(&items):
                if not _add(c, out, items.value):
                    return False
        if out.n_items == before and not _add(c, out, nothing):
            return False
    return out.n_items != 0


cdef bint x_host_ports(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef JsonItems items
    cdef Json port, nothing
    cdef uint32_t i, before, n = 0
    nothing.ptr = NULL
    nothing.len = 0
    if pod == NULL:
        return False
    for i in range(pod.n):
        n += 1 + _count(pod.containers[i].parts[<int> C_PORTS])
    if not put_list(c, out, n):
        return False
    for i in range(pod.n):
        if not _wanted(ref, i):
            continue
        before = out.n_items
        if json_is_array(pod.containers[i].parts[<int> C_PORTS]):
            json_begin(&items, pod.containers[i].parts[<int> C_PORTS])
            while out.n_items < n and json_next(&items):
                port = _member(items.value, O_HOST_PORT)
                if port.ptr != NULL and not _add(c, out, port):
                    return False
        if out.n_items == before and not _add(c, out, nothing):
            return False
    return out.n_items != 0


cdef bint _add_hosts(Context* c, Value* out, Json handler) noexcept nogil:
    cdef Json host
    host = _member(_member(handler, O_HTTP_GET), O_HOST)
    if host.ptr != NULL and not _add(c, out, host):
        return False
    host = _member(_member(handler, O_TCP_SOCKET), O_HOST)
    return host.ptr == NULL or _add(c, out, host)


cdef bint x_handler_hosts(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef PodView* pod = _pod_of(c)
    cdef Json nothing
    cdef Json* parts
    cdef uint32_t i, before
    nothing.ptr = NULL
    nothing.len = 0
    if pod == NULL or not put_list(c, out, pod.n * 10):
        return False
    for i in range(pod.n):
        if not _wanted(ref, i):
            continue
        before = out.n_items
        parts = pod.containers[i].parts
        if not (
            _add_hosts(c, out, parts[<int> C_LIVENESS])
            and _add_hosts(c, out, parts[<int> C_READINESS])
            and _add_hosts(c, out, parts[<int> C_STARTUP])
            and _add_hosts(c, out, _member(parts[<int> C_LIFECYCLE], O_POST_START))
            and _add_hosts(c, out, _member(parts[<int> C_LIFECYCLE], O_PRE_STOP))
        ):
            return False
        if out.n_items == before and not _add(c, out, nothing):
            return False
    return out.n_items != 0


# ---- the registry -------------------------------------------------------------------------------

cdef dict _reads = {}        # field → (slot, Member and whether a container inherits it)


cdef int prepare_pod(FieldRef* ref, str name) except -1:
    ref.number, ref.memory = _reads[name]
    return 0


cdef int register_pod(add_fn add) except -1:
    cdef int inherited = 256

    def field(str name, size_t function, int slot=0, int how=O_NONE):
        _reads[f"pod.{name}"] = (slot, how)
        add(f"pod.{name}".encode(), <extract_fn> function, SCOPE_EVENT)

    field("kind", <size_t> x_kind)
    field("name", <size_t> x_name)
    field("namespace", <size_t> x_namespace)
    field("os", <size_t> x_spec, P_OS, O_NAME)
    for name, slot in (
        ("host_network", P_HOST_NETWORK), ("host_pid", P_HOST_PID), ("host_ipc", P_HOST_IPC),
        ("host_users", P_HOST_USERS), ("service_account", P_ACCOUNT), ("automount_token", P_TOKEN),
    ):
        field(name, <size_t> x_spec, slot)
    field("fs_group", <size_t> x_security, S_FS_GROUP)
    field("supplemental_groups", <size_t> x_security_list, S_GROUPS)
    field("sysctls", <size_t> x_security_list, S_SYSCTLS, O_NAME)
    field("apparmor", <size_t> x_security, S_APPARMOR, O_TYPE)
    field("apparmor_annotations", <size_t> x_annotations)
    field("volumes.type", <size_t> x_volume_types)
    field("volumes.host_path", <size_t> x_host_paths)
    field("containers.type", <size_t> x_container_types)
    field("containers.name", <size_t> x_parts, C_NAME)
    field("containers.image", <size_t> x_parts, C_IMAGE)
    for name, slot in (
        ("privileged", S_PRIVILEGED), ("allow_privilege_escalation", S_ESCALATION),
        ("read_only_root_filesystem", S_READ_ONLY), ("proc_mount", S_PROC_MOUNT),
    ):
        field(f"containers.{name}", <size_t> x_securities, slot)
    for name, slot, member in (
        ("run_as_non_root", S_NON_ROOT, O_NONE), ("run_as_user", S_USER, O_NONE),
        ("run_as_group", S_GROUP, O_NONE), ("seccomp", S_SECCOMP, O_TYPE),
        ("selinux.type", S_SELINUX, O_TYPE), ("selinux.user", S_SELINUX, O_USER),
        ("selinux.role", S_SELINUX, O_ROLE), ("host_process", S_WINDOWS, O_HOST_PROCESS),
    ):
        field(name, <size_t> x_security, slot, member)
        field(f"containers.{name}", <size_t> x_securities, slot, member | inherited)
    field("containers.apparmor", <size_t> x_apparmor)
    field("containers.drops_all_capabilities", <size_t> x_drops_all)
    field("containers.add_capabilities", <size_t> x_added)
    field("containers.host_ports", <size_t> x_host_ports)
    field("containers.handler_hosts", <size_t> x_handler_hosts)
    return 0

"""Extractors of the class ka: Kubernetes audit events.

What each field means, also where that is surprising, follows the k8saudit plugin (plugins commit
0b3cbd8, pkg/k8saudit/extract.go). Rules of thumb: `null` has the text "null"; a list without items
is null; a value of a type that the field does not expect makes the whole field null.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy

from rulekit.native._document cimport Document, Place, document_at, place_child, place_root
from rulekit.native._json cimport (
    Json, JsonItems, json_begin, json_is_array, json_is_object, json_is_string, json_item, json_key_is,
    json_member, json_next, json_text,
)
from rulekit.native._scratch cimport scratch_alloc
from rulekit.state._fields cimport (
    SCOPE_EVENT, FieldRef, Value, extract_fn, put_list, put_text,
)
from rulekit.state._fields_json cimport MAX_STEPS, put_json, steps_to
from rulekit.state._state cimport Context

cdef enum:
    MAX_NESTED = 300         # arrays in arrays that are looked into

cdef enum Subject:           # FieldRef.memory
    S_USER = 0
    S_SERVICE_ACCOUNT = 1
    S_NAMESPACED = 2
    S_GROUP = 3

cdef struct Many:            # values found along a path; NULL stands for one that is missing
    Json* items              # scratch memory
    uint32_t n
    uint32_t room


# Steps between slashes; a tilde stands for a slash inside of a step.
cdef Place* _place(bytes path) except NULL:
    cdef Place* place = place_root()
    for step in path.split(b"/"):
        place = place_child(place, step.replace(b"~", b"/"))
    return place


cdef Place* AUDIT_ID = _place(b"auditID")
cdef Place* TARGET_RESOURCE = _place(b"objectRef/resource")
cdef Place* TARGET_SUBRESOURCE = _place(b"objectRef/subresource")


cdef inline Place* place_of(const FieldRef* ref) noexcept nogil:
    return <Place*> <size_t> ref.number


cdef inline bint _is_audit(Context* c) noexcept nogil:
    return c.document != NULL and document_at(c.document, AUDIT_ID).ptr != NULL


# ---- one value ----------------------------------------------------------------------------------

cdef bint x_text(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _is_audit(c) and put_json(c, out, document_at(c.document, place_of(ref)))


cdef inline bint _text_is(Json value, const char* text, uint32_t length) noexcept nogil:
    # Whether a string has these contents; keys are strings, too.
    return json_is_string(value) and json_key_is(value, text, length)


cdef bint x_target_pod(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Json part
    if not _is_audit(c) or not _text_is(document_at(c.document, TARGET_RESOURCE), "pods", 4):
        return False
    part = document_at(c.document, TARGET_SUBRESOURCE)
    if json_is_string(part) and part.len != 2:
        return False
    return put_json(c, out, document_at(c.document, place_of(ref)))


cdef bint x_true(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _is_audit(c) and put_text(out, "true", 4)


# ---- values along a path ------------------------------------------------------------------------

cdef bint _push(Context* c, Many* many, Json value) noexcept nogil:
    cdef Json* grown
    if many.n == many.room:
        many.room = many.room * 2 if many.room else 8
        grown = <Json*> scratch_alloc(&c.state.scratch, many.room * sizeof(Json))
        if grown == NULL:
            many.room = many.n
            return False
        if many.n:
            memcpy(grown, many.items, many.n * sizeof(Json))
        many.items = grown
    many.items[many.n] = value
    many.n += 1
    return True


cdef bint _walk(
    Context* c, Many* many, Json value, const Place** steps, uint32_t n, int32_t index, uint32_t nested
) noexcept nogil:
    cdef JsonItems items
    cdef Json missing
    cdef uint32_t i
    missing.ptr = NULL
    missing.len = 0
    for i in range(n):
        if json_is_array(value):
            if index < 0:
                if nested > MAX_NESTED:
                    return False
                json_begin(&items, value)
                while json_next(&items):
                    if not _walk(c, many, items.value, steps + i, n - i, index, nested + 1):
                        if not _push(c, many, missing):
                            return False
                return True
            value = json_item(value, <uint32_t> index)
            if value.ptr == NULL:
                return False
        if steps[i].key_len:
            value = json_member(value, steps[i].key, steps[i].key_len)
        if value.ptr == NULL:
            return False
    return _push(c, many, value)


cdef bint _along(Context* c, const Place* place, int32_t index, Many* many) noexcept nogil:
    """Collect what lies at `place`; arrays on the way stand for each item, or for item `index`."""
    cdef const Place* steps[MAX_STEPS]
    cdef uint32_t i = 0, n
    cdef Json value
    many.items = NULL
    many.n = many.room = 0
    if not _is_audit(c):
        return False
    n = steps_to(place, steps)
    value = c.document.root
    while i < n and steps[i].key_len and json_is_object(value):
        value = document_at(c.document, steps[i])
        if value.ptr == NULL:
            return False
        i += 1
    return _walk(c, many, value, steps + i, n - i, index, 0)


cdef inline bint _add(Context* c, Value* out, Json value) noexcept nogil:
    if not put_json(c, &out.items[out.n_items], value):
        return False
    out.n_items += 1
    return True


cdef bint _all_items(Context* c, Json value, Value* out) noexcept nogil:
    """Make a list of the texts of an array."""
    cdef JsonItems items
    cdef uint32_t n = 0
    json_begin(&items, value)
    while json_next(&items):
        n += 1
    if n == 0 or not put_list(c, out, n):
        return False
    json_begin(&items, value)
    while json_next(&items):
        if not _add(c, out, items.value):
            return False
    return True


cdef bint x_texts(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Json value
    if not _is_audit(c):
        return False
    value = document_at(c.document, place_of(ref))
    return json_is_array(value) and _all_items(c, value, out)


# Missing values are left out.
cdef bint x_some(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Many many
    cdef uint32_t i
    if not _along(c, place_of(ref), ref.index, &many) or not put_list(c, out, many.n):
        return False
    for i in range(many.n):
        if many.items[i].ptr != NULL and not _add(c, out, many.items[i]):
            return False
    return out.n_items != 0


# One missing value makes the field null.
cdef bint x_all(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Many many
    cdef uint32_t i
    if not _along(c, place_of(ref), ref.index, &many) or not put_list(c, out, many.n):
        return False
    for i in range(many.n):
        if not _add(c, out, many.items[i]):
            return False
    return out.n_items != 0


# A missing value stands for what the pod says.
cdef bint x_effective(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Many many
    cdef uint32_t i
    cdef Json fallback
    if not _along(c, place_of(ref), ref.index, &many) or not put_list(c, out, many.n):
        return False
    fallback = document_at(c.document, <const Place*> <size_t> ref.memory)
    if fallback.ptr == NULL:
        fallback.ptr = "0"
        fallback.len = 1
    for i in range(many.n):
        if not _add(c, out, many.items[i] if many.items[i].ptr != NULL else fallback):
            return False
    return out.n_items != 0


cdef void _cut_tag(Value* image) noexcept nogil:
    # Up to the first colon: a registry with a port is cut there, too.
    cdef const void* end = memchr(image.ptr, c':', image.len)
    if end != NULL:
        image.len = <uint32_t> (<const char*> end - image.ptr)
    end = memchr(image.ptr, c'@', image.len)
    if end != NULL:
        image.len = <uint32_t> (<const char*> end - image.ptr)


cdef bint x_repositories(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef uint32_t i
    if not x_all(c, ref, out):
        return False
    for i in range(out.n_items):
        _cut_tag(&out.items[i])
    return True


cdef bint x_first_image(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Many many
    return (
        _along(c, place_of(ref), 0, &many) and many.n != 0 and put_json(c, out, many.items[0])
    )


cdef bint x_first_repository(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if not x_first_image(c, ref, out):
        return False
    _cut_tag(out)
    return True


cdef bint x_any_true(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Many many
    cdef uint32_t i
    if not _along(c, place_of(ref), -1, &many):
        return False
    for i in range(many.n):
        if many.items[i].len == 4 and memcmp(many.items[i].ptr, <const char*> "true", 4) == 0:
            return put_text(out, "true", 4)
    return put_text(out, "false", 5)


# Arrays of strings, each joined by blanks.
cdef bint x_joined(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Many many
    cdef uint32_t i
    if not _along(c, place_of(ref), ref.index, &many) or not put_list(c, out, many.n):
        return False
    for i in range(many.n):
        if many.items[i].ptr == NULL:
            continue
        if not _join(c, many.items[i], &out.items[out.n_items]):
            return False
        out.n_items += 1
    return out.n_items != 0


cdef bint _join(Context* c, Json value, Value* out) noexcept nogil:
    cdef JsonItems items
    cdef const char* text
    cdef uint32_t length
    cdef char* joined
    cdef char* at
    cdef bint first = True
    if not json_is_array(value):
        return False
    # Never longer than the array: a comma and two quotes make room for a blank.
    joined = at = <char*> scratch_alloc(&c.state.scratch, value.len)
    if joined == NULL:
        return False
    json_begin(&items, value)
    while json_next(&items):
        if not json_is_string(items.value) or not json_text(&c.state.scratch, items.value, &text, &length):
            return False
        if not first:
            at[0] = c' '
            at += 1
        first = False
        memcpy(at, text, length)
        at += length
    return put_text(out, joined, <uint32_t> (at - joined))


cdef bint x_host_ports(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Many many, ports
    cdef JsonItems items
    cdef Json port
    cdef uint32_t i
    if not _along(c, place_of(ref), ref.index, &many):
        return False
    ports.items = NULL
    ports.n = ports.room = 0
    for i in range(many.n):
        if many.items[i].ptr == NULL:
            continue
        if not json_is_array(many.items[i]):
            return False
        json_begin(&items, many.items[i])
        while json_next(&items):
            port = json_member(items.value, "hostPort", 8)
            if port.ptr == NULL:
                # With hostNetwork, this is the port of the host.
                port = json_member(items.value, "containerPort", 13)
            if port.ptr != NULL and not _push(c, &ports, port):
                return False
    return _put_many(c, &ports, out)


cdef bint _put_many(Context* c, const Many* many, Value* out) noexcept nogil:
    cdef uint32_t i
    if many.n == 0 or not put_list(c, out, many.n):
        return False
    for i in range(many.n):
        if not _add(c, out, many.items[i]):
            return False
    return True


# The items of all arrays found, as one list; what is no array is left out.
cdef bint x_flat(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Many many, flat
    cdef JsonItems items
    cdef uint32_t i
    if not _along(c, place_of(ref), ref.index, &many):
        return False
    flat.items = NULL
    flat.n = flat.room = 0
    for i in range(many.n):
        if json_is_array(many.items[i]):
            json_begin(&items, many.items[i])
            while json_next(&items):
                if not _push(c, &flat, items.value):
                    return False
    return _put_many(c, &flat, out)


# ---- volumes and subjects -----------------------------------------------------------------------

cdef bint x_has_host_path(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # Looks at the first volume only: the plugin takes an argument that is a text for index 0.
    cdef Many many
    cdef Value path
    cdef uint32_t i, length = ref.key_len
    cdef bint prefix
    if length == 0 or not _along(c, place_of(ref), 0, &many):
        return False
    prefix = ref.key[length - 1] == c'*'
    for i in range(many.n):
        if not put_json(c, &path, many.items[i]):
            continue
        if prefix and path.len >= length - 1 and memcmp(path.ptr, ref.key, length - 1) == 0:
            return put_text(out, "true", 4)
        if path.len == length and memcmp(path.ptr, ref.key, length) == 0:
            return put_text(out, "true", 4)
    return put_text(out, "false", 5)


cdef bint x_volume_types(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Many many, types
    cdef JsonItems items
    cdef uint32_t i
    if not _along(c, place_of(ref), ref.index, &many):
        return False
    types.items = NULL
    types.n = types.room = 0
    for i in range(many.n):
        if not json_is_object(many.items[i]):
            continue
        json_begin(&items, many.items[i])
        while json_next(&items):
            if not json_key_is(items.key, "name", 4) and not _push(c, &types, items.key):
                return False
    return _put_many(c, &types, out)


cdef bint x_subjects(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef JsonItems items
    cdef Json subjects, kind, name
    cdef const char* wanted = "User"
    cdef uint32_t n = 0, length = 4
    if not _is_audit(c):
        return False
    subjects = document_at(c.document, place_of(ref))
    if not json_is_array(subjects):
        return False
    if ref.memory == S_SERVICE_ACCOUNT or ref.memory == S_NAMESPACED:
        wanted = "ServiceAccount"
        length = 14
    elif ref.memory == S_GROUP:
        wanted = "Group"
        length = 5
    json_begin(&items, subjects)
    while json_next(&items):
        n += 1
    if not put_list(c, out, n):
        return False
    json_begin(&items, subjects)
    while json_next(&items):
        kind = json_member(items.value, "kind", 4)
        name = json_member(items.value, "name", 4)
        if name.ptr == NULL or not _text_is(kind, wanted, length):
            continue
        if ref.memory != S_NAMESPACED:
            if not _add(c, out, name):
                return False
        elif not _add_namespaced(c, out, json_member(items.value, "namespace", 9), name):
            return False
    return out.n_items != 0


cdef bint _add_namespaced(Context* c, Value* out, Json namespace, Json name) noexcept nogil:
    cdef Value left, right
    cdef char* text
    if namespace.ptr == NULL:
        return True
    if not put_json(c, &left, namespace) or not put_json(c, &right, name):
        return False
    text = <char*> scratch_alloc(&c.state.scratch, <size_t> left.len + right.len + 1)
    if text == NULL:
        return False
    memcpy(text, left.ptr, left.len)
    text[left.len] = c':'
    memcpy(text + left.len + 1, right.ptr, right.len)
    put_text(&out.items[out.n_items], text, left.len + right.len + 1)
    out.n_items += 1
    return True


# ---- the query of the URI -----------------------------------------------------------------------

cdef inline int _digit(char c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    if c'a' <= (c | 32) <= c'f':
        return (c | 32) - c'a' + 10
    return -1


cdef bint _decodes(const char* at, const char* end) noexcept nogil:
    # Whether every percent sign begins an escape.
    while at < end:
        if at[0] == c'%':
            if end - at < 3 or _digit(at[1]) < 0 or _digit(at[2]) < 0:
                return False
            at += 2
        at += 1
    return True


cdef uint32_t _decode(const char* at, const char* end, char* out) noexcept nogil:
    cdef char* start = out
    while at < end:
        if at[0] == c'%':
            out[0] = <char> (_digit(at[1]) << 4 | _digit(at[2]))
            at += 2
        else:
            out[0] = c' ' if at[0] == c'+' else at[0]
        at += 1
        out += 1
    return <uint32_t> (out - start)


cdef inline const char* _find(const char* at, const char* end, char c) noexcept nogil:
    cdef const void* found = memchr(at, c, <size_t> (end - at)) if at < end else NULL
    return <const char*> found if found != NULL else end


cdef bint x_uri_param(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # One malformed parameter makes all of them unreadable, as in Go's net/url.
    cdef Value uri
    cdef const char* at
    cdef const char* end
    cdef const char* last
    cdef const char* equals
    cdef char* key
    cdef uint32_t i, length
    cdef bint found = False
    if not _is_audit(c) or not put_json(c, &uri, document_at(c.document, place_of(ref))):
        return False
    for i in range(uri.len):
        if <uint8_t> uri.ptr[i] < 32 or uri.ptr[i] == 127:
            return False
    last = _find(uri.ptr, uri.ptr + uri.len, c'#')
    at = _find(uri.ptr, last, c'?')
    if not _decodes(uri.ptr, at) or not _decodes(last, uri.ptr + uri.len):
        return False
    at += 1
    key = <char*> scratch_alloc(&c.state.scratch, uri.len + 1)
    if key == NULL:
        return False
    while at < last:
        end = _find(at, last, c'&')
        if at == end:
            at = end + 1
            continue
        if _find(at, end, c';') != end or not _decodes(at, end):
            return False
        equals = _find(at, end, c'=')
        length = _decode(at, equals, key)
        if not found and length == ref.key_len and memcmp(key, ref.key, length) == 0:
            found = True
            if equals < end:
                equals += 1
            length = _decode(equals, end, key)
            put_text(out, key, length)
            key += length
        at = end + 1
    return found


# ---- the registry -------------------------------------------------------------------------------

cdef dict _paths = {}        # field → (path, FieldRef.memory or path of the fallback)


def field_pointers():
    """Return the JSON pointer that each field of Kubernetes audit reads, by name."""
    import rulekit.state._fields  # noqa: F401 - registers all fields
    return {name: b"/" + path.replace(b"~", b"~1").rstrip(b"/") for name, (path, _) in _paths.items()}


cdef int prepare_k8s(FieldRef* ref, str name) except -1:
    cdef bytes path
    path, more = _paths[name]
    ref.number = <size_t> _place(path)
    if isinstance(more, bytes):
        ref.memory = <size_t> _place(more)
    else:
        ref.memory = more
    return 0


_TEXTS = {
    "auditid": b"auditID",
    "stage": b"stage",
    "auth.decision": b"annotations/authorization.k8s.io~decision",
    "auth.reason": b"annotations/authorization.k8s.io~reason",
    "auth.openshift.decision": b"annotations/authentication.openshift.io~decision",
    "auth.openshift.username": b"annotations/authentication.openshift.io~username",
    "validations.admission.policy.failure":
        b"annotations/validation.policy.admission.k8s.io~validation_failure",
    "security.pod.violations": b"annotations/pod-security.kubernetes.io~audit-violations",
    "user.name": b"user/username",
    "impuser.name": b"impersonatedUser/username",
    "verb": b"verb",
    "uri": b"requestURI",
    "target.name": b"objectRef/name",
    "target.namespace": b"objectRef/namespace",
    "target.resource": b"objectRef/resource",
    "target.subresource": b"objectRef/subresource",
    "req.binding.role": b"requestObject/roleRef/name",
    "req.configmap.name": b"objectRef/name",
    "req.configmap.obj": b"requestObject/data",
    "req.pod.host_ipc": b"requestObject/spec/hostIPC",
    "req.pod.host_network": b"requestObject/spec/hostNetwork",
    "req.container.host_network": b"requestObject/spec/hostNetwork",
    "req.pod.host_pid": b"requestObject/spec/hostPID",
    "req.pod.run_as_user": b"requestObject/spec/securityContext/runAsUser",
    "req.pod.run_as_group": b"requestObject/spec/securityContext/runAsGroup",
    "req.pod.fs_group": b"requestObject/spec/securityContext/fsGroup",
    "req.service.type": b"requestObject/spec/type",
    "resp.name": b"responseObject/metadata/name",
    "response.code": b"responseStatus/code",
    "response.reason": b"responseStatus/reason",
    "useragent": b"userAgent",
    "cluster.name": b"annotations/cluster_name",
}


cdef int register_k8s(add_fn add) except -1:
    def field(str name, size_t function, bytes path, more=0):
        _paths[f"ka.{name}"] = (path, more)
        add(f"ka.{name}".encode(), <extract_fn> function, SCOPE_EVENT)

    for name, path in _TEXTS.items():
        field(name, <size_t> x_text, path)
    field("target.pod.name", <size_t> x_target_pod, b"responseObject/metadata/name")
    field("uri.param", <size_t> x_uri_param, b"requestURI")
    field("user.groups", <size_t> x_texts, b"user/groups")
    subjects = b"requestObject/subjects"
    field("req.binding.subjects", <size_t> x_texts, subjects)
    field("req.binding.subjects.user_names", <size_t> x_subjects, subjects, S_USER)
    field("req.binding.subjects.serviceaccount_names", <size_t> x_subjects, subjects, S_SERVICE_ACCOUNT)
    field("req.binding.subjects.serviceaccount_ns_names", <size_t> x_subjects, subjects, S_NAMESPACED)
    field("req.binding.subjects.group_names", <size_t> x_subjects, subjects, S_GROUP)
    field("req.binding.subject.has_name", <size_t> x_true, subjects)
    field("req.role.rules", <size_t> x_texts, b"requestObject/rules")
    for name in ("apiGroups", "nonResourceURLs", "verbs", "resources"):
        field(f"req.role.rules.{name}", <size_t> x_flat, b"requestObject/rules/" + name.encode())
    # The plugin looks for the addresses in the rules of a role, not at the top of the event.
    field("sourceips", <size_t> x_flat, b"requestObject/rules/sourceIPs")
    spec = b"requestObject/spec/"
    field("req.pod.supplemental_groups", <size_t> x_texts, spec + b"securityContext/supplementalGroups")
    field("req.service.ports", <size_t> x_some, spec + b"ports")
    field("req.pod.volumes.hostpath", <size_t> x_some, spec + b"volumes/hostPath/path")
    field("req.volume.hostpath", <size_t> x_has_host_path, spec + b"volumes/hostPath/path")
    field("req.pod.volumes.flexvolume_driver", <size_t> x_some, spec + b"volumes/flexVolume/driver")
    field("req.pod.volumes.volume_type", <size_t> x_volume_types, spec + b"volumes/")
    field("req.container.image", <size_t> x_first_image, spec + b"containers/image")
    field("req.container.image.repository", <size_t> x_first_repository, spec + b"containers/image")
    field("req.container.privileged", <size_t> x_any_true, spec + b"containers/securityContext/privileged")
    for name in ("containers", "initContainers", "ephemeralContainers"):
        _register_containers(field, f"req.pod.{name}.", spec + name.encode() + b"/", spec)
    return 0


cdef int _register_containers(field, str name, bytes path, bytes spec) except -1:
    cdef bytes context = path + b"securityContext/"
    field(f"{name}name", <size_t> x_all, path + b"name")
    field(f"{name}image", <size_t> x_all, path + b"image")
    field(f"{name}image.repository", <size_t> x_repositories, path + b"image")
    field(f"{name}command", <size_t> x_joined, path + b"command")
    field(f"{name}args", <size_t> x_joined, path + b"args")
    field(f"{name}privileged", <size_t> x_some, context + b"privileged")
    field(f"{name}allow_privilege_escalation", <size_t> x_some, context + b"allowPrivilegeEscalation")
    field(f"{name}read_only_fs", <size_t> x_some, context + b"readOnlyRootFilesystem")
    field(f"{name}run_as_user", <size_t> x_some, context + b"runAsUser")
    field(f"{name}run_as_group", <size_t> x_some, context + b"runAsGroup")
    # The plugin does not look into the security contexts for these two.
    field(f"{name}eff_run_as_user", <size_t> x_effective, path + b"runAsUser", spec + b"runAsUser")
    field(f"{name}eff_run_as_group", <size_t> x_effective, path + b"runAsGroup", spec + b"runAsGroup")
    field(f"{name}proc_mount", <size_t> x_some, context + b"procMount")
    field(f"{name}add_capabilities", <size_t> x_some, context + b"capabilities/add")
    if "ephemeral" not in name:
        field(f"{name}host_port", <size_t> x_host_ports, path + b"ports")
    return 0

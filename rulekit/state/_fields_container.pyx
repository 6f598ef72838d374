"""Extractors of the classes user, group, container and k8s."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset, strlen

from rulekit.native._scratch cimport Buf, buf_put, buf_putc, buf_puts
from rulekit.native._strings cimport Str, intern
from rulekit.state._containers cimport account_of, find_container
from rulekit.state._fields cimport (
    SCOPE_CONST, SCOPE_EVENT, SCOPE_THREAD, FieldRef, Value, put_bool, put_cstr, put_int, put_str,
    put_text, put_uint, thread_of,
)
from rulekit.state._render cimport put_buf
from rulekit.state._state cimport Account, Container, Context, Label, Mount, Thread

cdef extern from "<regex.h>" nogil:
    ctypedef struct regex_t:
        pass
    ctypedef struct regmatch_t:
        pass
    int regexec(const regex_t* pattern, const char* text, size_t n, regmatch_t* matches, int flags)

cdef enum:
    UNSET = -1               # uid, gid and loginuid as signed numbers
    ID_SHOWN = 12


# --- Users and groups ----------------------------------------------------------------------------

cdef bint _account_name(Context* c, Thread* thread, uint32_t id, bint is_group, Value* out) noexcept nogil:
    cdef Account* account = account_of(c.state, thread.container_id, id, is_group)
    if account != NULL:
        return put_str(out, account.name)
    if id == 0:
        return put_text(out, "root", 4)
    return put_str(out, c.state.strings.na)


cdef bint x_user_uid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.uid)


cdef bint x_user_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    if c.event_container != NULL and c.event_container.user != NULL and c.event_container.user.len:
        return put_str(out, c.event_container.user)
    return thread != NULL and _account_name(c, thread, thread.uid, False, out)


cdef bint x_user_homedir(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Account* account
    if thread == NULL:
        return False
    account = account_of(c.state, thread.container_id, thread.uid, False)
    if account != NULL:
        return put_str(out, account.home)
    if thread.uid == 0:
        return put_text(out, "/root", 5)
    return put_str(out, c.state.strings.na)


cdef bint x_user_shell(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Account* account
    if thread == NULL:
        return False
    account = account_of(c.state, thread.container_id, thread.uid, False)
    return put_str(out, account.shell if account != NULL else c.state.strings.na)


cdef bint x_user_loginuid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    if thread == NULL:
        return False
    return put_int(out, UNSET if <int32_t> thread.loginuid == UNSET else <int64_t> thread.loginuid)


cdef bint x_user_loginname(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and _account_name(c, thread, thread.loginuid, False, out)


cdef bint x_group_gid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.gid)


cdef bint x_group_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and _account_name(c, thread, thread.gid, True, out)


# --- Containers ----------------------------------------------------------------------------------

cdef Container* _container(Context* c) noexcept nogil:
    # What is known about the event's container; NULL: no thread, or nothing but an id.
    cdef Thread* thread
    cdef Container* container = c.event_container
    if container == NULL:
        thread = thread_of(c)
        if thread == NULL:
            return NULL
        container = find_container(c.state, thread.container_id)
    if container == NULL or not container.has_metadata:
        return NULL
    return container


cdef inline bint _is_host(const Container* container) noexcept nogil:
    return container.id == NULL or container.id.len == 0


cdef bint x_id(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread
    cdef Str* id = NULL
    if c.event_container != NULL:
        id = c.event_container.id
    else:
        thread = thread_of(c)
        if thread == NULL:
            return False
        id = thread.container_id
    if id == NULL or id.len == 0:
        return put_text(out, "host", 4)
    return put_str(out, id)


cdef bint x_full_id(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    if container == NULL:
        return False
    if _is_host(container):
        return put_text(out, "host", 4)
    return put_str(out, container.full_id)


cdef bint x_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_str(out, container.name)


cdef bint x_type(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    cdef const char* name = ""
    if container == NULL:
        return False
    if container.type == 0:
        name = "docker"
    elif container.type == 1:
        name = "lxc"
    elif container.type == 2:
        name = "libvirt-lxc"
    elif container.type == 3:
        name = "mesos"
    elif container.type == 4:
        name = "rkt"
    elif container.type == 6:
        name = "cri"
    elif container.type == 7:
        name = "containerd"
    elif container.type == 8:
        name = "cri-o"
    elif container.type == 9:
        name = "bpm"
    elif container.type == 11:
        name = "podman"
    elif container.type == 65534:
        name = "host"
    return put_cstr(out, name)


cdef bint x_image(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_str(out, container.image)


cdef bint x_image_id(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_str(out, container.image_id)


cdef bint x_image_repo(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_str(out, container.image_repo)


cdef bint x_image_tag(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_str(out, container.image_tag)


cdef bint x_image_digest(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_str(out, container.image_digest)


cdef bint x_ip(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_str(out, container.ip)


cdef bint x_cni_json(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_str(out, container.cni_json)


cdef bint x_privileged(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_bool(out, container.privileged)


cdef bint x_host_pid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_bool(out, container.host_pid)


cdef bint x_host_network(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_bool(out, container.host_network)


cdef bint x_host_ipc(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_bool(out, container.host_ipc)


cdef bint x_start_ts(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and thread.pidns_init_start_ts != 0 and put_uint(out, thread.pidns_init_start_ts)


cdef bint x_duration(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return (thread != NULL and thread.pidns_init_start_ts != 0
            and put_uint(out, c.ev.ts_ns - thread.pidns_init_start_ts))


# --- Mounts --------------------------------------------------------------------------------------

cdef inline void _put_str(Buf* out, const Str* text) noexcept nogil:
    if text != NULL:
        buf_put(out, text.ptr, text.len)


cdef void _put_mount(Buf* out, const Mount* mount) noexcept nogil:
    _put_str(out, mount.source)
    buf_putc(out, c':')
    _put_str(out, mount.dest)
    buf_putc(out, c':')
    _put_str(out, mount.mode)
    buf_putc(out, c':')
    buf_puts(out, "true" if mount.rw else "false")
    buf_putc(out, c':')
    _put_str(out, mount.propagation)


cdef bint x_mounts(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    cdef Buf text
    cdef uint32_t i
    if container == NULL:
        return False
    memset(&text, 0, sizeof(text))
    for i in range(container.n_mounts):
        if i:
            buf_putc(&text, c',')
        _put_mount(&text, &container.mounts[i])
    return put_buf(c, out, &text)


cdef Mount* _mount(Context* c, FieldRef* ref, bint by_dest) noexcept nogil:
    # By number, or the first whose path has the pattern in it.
    cdef Container* container = _container(c)
    cdef const Str* path
    cdef uint32_t i
    if container == NULL:
        return NULL
    if ref.index >= 0:
        return &container.mounts[ref.index] if <uint32_t> ref.index < container.n_mounts else NULL
    if ref.pattern == NULL:
        return NULL
    for i in range(container.n_mounts):
        path = container.mounts[i].dest if by_dest else container.mounts[i].source
        if path != NULL and regexec(<const regex_t*> ref.pattern, path.ptr, 0, NULL, 0) == 0:
            return &container.mounts[i]
    return NULL


cdef bint x_mount(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Mount* mount = _mount(c, ref, False)
    cdef Buf text
    if mount == NULL:
        return False
    memset(&text, 0, sizeof(text))
    _put_mount(&text, mount)
    return put_buf(c, out, &text)


cdef bint x_mount_source(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Mount* mount = _mount(c, ref, True)
    return mount != NULL and put_str(out, mount.source)


cdef bint x_mount_dest(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Mount* mount = _mount(c, ref, False)
    return mount != NULL and put_str(out, mount.dest)


cdef bint x_mount_mode(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Mount* mount = _mount(c, ref, False)
    return mount != NULL and put_str(out, mount.mode)


cdef bint x_mount_rdwr(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Mount* mount = _mount(c, ref, False)
    return mount != NULL and put_cstr(out, "true" if mount.rw else "false")


cdef bint x_mount_propagation(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Mount* mount = _mount(c, ref, False)
    return mount != NULL and put_str(out, mount.propagation)


# --- Labels and pods -----------------------------------------------------------------------------

cdef Str* _label(const Label* labels, uint32_t n, const char* key, uint32_t key_len) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        if labels[i].key != NULL and labels[i].key.len == key_len and memcmp(labels[i].key.ptr, key, key_len) == 0:
            return labels[i].value
    return NULL


cdef inline bint _starts(const Str* text, const char* prefix) noexcept nogil:
    cdef size_t n = strlen(prefix)
    return text.len >= n and memcmp(text.ptr, prefix, n) == 0


cdef void _put_labels(Buf* out, const Label* labels, uint32_t n) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        if labels[i].key == NULL or _starts(labels[i].key, "annotation.") or _starts(labels[i].key, "io.kubernetes."):
            continue
        if out.len:
            buf_put(out, ", ", 2)
        _put_str(out, labels[i].key)
        buf_putc(out, c':')
        _put_str(out, labels[i].value)


cdef bint x_label(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    if container == NULL or ref.key == NULL:
        return False
    return put_str(out, _label(container.labels, container.n_labels, ref.key, ref.key_len))


cdef bint x_labels(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    cdef Buf text
    if container == NULL:
        return False
    memset(&text, 0, sizeof(text))
    _put_labels(&text, container.labels, container.n_labels)
    return put_buf(c, out, &text)


cdef inline bint _named_label(Context* c, const char* key, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    if container == NULL:
        return False
    return put_str(out, _label(container.labels, container.n_labels, key, <uint32_t> strlen(key)))


cdef bint x_pod_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _named_label(c, "io.kubernetes.pod.name", out)


cdef bint x_ns_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _named_label(c, "io.kubernetes.pod.namespace", out)


cdef bint x_pod_uid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _named_label(c, "io.kubernetes.pod.uid", out)


cdef bint x_sandbox_id(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    if container == NULL or container.pod_sandbox_id == NULL:
        return False
    if container.pod_sandbox_id.len <= ID_SHOWN:
        return put_str(out, container.pod_sandbox_id)
    return put_text(out, container.pod_sandbox_id.ptr, ID_SHOWN)


cdef bint x_full_sandbox_id(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    return container != NULL and put_str(out, container.pod_sandbox_id)


cdef Container* _pod(Context* c) noexcept nogil:
    # The network of a pod belongs to its sandbox, a container of its own.
    cdef Container* container = _container(c)
    cdef Container* sandbox
    cdef Str* id
    if container == NULL or (container.cni_json != NULL and container.cni_json.len):
        return container
    id = container.pod_sandbox_id
    if id == NULL or id.len == 0:
        return container
    if id.len > ID_SHOWN:
        id = intern(c.state.strings, id.ptr, ID_SHOWN)
    sandbox = find_container(c.state, id)
    return sandbox if sandbox != NULL and sandbox.has_metadata else container


cdef bint x_pod_label(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    cdef Container* pod = _pod(c)
    if container == NULL or ref.key == NULL:
        return False
    if put_str(out, _label(container.pod_labels, container.n_pod_labels, ref.key, ref.key_len)):
        return True
    if put_str(out, _label(pod.pod_labels, pod.n_pod_labels, ref.key, ref.key_len)):
        return True
    return pod != container and put_str(out, _label(pod.labels, pod.n_labels, ref.key, ref.key_len))


cdef bint x_pod_labels(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* container = _container(c)
    cdef Container* pod = _pod(c)
    cdef Buf text
    if container == NULL:
        return False
    memset(&text, 0, sizeof(text))
    if container.n_pod_labels:
        _put_labels(&text, container.pod_labels, container.n_pod_labels)
    elif pod.n_pod_labels or pod == container:
        _put_labels(&text, pod.pod_labels, pod.n_pod_labels)
    else:
        _put_labels(&text, pod.labels, pod.n_labels)
    return put_buf(c, out, &text)


cdef bint x_pod_ip(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* pod = _pod(c)
    return pod != NULL and put_str(out, pod.ip)


cdef bint x_pod_cni_json(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Container* pod = _pod(c)
    return pod != NULL and put_str(out, pod.cni_json)


cdef int register_container(add_fn add) except -1:
    add("user.uid", x_user_uid, SCOPE_THREAD)
    add("user.name", x_user_name, SCOPE_THREAD)
    add("user.homedir", x_user_homedir, SCOPE_THREAD)
    add("user.shell", x_user_shell, SCOPE_THREAD)
    add("user.loginuid", x_user_loginuid, SCOPE_THREAD)
    add("user.loginname", x_user_loginname, SCOPE_THREAD)
    add("group.gid", x_group_gid, SCOPE_THREAD)
    add("group.name", x_group_name, SCOPE_THREAD)
    add("container.id", x_id, SCOPE_THREAD)
    add("container.full_id", x_full_id, SCOPE_THREAD)
    add("container.name", x_name, SCOPE_THREAD)
    add("container.type", x_type, SCOPE_THREAD)
    add("container.image", x_image, SCOPE_THREAD)
    add("container.image.id", x_image_id, SCOPE_THREAD)
    add("container.image.repository", x_image_repo, SCOPE_THREAD)
    add("container.image.tag", x_image_tag, SCOPE_THREAD)
    add("container.image.digest", x_image_digest, SCOPE_THREAD)
    add("container.ip", x_ip, SCOPE_THREAD)
    add("container.cni.json", x_cni_json, SCOPE_THREAD)
    add("container.privileged", x_privileged, SCOPE_THREAD)
    add("container.host_pid", x_host_pid, SCOPE_THREAD)
    add("container.host_network", x_host_network, SCOPE_THREAD)
    add("container.host_ipc", x_host_ipc, SCOPE_THREAD)
    add("container.mounts", x_mounts, SCOPE_THREAD)
    add("container.mount", x_mount, SCOPE_THREAD)
    add("container.mount.source", x_mount_source, SCOPE_THREAD)
    add("container.mount.dest", x_mount_dest, SCOPE_THREAD)
    add("container.mount.mode", x_mount_mode, SCOPE_THREAD)
    add("container.mount.rdwr", x_mount_rdwr, SCOPE_THREAD)
    add("container.mount.propagation", x_mount_propagation, SCOPE_THREAD)
    add("container.start_ts", x_start_ts, SCOPE_THREAD)
    add("container.duration", x_duration, SCOPE_EVENT)
    add("container.label", x_label, SCOPE_THREAD)
    add("container.labels", x_labels, SCOPE_THREAD)
    add("k8s.pod.name", x_pod_name, SCOPE_THREAD)
    add("k8s.ns.name", x_ns_name, SCOPE_THREAD)
    add("k8s.pod.id", x_pod_uid, SCOPE_THREAD)
    add("k8s.pod.uid", x_pod_uid, SCOPE_THREAD)
    add("k8s.pod.sandbox_id", x_sandbox_id, SCOPE_THREAD)
    add("k8s.pod.full_sandbox_id", x_full_sandbox_id, SCOPE_THREAD)
    add("k8s.pod.label", x_pod_label, SCOPE_THREAD)
    add("k8s.pod.labels", x_pod_labels, SCOPE_THREAD)
    add("k8s.pod.ip", x_pod_ip, SCOPE_THREAD)
    add("k8s.pod.cni.json", x_pod_cni_json, SCOPE_THREAD)
    return 0

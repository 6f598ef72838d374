# hot: every event passes here
"""Extractors of the class fs.path: the paths that a successful file system call was about."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from rulekit.native._event cimport N_EVENT_TYPES, has_param, param_i64
from rulekit.state._fds cimport find_fd
from rulekit.state._fields cimport SCOPE_EVENT, FieldRef, Value, put_str, put_text, thread_of
from rulekit.state._paramtext cimport cwd_of, fd_dir, join_path, param_text
from rulekit.state._state cimport FD_DIRECTORY, Context, Fd, FdTable, Thread
from rulekit.state._threads cimport fd_table

cdef enum:
    AT_FDCWD = -100

cdef enum Success:
    NEVER = 0
    RES_IS_ZERO = 1          # p0 == 0
    FD_IS_OPEN = 2           # p0 != -1: the peers look for the one value, so most failed opens pass

cdef enum Base:              # what a relative path starts from
    CWD = 0
    EVENT_FD = 1             # opens: the name of the fd is the path
    DIRFD = 2                # the parameter before the path
    DIRECTORY = 3            # the same, but the fd must be known as a directory
    FD_NAME = 4              # not a parameter: the name of the fd the call was given
    NOWHERE = 5              # the text of a symbolic link

cdef struct Side:
    uint8_t param            # 0: none
    uint8_t base

cdef struct Rule:
    uint8_t success
    Side name
    Side source
    Side target

cdef Rule _rules[N_EVENT_TYPES]


cdef void _fill_rules():
    cdef int kind, param, base, source, source_base, target, target_base
    memset(_rules, 0, sizeof(_rules))
    for kind, param, base in (
        (3, 1, CWD),                 # open
        (307, 2, EVENT_FD),          # openat
        (327, 2, EVENT_FD),          # openat2
    ):
        _rules[kind].success = FD_IS_OPEN
        _rules[kind].name = Side(param, base)
    for kind, param, base in (
        (277, 1, CWD),               # mkdir
        (305, 2, DIRECTORY),             # mkdirat
        (279, 1, CWD),               # rmdir
        (301, 1, CWD),               # unlink
        (303, 2, DIRECTORY),             # unlinkat
        (315, 1, CWD),               # chmod
        (313, 2, DIRECTORY),             # fchmodat
        (317, 1, FD_NAME),           # fchmod
        (379, 1, CWD),               # chown
        (381, 1, CWD),               # lchown
        (385, 2, DIRECTORY),             # fchownat
        (383, 1, FD_NAME),           # fchown
        (191, 1, CWD),               # quotactl
        (387, 1, CWD),               # umount
        (391, 1, CWD),               # umount2
    ):
        _rules[kind].success = RES_IS_ZERO
        _rules[kind].name = Side(param, base)
    # A link names the new path its source and the existing one its target, as rename does not.
    for kind, source, source_base, target, target_base in (
        (175, 1, CWD, 2, CWD),       # rename
        (177, 2, DIRFD, 4, DIRFD),   # renameat
        (319, 2, DIRFD, 4, DIRFD),   # renameat2
        (309, 2, CWD, 1, CWD),       # link
        (311, 4, DIRFD, 2, DIRFD),   # linkat
        (179, 2, CWD, 1, CWD),       # symlink
        (181, 3, DIRECTORY, 1, NOWHERE),  # symlinkat
        (257, 1, CWD, 2, CWD),       # mount
    ):
        _rules[kind].success = RES_IS_ZERO
        _rules[kind].source = Side(source, source_base)
        _rules[kind].target = Side(target, target_base)


_fill_rules()


cdef bint _is_directory(Context* c, Thread* thread, int64_t num) noexcept nogil:
    cdef FdTable* table = fd_table(c.state, thread)
    cdef Fd* fd = find_fd(table, num) if table != NULL and num >= 0 else NULL
    return fd != NULL and fd.type == FD_DIRECTORY


cdef bint _path(Context* c, const Rule* rule, const Side* side, bint raw, Value* out) noexcept nogil:
    cdef Thread* thread
    cdef const char* path
    cdef const char* dir = "<UNKNOWN>"
    cdef uint32_t path_len
    cdef uint32_t dir_len = 9
    cdef int64_t res
    cdef int64_t dirfd
    if side.param == 0 or not has_param(c.ev, 0):
        return False
    res = param_i64(c.ev, 0, -1)
    if (res == -1) if rule.success == FD_IS_OPEN else (res != 0):
        return False
    if side.base == FD_NAME:
        path = ""
        path_len = 0
        if c.fd != NULL:
            path = c.fd.name.ptr
            path_len = c.fd.name.len
    elif side.param >= c.ev.nparams:
        return False
    else:
        param_text(c.ev, side.param, &path, &path_len)
    if raw:
        return put_text(out, path, path_len)
    thread = thread_of(c)
    if thread == NULL:
        return False
    if path_len != 0 and path[0] == c'/':
        dir_len = 0
    elif side.base == EVENT_FD:
        if c.fd == NULL:
            return put_text(out, dir, dir_len)
        dir_len = 0
        path = c.fd.name.ptr
        path_len = c.fd.name.len
    elif side.base == NOWHERE:
        pass
    elif side.base == CWD or side.base == FD_NAME:
        cwd_of(c, thread, &dir, &dir_len)
    else:
        dirfd = param_i64(c.ev, side.param - 1, AT_FDCWD)
        if dirfd == AT_FDCWD:
            cwd_of(c, thread, &dir, &dir_len)
        elif side.base == DIRECTORY and not _is_directory(c, thread, dirfd):
            pass
        elif not fd_dir(c, thread, dirfd, &dir, &dir_len):
            dir = "<UNKNOWN>"
            dir_len = 9
    return put_str(out, join_path(c, dir, dir_len, path, path_len))


cdef bint x_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const Rule* rule = &_rules[c.ev.type]
    return rule.success != NEVER and _path(c, rule, &rule.name, False, out)


cdef bint x_nameraw(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const Rule* rule = &_rules[c.ev.type]
    return rule.success != NEVER and _path(c, rule, &rule.name, True, out)


cdef bint x_source(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const Rule* rule = &_rules[c.ev.type]
    return rule.success != NEVER and _path(c, rule, &rule.source, False, out)


cdef bint x_sourceraw(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const Rule* rule = &_rules[c.ev.type]
    return rule.success != NEVER and _path(c, rule, &rule.source, True, out)


cdef bint x_target(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const Rule* rule = &_rules[c.ev.type]
    return rule.success != NEVER and _path(c, rule, &rule.target, False, out)


cdef bint x_targetraw(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const Rule* rule = &_rules[c.ev.type]
    return rule.success != NEVER and _path(c, rule, &rule.target, True, out)


cdef int register_path(add_fn add) except -1:
    add("fs.path.name", x_name, SCOPE_EVENT)
    add("fs.path.nameraw", x_nameraw, SCOPE_EVENT)
    add("fs.path.source", x_source, SCOPE_EVENT)
    add("fs.path.sourceraw", x_sourceraw, SCOPE_EVENT)
    add("fs.path.target", x_target, SCOPE_EVENT)
    add("fs.path.targetraw", x_targetraw, SCOPE_EVENT)
    return 0

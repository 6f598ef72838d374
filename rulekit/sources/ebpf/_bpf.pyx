"""libbpf, found when it is needed: objects, programs, maps, iterators.

The library is opened with dlopen, so that neither building nor importing rulekit needs it. Only
functions are used that libbpf has had since 0.8; its structures grow, so each is passed with its size.
Nothing here is pinned: all that was loaded goes with the process, however it ends.
"""

from libc.errno cimport errno
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset, strerror

cdef extern from *:
    """
    #include <stdarg.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>

    /* What the library and the verifier say, the last of it. */
    static char bpf_log[65536];
    static size_t bpf_log_size;

    static int keep_log(int level, const char *text, va_list args)
    {
        char *line;
        int n;
        size_t size;
        if (level > 1) /* debugging */
            return 0;
        n = vasprintf(&line, text, args);
        if (n < 0)
            return 0;
        size = n;
        if (size > sizeof(bpf_log) / 2) { /* of a long one the end tells what is wrong */
            memmove(line, line + size - sizeof(bpf_log) / 2, sizeof(bpf_log) / 2);
            size = sizeof(bpf_log) / 2;
        }
        if (bpf_log_size + size > sizeof(bpf_log)) {
            bpf_log_size -= sizeof(bpf_log) / 2;
            memmove(bpf_log, bpf_log + sizeof(bpf_log) / 2, bpf_log_size);
        }
        memcpy(bpf_log + bpf_log_size, line, size);
        bpf_log_size += size;
        free(line);
        return n;
    }
    """
    char* bpf_log
    size_t bpf_log_size
    ctypedef void* print_fn
    print_fn keep_log

cdef extern from "<dlfcn.h>":
    enum:
        RTLD_NOW
        RTLD_LOCAL
    void* dlopen(const char* name, int flags) nogil
    void* dlsym(void* library, const char* name) nogil
    char* dlerror() nogil

cdef struct OpenOptions:             # bpf_object_open_opts, as far as it is used
    size_t size
    const char* object_name

cdef struct IterOptions:             # bpf_iter_attach_opts
    size_t size
    void* link_info
    uint32_t link_info_len

cdef struct Library:
    void* (*set_print)(void* fn) nogil
    void* (*open_mem)(const void* data, size_t size, const OpenOptions* options) nogil
    int (*load)(void* handle) nogil
    void (*close)(void* handle) nogil
    void* (*find_program)(void* handle, const char* name) nogil
    void* (*find_map)(void* handle, const char* name) nogil
    int (*set_autoload)(void* program, bint autoload) nogil
    void* (*attach)(void* program) nogil
    void* (*attach_iter)(void* program, const IterOptions* options) nogil
    int (*link_fd)(void* link) nogil
    int (*link_destroy)(void* link) nogil
    int (*iter_create)(int link_fd) nogil
    int (*map_fd)(void* map) nogil
    int (*map_set_max_entries)(void* map, uint32_t n) nogil
    int (*map_set_initial_value)(void* map, const void* data, size_t size) nogil
    int (*map_update)(int fd, const void* key, const void* value, uint64_t flags) nogil
    int (*map_lookup)(int fd, const void* key, void* value) nogil
    int (*program_fd)(void* program) nogil
    int (*get_info)(int fd, void* info, uint32_t* size) nogil

cdef enum:
    SKIPPED_AT = 208                 # recursion_misses of bpf_prog_info
    INFO_BYTES = 216

cdef Library lib
cdef bint _opened = False

NAMES = ("libbpf.so.1", "libbpf.so.0")

_FUNCTIONS = (
    "libbpf_set_print", "bpf_object__open_mem", "bpf_object__load", "bpf_object__close",
    "bpf_object__find_program_by_name", "bpf_object__find_map_by_name",
    "bpf_program__set_autoload", "bpf_program__attach", "bpf_program__attach_iter",
    "bpf_link__fd", "bpf_link__destroy", "bpf_iter_create", "bpf_map__fd",
    "bpf_map__set_max_entries", "bpf_map__set_initial_value", "bpf_map_update_elem",
    "bpf_map_lookup_elem", "bpf_program__fd", "bpf_obj_get_info_by_fd",
)


class BpfError(OSError):
    """The kernel or libbpf refused something.

    Attributes:
        log: What libbpf and the verifier said about it, the end of it.
    """

    log = ""


class LibraryMissing(Exception):
    """There is no libbpf, or one that is too old."""


cdef object _error(str what, int code):
    code = abs(code)
    problem = BpfError(code, f"{what}: {strerror(code).decode()}")
    problem.log = (<bytes> bpf_log[:bpf_log_size]).decode("utf-8", "replace")
    return problem


def open_library():
    """Open libbpf; later calls do nothing.

    Raises:
        LibraryMissing: It is not installed, or lacks a function.
    """
    global _opened
    cdef void* handle = NULL
    cdef void** slot = <void**> &lib
    if _opened:
        return
    for name in NAMES:
        handle = dlopen(name.encode(), RTLD_NOW | RTLD_LOCAL)
        if handle != NULL:
            break
    if handle == NULL:
        raise LibraryMissing(f"no {NAMES[0]}")
    # The functions stand in the structure in the order of their names.
    for i, name in enumerate(_FUNCTIONS):
        slot[i] = dlsym(handle, name.encode())
        if slot[i] == NULL:
            raise LibraryMissing(f"it has no function {name}")
    lib.set_print(<void*> keep_log)
    _opened = True


cdef class BpfObject:
    """A compiled object: open it, prepare it, load it, attach it; `close` undoes all.

    Not thread-safe, except that maps may be read and written from any thread once it is loaded.

    Args:
        image: Bytes of the object file.
        name: How its maps and programs are called in lists of the kernel; up to 8 characters.

    Raises:
        BpfError: The object is damaged.
        LibraryMissing: See `open_library`.
    """

    cdef void* _object               # owned
    cdef list _links                 # addresses of owned links
    cdef bytes _name

    def __cinit__(self, bytes image not None, str name not None):
        global bpf_log_size
        cdef OpenOptions options
        self._links = []             # first: an object that fails is taken apart, too
        open_library()
        bpf_log_size = 0
        self._name = name.encode()
        options.size = sizeof(options)
        options.object_name = self._name
        self._object = lib.open_mem(<const char*> image, len(image), &options)
        if self._object == NULL:
            raise _error("the object cannot be opened", errno)

    def __dealloc__(self):
        self._close()

    def detach(self):
        """Detach every program; maps stay what they are. Idempotent."""
        cdef size_t link
        links, self._links = self._links, []
        for link in links:
            lib.link_destroy(<void*> link)

    cdef void _close(self):
        self.detach()
        if self._object != NULL:
            lib.close(self._object)
            self._object = NULL

    def close(self):
        """Detach and unload everything. Idempotent."""
        self._close()

    cdef void* _program(self, str name) except NULL:
        cdef void* program = NULL
        if self._object != NULL:
            program = lib.find_program(self._object, name.encode())
        if program == NULL:
            raise KeyError(name)
        return program

    cdef void* _map(self, str name) except NULL:
        cdef void* map = NULL
        if self._object != NULL:
            map = lib.find_map(self._object, name.encode())
        if map == NULL:
            raise KeyError(name)
        return map

    def use(self, str program, bint wanted):
        """Say before `load` whether a program is loaded."""
        lib.set_autoload(self._program(program), wanted)

    def set_entries(self, str map, uint32_t n):
        """Say before `load` how many entries (bytes of a ring) a map has room for."""
        cdef int code = lib.map_set_max_entries(self._map(map), n)
        if code:
            raise _error(f"map {map}", code)

    def set_constants(self, bytes data not None):
        """Fill the constants of the object before `load`."""
        cdef int code = lib.map_set_initial_value(
            self._map(self._name.decode() + ".rodata"), <const char*> data, len(data)
        )
        if code:
            raise _error("constants", code)

    def load(self):
        """Load programs and maps into the kernel.

        Raises:
            BpfError: It refused; `log` says why.
        """
        cdef int code
        with nogil:
            code = lib.load(self._object)
        if code:
            raise _error("the programs cannot be loaded", code)

    def attach(self, str program):
        """Attach a program to what its section names; detached by `close`.

        Raises:
            BpfError: The kernel refused.
        """
        cdef void* found = self._program(program)
        cdef void* link = lib.attach(found)
        if link == NULL:
            raise _error(f"the program {program} cannot be attached", errno)
        self._links.append(<size_t> link)

    def map_fd(self, str name):
        """Return the descriptor of a loaded map, which belongs to the object."""
        return lib.map_fd(self._map(name))

    def update(self, str map, bytes key not None, bytes value not None):
        """Store one entry of a map; sizes must be those of the map.

        Raises:
            BpfError: The kernel refused.
        """
        cdef int code = lib.map_update(
            lib.map_fd(self._map(map)), <const char*> key, <const char*> value, 0
        )
        if code:
            raise _error(f"map {map}", code)

    def lookup(self, str map, bytes key not None, size_t size):
        """Return one entry of a map, `size` bytes: of per-cpu maps the values of all cpus."""
        cdef bytearray value = bytearray(size)
        cdef int code = lib.map_lookup(
            lib.map_fd(self._map(map)), <const char*> key, <char*> value
        )
        if code:
            raise _error(f"map {map}", code)
        return bytes(value)

    def n_skipped(self, str program):
        """Return how often the kernel did not run a program because it was running on that cpu."""
        cdef char info[INFO_BYTES]
        cdef uint32_t size = INFO_BYTES
        cdef int fd = lib.program_fd(self._program(program))
        memset(info, 0, INFO_BYTES)
        if fd < 0 or lib.get_info(fd, info, &size):
            return 0
        return (<uint64_t*> (info + SKIPPED_AT))[0]

    def iterate(self, str program, bytes target=None):
        """Run an iterator to its end and return all that it wrote.

        Args:
            target: ``bpf_iter_link_info`` of what to go through; None is everything.

        Raises:
            BpfError: The kernel refused.
        """
        cdef IterOptions options
        cdef void* link
        cdef int fd
        memset(&options, 0, sizeof(options))     # padding counts as options to come
        options.size = sizeof(options)
        if target is not None:
            options.link_info = <char*> target
            options.link_info_len = len(target)
        link = lib.attach_iter(self._program(program), &options)
        if link == NULL:
            raise _error(f"the iterator {program} cannot be attached", errno)
        try:
            fd = lib.iter_create(lib.link_fd(link))
            if fd < 0:
                raise _error(f"the iterator {program} cannot be started", errno)
            with open(fd, "rb", buffering=0) as stream:
                parts = []
                while part := stream.read(1 << 16):
                    parts.append(part)
            return b"".join(parts)
        finally:
            lib.link_destroy(link)

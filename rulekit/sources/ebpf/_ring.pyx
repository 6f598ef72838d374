"""The ring between the probe and its reader: records are copied out as they lie, without the GIL.

The probe writes whole event blocks, so a batch of them is a piece of a capture.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

import mmap
import os

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint64_t load_acquire_64(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline uint32_t load_acquire_32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void store_release_64(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    """
    uint64_t load_acquire_64(const uint64_t* p) nogil
    uint32_t load_acquire_32(const uint32_t* p) nogil
    void store_release_64(uint64_t* p, uint64_t v) nogil

cdef extern from "<sys/mman.h>":
    enum:
        PROT_READ
        PROT_WRITE
        MAP_SHARED
    void* MAP_FAILED
    void* c_mmap "mmap"(void* at, size_t size, int prot, int flags, int fd, size_t offset) nogil
    int munmap(void* at, size_t size) nogil

cdef extern from "<errno.h>":
    int errno

cdef enum:
    RECORD_HEADER = 8
    RELEASE_EVERY = 1 << 16          # bytes after which the probe may use the room again

cdef uint32_t BUSY = 1u << 31        # a record that is being written
cdef uint32_t DISCARDED = 1u << 30
cdef size_t PAGE = mmap.PAGESIZE


cdef class Ring:
    """Reads a ring of the kernel; one reader at a time.

    Args:
        fd: Of the ring map; may be closed afterwards.
        size: Of the ring in bytes, a power of two.

    Raises:
        OSError: It cannot be mapped.
    """

    cdef uint64_t* _consumer         # owned mapping: position of the reader
    cdef const uint64_t* _producer   # owned mapping: position of the writers, then the data, twice
    cdef const uint8_t* _data
    cdef uint64_t _mask
    cdef size_t _mapped
    cdef readonly uint64_t n_records
    cdef readonly uint64_t n_bytes

    def __cinit__(self, int fd, uint64_t size):
        cdef void* at
        if size & (size - 1) or size % PAGE:
            raise ValueError("the size of a ring is a power of two and whole pages")
        self._mask = size - 1
        self._mapped = PAGE + 2 * size
        at = c_mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        if at == MAP_FAILED:
            raise OSError(errno, "the ring cannot be mapped: " + os.strerror(errno))
        self._consumer = <uint64_t*> at
        at = c_mmap(NULL, self._mapped, PROT_READ, MAP_SHARED, fd, PAGE)
        if at == MAP_FAILED:
            raise OSError(errno, "the ring cannot be mapped: " + os.strerror(errno))
        self._producer = <const uint64_t*> at
        self._data = <const uint8_t*> at + PAGE

    def __dealloc__(self):
        if self._consumer != NULL:
            munmap(self._consumer, PAGE)
        if self._producer != NULL:
            munmap(<void*> self._producer, self._mapped)

    @property
    def waiting(self):
        """Bytes that are waiting to be read; may be asked while another thread reads."""
        # In this order: the reader never overtakes what is written afterwards.
        cdef uint64_t taken = load_acquire_64(self._consumer)
        return load_acquire_64(self._producer) - taken

    cdef size_t take(self, uint8_t* target, size_t room) noexcept nogil:
        """Copy whole records until `room` is used up or nothing is left; returns the bytes copied."""
        cdef uint64_t at = self._consumer[0]
        cdef uint64_t end = load_acquire_64(self._producer)
        cdef uint64_t released = at
        cdef const uint8_t* record
        cdef uint32_t header, length
        cdef size_t used = 0
        while at < end:
            record = self._data + (at & self._mask)
            header = load_acquire_32(<const uint32_t*> record)
            if header & BUSY:
                break
            length = header & ~DISCARDED
            if not header & DISCARDED:
                if length > room - used:
                    break
                memcpy(target + used, record + RECORD_HEADER, length)
                used += length
                self.n_records += 1
            at += (<uint64_t> length + RECORD_HEADER + 7) & ~<uint64_t> 7
            if at - released >= RELEASE_EVERY:
                store_release_64(self._consumer, at)
                released = at
        store_release_64(self._consumer, at)
        self.n_bytes += used
        return used

    def drain(self, target not None):
        """Copy whole records into a buffer of at least 64 KiB and return the bytes copied."""
        cdef Py_buffer view
        cdef size_t n
        PyObject_GetBuffer(target, &view, PyBUF_WRITABLE)
        with nogil:
            n = self.take(<uint8_t*> view.buf, view.len)
        PyBuffer_Release(&view)
        return n

"""Takes messages off a netlink socket, as many as are there, without a Python object for any."""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t

import os

cdef extern from "<sys/socket.h>" nogil:
    ssize_t c_recv "recv"(int fd, void* buffer, size_t size, int flags)
    int MSG_DONTWAIT
    int MSG_TRUNC

cdef enum:
    HEADER = 16              # struct nlmsghdr
    MOST = 16384             # of one message; the kernel's own limit is 8970


def drain(int fd, target not None):
    """Copy whole messages into a buffer of at least 64 KiB, each 4-byte aligned.

    Their lengths are those that were received: older kernels write others into their headers.

    Returns:
        Bytes copied, how often the kernel said that messages were lost for want of room, and whether
        there may be more.

    Raises:
        OSError: The socket cannot be read.
    """
    cdef Py_buffer view
    cdef uint8_t* at
    cdef size_t used = 0
    cdef size_t room
    cdef ssize_t n
    cdef uint32_t length
    cdef int code = 0
    cdef int overruns = 0
    cdef bint more = True
    PyObject_GetBuffer(target, &view, PyBUF_WRITABLE)
    room = view.len
    if room < 4 * MOST:
        PyBuffer_Release(&view)
        raise ValueError("the buffer is too small")
    with nogil:
        while room - used >= MOST:
            at = <uint8_t*> view.buf + used
            n = c_recv(fd, at, MOST, MSG_DONTWAIT | MSG_TRUNC)
            if n < 0:
                code = errno
                if code == ENOBUFS:
                    overruns += 1
                    code = 0
                    continue
                if code == EINTR:
                    code = 0
                    continue
                more = False
                break
            if n < HEADER:
                continue
            length = <uint32_t> min(n, <ssize_t> MOST)
            (<uint32_t*> at)[0] = length
            used += (length + 3) & ~<size_t> 3
    PyBuffer_Release(&view)
    if code and code != EAGAIN:
        raise OSError(code, os.strerror(code))
    return used, overruns, more

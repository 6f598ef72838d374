"""A log of audit as a stream of chunks of a capture."""

import os
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

from rulekit.native._scratch cimport Buf, buf_free, buf_put
from rulekit.sources.linux_audit._assembly cimport Assembly, assembly_free, assembly_new, end_all, end_older, name_host, take_line, take_message
from rulekit.sources.linux_audit._convert cimport begin_section
from rulekit.sources.linux_audit._serials cimport serials_end, serials_settle

cdef enum:
    MAX_LINE_BYTES = 64 << 20
    MESSAGE_HEADER = 16      # struct nlmsghdr
    FIRST_RECORD = 1005      # AUDIT_USER


cdef class AuditDecoder:
    """Turns the text of audit logs into the bytes of a capture; for one thread.

    Bytes go in through `feed` in pieces of any length; what comes out are whole blocks: a section
    header at first, then events.

    Args:
        host: Name of the machine that the records are of; empty: the log says, or nobody.
    """

    cdef Assembly* a             # owned
    cdef Buf rest                # owned; a line that has begun
    cdef bint skipping           # the rest of a line that is too long
    cdef uint64_t n_too_long
    cdef readonly uint64_t n_bytes       # taken so far

    def __cinit__(self, str host=""):
        cdef bytes name = host.encode("utf-8", "surrogateescape")
        self.a = assembly_new(<uint64_t> int.from_bytes(os.urandom(8), "little"))
        if self.a == NULL:
            raise MemoryError
        name_host(self.a, name, <uint32_t> len(name))

    def __dealloc__(self):
        assembly_free(self.a)
        buf_free(&self.rest)

    def feed(self, data) -> bytes:
        """Take bytes of the log; return what is complete now, which may be nothing.

        Args:
            data: Any buffer of bytes; not kept.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            with nogil:
                self._take(<const char*> view.buf, <uint64_t> view.len)
        finally:
            PyBuffer_Release(&view)
        return self._given()

    def pause(self) -> bytes:
        """Return the events that were waiting for more: the log is silent, or nobody writes on."""
        with nogil:
            end_all(self.a)
        return self._given()

    def pause_older(self, uint64_t now_ms) -> bytes:
        """Return what is left, but for the events of the last two seconds that are not complete.

        Args:
            now_ms: Milliseconds since the Unix epoch.
        """
        with nogil:
            end_older(self.a, now_ms)
            begin_section(self.a.converter, self.a.host, self.a.host_len)
        return self._given()

    def finish(self) -> bytes:
        """Return what is left at the end of the log, a last line without its line feed included."""
        with nogil:
            if self.rest.len:
                take_line(self.a, self.rest.ptr, <uint32_t> self.rest.len)
                self.rest.len = 0
            end_all(self.a)
            serials_end(&self.a.serials)
            begin_section(self.a.converter, self.a.host, self.a.host_len)
        return self._given()

    def feed_messages(self, data) -> bytes:
        """Take messages as `rulekit.sources.linux_audit._netlink.drain` leaves them; as `feed`."""
        cdef Py_buffer view
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            with nogil:
                self._take_messages(<const char*> view.buf, <uint64_t> view.len)
        finally:
            PyBuffer_Release(&view)
        return self._given()

    def settle(self) -> None:
        """Count what is missing of the messages from before the last call; to be called now and then."""
        serials_settle(&self.a.serials)

    cdef bytes _given(self):
        cdef Buf* out = &self.a.converter.out
        if out.failed:
            raise MemoryError
        given = out.ptr[:out.len] if out.len else b""
        out.len = 0
        return given

    cdef void _take(self, const char* data, uint64_t size) noexcept nogil:
        cdef const char* p = data
        cdef const char* end = data + size
        cdef const char* stop
        cdef uint64_t before = self.n_bytes
        self.n_bytes += size
        self.a.line_at = before - self.rest.len
        while p < end:
            stop = <const char*> memchr(p, c'\n', end - p)
            if stop == NULL:
                if not self.skipping:
                    if self.rest.len + <uint64_t> (end - p) > MAX_LINE_BYTES:
                        self.skipping = True
                        self.n_too_long += 1
                        self.rest.len = 0
                    else:
                        buf_put(&self.rest, p, end - p)
                return
            if self.skipping:
                self.skipping = False
            elif self.rest.len:
                buf_put(&self.rest, p, stop - p)
                take_line(self.a, self.rest.ptr, <uint32_t> self.rest.len)
                self.rest.len = 0
            else:
                take_line(self.a, p, <uint32_t> (stop - p))
            p = stop + 1
            self.a.line_at = before + <uint64_t> (p - data)

    cdef void _take_messages(self, const char* data, uint64_t size) noexcept nogil:
        cdef const char* p = data
        cdef const char* end = data + size
        cdef uint64_t before = self.n_bytes
        cdef uint32_t length
        cdef uint16_t type
        self.n_bytes += size
        while end - p >= MESSAGE_HEADER:
            self.a.line_at = before + <uint64_t> (p - data)
            memcpy(&length, p, 4)
            memcpy(&type, p + 4, 2)
            if length < MESSAGE_HEADER or length > <uint64_t> (end - p):
                return
            if type >= FIRST_RECORD:         # below are answers of the kernel to questions
                take_message(self.a, type, p + MESSAGE_HEADER, length - MESSAGE_HEADER)
            p += min((length + 3) & ~<uint32_t> 3, <uint64_t> (end - p))

    @property
    def open_from(self):
        """Bytes before the first record of the oldest event that waits for more; None: none does."""
        return self.a.oldest.arrived_at if self.a.oldest != NULL else None

    @property
    def n_lost(self):
        """Events that are missing among those of the messages, as far as it is settled."""
        return self.a.serials.n_lost

    @property
    def n_records(self):
        """Records so far."""
        return self.a.n_records

    @property
    def n_events(self):
        """Audit events so far, those left out that still wait for records."""
        return self.a.converter.n_events

    def stats(self) -> dict:
        """Return counters by name: events, and what was left out, cut or incomplete."""
        a = self.a
        c = a.converter
        return {
            "events": c.n_events,
            "audit_lines_rejected": a.n_rejected + self.n_too_long,
            "audit_records_late": a.n_late,
            "audit_events_without_end": a.n_unended,
            "audit_events_without_syscall": c.n_orphans,
            "audit_events_incomplete": c.n_incomplete,
            "audit_events_as_data": c.n_data,
            "audit_calls_unknown": c.n_unknown_calls,
            "audit_arguments_cut": c.n_args_cut,
            "audit_texts_cut": c.n_texts_cut,
            "audit_parameters_cut": c.n_params_cut,
            "audit_records_beyond_limits": c.n_records_lost,
            "audit_records_of_other_hosts": a.n_foreign,
            "audit_processes_forgotten": c.processes.n_forgotten,
        }

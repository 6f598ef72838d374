# Audit events → events of a capture, with what the state must be told before them.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from rulekit.native._scratch cimport Buf
from rulekit.sources.linux_audit._event cimport AuditEvent
from rulekit.sources.linux_audit._processes cimport Processes

cdef enum:
    N_NAMES = 1024

cdef struct Converter:
    Buf out                  # owned; blocks
    Processes* processes     # owned
    bint begun               # the section's head is written
    uint64_t names[N_NAMES]  # what the state was told of accounts: hashes of id and name, by id
    uint64_t n_events        # audit events
    uint64_t n_calls         # of them, with a SYSCALL record
    uint64_t n_data          # records that became events of their own, as text
    uint64_t n_orphans       # events whose records say nothing by themselves: their SYSCALL is missing
    uint64_t n_unknown_calls
    uint64_t n_incomplete    # fewer PATH records than the call had, or arguments missing
    uint64_t n_args_cut      # programs with more bytes of arguments than an event holds
    uint64_t n_texts_cut
    uint64_t n_params_cut
    uint64_t n_records_lost  # more of them than an event keeps

cdef Converter* converter_new(uint64_t seed) noexcept nogil             # NULL: no memory
cdef void converter_free(Converter* x) noexcept nogil
cdef void convert_event(Converter* x, AuditEvent* e, const char* host, uint32_t host_len) noexcept nogil
cdef void begin_section(Converter* x, const char* host, uint32_t host_len) noexcept nogil     # once; later calls do nothing

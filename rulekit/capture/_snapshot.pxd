# Metadata blocks of a capture: the machine, its accounts, interfaces, processes and fds at the start.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from rulekit.state._state cimport State

cdef enum SnapshotKind:
    SNAP_MACHINE = 1
    SNAP_THREADS = 2
    SNAP_FDS = 3
    SNAP_INTERFACES = 4
    SNAP_ACCOUNTS = 5

# Store one block in `state` (NULL: only validate it). Returns NULL, or what is wrong with the block at
# body[offset].
cdef const char* import_block(State* state, int kind, int version, const uint8_t* body, uint64_t size,
                              uint64_t* offset) noexcept nogil

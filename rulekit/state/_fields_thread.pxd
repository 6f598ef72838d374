# Extractors of the class thread, and of what processes hold: memory, fds, threads.

from rulekit.state._fields cimport add_fn

cdef int register_thread(add_fn add) except -1

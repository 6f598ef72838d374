# Extractors of the classes fd and fdlist.

from rulekit.state._fields cimport add_fn

cdef int register_fd(add_fn add) except -1

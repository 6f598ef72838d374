# Extractors of the class fs.path.

from rulekit.state._fields cimport add_fn

cdef int register_path(add_fn add) except -1

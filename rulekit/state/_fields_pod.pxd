from rulekit.state._fields cimport FieldRef, add_fn

cdef int register_pod(add_fn add) except -1

# Resolve what of a pod the field `name` reads.
cdef int prepare_pod(FieldRef* ref, str name) except -1

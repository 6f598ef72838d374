from rulekit.state._fields cimport FieldRef, add_fn

cdef int register_k8s(add_fn add) except -1

# Resolve the place in the document that the field `name` reads.
cdef int prepare_k8s(FieldRef* ref, str name) except -1

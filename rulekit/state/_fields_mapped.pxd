from rulekit.state._fields cimport FieldRef

# Resolve a field that a user declared: where it is in a document, and what is made of it.
cdef int prepare_mapped(FieldRef* ref, object declared) except -1

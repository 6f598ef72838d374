# Extractors of the classes user, group, container and k8s.

from rulekit.state._fields cimport add_fn

cdef int register_container(add_fn add) except -1

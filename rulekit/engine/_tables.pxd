# The tables of the state as rows: one per thread, or one per open file descriptor.

from rulekit._fastmatch cimport Matcher
from rulekit.state._outputs cimport OutputProgram
from rulekit.state._state cimport Context

cdef list thread_rows(const Context* now, OutputProgram output, Matcher only)
cdef list fd_rows(const Context* now, OutputProgram output, Matcher only)

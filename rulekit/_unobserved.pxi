# What observes the evaluator when nothing does: included before `_evaluate.pxi`.


cdef inline void enter(MatcherC* m, Observed what, uint32_t number) noexcept nogil:
    pass


cdef inline void leave(MatcherC* m, bint answer) noexcept nogil:
    pass

"""One document at a time, from memory: what verdicts are made of."""

import time

from libc.stdint cimport uint64_t

from rulekit._fastmatch cimport Matcher
from rulekit.engine._documents cimport (
    STOP_DEEP, STOP_MATCH, STOP_TEXT, DocumentLoop,
)
from rulekit.native._document cimport document_reserve


cdef class Decider(DocumentLoop):
    """Evaluates documents that are given to it; for one thread at a time.

    An audit event need not say when it was.

    Args:
        reader: None; there is nothing to read.
        matcher: Reports all matches.
        source: Event source of the rules.
    """

    def __init__(self, reader, Matcher matcher not None, *, str source):
        self.undated = True

    def evaluate(self, bytes text not None, build=None):
        """Return the matches in a text of documents, and what could not be evaluated.

        Args:
            build: Called with this loop and the index of each rule while its event can be read.

        Returns:
            Indices of the rules that matched, or what `build` returned, event by event; how many
            events were shown to the rules; how many documents were left out; why the last of them
            was, or why the whole text was, as text, or None; whether the only document is no audit
            event at all.
        """
        cdef list found = []
        cdef int stop, i
        cdef uint64_t n_left_out = 0, n_before = self.event.num
        cdef object problem
        cdef bint foreign = False
        if not document_reserve(&self.document):
            raise MemoryError()
        problem = self._take(text, True)
        if problem is not None:
            return found, 0, 0, f"no JSON: {problem}", False
        if self.n_texts == 0:
            return found, 0, 0, "there is no document in it", False
        if self.audit:
            self.event.ts_ns = time.time_ns()
        while True:
            with nogil:
                stop = self.advance()
            if stop == STOP_MATCH:
                for i in range(self.n_hits):
                    if build is None:
                        found.append(self.hits[i])
                    else:
                        found.append(build(self, self.hits[i]))
                continue
            if stop == STOP_TEXT:
                break
            n_left_out += 1
            if stop == STOP_DEEP:
                problem = "more lists in each other than are looked into"
            else:
                problem = "no Kubernetes audit event and no list of them"
                foreign = self.n_texts == 1 and self.depth == 0
        return found, self.event.num - n_before, n_left_out, problem, foreign

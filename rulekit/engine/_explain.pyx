"""Rules explained event by event: what each comparison of the written condition was."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from rulekit._fastmatch cimport (
    GENERIC_BASE, H_DIRECT, H_PROCESS_BIT, H_PROCESS_TEXT, H_TEXT, NONE, N_AND, N_DOMAINS, N_NOT, N_OR,
    N_PREDICATE, N_SLOTS, N_TRUE, OF_COMPARISON, OF_FIELD, OF_GATE, OF_KEY, OF_PROCESS, OF_RULE, OF_TEXT, OF_WORDS,
    O_CALL, O_FIELD, O_LITERAL, S_ARGUMENTS, S_CAP_EFFECTIVE, S_CAP_INHERITABLE, S_CAP_PERMITTED,
    S_ENVIRONMENT, Matcher, MatcherC, Node, Observed, Operand, Predicate, RuleClass,
    match_event as fast_match_event, new_generation, slot_of,
)
from rulekit.engine._documents cimport DocumentLoop
from rulekit.engine._loop cimport STOP_DATA, STOP_END, STOP_MATCH, STOP_PAUSE, EventLoop
from rulekit.native._kept cimport kept_find, kept_free, kept_init
from rulekit.state._fields cimport (
    V_ADDRESS, V_BOOL, V_BYTES, V_DOUBLE, V_INT, V_NULL, V_UINT,
)

from rulekit.errors import RulekitError

# The explain instance of the evaluator: nothing is kept, so that every answer is one of this event.
include "../_unobserved.pxi"
include "../_evaluate.pxi"

cdef struct Written:         # one rule
    uint32_t n
    uint32_t n_words         # of one set of its predicates
    uint32_t* nodes          # owned; nodes of its predicates
    uint8_t* remembers       # owned
    bint with_memory         # one of them remembers
    uint64_t serial          # event that the rest is about
    bint matched
    uint64_t* true_          # owned; bits of the predicates that hold,
    uint64_t* known          #   that were evaluated at all,
    uint64_t* tried          #   that the matcher had to look at
    KeptTable seen           # owned; distinct matched, known, true; how often and where first
    uint64_t n_unkept        # events whose combination was one too many


cdef struct Comparison:      # with the fast matcher
    MatcherC* matcher        # or NULL: nothing is compared
    uint32_t* hits           # room for every rule
    uint8_t* marks           # per rule, 1 where the two disagree


cdef class Explainer:
    """Explains a `rulekit.compiler.written.WrittenProgram` on events of one loop.

    The loop, an `EventLoop` or a `DocumentLoop`, must have been made without a matcher, so that it
    stops at every event. Rules with a memory (``evt.deltatime``) are explained as the matcher sees them only when `look` was called
    for every event from the first.
    """

    cdef readonly object written
    cdef Matcher matcher
    cdef Written* rules      # owned
    cdef uint32_t n_rules
    cdef uint64_t serial     # of the event being explained
    cdef object loop         # an EventLoop or a DocumentLoop
    cdef uint64_t max_combinations

    def __cinit__(self, written, *, uint64_t max_combinations=1 << 16):
        cdef Written* rule
        cdef MatcherC* m
        cdef uint32_t i, k
        self.written = written
        self.max_combinations = max_combinations
        self.matcher = Matcher(written.program, caches=False)
        m = self.matcher.c
        self.n_rules = len(written.rules)
        self.rules = <Written*> _alloc(self.n_rules, sizeof(Written))
        node_of = {m.nodes[i].first: i for i in range(m.n_nodes) if m.nodes[i].op == N_PREDICATE}
        for i in range(self.n_rules):
            rule = &self.rules[i]
            each = written.rules[i]
            rule.n = len(each.predicates)
            rule.n_words = (rule.n + 63) // 64
            rule.nodes = <uint32_t*> _alloc(rule.n, sizeof(uint32_t))
            rule.remembers = <uint8_t*> _alloc(rule.n, 1)
            rule.true_ = <uint64_t*> _alloc(3 * rule.n_words + 1, sizeof(uint64_t))
            rule.known = rule.true_ + rule.n_words
            rule.tried = rule.known + rule.n_words
            if not kept_init(&rule.seen):
                raise MemoryError
            for k in range(rule.n):
                rule.nodes[k] = node_of[each.predicates[k]]
                rule.remembers[k] = each.remembers[k]
                rule.with_memory |= rule.remembers[k]

    def __dealloc__(self):
        cdef uint32_t i
        if self.rules == NULL:
            return
        for i in range(self.n_rules):
            kept_free(&self.rules[i].seen, 1)
            free(self.rules[i].nodes)
            free(self.rules[i].remembers)
            free(self.rules[i].true_)
        free(self.rules)

    def look(self, loop not None):
        """Turn to the current event of a loop."""
        self.loop = loop
        self._must_be_open()
        _look(self, _context(loop))

    def explain(self, uint32_t rule):
        """Explain one rule on the current event.

        Returns:
            ``(matched, true, known, tried)``: whether the matcher reports the rule; then bits by
            predicate (``WrittenRule.predicates``), as integers: it holds; it was evaluated (all
            but those with a memory that the matcher did not look at); the matcher, which stops as
            soon as the outcome is clear, looked at it.
        """
        cdef Written* each
        self._must_be_open()
        if rule >= self.n_rules:
            raise IndexError(rule)
        each = &self.rules[rule]
        if each.serial != self.serial:
            _explain(self, rule)
        self._raise_failure()
        return (
            bool(each.matched),
            _number(each.true_, each.n_words),
            _number(each.known, each.n_words),
            _number(each.tried, each.n_words),
        )

    def values(self, uint32_t rule, uint32_t place):
        """Return the left and right side of a predicate in the current event, as Python values.

        Texts, byte buffers and addresses are bytes, several values a list, null is None. The right
        side is None where it is literals.
        """
        cdef MatcherC* m = self.matcher.c
        cdef Predicate* p
        self._must_be_open()
        if rule >= self.n_rules or place >= self.rules[rule].n:
            raise IndexError((rule, place))
        p = &m.predicates[m.nodes[self.rules[rule].nodes[place]].first]
        right = None if p.other == <uint32_t> NONE else _python(operand_value(m, p.other))
        return _python(operand_value(m, p.left)), right

    def gather(self, loop not None, Matcher against=None):
        """Read the loop to its end or next pause; for each rule, keep distinct combinations of truths.

        Args:
            against: A matcher of the same rules, in the same order, that reports every match; it
                is run over the same events.

        Returns:
            ``(at_end, differences)``: whether the source is used up; per event on which the two
            disagree its position and the rules that only one of them reports (100 at most).

        Raises:
            SourceError: The source is damaged here; everything before it was looked at.
        """
        cdef Comparison other
        if loop.matcher is not None:
            raise ValueError("a loop that stops at every event has no matcher")
        if against is not None and (against.n_rules != self.n_rules or against.c.first_match):
            raise ValueError("the other matcher is of other rules, or stops at the first match")
        self.loop = loop
        memset(&other, 0, sizeof(other))
        try:
            if against is not None:
                other.matcher = against.c
                other.hits = <uint32_t*> _alloc(self.n_rules, sizeof(uint32_t))
                other.marks = <uint8_t*> _alloc(self.n_rules, 1)
            if isinstance(loop, DocumentLoop):
                return self._gather_documents(loop, &other)
            return self._gather_events(loop, &other)
        finally:
            free(other.hits)
            free(other.marks)

    cdef tuple _gather_events(self, EventLoop loop, Comparison* other):
        cdef int stop, wrong
        differences = []
        while True:
            wrong = 0
            with nogil:
                while True:
                    stop = loop.advance()
                    if stop != STOP_MATCH:
                        break
                    _look(self, &loop.context)
                    wrong = _gather(self, loop.event.raw, other)
                    if wrong:
                        break
            if wrong:
                self._differ(differences, loop.event.raw, other)
            self._raise_failure()
            if stop == STOP_DATA:
                loop.reader.refill()
            elif stop == STOP_END:
                return True, differences
            elif stop == STOP_PAUSE:
                return False, differences
            elif stop != STOP_MATCH:
                raise loop.reader.error()

    cdef tuple _gather_documents(self, DocumentLoop loop, Comparison* other):
        differences = []
        while (found := loop.next()) is not None:
            if not found:
                return False, differences
            _look(self, &loop.context)
            if _gather(self, loop.event.raw, other):
                self._differ(differences, loop.event.raw, other)
            self._raise_failure()
        return True, differences

    cdef int _differ(self, list differences, uint64_t raw, Comparison* other) except -1:
        if len(differences) < 100:
            differences.append((raw, [i for i in range(self.n_rules) if other.marks[i] == 1]))
        return 0

    def combinations(self, uint32_t rule):
        """Return what `gather` saw of a rule.

        Returns:
            ``(combinations, n_unkept)``: tuples ``(matched, true, known, n_events, first)``, bits
            as `explain` gives them, `first` the position of the first such event; and the number
            of events that are not among them because there were too many.
        """
        cdef Written* each
        cdef Kept* kept
        cdef uint64_t* words
        cdef uint32_t i
        if rule >= self.n_rules:
            raise IndexError(rule)
        each = &self.rules[rule]
        found = []
        for i in range(each.seen.mask + 1):
            kept = each.seen.buckets[i]
            while kept != NULL:
                words = kept_words(kept)
                found.append((
                    bool(words[0]),
                    _number(words + 1, each.n_words),
                    _number(words + 1 + each.n_words, each.n_words),
                    kept.answers[0][0],
                    kept.answers[0][1],
                ))
                kept = kept.next
        found.sort(key=lambda item: item[4])
        return found, each.n_unkept

    def _must_be_open(self):
        if self.loop is None or not _is_open(self.loop):
            raise RulekitError("the event is gone: it can be explained only before the next one")

    def _raise_failure(self):
        if self.matcher.error is not None:
            raise self.matcher.error
        if self.matcher.c.stats.failures:
            raise MemoryError


cdef bint _is_open(object loop) except -1:
    if isinstance(loop, DocumentLoop):
        return (<DocumentLoop> loop).open_event
    return (<EventLoop?> loop).open_event


cdef Context* _context(object loop) except NULL:
    if isinstance(loop, DocumentLoop):
        return &(<DocumentLoop> loop).context
    return &(<EventLoop?> loop).context


cdef void* _alloc(size_t n, size_t size) except NULL:
    cdef void* block = calloc(n if n else 1, size)
    if block == NULL:
        raise MemoryError
    return block


cdef object _number(const uint64_t* words, uint32_t n):
    return int.from_bytes((<const char*> words)[:n * 8], "little")


cdef object _python(const Value* value):
    cdef uint32_t i
    if value == NULL or value.kind == V_NULL:
        return None
    if value.kind == V_TEXT:
        return value.ptr[:text_length(value.ptr, value.len)]
    if value.kind == V_BYTES or value.kind == V_ADDRESS:
        return value.ptr[:value.len]
    if value.kind == V_INT:
        return value.i64
    if value.kind == V_UINT:
        return value.u64
    if value.kind == V_BOOL:
        return value.u64 != 0
    if value.kind == V_DOUBLE:
        return value.f64
    return [_python(&value.items[i]) for i in range(value.n_items)]


cdef inline void _set(uint64_t* words, uint32_t bit) noexcept nogil:
    words[bit >> 6] |= <uint64_t> 1 << (bit & 63)


cdef const RuleClass* _class(MatcherC* m, Context* context) noexcept nogil:
    """Return the rules of the event's type, or NULL."""
    cdef uint32_t number = m.slots[slot_of(context)]
    return &m.classes[number - 1] if number else NULL


cdef uint32_t _root(const RuleClass* rules, uint32_t rule) noexcept nogil:
    # Rules of a class are in definition order.
    cdef uint32_t low = 0, high, middle
    if rules == NULL:
        return NONE
    high = rules.n
    while low < high:
        middle = (low + high) >> 1
        if rules.rules[middle] < rule:
            low = middle + 1
        else:
            high = middle
    return rules.roots[low] if low < rules.n and rules.rules[low] == rule else <uint32_t> NONE


cdef void _look(Explainer self, Context* context) noexcept nogil:
    cdef uint32_t i
    self.serial += 1
    self.matcher.c.context = context
    for i in range(self.n_rules):
        if self.rules[i].with_memory:
            _explain(self, i)


cdef void _explain(Explainer self, uint32_t number) noexcept nogil:
    """Evaluate a rule as the matcher does, on its own; then everything that this left out."""
    cdef MatcherC* m = self.matcher.c
    cdef Written* rule = &self.rules[number]
    cdef uint32_t i, root
    begin_event(m, m.context)
    root = _root(_class(m, m.context), number)
    rule.matched = root != NONE and _holds(m, root)
    memset(rule.true_, 0, 3 * rule.n_words * sizeof(uint64_t))
    for i in range(rule.n):
        if m.memo[rule.nodes[i]] >> 1 == m.epoch:
            _set(rule.tried, i)
    _complete(self, rule)
    rule.serial = self.serial


cdef void _complete(Explainer self, Written* rule) noexcept nogil:
    cdef MatcherC* m = self.matcher.c
    cdef uint32_t i
    for i in range(rule.n):
        if rule.remembers[i] and m.memo[rule.nodes[i]] >> 1 != m.epoch:
            continue
        _set(rule.known, i)
        if _holds(m, rule.nodes[i]):
            _set(rule.true_, i)


# Returns how many rules the other matcher sees differently.
cdef int _gather(Explainer self, uint64_t raw, Comparison* other) noexcept nogil:
    cdef MatcherC* m = self.matcher.c
    cdef const RuleClass* rules = _class(m, m.context)
    cdef Written* rule
    cdef uint32_t i, root
    cdef int n = 0, k
    # Shared comparisons are evaluated once for all rules.
    begin_event(m, m.context)
    for i in range(self.n_rules):
        rule = &self.rules[i]
        if not rule.with_memory:
            root = _root(rules, i)
            rule.matched = root != NONE and _holds(m, root)
            memset(rule.true_, 0, 3 * rule.n_words * sizeof(uint64_t))
            _complete(self, rule)
            rule.serial = 0           # what was tried is not known
        _keep(self, rule, raw)
    if other.matcher == NULL:
        return 0
    memset(other.marks, 0, self.n_rules)
    n = fast_match_event(other.matcher, m.context, other.hits, <int> self.n_rules)
    for k in range(n):
        other.marks[other.hits[k]] = 1
    n = 0
    for i in range(self.n_rules):
        other.marks[i] = other.marks[i] != self.rules[i].matched
        n += other.marks[i]
    return n


cdef void _keep(Explainer self, Written* rule, uint64_t raw) noexcept nogil:
    cdef MatcherC* m = self.matcher.c
    cdef uint64_t small[9]
    cdef uint64_t* key = small
    cdef uint32_t i, n = 1 + 2 * rule.n_words
    cdef Kept* kept
    cdef bint made = False
    if n > 9:      # rarely: more than 256 predicates
        key = <uint64_t*> malloc(n * sizeof(uint64_t))
        if key == NULL:
            m.stats.failures += 1
            return
    key[0] = rule.matched
    memcpy(key + 1, rule.true_, rule.n_words * sizeof(uint64_t))
    memcpy(key + 1 + rule.n_words, rule.known, rule.n_words * sizeof(uint64_t))
    if rule.seen.n < self.max_combinations:
        kept = kept_share(&rule.seen, key, n, &made)
        m.stats.failures += kept == NULL
    else:
        kept = kept_find(&rule.seen, key, n)
        rule.n_unkept += kept == NULL
    if n > 9:
        free(key)
    if kept == NULL:
        return
    if made:
        kept.answers = <uint64_t**> calloc(1, sizeof(uint64_t*))
        if kept.answers != NULL:
            kept.answers[0] = <uint64_t*> calloc(2, sizeof(uint64_t))
        if kept.answers == NULL or kept.answers[0] == NULL:
            m.stats.failures += 1
            return
        kept.answers[0][1] = raw
    kept.answers[0][0] += 1

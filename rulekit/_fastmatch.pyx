# hot: every event passes here
# Program × state → matches.
#
# Three ways to answer, each only for what the one before leaves open:
# 1. the event's type has no rule: one look-up;
# 2. rule words: a bit per rule says whether the process (its signature), and whether the path (its
#    facts), can satisfy the rule; one AND per 64 rules leaves the survivors;
# 3. survivors are evaluated over the predicate graph, each node at most once per event.
# Without caches only 1 and 3 are used, and every comparison reads its field: the same answers, slower.
#
# The evaluator itself is `_evaluate.pxi`; here are its fast instance, and the loading of programs.

from cpython cimport array
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from rulekit.errors import RuleError

from rulekit.native._kept cimport (
    ANSWER_INSIDE, kept_alone, kept_clear, kept_drop_answers, kept_free, kept_init
)
from rulekit.native._textindex cimport TextFn, textindex_free, textindex_new
from rulekit.state._compare cimport Q_ONE
from rulekit.state._fields cimport (
    V_ADDRESS, V_BOOL, V_BYTES, V_DOUBLE, V_INT, V_TEXT, V_UINT, free_field_ref, init_field_ref,
    put_text,
)
from rulekit.state._literals cimport LiteralPool
from rulekit.state._transform cimport transform_op

# Words and facts of a freed matcher must never be taken for those of another.
cdef uint32_t _generations = 0

cdef uint32_t new_generation() noexcept nogil:
    global _generations
    _generations += 1
    if _generations == 0:
        _generations = 1
    return _generations


include "_unobserved.pxi"
include "_evaluate.pxi"


# ---- the matcher --------------------------------------------------------------------------------

_SOURCES = {
    b"proc.env": S_ENVIRONMENT,
    b"proc.args": S_ARGUMENTS,
    b"thread.cap_permitted": S_CAP_PERMITTED,
    b"thread.cap_inheritable": S_CAP_INHERITABLE,
    b"thread.cap_effective": S_CAP_EFFECTIVE,
}


cdef void* _data(dict tables, str name):
    return (<array.array> tables[name]).data.as_voidptr


cdef int _load(Matcher self, program) except -1:
    cdef MatcherC* m = self.c
    cdef dict tables = program.tables
    cdef uint32_t i, n
    cdef size_t widest = 0
    self._literals = LiteralPool(tables, program.pool)
    m.literals = self._literals.c
    m.children = <const uint32_t*> _data(tables, "children")
    m.arguments = <const uint32_t*> _data(tables, "arguments")
    m.parts = <const uint32_t*> _data(tables, "parts")
    m.n_parts = len(tables["parts"])
    m.process_bits = <const uint32_t*> _data(tables, "process_bits")
    m.n_process_bits = len(tables["process_bits"])
    m.n_bit_words = (m.n_process_bits + 63) // 64
    m.n_rules = self.n_rules = len(program.names)
    _load_nodes(self, tables)
    _load_operands(self, tables)
    _load_predicates(self, tables)
    _load_classes(self, tables)
    if m.caches:
        for i in range(N_DOMAINS):
            n = _load_domain(self, tables, i)
            widest = max(widest, n)
        m.bits = <uint64_t*> _alloc(2 * widest + 1, sizeof(uint64_t))
        m.key = <uint64_t*> _alloc(m.n_parts + m.n_bit_words + 1, sizeof(uint64_t))
        if not kept_init(&m.signatures):
            raise MemoryError
    return 0


cdef void* _alloc(size_t n, size_t size) except NULL:
    cdef void* block = calloc(n if n else 1, size)
    if block == NULL:
        raise MemoryError
    return block


cdef int _load_nodes(Matcher self, dict tables) except -1:
    cdef MatcherC* m = self.c
    cdef const uint8_t* ops = <const uint8_t*> _data(tables, "node_op")
    cdef const uint32_t* first = <const uint32_t*> _data(tables, "node_first")
    cdef const uint32_t* n = <const uint32_t*> _data(tables, "node_n")
    cdef uint32_t i
    m.n_nodes = len(tables["node_op"])
    m.nodes = <Node*> _alloc(m.n_nodes, sizeof(Node))
    m.memo = <uint32_t*> _alloc(m.n_nodes, sizeof(uint32_t))
    for i in range(m.n_nodes):
        m.nodes[i].op = ops[i]
        m.nodes[i].first = first[i]
        m.nodes[i].n = n[i]
    return 0


cdef int _load_operands(Matcher self, dict tables) except -1:
    cdef MatcherC* m = self.c
    cdef uint32_t i, n = len(tables["operand_form"]), key
    cdef Operand* operand
    cdef int64_t index
    cdef const int* value_kinds = [
        V_TEXT, V_BYTES, V_INT, V_UINT, V_BOOL, V_UINT, V_DOUBLE, V_ADDRESS, V_ADDRESS
    ]
    m.operands = <Operand*> _alloc(n, sizeof(Operand))
    m.n_operands = n
    for i in range(n):
        operand = &m.operands[i]
        operand.form = tables["operand_form"][i]
        operand.kind = tables["operand_kind"][i]
        operand.quantifier = tables["operand_quantifier"][i]
        operand.domain = tables["operand_domain"][i]
        operand.first = tables["operand_first"][i]
        operand.n = tables["operand_n"][i]
        name = self.program.text(tables["operand_name"][i])
        key = tables["operand_key"][i]
        if operand.form == O_FIELD:
            index = tables["operand_index"][i]
            operand.is_path = name == b"fd.name" and index < 0 and key == NONE
            if index < 0 and key == NONE and operand.domain != 255:
                operand.source = _SOURCES.get(name, S_NONE)
            try:
                init_field_ref(
                    &operand.ref,
                    name.decode(),
                    None if index < 0 else index,
                    None if key == NONE else self.program.text(key),
                    value_kinds[operand.kind],
                    operand.quantifier == Q_ONE,
                )
            except ValueError as error:
                raise RuleError(str(error)) from error
        elif operand.form == O_LITERAL:
            key = tables["operand_name"][i]
            put_text(
                &operand.value,
                m.literals.texts.pool + m.literals.texts.offsets[key],
                <uint32_t> (m.literals.texts.offsets[key + 1] - m.literals.texts.offsets[key]),
            )
        elif operand.form == O_CALL:
            operand.call = transform_op(name.decode())
            if key != NONE:
                operand.key = (self.program.text(key) or b"\0")[0]
    return 0


cdef int _load_predicates(Matcher self, dict tables) except -1:
    cdef MatcherC* m = self.c
    cdef uint32_t i, test
    cdef Predicate* p
    m.n_predicates = len(tables["predicate_op"])
    m.predicates = <Predicate*> _alloc(m.n_predicates, sizeof(Predicate))
    for i in range(m.n_predicates):
        p = &m.predicates[i]
        p.comparison.op = tables["predicate_op"][i]
        p.comparison.modifier = tables["predicate_modifier"][i]
        p.comparison.kind = tables["predicate_kind"][i]
        p.comparison.quantifier = tables["predicate_quantifier"][i]
        p.how = tables["predicate_how"][i] if m.caches else <int> H_DIRECT
        p.left = tables["predicate_left"][i]
        p.other = tables["predicate_other"][i]
        p.comparison.first = tables["predicate_first"][i]
        p.comparison.n = tables["predicate_n"][i]
        p.part = tables["predicate_part"][i]
        p.bit = tables["predicate_bit"][i]
        test = tables["predicate_test"][i]
        p.comparison.test = NULL if test == NONE else &self._literals.tests[test]
    return 0


cdef int _load_classes(Matcher self, dict tables) except -1:
    cdef MatcherC* m = self.c
    cdef const uint32_t* first = <const uint32_t*> _data(tables, "class_first")
    cdef const uint16_t* slots = <const uint16_t*> _data(tables, "slot_class")
    cdef const uint32_t* gate_first = <const uint32_t*> _data(tables, "gate_first")
    cdef const uint64_t* gate_words = <const uint64_t*> _data(tables, "gate_words")
    cdef uint32_t i, k, most = 0
    cdef RuleClass* rules
    m.n_classes = len(tables["class_first"]) - 1
    m.slots = <uint16_t*> _alloc(N_SLOTS, sizeof(uint16_t))
    memcpy(m.slots, slots, N_SLOTS * sizeof(uint16_t))
    m.classes = <RuleClass*> _alloc(m.n_classes, sizeof(RuleClass))
    for i in range(m.n_classes):
        rules = &m.classes[i]
        rules.n = first[i + 1] - first[i]
        rules.n_words = (rules.n + 63) // 64
        rules.all_rules = <uint64_t> 0xFFFFFFFFFFFFFFFF >> (64 * rules.n_words - rules.n)
        rules.is_small = 0 < rules.n <= ANSWER_INSIDE
        most = max(most, rules.n_words)
        rules.rules = <const uint32_t*> _data(tables, "class_rule") + first[i]
        rules.roots = <const uint32_t*> _data(tables, "class_root") + first[i]
        rules.process = <const uint32_t*> _data(tables, "class_process") + first[i]
        rules.rest = <const uint32_t*> _data(tables, "class_rest") + first[i]
        rules.n_gates = gate_first[i + 1] - gate_first[i]
        rules.n_early = tables["class_early"][i]
        rules.gates = <const uint32_t*> _data(tables, "gate_node") + gate_first[i]
        rules.gate_words = gate_words
        gate_words += <size_t> rules.n_gates * rules.n_words
        for k in range(rules.n):
            rules.has_process |= m.nodes[rules.process[k]].op != N_TRUE
    _load_keys(self, tables)
    m.ones = <uint64_t*> _alloc(most, sizeof(uint64_t))
    memset(m.ones, 0xFF, most * sizeof(uint64_t))
    m.live = <uint64_t*> _alloc(most, sizeof(uint64_t))
    return 0


cdef int _load_keys(Matcher self, dict tables) except -1:
    cdef MatcherC* m = self.c
    cdef const uint32_t* first = <const uint32_t*> _data(tables, "key_first")
    cdef const uint32_t* nodes = <const uint32_t*> _data(tables, "key_nodes")
    cdef uint64_t* words
    cdef uint32_t i, k, rule
    cdef size_t size = 0
    cdef RuleClass* rules
    m.n_keys = len(tables["key_operand"])
    for i in range(m.n_classes):
        size += <size_t> (first[i + 1] - first[i]) * m.classes[i].n_words
    m.key_words = words = <uint64_t*> _alloc(size, sizeof(uint64_t))
    for i in range(m.n_classes):
        rules = &m.classes[i]
        rules.first_key = first[i]
        rules.n_keys = first[i + 1] - first[i]
        rules.keys = <const uint32_t*> _data(tables, "key_operand") + first[i]
        rules.key_nodes = nodes
        rules.key_words = words
        for k in range(rules.n_keys):
            for rule in range(rules.n):
                if m.nodes[nodes[rule]].op != N_TRUE:
                    words[rule >> 6] |= <uint64_t> 1 << (rule & 63)
            nodes += rules.n
            words += rules.n_words
        if rules.n_keys:
            rules.path_first = m.operands[rules.keys[0]].is_path
            rules.path_domain = m.operands[rules.keys[0]].domain
    return 0


cdef int _load_domain(Matcher self, dict tables, uint32_t domain) except -1:
    # Returns the number of words of a fact set.
    cdef MatcherC* m = self.c
    cdef const uint32_t* numbers = <const uint32_t*> _data(tables, "domain_tests")
    cdef uint32_t first = tables["domain_first"][domain]
    cdef uint32_t n = tables["domain_first"][domain + 1] - first
    cdef uint32_t i
    cdef TextFn** tests = <TextFn**> _alloc(n, sizeof(TextFn*))
    for i in range(n):
        tests[i] = &self._literals.tests[numbers[first + i]]
    m.indexes[domain] = textindex_new(
        &m.literals.texts, <uint32_t> len(tables["text_end"]), tests, n, m.literals.owner, m.literals.regex
    )
    free(tests)
    if m.indexes[domain] == NULL or not kept_init(&m.facts[domain]):
        raise MemoryError
    m.no_value[domain] = kept_alone(m.indexes[domain].n_words)
    if m.no_value[domain] == NULL:
        raise MemoryError
    return <int> m.indexes[domain].n_words


cdef class Matcher:
    """Runs a program over events. One at a time: it belongs to the thread that runs the loop.

    Args:
        program: The program; its arrays are used in place.
        caches: False evaluates everything for each event, for tests and explanations.
        first_match: True stops at the first rule that matches.
        max_cache_bytes: What may be kept about processes and paths before all of it is dropped.
    """

    def __cinit__(self, program, *, bint caches=True, bint first_match=False,
                  uint64_t max_cache_bytes=64 << 20):
        self.c = <MatcherC*> calloc(1, sizeof(MatcherC))
        if self.c == NULL:
            raise MemoryError
        self.program = program
        self.c.caches = caches
        self.c.first_match = first_match
        self.c.max_cache_bytes = max_cache_bytes
        self.c.generation = self.c.facts_version = new_generation()
        _load(self, program)

    def __dealloc__(self):
        cdef MatcherC* m = self.c
        cdef uint32_t i
        if m == NULL:
            return
        for i in range(N_DOMAINS):
            kept_free(&m.facts[i], m.n_keys)
            textindex_free(m.indexes[i])
            kept_drop_answers(m.no_value[i], m.n_keys)
            free(m.no_value[i])
        kept_free(&m.signatures, m.n_classes)
        if m.operands != NULL:
            for i in range(m.n_operands):
                if m.operands[i].form == O_FIELD:
                    free_field_ref(&m.operands[i].ref)
        for block in (
            <size_t> m.slots, <size_t> m.classes, <size_t> m.nodes, <size_t> m.memo,
            <size_t> m.operands, <size_t> m.predicates,
            <size_t> m.key_words, <size_t> m.ones, <size_t> m.live, <size_t> m.bits, <size_t> m.key,
        ):
            free(<void*> <size_t> block)
        free(m)
        self.c = NULL

    @property
    def error(self):
        """The first exception of a regular expression, or None; such a comparison is false."""
        return self._literals.error if self._literals is not None else None

    def flush(self):
        """Drop everything that is kept about processes and paths."""
        if self.c.caches:
            _flush(self.c)

    def stats(self):
        """Return the counters since the matcher was made."""
        return {**self.c.stats, "cache_bytes": self.c.cache_bytes}

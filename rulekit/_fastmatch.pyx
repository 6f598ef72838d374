# Program × state → matches.
#
# Three ways to answer, each only for what the one before leaves open:
# 1. the event's type has no rule: one look-up;
# 2. rule words: a bit per rule says whether the process (its signature), and whether the path (its
#    facts), can satisfy the rule; one AND per 64 rules leaves the survivors;
# 3. survivors are evaluated over the predicate graph, each node at most once per event.
# Without caches only 1 and 3 are used, and every comparison reads its field: the same answers, slower.

from cpython cimport array
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from rulekit.errors import RuleError

from rulekit.native._event cimport param_u64
from rulekit.native._kept cimport (
    Kept, KeptTable, kept_alone, kept_clear, kept_drop_answers, kept_free, kept_init, kept_share,
    kept_words,
)
from rulekit.native._strings cimport Str, intern
from rulekit.native._text cimport text_length
from rulekit.native._textindex cimport TextFn, textindex_free, textindex_new, textindex_run
from rulekit.state._compare cimport Q_ANCESTORS, compare_value
from rulekit.state._fields cimport (
    V_ADDRESS, V_BOOL, V_BYTES, V_DOUBLE, V_INT, V_TEXT, V_UINT, extract, free_field_ref,
    init_field_ref, put_list, put_text,
)
from rulekit.state._literals cimport LiteralPool
from rulekit.state._state cimport Context, State, Thread
from rulekit.state._threads cimport find_thread, main_thread
from rulekit.state._transform cimport apply_transform, transform_op

cdef enum:
    MAX_ANCESTORS = 256      # longer chains are not remembered

# Words and facts of a freed matcher must never be taken for those of another.
cdef uint32_t _generations = 0

cdef uint32_t _new_generation() noexcept nogil:
    global _generations
    _generations += 1
    if _generations == 0:
        _generations = 1
    return _generations


# ---- values -------------------------------------------------------------------------------------

cdef const Value* operand_value(MatcherC* m, uint32_t number) noexcept nogil:
    """Return the value of an operand, read at most once per event; NULL is null."""
    cdef Operand* operand = &m.operands[number]
    if operand.epoch != m.epoch:
        operand.epoch = m.epoch
        operand.present = _read(m, operand)
    return &operand.value if operand.present else NULL


cdef bint _read(MatcherC* m, Operand* operand) noexcept nogil:
    cdef const Value* item
    cdef uint32_t i
    if operand.form == O_FIELD:
        return extract(m.context, &operand.ref, &operand.value)
    if operand.form == O_LITERAL:
        return True
    if operand.form == O_CALL:
        return _call(m, operand)
    if not put_list(m.context, &operand.value, operand.n):
        m.stats.failures += 1
        return False
    for i in range(operand.n):
        item = operand_value(m, m.arguments[operand.first + i])
        if item == NULL:
            return False
        operand.value.items[i] = item[0]
    operand.value.n_items = operand.n
    return True


cdef bint _call(MatcherC* m, Operand* operand) noexcept nogil:
    cdef const Value* argument
    cdef Value arguments
    cdef uint32_t i
    if not put_list(m.context, &arguments, operand.n):
        m.stats.failures += 1
        return False
    for i in range(operand.n):
        argument = operand_value(m, m.arguments[operand.first + i])
        if argument == NULL:
            return False
        arguments.items[i] = argument[0]
    return apply_transform(
        m.context, operand.call, arguments.items, operand.n, operand.key, &operand.value
    )


# ---- comparisons --------------------------------------------------------------------------------

# Reads the field and compares: needs nothing that is kept.
cdef bint _direct(MatcherC* m, const Predicate* p) noexcept nogil:
    cdef const Value* value = operand_value(m, p.left)
    cdef const Value* other = NULL
    if value == NULL:
        return False
    if p.other != NONE:
        other = operand_value(m, p.other)
        if other == NULL:
            return False
    return compare_value(&m.literals, &p.comparison, value, other)


# ---- what is kept -------------------------------------------------------------------------------

cdef inline bint _bit(const uint64_t* words, uint32_t bit) noexcept nogil:
    return words[bit >> 6] >> (bit & 63) & 1


cdef void _flush(MatcherC* m) noexcept nogil:
    # Everything kept is a cache. Nothing of it is in use between two events.
    cdef uint32_t i
    for i in range(N_DOMAINS):
        kept_clear(&m.facts[i], m.n_keys)
        kept_drop_answers(m.no_value[i], m.n_keys)
    kept_clear(&m.signatures, m.n_classes)
    m.generation = _new_generation()
    m.facts_version = m.generation
    m.cache_bytes = 0


cdef Kept* _share(MatcherC* m, KeptTable* table, const uint64_t* words, uint32_t n, bint* made) noexcept nogil:
    cdef Kept* kept = kept_share(table, words, n, made)
    if kept == NULL:
        m.stats.failures += 1
    elif made[0]:
        m.cache_bytes += sizeof(Kept) + n * 8 + 16
    return kept


cdef Kept* _share_facts(MatcherC* m, uint32_t domain, const uint64_t* bits) noexcept nogil:
    cdef bint made
    cdef Kept* facts = _share(m, &m.facts[domain], bits, m.indexes[domain].n_words, &made)
    m.stats.facts_shared += not made
    return facts


# Facts are kept on `text`, which decides what the value is: its interned text, or what it is made of.
cdef Kept* _facts_of(
    MatcherC* m, uint32_t domain, const Value* value, Str* text, bint keep
) noexcept nogil:
    """Return the comparisons that hold for a text value; NULL: not to be had."""
    cdef uint32_t n
    cdef Kept* facts
    if value.kind != V_TEXT:
        return m.no_value[domain]
    if text != NULL and text.facts_version == m.facts_version and text.facts[domain]:
        return <Kept*> text.facts[domain]
    n = text_length(value.ptr, value.len)
    if text == NULL and keep and m.context.state != NULL:
        text = intern(m.context.state.strings, value.ptr, n)
        if text.len != n:          # refused: the table is full
            text = NULL
        elif text.facts_version == m.facts_version and text.facts[domain]:
            return <Kept*> text.facts[domain]
    m.stats.facts_built += 1
    textindex_run(m.indexes[domain], value.ptr, n, m.bits)
    facts = _share_facts(m, domain, m.bits)
    if text != NULL and facts != NULL:
        if text.facts == NULL:
            text.facts = <uint64_t*> calloc(N_DOMAINS, sizeof(uint64_t))
            if text.facts == NULL:
                return facts
            text.facts_version = m.facts_version
        elif text.facts_version != m.facts_version:
            memset(text.facts, 0, N_DOMAINS * sizeof(uint64_t))
            text.facts_version = m.facts_version
        text.facts[domain] = <uint64_t> facts
    return facts


cdef Kept* _operand_facts(MatcherC* m, uint32_t number) noexcept nogil:
    """Return what is known about the text of an operand in this event; NULL: not to be had."""
    cdef Operand* operand = &m.operands[number]
    cdef const Value* value
    if operand.facts_epoch != m.epoch:
        operand.facts_epoch = m.epoch
        value = operand_value(m, number)
        if value == NULL:
            operand.facts = m.no_value[operand.domain]
        else:
            operand.facts = _facts_of(m, operand.domain, value, value.str, True)
    return operand.facts


cdef Kept* _ancestor_facts(MatcherC* m, uint32_t domain, const Value* value, bint* failed) noexcept nogil:
    # What holds for at least one ancestor; NULL without ancestors.
    cdef uint32_t i, k, n_words = m.indexes[domain].n_words
    cdef Kept* facts
    cdef Kept* all = NULL
    cdef uint64_t* union_ = m.bits + n_words
    cdef bint mixed = False
    for i in range(value.n_items):
        facts = _facts_of(m, domain, &value.items[i], value.items[i].str, False)
        if facts == NULL:
            failed[0] = True
            return NULL
        if all == NULL:
            all = facts
            memcpy(union_, kept_words(facts), n_words * 8)
        elif facts != all:
            mixed = True
            for k in range(n_words):
                union_[k] |= kept_words(facts)[k]
    if mixed:
        all = _share_facts(m, domain, union_)
        failed[0] = all == NULL
    return all


cdef uint64_t _chain(State* state, Thread* thread) noexcept nogil:
    # Versions of everybody whose facts a process field may show: the main thread, ancestors counted
    # by main threads, ancestors walked thread by thread. 0: not to be remembered.
    cdef uint64_t h = 0x9E3779B97F4A7C15ULL
    cdef Thread* main = main_thread(thread)
    cdef Thread* by_main = main
    cdef Thread* by_thread = thread
    cdef uint32_t i
    if main != NULL:
        h = (h ^ main.version) * 0xD1B54A32D192ED03ULL
    for i in range(MAX_ANCESTORS):
        if by_thread == by_main:
            by_thread = NULL
        if by_thread != NULL:
            by_thread = _parent(state, by_thread)
            if by_thread != NULL:
                h = (h ^ by_thread.version) * 0x8CB92BA72F3D8DD7ULL
        if by_main != NULL:
            by_main = _parent(state, by_main)
            if by_main != NULL:
                h = (h ^ (<uint64_t> by_main.version << 32)) * 0x9E3779B97F4A7C15ULL
                by_main = main_thread(by_main)
                h = (h ^ (0 if by_main == NULL else by_main.version)) * 0xD1B54A32D192ED03ULL
        h ^= h >> 29
        if by_main == NULL and by_thread == NULL:
            return h | 1
    return 0


cdef inline Thread* _parent(State* state, Thread* thread) noexcept nogil:
    if thread.parent != NULL and thread.parent.tid == thread.ptid:
        return thread.parent
    return find_thread(state, thread.ptid)


cdef Kept* _signature(MatcherC* m) noexcept nogil:
    """Return the signature of the event's thread; NULL: none, or not to be had."""
    cdef Context* context = m.context
    cdef Thread* thread = context.thread
    cdef State* state = context.state
    cdef Kept* signature
    cdef uint64_t chain = 0
    if thread == NULL or context.event_container != NULL:
        return NULL
    if state.account_version != m.account_version or state.container_version != m.container_version:
        # Signatures stay true, but no thread's is known any more.
        m.account_version = state.account_version
        m.container_version = state.container_version
        m.generation = _new_generation()
    if thread.words_epoch == m.generation and thread.words_version == thread.version:
        if thread.ancestry_version == state.ancestry_version:
            return <Kept*> thread.words
        chain = _chain(state, thread)
        m.stats.chains_checked += 1
        if chain != 0 and chain == thread.words_chain:
            thread.ancestry_version = state.ancestry_version
            return <Kept*> thread.words
    if chain == 0:
        chain = _chain(state, thread)
    signature = _build_signature(m)
    if signature != NULL and chain != 0:
        thread.words = signature
        thread.words_epoch = m.generation
        thread.words_version = thread.version
        thread.ancestry_version = state.ancestry_version
        thread.words_chain = chain
    return signature


cdef inline Str* _source(Thread* thread, const Operand* operand) noexcept nogil:
    # The list that a joined text is made of; facts are kept on it, in a domain of their own.
    if operand.source == S_ARGUMENTS:
        return thread.args
    if operand.source == S_ENVIRONMENT:
        thread = main_thread(thread)
        return thread.env if thread != NULL else NULL
    return NULL


cdef Kept* _capability_facts(MatcherC* m, uint32_t number) noexcept nogil:
    # A few sets are all that most hosts show, and each is a long text.
    cdef Operand* operand = &m.operands[number]
    cdef Thread* thread = m.context.thread
    cdef const Value* value
    cdef Kept* facts
    cdef uint32_t i
    cdef uint64_t caps = thread.cap_effective
    if operand.source == S_CAP_PERMITTED:
        caps = thread.cap_permitted
    elif operand.source == S_CAP_INHERITABLE:
        caps = thread.cap_inheritable
    if operand.seen_version != m.facts_version:
        operand.seen_version = m.facts_version
        memset(operand.seen_facts, 0, sizeof(operand.seen_facts))
    for i in range(4):
        if operand.seen_facts[i] != NULL and operand.seen[i] == caps:
            return operand.seen_facts[i]
    value = operand_value(m, number)
    if value == NULL:
        return m.no_value[operand.domain]
    facts = _facts_of(m, operand.domain, value, NULL, False)
    operand.seen[operand.oldest] = caps
    operand.seen_facts[operand.oldest] = facts
    operand.oldest = (operand.oldest + 1) & 3
    return facts


cdef Kept* _build_signature(MatcherC* m) noexcept nogil:
    cdef uint32_t i
    cdef Operand* operand
    cdef const Value* value
    cdef Kept* facts
    cdef Kept* signature
    cdef Str* source
    cdef bint failed = False, made = False
    for i in range(m.n_parts):
        operand = &m.operands[m.parts[i]]
        if operand.source >= S_CAP_PERMITTED:
            facts = _capability_facts(m, m.parts[i])
            if facts == NULL:
                return NULL
            m.key[i] = 0 if facts == m.no_value[operand.domain] else <uint64_t> facts
            continue
        source = _source(m.context.thread, operand)
        if source != NULL and source.facts_version == m.facts_version:
            m.key[i] = source.facts[operand.domain]
            if m.key[i]:
                continue
        value = operand_value(m, m.parts[i])
        if value == NULL:
            facts = NULL
        elif operand.quantifier == Q_ANCESTORS:
            facts = _ancestor_facts(m, operand.domain, value, &failed)
        else:
            facts = _facts_of(m, operand.domain, value, value.str if source == NULL else source, False)
            failed = facts == NULL
        if failed:
            return NULL
        m.key[i] = <uint64_t> facts
    memset(m.key + m.n_parts, 0, m.n_bit_words * 8)
    for i in range(m.n_process_bits):
        if _direct(m, &m.predicates[m.process_bits[i]]):
            m.key[m.n_parts + (i >> 6)] |= <uint64_t> 1 << (i & 63)
    signature = _share(m, &m.signatures, m.key, m.n_parts + m.n_bit_words, &made)
    if made:
        m.stats.signatures_built += 1
    else:
        m.stats.signatures_shared += 1
    return signature


# ---- the graph ----------------------------------------------------------------------------------

cdef bint _predicate(MatcherC* m, const Predicate* p) noexcept nogil:
    cdef Kept* facts
    if p.how == H_PROCESS_TEXT and m.signature != NULL:
        facts = <Kept*> kept_words(m.signature)[p.part]
        if facts == NULL:
            return False
        return p.bit == NONE or _bit(kept_words(facts), p.bit)
    if p.how == H_PROCESS_BIT and m.signature != NULL:
        return _bit(kept_words(m.signature) + m.n_parts, p.bit)
    if p.how == H_TEXT and m.caches:
        facts = _operand_facts(m, p.left)
        if facts != NULL:
            if facts == m.no_value[m.operands[p.left].domain]:
                return False
            return p.bit == NONE or _bit(kept_words(facts), p.bit)
    return _direct(m, p)


cdef bint _holds(MatcherC* m, uint32_t number) noexcept nogil:
    # The depth of recursion is bounded by the compiler (MAX_DEPTH in compiler/lower.py).
    cdef const Node* node = &m.nodes[number]
    cdef uint32_t known = m.memo[number]
    cdef uint32_t i
    cdef bint answer
    if known >> 1 == m.epoch:
        return known & 1
    if node.op == N_PREDICATE:
        answer = _predicate(m, &m.predicates[node.first])
    elif node.op == N_NOT:
        answer = not _holds(m, m.children[node.first])
    elif node.op == N_AND:
        answer = True
        for i in range(node.first, node.first + node.n):
            if not _holds(m, m.children[i]):
                answer = False
                break
    elif node.op == N_OR:
        answer = False
        for i in range(node.first, node.first + node.n):
            if _holds(m, m.children[i]):
                answer = True
                break
    else:
        answer = node.op == N_TRUE
    m.memo[number] = m.epoch << 1 | answer
    return answer


# ---- rule words ---------------------------------------------------------------------------------

cdef const uint64_t* _words(
    MatcherC* m, Kept* kept, uint32_t n_answers, uint32_t answer, const RuleClass* rules,
    const uint32_t* nodes,
) noexcept nogil:
    """Return which rules of a class hold as far as `nodes` say; NULL: no memory."""
    cdef uint64_t* words
    cdef uint32_t i
    if kept.answers == NULL:
        kept.answers = <uint64_t**> calloc(n_answers, sizeof(uint64_t*))
        if kept.answers == NULL:
            m.stats.failures += 1
            return NULL
        m.cache_bytes += n_answers * sizeof(uint64_t*) + 16
    words = kept.answers[answer]
    if words != NULL:
        return words
    words = <uint64_t*> calloc(rules.n_words, sizeof(uint64_t))
    if words == NULL:
        m.stats.failures += 1
        return NULL
    for i in range(rules.n):
        if _holds(m, nodes[i]):
            words[i >> 6] |= <uint64_t> 1 << (i & 63)
    kept.answers[answer] = words
    m.cache_bytes += rules.n_words * 8 + 16
    return words


cdef void begin_event(MatcherC* m, Context* ctx) noexcept nogil:
    m.epoch += 1
    if m.epoch >= 0x7FFFFFFF:
        _new_epochs(m)
    m.context = ctx
    m.signature = NULL


cdef void _new_epochs(MatcherC* m) noexcept nogil:
    cdef uint32_t i
    memset(m.memo, 0, m.n_nodes * sizeof(uint32_t))
    for i in range(m.n_operands):
        m.operands[i].epoch = 0
        m.operands[i].facts_epoch = 0
    m.epoch = 1


cdef bint _gates(
    MatcherC* m, const RuleClass* rules, uint32_t first, uint32_t last
) noexcept nogil:
    """Try gates first .. last - 1 on the live rules; False when none is left."""
    cdef const uint64_t* mask
    cdef uint64_t any_
    cdef uint32_t i, word
    for i in range(first, last):
        mask = rules.gate_words + <size_t> i * rules.n_words
        any_ = 0
        for word in range(rules.n_words):
            any_ |= m.live[word] & mask[word]
        if any_ and not _holds(m, rules.gates[i]):
            any_ = 0
            for word in range(rules.n_words):
                m.live[word] &= ~mask[word]
                any_ |= m.live[word]
            if not any_:
                return False
    return True


cdef inline bint _and_words(uint64_t* live, const uint64_t* words, uint32_t n) noexcept nogil:
    cdef uint64_t any_ = 0
    cdef uint32_t i
    for i in range(n):
        live[i] &= words[i]
        any_ |= live[i]
    return any_ != 0


cdef inline bint _common(const uint64_t* a, const uint64_t* b, uint32_t n) noexcept nogil:
    cdef uint32_t i
    for i in range(n):
        if a[i] & b[i]:
            return True
    return False


# Leaves in `live` the rules that process, keys and gates allow; `nodes` is what remains to be evaluated.
cdef bint _narrow(MatcherC* m, uint32_t number, const uint32_t** nodes) noexcept nogil:
    cdef RuleClass* rules = &m.classes[number]
    cdef const uint64_t* words
    cdef Kept* facts
    cdef uint32_t i
    cdef bint known = True
    if m.cache_bytes > m.max_cache_bytes:
        _flush(m)
        m.stats.flushes += 1
    m.signature = _signature(m)
    if rules.has_process:
        words = NULL
        if m.signature != NULL:
            words = _words(m, m.signature, m.n_classes, number, rules, rules.process)
        known = words != NULL
        if known and not _and_words(m.live, words, rules.n_words):
            return False
    if rules.n_early and not _gates(m, rules, 0, rules.n_early):
        return False
    for i in range(rules.n_keys):
        if not _common(m.live, rules.key_words + <size_t> i * rules.n_words, rules.n_words):
            continue
        facts = _operand_facts(m, rules.keys[i])
        words = NULL
        if facts != NULL:
            words = _words(
                m, facts, m.n_keys, rules.first_key + i, rules,
                rules.key_nodes + <size_t> i * rules.n,
            )
        if words == NULL:
            known = False
        elif not _and_words(m.live, words, rules.n_words):
            return False
    if known:
        nodes[0] = rules.rest
    return _gates(m, rules, rules.n_early, rules.n_gates)


cdef int match_class(MatcherC* m, uint32_t number, uint32_t* out, int cap) noexcept nogil:
    cdef RuleClass* rules = &m.classes[number]
    cdef const uint32_t* nodes = rules.roots
    cdef uint64_t live
    cdef uint32_t i, word
    cdef int n = 0
    memcpy(m.live, m.ones, rules.n_words * sizeof(uint64_t))
    if m.caches and not _narrow(m, number, &nodes):
        return 0
    for word in range(rules.n_words):
        live = m.live[word]
        while live:
            i = word << 6 | <uint32_t> __builtin_ctzll(live)
            live &= live - 1
            if i >= rules.n:
                break
            m.stats.survivors += 1
            if _holds(m, nodes[i]):
                if n < cap:
                    out[n] = rules.rules[i]
                n += 1
                if m.first_match:
                    m.stats.matches += 1
                    return n
    m.stats.matches += n
    return n


cdef extern from *:
    int __builtin_ctzll(unsigned long long) noexcept nogil


cdef int match_event(MatcherC* m, Context* ctx, uint32_t* out, int cap) noexcept nogil:
    cdef uint32_t slot = ctx.ev.type
    cdef uint64_t call
    cdef uint32_t number
    m.stats.events += 1
    if slot <= 1:
        call = param_u64(ctx.ev, 0, 0)
        slot = GENERIC_BASE + <uint32_t> call if 0 < call < N_SLOTS - GENERIC_BASE else 1
    elif slot >= GENERIC_BASE:
        return 0
    number = m.slots[slot]
    if number == 0:
        return 0
    m.stats.gated += 1
    begin_event(m, ctx)
    return match_class(m, number - 1, out, cap)


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
            if index < 0 and key == NONE and operand.domain != 255:
                operand.source = _SOURCES.get(name, S_NONE)
            try:
                init_field_ref(
                    &operand.ref,
                    name.decode(),
                    None if index < 0 else index,
                    None if key == NONE else self.program.text(key),
                    value_kinds[operand.kind],
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
        self.c.generation = self.c.facts_version = _new_generation()
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

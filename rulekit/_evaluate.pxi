# The evaluator, text that modules include: each gets an instance of its own, compiled for its purpose.
# `_fastmatch.pyx` makes the fast one, `engine/_profile.pyx` one that counts and times,
# `engine/_explain.pyx` one that keeps nothing and evaluates what the others may skip. An includer
# cimports by name what this text uses of `rulekit._fastmatch`, and includes before it what defines
# enter() and leave(), called around everything that can be measured; those of `_unobserved.pxi` do
# nothing, and the C compiler leaves no trace of them.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset

from rulekit.native._kept cimport (
    ANSWER_INSIDE, Kept, KeptTable, kept_clear, kept_drop_answers, kept_share, kept_words,
)
from rulekit.native._strings cimport Str, intern
from rulekit.native._text cimport text_length
from rulekit.native._textindex cimport textindex_run
from rulekit.state._compare cimport Q_ANCESTORS, compare_value
from rulekit.state._fields cimport V_TEXT, Value, extract, put_list
from rulekit.state._fields_fd cimport fd_name_at_hand, no_fd_name
from rulekit.state._state cimport Context, State, Thread
from rulekit.state._threads cimport find_thread, main_thread
from rulekit.state._transform cimport apply_transform

cdef enum:
    MAX_ANCESTORS = 256      # longer chains are not remembered

cdef extern from *:
    int __builtin_ctzll(unsigned long long) noexcept nogil


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
    m.generation = new_generation()
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
    enter(m, OF_TEXT, domain)
    textindex_run(m.indexes[domain], value.ptr, n, m.bits)
    facts = _share_facts(m, domain, m.bits)
    leave(m, facts != NULL)
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


cdef inline Kept* _operand_facts(MatcherC* m, uint32_t number) noexcept nogil:
    """Return what is known about the text of an operand in this event; NULL: not to be had."""
    cdef Operand* operand = &m.operands[number]
    cdef Context* context = m.context
    cdef Str* name
    # Mostly the path of an event needs no reading: this is the same as its extractor.
    if operand.is_path and operand.epoch != m.epoch:
        if no_fd_name(context):
            return m.no_value[operand.domain]
        if context.thread != NULL:
            name = fd_name_at_hand(context)
            if name != NULL and name.facts_version == m.facts_version and name.facts[operand.domain]:
                return <Kept*> name.facts[operand.domain]
    return _read_facts(m, number)


cdef Kept* _read_facts(MatcherC* m, uint32_t number) noexcept nogil:
    cdef Operand* operand = &m.operands[number]
    cdef const Value* value
    if operand.facts_epoch != m.epoch:
        operand.facts_epoch = m.epoch
        enter(m, OF_FIELD, number)
        value = operand_value(m, number)
        if value == NULL:
            operand.facts = m.no_value[operand.domain]
        else:
            operand.facts = _facts_of(m, operand.domain, value, value.str, True)
        leave(m, operand.facts != NULL)
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
    # Versions of everybody whose facts a process field may show: the parent of the thread itself, its
    # main thread, and from there on the ancestors, both counted by main threads (proc.pname) and
    # walked thread by thread (proc.aname). These part where a parent is no main thread and has
    # another parent than its process. 0: not to be remembered.
    cdef uint64_t h = 0x9E3779B97F4A7C15ULL
    cdef Thread* main = main_thread(thread)
    cdef Thread* by_thread = main
    cdef Thread* by_main = main
    cdef uint32_t i
    if main != thread and not _climb(state, &thread, &h):
        return 0
    if main != NULL:
        h = (h ^ main.version) * 0xD1B54A32D192ED03ULL
    for i in range(MAX_ANCESTORS):
        if by_thread == by_main:
            if by_main == NULL:
                return h | 1
            if not _climb(state, &by_main, &h):
                return 0
            by_thread = by_main
        elif not _climb(state, &by_thread, &h) or not _climb(state, &by_main, &h):
            return 0
        if by_main != NULL:
            by_main = main_thread(by_main)
    return 0


cdef inline bint _climb(State* state, Thread** at, uint64_t* h) noexcept nogil:
    """Go on to the parent of a thread, and add it and its process; False: not to be remembered."""
    cdef Thread* main
    if at[0] == NULL:
        return True
    if _unlinked(at[0]):
        return False
    at[0] = _parent(state, at[0])
    if at[0] != NULL:
        h[0] = (h[0] ^ at[0].version) * 0x8CB92BA72F3D8DD7ULL
        main = main_thread(at[0])
        if main != at[0]:
            h[0] = (h[0] ^ (0 if main == NULL else main.version)) * 0xD1B54A32D192ED03ULL
    h[0] ^= h[0] >> 29
    return True


cdef inline bint _unlinked(const Thread* thread) noexcept nogil:
    # Whether it names a parent whose coming nobody would notice: the state tells of the numbers -1 to
    # 1, and of parents that are linked. Only events that lie leave a thread so.
    return thread.parent == NULL and not -1 <= thread.ptid <= 1


cdef inline Thread* _parent(State* state, Thread* thread) noexcept nogil:
    return thread.parent if thread.parent != NULL else find_thread(state, thread.ptid)


cdef inline Kept* _signature(MatcherC* m) noexcept nogil:
    """Return the signature of the event's thread; NULL: none, or not to be had."""
    cdef Context* context = m.context
    cdef Thread* thread = context.thread
    cdef State* state = context.state
    if (thread != NULL and thread.words_epoch == m.generation and thread.words_version == thread.version
            and thread.ancestry_version == state.ancestry_version and context.event_container == NULL):
        return <Kept*> thread.words
    return _found_signature(m)


cdef Kept* _found_signature(MatcherC* m) noexcept nogil:
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
        m.generation = new_generation()
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

cdef inline bint _kept_answer(MatcherC* m, uint32_t number, const Predicate* p, bint* answer) noexcept nogil:
    """Answer a comparison from bits that are kept; False when there are none."""
    cdef Kept* facts
    if p.how == H_TEXT:
        facts = _operand_facts(m, p.left) if m.caches else NULL
        if facts == NULL:
            return False
        answer[0] = (facts != m.no_value[m.operands[p.left].domain]
                     and (p.bit == NONE or _bit(kept_words(facts), p.bit)))
    elif m.signature == NULL:
        return False
    elif p.how == H_PROCESS_TEXT:
        facts = <Kept*> kept_words(m.signature)[p.part]
        answer[0] = facts != NULL and (p.bit == NONE or _bit(kept_words(facts), p.bit))
    else:
        answer[0] = _bit(kept_words(m.signature) + m.n_parts, p.bit)
    enter(m, OF_COMPARISON, number)
    leave(m, answer[0])
    return True


cdef inline bint _holds(MatcherC* m, uint32_t number) noexcept nogil:
    # Leaves are answered here, without a call; what is kept for longer than the event needs no memo.
    cdef const Node* node = &m.nodes[number]
    cdef const Predicate* p
    cdef uint32_t known
    cdef bint answer = False
    if node.op == N_PREDICATE:
        p = &m.predicates[node.first]
        if p.how != H_DIRECT and _kept_answer(m, node.first, p, &answer):
            return answer
        known = m.memo[number]
        if known >> 1 == m.epoch:
            return known & 1
        enter(m, OF_COMPARISON, node.first)
        answer = _direct(m, p)
        leave(m, answer)
        m.memo[number] = m.epoch << 1 | answer
        return answer
    if node.op <= N_TRUE:
        return node.op == N_TRUE
    known = m.memo[number]
    if known >> 1 == m.epoch:
        return known & 1
    return _group_holds(m, number, node)


cdef bint _group_holds(MatcherC* m, uint32_t number, const Node* node) noexcept nogil:
    # The depth of recursion is bounded by the compiler (MAX_DEPTH in compiler/lower.py).
    cdef const uint32_t* child = m.children + node.first
    cdef const uint32_t* end = child + node.n
    cdef bint answer
    if node.op == N_NOT:
        answer = not _holds(m, child[0])
    else:
        # A conjunction ends with the first part that is false, a disjunction with the first true one.
        answer = node.op == N_AND
        while child != end:
            if _holds(m, child[0]) != answer:
                answer = not answer
                break
            child += 1
    m.memo[number] = m.epoch << 1 | answer
    return answer


# ---- rule words ---------------------------------------------------------------------------------

cdef inline const uint64_t* _words(
    MatcherC* m, Kept* kept, uint32_t n_answers, uint32_t answer, const RuleClass* rules,
    const uint32_t* nodes,
) noexcept nogil:
    """Return which rules of a class hold as far as `nodes` say; NULL: no memory."""
    if kept.answers != NULL and kept.answers[answer] != NULL:
        return kept.answers[answer]
    return _new_words(m, kept, n_answers, answer, rules, nodes)


cdef inline uint64_t _small_words(
    MatcherC* m, Kept* kept, uint32_t n_answers, uint32_t answer, const RuleClass* rules,
    const uint32_t* nodes,
) noexcept nogil:
    """The same for a small class, as one word with the bit ANSWER_INSIDE; 0: no memory."""
    return <uint64_t> _words(m, kept, n_answers, answer, rules, nodes)


cdef const uint64_t* _new_words(
    MatcherC* m, Kept* kept, uint32_t n_answers, uint32_t answer, const RuleClass* rules,
    const uint32_t* nodes,
) noexcept nogil:
    cdef uint64_t* words
    cdef uint64_t inside = 0
    cdef uint32_t i
    cdef bint holds
    if kept.answers == NULL:
        kept.answers = <uint64_t**> calloc(n_answers, sizeof(uint64_t*))
        if kept.answers == NULL:
            m.stats.failures += 1
            return NULL
        m.cache_bytes += n_answers * sizeof(uint64_t*) + 16
    words = &inside
    if not rules.is_small:
        words = <uint64_t*> calloc(rules.n_words, sizeof(uint64_t))
        if words == NULL:
            m.stats.failures += 1
            return NULL
        m.cache_bytes += rules.n_words * 8 + 16
    enter(m, OF_WORDS, NONE)
    for i in range(rules.n):
        enter(m, OF_RULE, rules.rules[i])
        holds = _holds(m, nodes[i])
        leave(m, holds)
        if holds:
            words[i >> 6] |= <uint64_t> 1 << (i & 63)
    leave(m, True)
    if rules.is_small:
        words = <uint64_t*> (inside | <uint64_t> 1 << ANSWER_INSIDE)
    kept.answers[answer] = words
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
    cdef bint holds
    for i in range(first, last):
        mask = rules.gate_words + <size_t> i * rules.n_words
        any_ = 0
        for word in range(rules.n_words):
            any_ |= m.live[word] & mask[word]
        if not any_:
            continue
        if not _gate_holds(m, rules.gates[i]):
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
    enter(m, OF_PROCESS, NONE)
    m.signature = _signature(m)
    leave(m, m.signature != NULL)
    if rules.has_process:
        words = NULL
        if m.signature != NULL:
            words = _words(m, m.signature, m.n_classes, number, rules, rules.process)
        known = words != NULL
        if known and not _and_words(m.live, words, rules.n_words):
            return False
    for i in range(rules.n_keys):
        # The path is at hand; other keys are looked up only for what cheap gates leave.
        if i == rules.path_first and rules.n_early and not _gates(m, rules, 0, rules.n_early):
            return False
        if not _common(m.live, rules.key_words + <size_t> i * rules.n_words, rules.n_words):
            continue
        enter(m, OF_KEY, rules.keys[i])
        facts = _operand_facts(m, rules.keys[i])
        leave(m, facts != NULL)
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
    return _gates(m, rules, rules.n_early if rules.n_keys > rules.path_first else 0, rules.n_gates)


cdef inline bint _gate_holds(MatcherC* m, uint32_t gate) noexcept nogil:
    cdef bint holds
    enter(m, OF_GATE, gate)
    holds = _holds(m, gate)
    leave(m, holds)
    return holds


cdef inline uint64_t _gates_word(
    MatcherC* m, const RuleClass* rules, uint64_t live, uint32_t first, uint32_t last
) noexcept nogil:
    cdef uint32_t i
    for i in range(first, last):
        if live & rules.gate_words[i] and not _gate_holds(m, rules.gates[i]):
            live &= ~rules.gate_words[i]
            if not live:
                return 0
    return live


# The same as _narrow for a small class, whose word stays in a register.
cdef inline uint64_t _narrow_word(
    MatcherC* m, const RuleClass* rules, uint32_t number, const uint32_t** nodes
) noexcept nogil:
    cdef uint64_t live = rules.all_rules
    cdef uint64_t words
    cdef Kept* facts
    cdef uint32_t i
    cdef bint known = True
    if m.cache_bytes > m.max_cache_bytes:
        _flush(m)
        m.stats.flushes += 1
    enter(m, OF_PROCESS, NONE)
    m.signature = _signature(m)
    leave(m, m.signature != NULL)
    if rules.has_process:
        words = 0
        if m.signature != NULL:
            words = _small_words(m, m.signature, m.n_classes, number, rules, rules.process)
        known = words != 0
        if known:
            live &= words
            if not live:
                return 0
    for i in range(rules.n_keys):
        if i == rules.path_first and rules.n_early:      # as in _narrow
            live = _gates_word(m, rules, live, 0, rules.n_early)
            if not live:
                return 0
        if not live & rules.key_words[i]:
            continue
        enter(m, OF_KEY, rules.keys[i])
        facts = _operand_facts(m, rules.keys[i])
        leave(m, facts != NULL)
        words = 0
        if facts != NULL:
            words = _small_words(
                m, facts, m.n_keys, rules.first_key + i, rules,
                rules.key_nodes + <size_t> i * rules.n,
            )
        if words == 0:
            known = False
        else:
            live &= words
            if not live:
                return 0
    if known:
        nodes[0] = rules.rest
    return _gates_word(m, rules, live, rules.n_early if rules.n_keys > rules.path_first else 0, rules.n_gates)


cdef inline int _survivors(
    MatcherC* m, const RuleClass* rules, const uint32_t* nodes, uint64_t live, uint32_t first,
    uint32_t* last, uint32_t* out, int cap, int n,
) noexcept nogil:
    """Evaluate the live rules of a word; the number of matches so far.

    A rule may stand in a class several times, one after the other (alternatives): it matches once.
    """
    cdef uint32_t i
    cdef bint holds
    while live:
        i = first + <uint32_t> __builtin_ctzll(live)
        live &= live - 1
        m.stats.survivors += 1
        if rules.rules[i] == last[0]:
            continue
        enter(m, OF_RULE, rules.rules[i])
        holds = _holds(m, nodes[i])
        leave(m, holds)
        if holds:
            last[0] = rules.rules[i]
            if n < cap:
                out[n] = last[0]
            n += 1
            if m.first_match:
                return n
    return n


cdef inline int _match(MatcherC* m, uint32_t number, uint32_t* out, int cap) noexcept nogil:
    cdef RuleClass* rules = &m.classes[number]
    cdef const uint32_t* nodes = rules.roots
    cdef uint64_t live
    cdef uint32_t word
    cdef uint32_t last = NONE
    cdef int n = 0
    if rules.is_small:
        live = _narrow_word(m, rules, number, &nodes) if m.caches else rules.all_rules
        if not live:
            return 0
        n = _survivors(m, rules, nodes, live, 0, &last, out, cap, 0)
    else:
        memcpy(m.live, m.ones, rules.n_words * sizeof(uint64_t))
        m.live[rules.n_words - 1] = rules.all_rules
        if m.caches and not _narrow(m, number, &nodes):
            return 0
        for word in range(rules.n_words):
            if m.live[word]:
                n = _survivors(m, rules, nodes, m.live[word], word << 6, &last, out, cap, n)
                if n and m.first_match:
                    break
    m.stats.matches += n
    return n


cdef int match_class(MatcherC* m, uint32_t number, uint32_t* out, int cap) noexcept nogil:
    return _match(m, number, out, cap)


cdef int match_gated(MatcherC* m, Context* ctx, uint32_t number, uint32_t* out, int cap) noexcept nogil:
    m.epoch += 1
    if m.epoch >= 0x7FFFFFFF:
        _new_epochs(m)
    m.context = ctx
    return _match(m, number, out, cap)

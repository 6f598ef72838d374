# Program × state → matches. The loop calls match_event once per event, without the GIL.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rulekit.native._event cimport param_u64
from rulekit.native._kept cimport Kept, KeptTable
from rulekit.native._strings cimport Str
from rulekit.native._textindex cimport TextIndex
from rulekit.state._compare cimport Comparison, Literals
from rulekit.state._fields cimport FieldRef, Value
from rulekit.state._fields_fd cimport fd_name_at_hand, no_fd_name
from rulekit.state._literals cimport LiteralPool
from rulekit.state._state cimport Context, State, Thread

cdef enum:
    N_SLOTS = 1536           # as compiler/passes/fold.py: event type, or GENERIC_BASE + ppm_sc
    GENERIC_BASE = 512
    N_DOMAINS = 8            # as compiler/passes/index.py
    NONE = 0xFFFFFFFF

cdef enum Source:            # what decides a text that is made anew each time
    S_NONE = 0
    S_ENVIRONMENT = 1        # Thread.env of the main thread
    S_ARGUMENTS = 2          # Thread.args
    S_CAP_PERMITTED = 3
    S_CAP_INHERITABLE = 4
    S_CAP_EFFECTIVE = 5

cdef enum NodeOp:
    N_FALSE = 0
    N_TRUE = 1
    N_PREDICATE = 2
    N_NOT = 3
    N_AND = 4
    N_OR = 5

cdef enum OperandForm:
    O_FIELD = 0
    O_CALL = 1
    O_LITERAL = 2
    O_TUPLE = 3

cdef enum How:
    H_DIRECT = 0
    H_PROCESS_BIT = 1
    H_PROCESS_TEXT = 2
    H_TEXT = 3

cdef enum Observed:          # what is measured; in brackets what its number is
    OF_PROCESS = 1           # looking up, or making, the signature of the process
    OF_KEY = 2               # looking up, or making, what holds for a text (operand)
    OF_TEXT = 3              # comparing a text that was not seen before (domain)
    OF_WORDS = 4             # making rule words
    OF_GATE = 5              # a condition shared by many rules (node)
    OF_RULE = 6              # evaluating a rule, or its part in rule words (rule)
    OF_COMPARISON = 7        # (predicate)
    OF_FIELD = 8             # reading a text that comparisons look at (operand)

cdef struct Operand:
    uint8_t form             # OperandForm
    uint8_t kind             # ComparedKind
    uint8_t quantifier
    uint8_t domain           # or 255
    uint32_t first           # arguments: positions in MatcherC.arguments
    uint32_t n
    int call                 # Transform of a call
    uint8_t key              # bracket argument of a call, 0: none
    FieldRef ref             # of a field
    uint32_t epoch           # event that `value` belongs to
    uint32_t facts_epoch
    bint present
    Value value
    Kept* facts           # of `value`; NULL: not to be had
    bint is_path             # plain fd.name, which is mostly the name of the event's fd
    uint8_t source           # Source
    uint8_t oldest           # place in `seen` to be overwritten next
    uint32_t seen_version    # MatcherC.facts_version of `seen`
    uint64_t seen[4]         # the last capability sets
    Kept* seen_facts[4]   # and what holds for their texts

cdef struct Predicate:
    Comparison comparison
    uint8_t how
    uint32_t left
    uint32_t other           # or NONE
    uint32_t part
    uint32_t bit

cdef struct Node:
    uint8_t op
    uint32_t first           # predicate, or first child
    uint32_t n

cdef struct RuleClass:       # rules of a group of event types
    uint32_t n
    uint32_t n_words
    uint64_t all_rules       # the bits of all rules in the last word
    bint has_process         # some rule demands something of the process
    bint is_small            # at most 63 rules: what is kept about them is one word, see _small_words
    bint path_first          # the first of the keys is fd.name
    uint8_t path_domain      # its domain
    const uint32_t* rules
    const uint32_t* roots
    const uint32_t* process
    const uint32_t* rest
    uint32_t first_key       # its number among the keys of all classes
    uint32_t n_keys
    const uint32_t* keys     # operands
    const uint32_t* key_nodes    # n per key
    uint64_t* key_words      # n_words per key: rules that demand something of it
    uint32_t n_gates
    uint32_t n_early         # gates tried before keys other than the path
    const uint32_t* gates    # nodes
    const uint64_t* gate_words   # n_words per gate: rules that demand it

cdef struct MatcherStats:
    uint64_t events          # shown to the matcher
    uint64_t gated           # of a type that some rule names
    uint64_t survivors       # rules evaluated after the words
    uint64_t matches
    uint64_t signatures_built, signatures_shared, chains_checked
    uint64_t facts_built, facts_shared
    uint64_t flushes         # caches dropped because they were full
    uint64_t failures        # evaluations that could not be done (no memory, regex failed): read as false

cdef struct MatcherC:
    # the program
    uint16_t* slots          # owned; class + 1 by slot
    RuleClass* classes       # owned
    uint32_t n_classes
    uint32_t n_rules
    Node* nodes              # owned
    uint32_t n_nodes
    const uint32_t* children
    Predicate* predicates    # owned
    uint32_t n_predicates
    Operand* operands        # owned
    uint32_t n_operands
    const uint32_t* arguments
    Literals literals        # the LiteralPool's
    uint32_t n_keys          # of all classes together
    uint64_t* key_words      # owned
    const uint32_t* parts
    uint32_t n_parts
    const uint32_t* process_bits
    uint32_t n_process_bits
    uint32_t n_bit_words
    bint caches
    bint first_match
    # what is known
    TextIndex* indexes[N_DOMAINS]      # owned
    KeptTable facts[N_DOMAINS]         # owned; the comparisons of a domain that hold for a text
    Kept* no_value[N_DOMAINS]          # owned; of a null value
    KeptTable signatures               # owned; what the program can know of a process:
                                       # facts of n_parts texts (addresses), n_bit_words of bits
    uint64_t* key                      # owned scratch: one signature
    uint64_t* bits                     # owned scratch: one fact set
    uint64_t* ones                     # owned; all rules
    uint64_t* live                     # owned scratch: rules still possible
    uint64_t cache_bytes
    uint64_t max_cache_bytes
    uint32_t generation                # of threads' words; unique in the process
    uint32_t facts_version             # of Str.facts; unique in the process
    uint32_t account_version
    uint32_t container_version
    # the event
    Context* context
    uint32_t epoch
    uint32_t* memo           # owned; per node epoch << 1 | answer
    Kept* signature     # of the event's thread, or NULL
    MatcherStats stats
    void* observer           # of enter() and leave(), or NULL


cdef class Matcher:
    cdef MatcherC* c
    cdef readonly object program
    cdef LiteralPool _literals
    cdef readonly uint32_t n_rules

# A number that no other matcher of the process uses.
cdef uint32_t new_generation() noexcept nogil

# The two halves of match_event, for callers that know the class of the event's type.
cdef void begin_event(MatcherC* m, Context* ctx) noexcept nogil
cdef int match_class(MatcherC* m, uint32_t number, uint32_t* out, int cap) noexcept nogil
cdef int match_gated(MatcherC* m, Context* ctx, uint32_t number, uint32_t* out, int cap) noexcept nogil   # both


# The event's place in MatcherC.slots; 0, which is nobody's, when it has none.
cdef inline uint32_t slot_of(const Context* ctx) noexcept nogil:
    cdef uint32_t slot = ctx.ev.type
    cdef uint64_t call
    if slot > 1:
        return slot if slot < GENERIC_BASE else 0
    call = param_u64(ctx.ev, 0, 0)
    return GENERIC_BASE + <uint32_t> call if 0 < call < N_SLOTS - GENERIC_BASE else 1


# Whether what is kept about the process of an event, and about its path, says that no rule of a class
# holds. Most events end here, without a call. False says nothing.
cdef inline bint none_holds(const MatcherC* m, const Context* ctx, const RuleClass* rules, uint32_t number) noexcept nogil:
    return none_holds_of(m, ctx.state, ctx.thread, ctx, False, NULL, rules, number)


# The same without a context (NULL): `no_name`, or the text of fd.name, are then told by who asks.
cdef inline bint none_holds_of(const MatcherC* m, const State* state, const Thread* thread, const Context* ctx,
                               bint no_name, const Str* name, const RuleClass* rules, uint32_t number) noexcept nogil:
    cdef const Kept* kept
    cdef uint64_t live = rules.all_rules
    cdef uint64_t words
    # As _signature in _evaluate.pxi; events of containers have no thread.
    if (not rules.is_small or thread == NULL or thread.words_epoch != m.generation
            or thread.words_version != thread.version or thread.ancestry_version != state.ancestry_version):
        return False
    if rules.has_process:
        kept = <const Kept*> thread.words
        if kept.answers == NULL:
            return False
        words = <uint64_t> kept.answers[number]
        live &= words
        if live == 0:
            return words != 0
    if not rules.path_first or not live & rules.key_words[0]:
        return False
    # As _operand_facts.
    if no_name if ctx == NULL else no_fd_name(ctx):
        kept = m.no_value[rules.path_domain]
    else:
        if ctx != NULL:
            name = fd_name_at_hand(ctx)
        if name == NULL or name.facts_version != m.facts_version:
            return False
        kept = <const Kept*> name.facts[rules.path_domain]
        if kept == NULL:
            return False
    if kept.answers == NULL:
        return False
    words = <uint64_t> kept.answers[rules.first_key]
    return words != 0 and not live & words


# Writes the numbers of the rules that match, in definition order, and returns how many match, which
# may be more than `cap`. Borrow the MatcherC from Matcher.c while the Matcher lives.
cdef inline int match_event(MatcherC* m, Context* ctx, uint32_t* out, int cap) noexcept nogil:
    cdef uint32_t number = m.slots[slot_of(ctx)]
    m.stats.events += 1
    if number == 0:
        return 0
    m.stats.gated += 1
    number -= 1
    if none_holds(m, ctx, &m.classes[number], number):
        return 0
    return match_gated(m, ctx, number, out, cap)

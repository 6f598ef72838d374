# All text comparisons of a group of fields in one structure: a text goes in once, the set of true
# comparisons comes out.

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from rulekit.native._text cimport Texts, TextSet

# A comparison of a text with literals, or with several under a modifier.
cdef enum TextOp:
    T_EXISTS = 0
    T_IN = 1
    T_NE = 2
    T_LT = 3
    T_LE = 4
    T_GT = 5
    T_GE = 6
    T_CONTAINS = 7
    T_ICONTAINS = 8
    T_STARTS = 9
    T_ENDS = 10
    T_GLOB = 11
    T_IGLOB = 12
    T_PMATCH = 13
    T_REGEX = 14
    T_INTERSECTS = 15

cdef enum Modifier:
    M_NONE = 0
    M_ANYOF = 1
    M_ALLOF = 2
    M_ONEOF = 3

# Answers a regular expression: (owner, number of the literal, text).
ctypedef bint (*regex_fn)(void* owner, uint32_t literal, const char* text, uint32_t n) noexcept nogil

cdef struct TextFn:
    uint8_t op
    uint8_t modifier
    bint has_set
    uint32_t first       # literals first .. first + n - 1
    uint32_t n
    TextSet set          # of `in` with many literals

cdef struct Trie:        # bytes → nodes; edges are hashed by (node, byte)
    uint64_t* edges      # owned; (node << 8 | byte) << 28 | target, 0: free
    uint32_t mask
    uint32_t n_edges
    uint32_t n_nodes
    uint32_t cap_nodes
    uint32_t* hits       # owned; per node head of its list of values + 1
    uint32_t* fails      # owned; Aho-Corasick
    uint32_t* links      # owned; nearest suffix with hits, 0: none
    uint32_t* moves      # owned; automaton: node × byte class → node << 1 | has hits; NULL: too large
    uint8_t classes[256] # bytes that no needle tells apart are one class
    uint32_t n_classes
    uint32_t* first_child    # owned; used while linking
    uint32_t* next_sibling   # owned
    uint8_t* bytes_      # owned
    uint32_t* values     # owned; list cells: value, next cell + 1
    uint32_t n_values
    uint32_t cap_values

cdef struct TextIndex:
    uint32_t n_bits
    uint32_t n_words
    uint64_t* base       # owned; comparisons that hold unless something is found (`!=`, empty literals)
    TextSet exact        # of all literals of `in` and `!=`
    bint has_exact
    uint32_t* exact_hits # owned; by number of literal: head of list + 1
    uint32_t* cells      # owned; value, next + 1
    uint32_t n_cells, cap_cells
    Trie starts, ends, inside, iinside, paths
    uint32_t* others     # owned; bits that must be tried one by one
    uint32_t n_others
    TextFn** fns         # owned array of borrowed pointers: by bit
    const Texts* texts   # borrowed
    void* regex_owner
    regex_fn regex

cdef bint textfn_holds(const TextFn* fn, const Texts* texts, const char* text, uint32_t n, void* owner, regex_fn regex) noexcept nogil
cdef bint text_compare(uint8_t op, const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil

cdef TextIndex* textindex_new(const Texts* texts, uint32_t n_texts, TextFn** fns, uint32_t n_bits, void* owner, regex_fn regex) noexcept nogil  # NULL: no memory
cdef void textindex_free(TextIndex* index) noexcept nogil
cdef void textindex_run(const TextIndex* index, const char* text, uint32_t n, uint64_t* bits) noexcept nogil

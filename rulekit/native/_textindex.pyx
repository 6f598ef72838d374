# hot: every event passes here
# All text comparisons of a group of fields in one structure.
#
# Cost of a text is its length, not the number of literals: one look-up for all `=` and `in`, one walk
# each for all prefixes, suffixes and paths, one pass of Aho-Corasick for all `contains`.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from rulekit.native._text cimport (
    Texts,
    text_contains,
    text_ends,
    text_equals,
    text_globs,
    text_has_glob,
    text_icontains,
    text_order,
    text_path_matches,
    text_starts,
    texts_len,
    texts_ptr,
    textset_find,
    textset_add,
    textset_free,
    textset_init,
)


cdef enum:
    MAX_MOVES = 1 << 21      # cells of an automaton: 8 MB


cdef bint text_compare(uint8_t op, const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil:
    """Compare two texts by an operator other than `regex`."""
    if op == T_IN or op == T_INTERSECTS:
        return text_equals(a, n, b, m)
    if op == T_NE:
        return not text_equals(a, n, b, m)
    if op == T_CONTAINS:
        return text_contains(a, n, b, m)
    if op == T_STARTS:
        return text_starts(a, n, b, m)
    if op == T_ENDS:
        return text_ends(a, n, b, m)
    if op == T_GLOB:
        return text_globs(a, n, b, m, False)
    if op == T_IGLOB:
        return text_globs(a, n, b, m, True)
    if op == T_ICONTAINS:
        return text_icontains(a, n, b, m)
    if op == T_PMATCH:
        return text_path_matches(a, n, b, m)
    if op == T_LT:
        return text_order(a, n, b, m) < 0
    if op == T_LE:
        return text_order(a, n, b, m) <= 0
    if op == T_GT:
        return text_order(a, n, b, m) > 0
    if op == T_GE:
        return text_order(a, n, b, m) >= 0
    return op == T_EXISTS


cdef inline bint _one(
    const TextFn* fn, const Texts* texts, uint32_t i, const char* text, uint32_t n, void* owner,
    regex_fn regex,
) noexcept nogil:
    if fn.op == T_REGEX:
        return regex != NULL and regex(owner, i, text, n)
    return text_compare(fn.op, text, n, texts_ptr(texts, i), texts_len(texts, i))


cdef bint textfn_holds(
    const TextFn* fn, const Texts* texts, const char* text, uint32_t n, void* owner, regex_fn regex
) noexcept nogil:
    """Return whether a comparison holds for a text that is not null and has no NUL."""
    cdef uint32_t i, true = 0
    if fn.op == T_EXISTS:
        return True
    if fn.has_set:
        return textset_find(&fn.set, text, n) != 0
    if fn.modifier == M_NONE or fn.modifier == M_ANYOF:
        for i in range(fn.first, fn.first + fn.n):
            if _one(fn, texts, i, text, n, owner, regex):
                return True
        return False
    if fn.modifier == M_ALLOF:
        for i in range(fn.first, fn.first + fn.n):
            if not _one(fn, texts, i, text, n, owner, regex):
                return False
        return fn.n > 0
    for i in range(fn.first, fn.first + fn.n):
        if _one(fn, texts, i, text, n, owner, regex):
            true += 1
            if true == 2:
                return False
    return true == 1


# ---- tries --------------------------------------------------------------------------------------

cdef bint _trie_init(Trie* t) noexcept nogil:
    memset(t, 0, sizeof(Trie))
    t.mask = 63
    t.edges = <uint64_t*> calloc(64, sizeof(uint64_t))
    if t.edges == NULL:
        return False
    return _trie_node(t, 0)


cdef void _trie_free(Trie* t) noexcept nogil:
    free(t.edges)
    free(t.hits)
    free(t.fails)
    free(t.links)
    free(t.moves)
    free(t.first_child)
    free(t.next_sibling)
    free(t.bytes_)
    free(t.values)
    memset(t, 0, sizeof(Trie))


cdef bint _trie_node(Trie* t, uint8_t byte) noexcept nogil:
    cdef uint32_t cap
    cdef void* p
    if t.n_nodes == t.cap_nodes:
        cap = t.cap_nodes * 2 if t.cap_nodes else 64
        # Each realloc stands alone: what succeeded before a failure is freed by _trie_free.
        p = realloc(t.hits, cap * sizeof(uint32_t))
        if p == NULL:
            return False
        t.hits = <uint32_t*> p
        p = realloc(t.first_child, cap * sizeof(uint32_t))
        if p == NULL:
            return False
        t.first_child = <uint32_t*> p
        p = realloc(t.next_sibling, cap * sizeof(uint32_t))
        if p == NULL:
            return False
        t.next_sibling = <uint32_t*> p
        p = realloc(t.bytes_, cap)
        if p == NULL:
            return False
        t.bytes_ = <uint8_t*> p
        t.cap_nodes = cap
    t.hits[t.n_nodes] = 0
    t.first_child[t.n_nodes] = 0
    t.next_sibling[t.n_nodes] = 0
    t.bytes_[t.n_nodes] = byte
    t.n_nodes += 1
    return True


cdef inline uint32_t _spread(uint64_t key) noexcept nogil:
    return <uint32_t> ((key * 0x9E3779B97F4A7C15ULL) >> 32)


# Target of an edge, 0: none. An edge is stored as key << 28 | target; nodes have 28 bits.
cdef inline uint32_t _edge(const Trie* t, uint32_t node, uint8_t byte) noexcept nogil:
    cdef uint64_t key = <uint64_t> node << 8 | byte
    cdef uint32_t at = _spread(key) & t.mask
    cdef uint64_t edge
    while True:
        edge = t.edges[at]
        if edge == 0:
            return 0
        if edge >> 28 == key:
            return <uint32_t> (edge & 0xFFFFFFF)
        at = (at + 1) & t.mask


cdef bint _edge_add(Trie* t, uint32_t node, uint8_t byte, uint32_t target) noexcept nogil:
    cdef uint64_t* old = t.edges
    cdef uint64_t* grown
    cdef uint64_t edge
    cdef uint32_t i, at, size
    if (t.n_edges + 1) * 2 > t.mask:
        size = (t.mask + 1) * 2
        grown = <uint64_t*> calloc(size, sizeof(uint64_t))
        if grown == NULL:
            return False
        for i in range(t.mask + 1):
            edge = old[i]
            if edge:
                at = _spread(edge >> 28) & (size - 1)
                while grown[at]:
                    at = (at + 1) & (size - 1)
                grown[at] = edge
        free(old)
        t.edges = grown
        t.mask = size - 1
    edge = (<uint64_t> node << 8 | byte) << 28 | target
    at = _spread(edge >> 28) & t.mask
    while t.edges[at]:
        at = (at + 1) & t.mask
    t.edges[at] = edge
    t.n_edges += 1
    return True


cdef uint32_t _trie_step(Trie* t, uint32_t node, uint8_t byte) noexcept nogil:
    # Returns the child, made when it is missing; 0: no memory (or 2^28 nodes).
    cdef uint32_t child = _edge(t, node, byte)
    if child:
        return child
    if t.n_nodes >= 1 << 28 or not _trie_node(t, byte):
        return 0
    child = t.n_nodes - 1
    if not _edge_add(t, node, byte, child):
        return 0
    t.next_sibling[child] = t.first_child[node]
    t.first_child[node] = child
    return child


cdef bint _trie_value(Trie* t, uint32_t node, uint32_t value) noexcept nogil:
    cdef uint32_t cap
    cdef void* p
    if t.n_values == t.cap_values:
        cap = t.cap_values * 2 if t.cap_values else 64
        p = realloc(t.values, <size_t> cap * 8)
        if p == NULL:
            return False
        t.values = <uint32_t*> p
        t.cap_values = cap
    t.values[2 * t.n_values] = value
    t.values[2 * t.n_values + 1] = t.hits[node]
    t.n_values += 1
    t.hits[node] = t.n_values
    return True


cdef inline uint8_t _lower(uint8_t c) noexcept nogil:
    return c + 32 if 65 <= c <= 90 else c


cdef bint _trie_add(
    Trie* t, const char* text, uint32_t n, uint32_t value, bint backwards, bint fold
) noexcept nogil:
    cdef uint32_t node = 0, i
    cdef uint8_t c
    for i in range(n):
        c = <uint8_t> text[n - 1 - i if backwards else i]
        node = _trie_step(t, node, _lower(c) if fold else c)
        if node == 0:
            return False
    return _trie_value(t, node, value)


cdef bint _trie_add_path(Trie* t, const char* path, uint32_t m, uint32_t value) noexcept nogil:
    # As /a/b, whatever slashes were written.
    cdef uint32_t node = 0, j = 0
    while True:
        while j < m and path[j] == b"/":
            j += 1
        if j == m:
            return _trie_value(t, node, value)
        node = _trie_step(t, node, 47)
        while node and j < m and path[j] != b"/":
            node = _trie_step(t, node, <uint8_t> path[j])
            j += 1
        if node == 0:
            return False


cdef bint _trie_link(Trie* t, bint fold) noexcept nogil:
    # Failure links, breadth first.
    cdef uint32_t head = 0, tail = 0, node, child, fail, target
    cdef uint32_t* queue = <uint32_t*> malloc(t.n_nodes * sizeof(uint32_t))
    t.fails = <uint32_t*> calloc(t.n_nodes, sizeof(uint32_t))
    t.links = <uint32_t*> calloc(t.n_nodes, sizeof(uint32_t))
    if queue == NULL or t.fails == NULL or t.links == NULL:
        free(queue)
        return False
    queue[tail] = 0
    tail += 1
    while head < tail:
        node = queue[head]
        head += 1
        child = t.first_child[node]
        while child:
            if node != 0:
                fail = t.fails[node]
                while True:
                    target = _edge(t, fail, t.bytes_[child])
                    if target or fail == 0:
                        break
                    fail = t.fails[fail]
                t.fails[child] = target
                t.links[child] = target if t.hits[target] else t.links[target]
            queue[tail] = child
            tail += 1
            child = t.next_sibling[child]
    _trie_automaton(t, queue, fold)
    free(queue)
    return True


cdef void _trie_automaton(Trie* t, const uint32_t* queue, bint fold) noexcept nogil:
    # One load per byte instead of edges and failure links, as long as it stays small. `queue` holds
    # the nodes breadth first.
    cdef uint32_t i, node, child, c
    cdef uint32_t* row
    t.n_classes = 1
    for i in range(1, t.n_nodes):
        if t.classes[t.bytes_[i]] == 0:
            if t.n_classes == 256:
                return
            t.classes[t.bytes_[i]] = <uint8_t> t.n_classes
            t.n_classes += 1
    if fold:
        for c in range(65, 91):
            t.classes[c] = t.classes[c + 32]
    if <uint64_t> t.n_nodes * t.n_classes > MAX_MOVES:
        return
    t.moves = <uint32_t*> calloc(<size_t> t.n_nodes * t.n_classes, sizeof(uint32_t))
    if t.moves == NULL:
        return
    for i in range(t.n_nodes):
        node = queue[i]
        row = t.moves + <size_t> node * t.n_classes
        if node:
            memcpy(row, t.moves + <size_t> t.fails[node] * t.n_classes, t.n_classes * sizeof(uint32_t))
        child = t.first_child[node]
        while child:
            row[t.classes[t.bytes_[child]]] = child << 1 | (t.hits[child] != 0 or t.links[child] != 0)
            child = t.next_sibling[child]


cdef inline void _mark(const uint32_t* cells, uint32_t head, uint64_t* bits) noexcept nogil:
    cdef uint32_t value
    while head:
        value = cells[2 * (head - 1)]
        head = cells[2 * (head - 1) + 1]
        if value & 1:       # `!=`: found means false
            bits[value >> 7] &= ~(<uint64_t> 1 << (value >> 1 & 63))
        else:
            bits[value >> 7] |= <uint64_t> 1 << (value >> 1 & 63)


cdef void _walk(const Trie* t, const char* text, uint32_t n, bint backwards, uint64_t* bits) noexcept nogil:
    cdef uint32_t node = 0, i = 0
    while i < n:
        node = _edge(t, node, <uint8_t> text[n - 1 - i if backwards else i])
        if node == 0:
            return
        if t.hits[node]:
            _mark(t.values, t.hits[node], bits)
        i += 1


cdef void _walk_path(const Trie* t, const char* value, uint32_t n, uint64_t* bits) noexcept nogil:
    cdef uint32_t node = 0, i = 0
    if t.hits[0]:
        _mark(t.values, t.hits[0], bits)
    while True:
        while i < n and value[i] == b"/":
            i += 1
        if i == n:
            return
        node = _edge(t, node, 47)
        while node and i < n and value[i] != b"/":
            node = _edge(t, node, <uint8_t> value[i])
            i += 1
        if node == 0:
            return
        if t.hits[node]:
            _mark(t.values, t.hits[node], bits)


cdef void _search(const Trie* t, const char* text, uint32_t n, bint fold, uint64_t* bits) noexcept nogil:
    cdef uint32_t node = 0, i, target, found
    cdef uint8_t c
    if t.moves != NULL:
        for i in range(n):
            node = t.moves[<size_t> (node >> 1) * t.n_classes + t.classes[<uint8_t> text[i]]]
            if node & 1:
                found = node >> 1
                if not t.hits[found]:
                    found = t.links[found]
                while found:
                    _mark(t.values, t.hits[found], bits)
                    found = t.links[found]
        return
    for i in range(n):
        c = <uint8_t> text[i]
        if fold:
            c = _lower(c)
        while True:
            target = _edge(t, node, c)
            if target or node == 0:
                break
            node = t.fails[node]
        node = target
        found = node if t.hits[node] else t.links[node]
        while found:
            _mark(t.values, t.hits[found], bits)
            found = t.links[found]


# ---- the index ----------------------------------------------------------------------------------

cdef inline bint _any_of(const TextFn* fn) noexcept nogil:
    return fn.modifier == M_NONE or fn.modifier == M_ANYOF


cdef bint _indexable(const TextIndex* index, const TextFn* fn) noexcept nogil:
    cdef uint32_t i
    if fn.op == T_NE:
        # "differs from all" is one look-up; "differs from one of them" is not.
        return fn.n == 1 or fn.modifier == M_ALLOF
    if not _any_of(fn) and fn.n > 1:
        return False
    if fn.op == T_PMATCH:
        for i in range(fn.first, fn.first + fn.n):
            if text_has_glob(texts_ptr(index.texts, i), texts_len(index.texts, i)):
                return False
        return True
    return fn.op in (T_IN, T_CONTAINS, T_ICONTAINS, T_STARTS, T_ENDS)


cdef bint _add_exact(TextIndex* index, uint32_t literal, uint32_t value) noexcept nogil:
    cdef uint32_t number = textset_find(
        &index.exact, texts_ptr(index.texts, literal), texts_len(index.texts, literal)
    ) - 1
    cdef uint32_t cap
    cdef void* p
    if index.n_cells == index.cap_cells:
        cap = index.cap_cells * 2 if index.cap_cells else 64
        p = realloc(index.cells, <size_t> cap * 8)
        if p == NULL:
            return False
        index.cells = <uint32_t*> p
        index.cap_cells = cap
    index.cells[2 * index.n_cells] = value
    index.cells[2 * index.n_cells + 1] = index.exact_hits[number]
    index.n_cells += 1
    index.exact_hits[number] = index.n_cells
    return True


cdef bint _add(TextIndex* index, uint32_t bit, const TextFn* fn) noexcept nogil:
    cdef uint32_t i, n
    cdef const char* text
    cdef bint done = True
    for i in range(fn.first, fn.first + fn.n):
        text = texts_ptr(index.texts, i)
        n = texts_len(index.texts, i)
        if fn.op == T_IN:
            done = _add_exact(index, i, bit << 1)
        elif fn.op == T_NE:
            done = _add_exact(index, i, bit << 1 | 1)
        elif fn.op == T_PMATCH:
            done = _trie_add_path(&index.paths, text, n, bit << 1)
        elif n == 0:
            index.base[bit >> 6] |= <uint64_t> 1 << (bit & 63)
        elif fn.op == T_STARTS:
            done = _trie_add(&index.starts, text, n, bit << 1, False, False)
        elif fn.op == T_ENDS:
            done = _trie_add(&index.ends, text, n, bit << 1, True, False)
        elif fn.op == T_CONTAINS:
            done = _trie_add(&index.inside, text, n, bit << 1, False, False)
        else:
            done = _trie_add(&index.iinside, text, n, bit << 1, False, True)
        if not done:
            return False
    if fn.op == T_NE:
        index.base[bit >> 6] |= <uint64_t> 1 << (bit & 63)
    return True


cdef bint _collect_exact(TextIndex* index, uint32_t n_texts) noexcept nogil:
    # One set over all literals of `in` and `!=`. Its hits are kept by number of literal, so that the
    # set needs no payload of its own.
    cdef uint32_t bit, i, total = 0
    cdef const TextFn* fn
    for bit in range(index.n_bits):
        fn = index.fns[bit]
        if (fn.op == T_IN or fn.op == T_NE) and _indexable(index, fn):
            total += fn.n
    if total == 0:
        return True
    index.has_exact = True
    index.exact_hits = <uint32_t*> calloc(n_texts, sizeof(uint32_t))
    if index.exact_hits == NULL or not textset_init(&index.exact, index.texts, total):
        return False
    for bit in range(index.n_bits):
        fn = index.fns[bit]
        if (fn.op == T_IN or fn.op == T_NE) and _indexable(index, fn):
            for i in range(fn.first, fn.first + fn.n):
                textset_add(&index.exact, i)
    return True


cdef TextIndex* textindex_new(
    const Texts* texts, uint32_t n_texts, TextFn** fns, uint32_t n_bits, void* owner, regex_fn regex
) noexcept nogil:
    cdef TextIndex* index = <TextIndex*> calloc(1, sizeof(TextIndex))
    cdef uint32_t bit
    cdef bint done
    if index == NULL:
        return NULL
    index.texts = texts
    index.n_bits = n_bits
    index.n_words = (n_bits + 63) // 64
    index.regex_owner = owner
    index.regex = regex
    index.base = <uint64_t*> calloc(index.n_words + 1, sizeof(uint64_t))
    index.others = <uint32_t*> malloc((n_bits + 1) * sizeof(uint32_t))
    index.fns = <TextFn**> malloc((n_bits + 1) * sizeof(TextFn*))
    done = index.base != NULL and index.others != NULL and index.fns != NULL
    if done:
        memcpy(index.fns, fns, n_bits * sizeof(TextFn*))
        done = (
            _trie_init(&index.starts) and _trie_init(&index.ends) and _trie_init(&index.inside)
            and _trie_init(&index.iinside) and _trie_init(&index.paths)
            and _collect_exact(index, n_texts)
        )
    if done:
        for bit in range(n_bits):
            if _indexable(index, fns[bit]):
                if not _add(index, bit, fns[bit]):
                    done = False
                    break
            else:
                index.others[index.n_others] = bit
                index.n_others += 1
    if not done or not _trie_link(&index.inside, False) or not _trie_link(&index.iinside, True):
        textindex_free(index)
        return NULL
    return index


cdef void textindex_free(TextIndex* index) noexcept nogil:
    if index == NULL:
        return
    _trie_free(&index.starts)
    _trie_free(&index.ends)
    _trie_free(&index.inside)
    _trie_free(&index.iinside)
    _trie_free(&index.paths)
    textset_free(&index.exact)
    free(index.exact_hits)
    free(index.cells)
    free(index.base)
    free(index.others)
    free(index.fns)
    free(index)


cdef void textindex_run(const TextIndex* index, const char* text, uint32_t n, uint64_t* bits) noexcept nogil:
    """Fill `bits` (`n_words` words) with the comparisons that hold for a text without NUL."""
    cdef uint32_t i, found, bit
    memcpy(bits, index.base, index.n_words * sizeof(uint64_t))
    if index.has_exact:
        found = textset_find(&index.exact, text, n)
        if found:
            _mark(index.cells, index.exact_hits[found - 1], bits)
    if index.starts.n_nodes > 1:
        _walk(&index.starts, text, n, False, bits)
    if index.ends.n_nodes > 1:
        _walk(&index.ends, text, n, True, bits)
    if index.paths.n_values:
        _walk_path(&index.paths, text, n, bits)
    if index.inside.n_nodes > 1:
        _search(&index.inside, text, n, False, bits)
    if index.iinside.n_nodes > 1:
        _search(&index.iinside, text, n, True, bits)
    for i in range(index.n_others):
        bit = index.others[i]
        if textfn_holds(index.fns[bit], index.texts, text, n, index.regex_owner, index.regex):
            bits[bit >> 6] |= <uint64_t> 1 << (bit & 63)

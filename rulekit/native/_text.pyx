# hot: every event passes here
# Comparisons of byte strings as conditions mean them, and sets of literals.
#
# Nothing here depends on a locale: case folds in ASCII only, patterns match bytes.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy


cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    void *memmem(const void *, size_t, const void *, size_t);
    #endif
    #include <string.h>
    static inline uint64_t rk_mix(uint64_t a, uint64_t b)
    {
        __uint128_t product = (__uint128_t) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }
    """
    void* memmem(const void* haystack, size_t n, const void* needle, size_t m) noexcept nogil
    uint64_t rk_mix(uint64_t a, uint64_t b) noexcept nogil


cdef inline uint8_t _lower(uint8_t c) noexcept nogil:
    return c + 32 if 65 <= c <= 90 else c


cdef int text_order(const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil:
    cdef int order = memcmp(a, b, n if n < m else m)
    if order != 0:
        return order
    return (n > m) - (n < m)


cdef bint text_contains(const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil:
    if m == 0:
        return True
    return n >= m and memmem(a, n, b, m) != NULL


cdef bint text_icontains(const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil:
    cdef uint32_t i, j
    if m == 0:
        return True
    if n < m:
        return False
    for i in range(n - m + 1):
        j = 0
        while j < m and _lower(<uint8_t> a[i + j]) == _lower(<uint8_t> b[j]):
            j += 1
        if j == m:
            return True
    return False


# ---- patterns -----------------------------------------------------------------------------------

cdef bint _in_class(const char* name, uint32_t length, uint8_t c, bint fold, bint* known) noexcept nogil:
    cdef bint upper = 65 <= c <= 90
    cdef bint lower = 97 <= c <= 122
    cdef bint digit = 48 <= c <= 57
    known[0] = True
    if fold and (upper or lower):
        upper = lower = True
    if length == 6:
        if memcmp(name, "xdigit", 6) == 0:
            return digit or 65 <= c <= 70 or 97 <= c <= 102
    elif length == 5:
        if memcmp(name, "alnum", 5) == 0:
            return upper or lower or digit
        if memcmp(name, "alpha", 5) == 0:
            return upper or lower
        if memcmp(name, "blank", 5) == 0:
            return c == 32 or c == 9
        if memcmp(name, "cntrl", 5) == 0:
            return c < 32 or c == 127
        if memcmp(name, "digit", 5) == 0:
            return digit
        if memcmp(name, "graph", 5) == 0:
            return 32 < c < 127
        if memcmp(name, "lower", 5) == 0:
            return lower
        if memcmp(name, "print", 5) == 0:
            return 32 <= c < 127
        if memcmp(name, "punct", 5) == 0:
            return 32 < c < 127 and not (upper or lower or digit)
        if memcmp(name, "space", 5) == 0:
            return c == 32 or 9 <= c <= 13
        if memcmp(name, "upper", 5) == 0:
            return upper
    known[0] = False
    return False


# Reads a bracket whose "[" stands before `at`. Returns the position after it, or 0 when it is never
# closed; `hit` says whether `c` is matched.
cdef uint32_t _bracket(
    const char* pattern, uint32_t m, uint32_t at, uint8_t c, bint fold, bint* hit
) noexcept nogil:
    cdef bint negated = False, first = True, found = False, known
    cdef uint8_t low, high
    cdef uint32_t end
    if at < m and (pattern[at] == b"!" or pattern[at] == b"^"):
        negated = True
        at += 1
    while True:
        if at >= m:
            return 0
        if pattern[at] == b"]" and not first:
            hit[0] = found != negated
            return at + 1
        first = False
        if pattern[at] == b"[" and at + 1 < m and pattern[at + 1] == b":":
            end = at + 2
            while end + 1 < m and not (pattern[end] == b":" and pattern[end + 1] == b"]"):
                end += 1
            if end + 1 < m:
                known = False
                if _in_class(pattern + at + 2, end - at - 2, c, fold, &known):
                    found = True
                if known:
                    at = end + 2
                    continue
        if pattern[at] == b"\\":
            at += 1
            if at >= m:
                return 0
        low = <uint8_t> pattern[at]
        at += 1
        high = low
        if at + 1 < m and pattern[at] == b"-" and pattern[at + 1] != b"]":
            at += 1
            if pattern[at] == b"\\":
                at += 1
                if at >= m:
                    return 0
            high = <uint8_t> pattern[at]
            at += 1
        if fold:
            low, high = _lower(low), _lower(high)
        if low <= c <= high:
            found = True


# Matches one element of the pattern against one byte; returns the position after the element, 0: no match.
cdef inline uint32_t _element(
    const char* pattern, uint32_t m, uint32_t at, uint8_t c, bint fold
) noexcept nogil:
    cdef uint8_t p = <uint8_t> pattern[at]
    cdef uint32_t after
    cdef bint hit = False
    if p == b"?":
        return at + 1
    if p == b"[":
        after = _bracket(pattern, m, at + 1, c, fold, &hit)
        if after:
            return after if hit else 0
        return at + 1 if c == b"[" else 0
    if p == b"\\":
        at += 1
        if at >= m:
            return 0
        p = <uint8_t> pattern[at]
    if fold:
        p = _lower(p)
    return at + 1 if p == c else 0


cdef bint text_globs(
    const char* text, uint32_t n, const char* pattern, uint32_t m, bint fold
) noexcept nogil:
    """Match as fnmatch(3) without flags; time is bounded by length times length."""
    cdef uint32_t at = 0, i = 0, after
    cdef uint32_t star_at = 0, star_i = 0
    cdef bint star = False
    cdef uint8_t c
    # A failure goes back to the last star only: an earlier one cannot do better.
    while i < n:
        if at < m and pattern[at] == b"*":
            star = True
            at += 1
            star_at = at
            star_i = i
            continue
        if at < m:
            c = <uint8_t> text[i]
            if fold:
                c = _lower(c)
            after = _element(pattern, m, at, c, fold)
            if after:
                at = after
                i += 1
                continue
        if not star:
            return False
        star_i += 1
        i = star_i
        at = star_at
    while at < m and pattern[at] == b"*":
        at += 1
    return at == m


cdef bint text_has_glob(const char* pattern, uint32_t m) noexcept nogil:
    cdef uint32_t i
    for i in range(m):
        if pattern[i] == b"?" or pattern[i] == b"*" or pattern[i] == b"[":
            return True
    return False


cdef bint text_path_matches(const char* value, uint32_t n, const char* path, uint32_t m) noexcept nogil:
    """Return whether `path` is a component-wise prefix of `value`."""
    cdef uint32_t i = 0, j = 0, start_i, start_j
    while True:
        while j < m and path[j] == b"/":
            j += 1
        if j == m:
            return True
        while i < n and value[i] == b"/":
            i += 1
        if i == n:
            return False
        start_i = i
        start_j = j
        while i < n and value[i] != b"/":
            i += 1
        while j < m and path[j] != b"/":
            j += 1
        if text_has_glob(path + start_j, j - start_j):
            if not text_globs(value + start_i, i - start_i, path + start_j, j - start_j, False):
                return False
        elif not text_equals(value + start_i, i - start_i, path + start_j, j - start_j):
            return False


# ---- sets ---------------------------------------------------------------------------------------

cdef uint64_t text_hash(const char* text, uint32_t n) noexcept nogil:
    cdef uint64_t h = 0x9E3779B97F4A7C15ULL ^ n
    cdef uint64_t a = 0, b = 0
    while n > 16:
        memcpy(&a, text, 8)
        memcpy(&b, text + 8, 8)
        h = rk_mix(a ^ 0xD1B54A32D192ED03ULL, b ^ h)
        text += 16
        n -= 16
    a = 0
    b = 0
    if n >= 8:
        memcpy(&a, text, 8)
        memcpy(&b, text + n - 8, 8)
    else:
        memcpy(&a, text, n)
    return rk_mix(a ^ 0x8CB92BA72F3D8DD7ULL, b ^ h ^ 0xD1B54A32D192ED03ULL)


cdef bint textset_init(TextSet* s, const Texts* texts, uint32_t capacity) noexcept nogil:
    cdef uint64_t size = 4
    while size < <uint64_t> capacity + (capacity >> 1) + 1:
        size *= 2
    s.texts = texts
    s.lengths = 0
    s.mask = <uint32_t> (size - 1)
    s.slots = <uint64_t*> calloc(size, sizeof(uint64_t))
    return s.slots != NULL


cdef void textset_add(TextSet* s, uint32_t number) noexcept nogil:
    cdef const char* text = texts_ptr(s.texts, number)
    cdef uint32_t n = texts_len(s.texts, number)
    cdef uint64_t h
    cdef uint32_t at
    s.lengths |= <uint64_t> 1 << (n if n < 63 else 63)
    if textset_find(s, text, n):
        return
    h = text_hash(text, n)
    at = <uint32_t> h & s.mask
    while s.slots[at]:
        at = (at + 1) & s.mask
    s.slots[at] = (h & 0xFFFFFFFF00000000ULL) | (number + 1)


cdef void textset_free(TextSet* s) noexcept nogil:
    free(s.slots)
    s.slots = NULL


cdef uint32_t textset_find(const TextSet* s, const char* text, uint32_t n) noexcept nogil:
    cdef uint64_t h, slot
    cdef uint32_t at, number
    if not (s.lengths >> (n if n < 63 else 63)) & 1:
        return 0
    h = text_hash(text, n)
    at = <uint32_t> h & s.mask
    while True:
        slot = s.slots[at]
        if slot == 0:
            return 0
        if (slot ^ h) >> 32 == 0:
            number = <uint32_t> slot - 1
            if text_equals(text, n, texts_ptr(s.texts, number), texts_len(s.texts, number)):
                return number + 1
        at = (at + 1) & s.mask


# ---- for tests ----------------------------------------------------------------------------------

def check_glob(text: bytes, pattern: bytes, fold: bool = False) -> bool:
    """Return whether `text` matches a shell pattern."""
    return text_globs(text, len(text), pattern, len(pattern), fold)


def check_path(value: bytes, path: bytes) -> bool:
    """Return whether `path` is a component-wise prefix of `value`."""
    return text_path_matches(value, len(value), path, len(path))

# hot: every event passes here
"""Checks texts of JSON documents and cuts them apart, building nothing.

What it accepts is JSON (RFC 8259); what it does not may be JSON all the same. Strings are looked at
16 bytes at a time, and each byte of a text once.
"""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from rulekit.native._utf8 cimport utf8_valid

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif
    enum { RK_MAX_DEPTH = 256 };

    static inline int rk_is_hex(unsigned char c) {
        return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
    }
    /* Behind the string that begins before `at`, or NULL; sets `high` when it is not ASCII. */
    static inline const char *rk_check_string(const char *at, const char *end, int *high) {
        for (;;) {
            unsigned char c;
    #ifdef __SSE2__
            while (end - at >= 16) {
                const __m128i block = _mm_loadu_si128((const __m128i *) at);
                const int stops = _mm_movemask_epi8(_mm_or_si128(
                    _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(34)),
                                 _mm_cmpeq_epi8(block, _mm_set1_epi8(92))),
                    _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(31)), block)));
                const int highs = _mm_movemask_epi8(block);
                if (stops) {
                    const int bit = __builtin_ctz((unsigned) stops);
                    *high |= highs & ((1 << bit) - 1);
                    at += bit;
                    break;
                }
                *high |= highs;
                at += 16;
            }
    #endif
            if (at >= end)
                return NULL;
            c = (unsigned char) *at;
            if (c == 34)
                return at + 1;
            if (c < 32)
                return NULL;
            if (c != 92) { /* only near the end of the text */
                *high |= c & 128;
                at++;
                continue;
            }
            if (end - at < 2)
                return NULL;
            switch (at[1]) {
            case 34: case 92: case '/': case 'b': case 'f': case 'n': case 'r': case 't':
                at += 2;
                break;
            case 'u':
                if (end - at < 6 || !rk_is_hex((unsigned char) at[2])
                    || !rk_is_hex((unsigned char) at[3]) || !rk_is_hex((unsigned char) at[4])
                    || !rk_is_hex((unsigned char) at[5]))
                    return NULL;
                if ((at[2] | 32) == 'd' && at[3] >= '8')
                    return NULL; /* half of a pair, perhaps alone */
                at += 6;
                break;
            default:
                return NULL;
            }
        }
    }
    static inline int rk_is_digit(char c) { return c >= '0' && c <= '9'; }

    static inline const char *rk_check_number(const char *at, const char *end) {
        if (at < end && *at == '-')
            at++;
        if (at >= end || !rk_is_digit(*at))
            return NULL;
        if (*at == '0') {
            at++;
        } else {
            while (at < end && rk_is_digit(*at))
                at++;
        }
        if (at < end && *at == '.') {
            at++;
            if (at >= end || !rk_is_digit(*at))
                return NULL;
            while (at < end && rk_is_digit(*at))
                at++;
        }
        if (at < end && (*at | 32) == 'e') {
            at++;
            if (at < end && (*at == '+' || *at == '-'))
                at++;
            if (at >= end || !rk_is_digit(*at))
                return NULL;
            while (at < end && rk_is_digit(*at))
                at++;
        }
        return at;
    }
    static inline const char *rk_blanks(const char *at, const char *end) {
        while (at < end && (*at == ' ' || *at == 10 || *at == 13 || *at == 9))
            at++;
        return at;
    }
    /* Behind the value at `at`, or NULL. */
    static const char *rk_check_value(const char *at, const char *end, int *high) {
        unsigned char is_object[RK_MAX_DEPTH];
        int depth = 0;
    value:
        at = rk_blanks(at, end);
        if (at >= end)
            return NULL;
        switch (*at) {
        case '{':
            if (depth == RK_MAX_DEPTH)
                return NULL;
            is_object[depth++] = 1;
            at = rk_blanks(at + 1, end);
            if (at < end && *at == '}') {
                at++;
                depth--;
                goto after;
            }
            goto key;
        case '[':
            if (depth == RK_MAX_DEPTH)
                return NULL;
            is_object[depth++] = 0;
            at = rk_blanks(at + 1, end);
            if (at < end && *at == ']') {
                at++;
                depth--;
                goto after;
            }
            goto value;
        case 34:
            at = rk_check_string(at + 1, end, high);
            break;
        case 't':
            at = end - at >= 4 && memcmp(at, "true", 4) == 0 ? at + 4 : NULL;
            break;
        case 'f':
            at = end - at >= 5 && memcmp(at, "false", 5) == 0 ? at + 5 : NULL;
            break;
        case 'n':
            at = end - at >= 4 && memcmp(at, "null", 4) == 0 ? at + 4 : NULL;
            break;
        default:
            at = rk_check_number(at, end);
        }
        if (at == NULL)
            return NULL;
    after:
        if (depth == 0)
            return at;
        at = rk_blanks(at, end);
        if (at >= end)
            return NULL;
        if (*at == ',') {
            at++;
            if (!is_object[depth - 1])
                goto value;
            at = rk_blanks(at, end);
            goto key;
        }
        if (*at != (is_object[depth - 1] ? '}' : ']'))
            return NULL;
        at++;
        depth--;
        goto after;
    key:
        if (at >= end || *at != 34)
            return NULL;
        at = rk_check_string(at + 1, end, high);
        if (at == NULL)
            return NULL;
        at = rk_blanks(at, end);
        if (at >= end || *at != ':')
            return NULL;
        at++;
        goto value;
    }
    """
    const char* rk_check_value(const char* at, const char* end, int* high) noexcept nogil
    const char* rk_blanks(const char* at, const char* end) noexcept nogil


cdef bint json_texts(const char* text, size_t length, JsonTexts* found) noexcept nogil:
    cdef const char* at = text
    cdef const char* end = text + length
    cdef const char* start
    cdef void* grown
    cdef int high = 0
    found.n = 0
    if length > 0x7FFFFFFF:
        return False
    while True:
        at = rk_blanks(at, end)
        if at >= end:
            return not high or utf8_valid(text, length)
        start = at
        at = rk_check_value(at, end, &high)
        if at == NULL:
            return False
        if found.n == found.room:
            grown = realloc(found.items, (found.room * 2 + 64) * sizeof(Json))
            if grown == NULL:
                return False
            found.items = <Json*> grown
            found.room = found.room * 2 + 64
        found.items[found.n].ptr = start
        found.items[found.n].len = <uint32_t> (at - start)
        found.n += 1
        while at < end and (at[0] == c' ' or at[0] == c'\r' or at[0] == c'\t'):
            at += 1
        if at < end and at[0] != c'\n':
            return False


cdef void json_texts_free(JsonTexts* found) noexcept nogil:
    free(found.items)
    memset(found, 0, sizeof(JsonTexts))


def cut_json(bytes text not None):
    """Return the documents of a text, None where it has to be left to a slower reader; for tests."""
    cdef JsonTexts found
    cdef uint32_t i
    memset(&found, 0, sizeof(found))
    try:
        if not json_texts(text, len(text), &found):
            return None
        return [found.items[i].ptr[:found.items[i].len] for i in range(found.n)]
    finally:
        json_texts_free(&found)

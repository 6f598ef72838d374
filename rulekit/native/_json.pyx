# hot: every event passes here
# Looking around in the text of a JSON document.
#
# Repeated keys: the first one counts. Numbers, and strings inside of what is shown as a whole, keep
# the form that the document gives them.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

from rulekit.native._scratch cimport Buf, Scratch, buf_put, buf_putc, scratch_alloc

cdef extern from *:
    """
    #include <stdint.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif
    /* The first quote or backslash at or after `at`, or `end`. */
    static inline const char *rk_json_stop(const char *at, const char *end) {
    #ifdef __SSE2__
        const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\\\');
        while (end - at >= 16) {
            __m128i block = _mm_loadu_si128((const __m128i *) at);
            int found = _mm_movemask_epi8(_mm_or_si128(
                _mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)));
            if (found)
                return at + __builtin_ctz(found);
            at += 16;
        }
    #endif
        while (at < end && *at != '"' && *at != '\\\\')
            at++;
        return at;
    }
    static size_t rk_lines(const char *at, size_t length) {
        size_t i, n = 0;
        for (i = 0; i < length; i++)
            n += at[i] == '\\n';
        return n;
    }
    /* Behind the bracket that closes the one at `at`, or `end`.

       64 bytes at a time: bits of quotes that no backslash takes, from them which bytes are inside of
       strings, and the brackets outside. */
    static const char *rk_json_skip(const char *at, const char *end) {
        int64_t depth = 0;
    #ifdef __SSE2__
        uint64_t inside = 0, carried = 0; /* a string, a backslash at the end of the last block */
        const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\\\');
        const __m128i open = _mm_set1_epi8('{'), close = _mm_set1_epi8('}');
        const __m128i fold = _mm_set1_epi8(0x20); /* makes braces of brackets */
        while (end - at >= 64) {
            uint64_t quotes = 0, slashes = 0, opens = 0, closes = 0, mask;
            for (int i = 0; i < 4; i++) {
                __m128i block = _mm_loadu_si128((const __m128i *) (at + 16 * i));
                __m128i folded = _mm_or_si128(block, fold);
                quotes |= (uint64_t) (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(block, quote))
                    << (16 * i);
                slashes |= (uint64_t) (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(block, backslash))
                    << (16 * i);
                opens |= (uint64_t) (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(folded, open))
                    << (16 * i);
                closes |= (uint64_t) (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(folded, close))
                    << (16 * i);
            }
            if (slashes | carried) { /* rare: one backslash after the other */
                uint64_t taken = carried;
                slashes &= ~carried;
                carried = 0;
                while (slashes) {
                    int bit = __builtin_ctzll(slashes);
                    slashes &= slashes - 1;
                    if (bit == 63) {
                        carried = 1;
                    } else {
                        taken |= 1ull << (bit + 1);
                        slashes &= ~(1ull << (bit + 1));
                    }
                }
                quotes &= ~taken;
            }
            mask = quotes; /* every bit: whether the number of quotes up to it is odd */
            mask ^= mask << 1;
            mask ^= mask << 2;
            mask ^= mask << 4;
            mask ^= mask << 8;
            mask ^= mask << 16;
            mask ^= mask << 32;
            mask ^= inside;
            inside = (uint64_t) ((int64_t) mask >> 63);
            opens &= ~mask;
            closes &= ~mask;
            if (__builtin_popcountll(closes) < depth) {
                depth += __builtin_popcountll(opens) - __builtin_popcountll(closes);
            } else {
                uint64_t both = opens | closes;
                while (both) {
                    int bit = __builtin_ctzll(both);
                    both &= both - 1;
                    depth += (opens >> bit & 1) ? 1 : -1;
                    if (depth == 0)
                        return at + bit + 1;
                }
            }
            at += 64;
        }
        if (inside) {
            at += carried;
            goto in_string;
        }
    #endif
        while (at < end) {
            char c = *at++;
            if (c == '{' || c == '[') {
                depth++;
            } else if (c == '}' || c == ']') {
                if (--depth == 0)
                    return at;
            } else if (c == '"') {
    #ifdef __SSE2__
            in_string:
    #endif
                while (at < end && *at != '"')
                    at += *at == '\\\\' ? 2 : 1;
                at++;
            }
        }
        return end;
    }
    """
    const char* rk_json_stop(const char* at, const char* end) noexcept nogil
    const char* rk_json_skip(const char* at, const char* end) noexcept nogil
    size_t rk_lines(const char* at, size_t length) noexcept nogil


def count_lines(bytes text not None):
    """Return the number of line feeds: several times as fast as `bytes.count` where they are many."""
    cdef const char* at = text
    cdef size_t length = len(text)
    return rk_lines(at, length)


cdef inline const char* _blanks(const char* at, const char* end) noexcept nogil:
    while at < end and (at[0] == c' ' or at[0] == c'\n' or at[0] == c'\r' or at[0] == c'\t'):
        at += 1
    return at


cdef inline const char* _after_string(const char* at, const char* end) noexcept nogil:
    # `at` is behind the opening quote.
    while True:
        at = rk_json_stop(at, end)
        if at >= end:
            return end
        if at[0] == c'"':
            return at + 1
        at += 2


cdef const char* _after_value(const char* at, const char* end) noexcept nogil:
    if at >= end:
        return end
    if at[0] == c'"':
        at = _after_string(at + 1, end)
        return at if at < end else end
    if at[0] == c'{' or at[0] == c'[':
        return rk_json_skip(at, end)
    while at < end and at[0] not in b",]} \n\r\t":
        at += 1
    return at


cdef void json_begin(JsonItems* items, Json value) noexcept nogil:
    items.is_object = json_is_object(value)
    items.key.ptr = NULL
    items.key.len = 0
    items.at = items.end = NULL
    if items.is_object or json_is_array(value):
        items.at = value.ptr + 1
        items.end = value.ptr + value.len


cdef bint json_next(JsonItems* items) noexcept nogil:
    cdef const char* at = items.at
    cdef const char* end = items.end
    while at < end and (at[0] == c',' or at[0] == c' ' or at[0] == c'\n' or at[0] == c'\r' or at[0] == c'\t'):
        at += 1
    if at >= end or at[0] == c'}' or at[0] == c']':
        items.at = end
        return False
    if items.is_object:
        items.key.ptr = at
        at = _after_value(at, end)
        items.key.len = <uint32_t> (at - items.key.ptr)
        at = _blanks(at, end)
        if at < end:
            at += 1                   # the colon
        at = _blanks(at, end)
    items.value.ptr = at
    at = _after_value(at, end)
    items.value.len = <uint32_t> (at - items.value.ptr)
    items.at = at
    return items.value.len != 0


# ---- strings ------------------------------------------------------------------------------------

cdef inline int _hex(char c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    if c'a' <= c <= c'f':
        return c - c'a' + 10
    if c'A' <= c <= c'F':
        return c - c'A' + 10
    return -1


cdef inline int _unit(const char* at, const char* end) noexcept nogil:
    # Four hexadecimal digits, or -1.
    cdef int i, digit, unit = 0
    if end - at < 4:
        return -1
    for i in range(4):
        digit = _hex(at[i])
        if digit < 0:
            return -1
        unit = unit << 4 | digit
    return unit


cdef inline char* _put_utf8(char* out, uint32_t code) noexcept nogil:
    if code < 0x80:
        out[0] = <char> code
        return out + 1
    if code < 0x800:
        out[0] = <char> (0xC0 | code >> 6)
        out[1] = <char> (0x80 | code & 63)
        return out + 2
    if code < 0x10000:
        out[0] = <char> (0xE0 | code >> 12)
        out[1] = <char> (0x80 | code >> 6 & 63)
        out[2] = <char> (0x80 | code & 63)
        return out + 3
    out[0] = <char> (0xF0 | code >> 18)
    out[1] = <char> (0x80 | code >> 12 & 63)
    out[2] = <char> (0x80 | code >> 6 & 63)
    out[3] = <char> (0x80 | code & 63)
    return out + 4


cdef uint32_t _unescape(const char* at, const char* end, char* out) noexcept nogil:
    # What it writes is never longer than what it reads. Half of a surrogate pair stays as written.
    cdef char* start = out
    cdef int unit, low
    while at < end:
        if at[0] != c'\\' or at + 1 >= end:
            out[0] = at[0]
            out += 1
            at += 1
            continue
        at += 2
        if at[-1] == c'n':
            out[0] = c'\n'
        elif at[-1] == c't':
            out[0] = c'\t'
        elif at[-1] == c'r':
            out[0] = c'\r'
        elif at[-1] == c'b':
            out[0] = 8
        elif at[-1] == c'f':
            out[0] = 12
        elif at[-1] == c'u':
            unit = _unit(at, end)
            if 0xD800 <= unit <= 0xDFFF:
                low = _unit(at + 6, end) if end - at >= 10 and at[4] == c'\\' and at[5] == c'u' else -1
                if low >= 0:
                    at += 10
                    if unit <= 0xDBFF and 0xDC00 <= low <= 0xDFFF:
                        out = _put_utf8(out, 0x10000 + ((unit & 0x3FF) << 10) + (low & 0x3FF))
                    else:
                        out = _put_utf8(out, 0xFFFD)
                    continue
                unit = -1
            if unit >= 0:
                out = _put_utf8(out, <uint32_t> unit)
                at += 4
                continue
            out[0] = c'\\'
            out[1] = c'u'
            out += 1
        else:
            out[0] = at[-1]
        out += 1
    return <uint32_t> (out - start)


cdef bint json_key_is(Json key, const char* text, uint32_t length) noexcept nogil:
    cdef char short_key[256]
    cdef const char* end
    cdef const char* inner
    if key.len < 2:
        return False
    inner = key.ptr + 1
    end = key.ptr + key.len - 1
    if key.len == length + 2 and memcmp(inner, text, length) == 0:
        return True
    if key.len <= length + 2 or key.len > sizeof(short_key) or rk_json_stop(inner, end) == end:
        return False
    return _unescape(inner, end, short_key) == length and memcmp(short_key, text, length) == 0


cdef Json json_member(Json value, const char* key, uint32_t length) noexcept nogil:
    cdef JsonItems items
    cdef Json nothing
    cdef uint32_t i, index = 0
    nothing.ptr = NULL
    nothing.len = 0
    if json_is_array(value):
        if length == 0 or length > 9:
            return nothing
        for i in range(length):
            if not c'0' <= key[i] <= c'9':
                return nothing
            index = index * 10 + <uint32_t> (key[i] - c'0')
        return json_item(value, index)
    json_begin(&items, value)
    while json_next(&items):
        if json_key_is(items.key, key, length):
            return items.value
    return nothing


cdef Json json_item(Json value, uint32_t index) noexcept nogil:
    cdef JsonItems items
    cdef Json nothing
    cdef uint32_t i = 0
    nothing.ptr = NULL
    nothing.len = 0
    if json_is_array(value):
        json_begin(&items, value)
        while json_next(&items):
            if i == index:
                return items.value
            i += 1
    return nothing


# ---- text ---------------------------------------------------------------------------------------

cdef bint _has_blanks(const char* at, const char* end) noexcept nogil:
    while at < end:
        if at[0] == c'"':
            at = _after_string(at + 1, end)
            continue
        if at[0] == c' ' or at[0] == c'\n' or at[0] == c'\r' or at[0] == c'\t':
            return True
        at += 1
    return False


cdef bint json_text(Scratch* scratch, Json value, const char** text, uint32_t* length) noexcept nogil:
    cdef const char* at = value.ptr
    cdef const char* end = value.ptr + value.len
    cdef const char* after
    cdef char* copy
    cdef char* out
    text[0] = at
    length[0] = value.len
    if json_is_string(value):
        at += 1
        end -= 1
        text[0] = at
        length[0] = <uint32_t> (end - at)
        if rk_json_stop(at, end) == end:
            return True
        copy = <char*> scratch_alloc(scratch, value.len)
        if copy == NULL:
            return False
        text[0] = copy
        length[0] = _unescape(at, end, copy)
        return True
    if not (json_is_object(value) or json_is_array(value)) or not _has_blanks(at, end):
        return True
    copy = out = <char*> scratch_alloc(scratch, value.len)
    if copy == NULL:
        return False
    while at < end:
        if at[0] == c'"':
            after = _after_string(at + 1, end)
            while at < after:
                out[0] = at[0]
                out += 1
                at += 1
            continue
        if not (at[0] == c' ' or at[0] == c'\n' or at[0] == c'\r' or at[0] == c'\t'):
            out[0] = at[0]
            out += 1
        at += 1
    text[0] = copy
    length[0] = <uint32_t> (out - copy)
    return True


cdef void _line(Buf* out, size_t depth) noexcept nogil:
    buf_putc(out, c'\n')
    while depth:
        buf_put(out, "  ", 2)
        depth -= 1


cdef void json_indent(Json value, Buf* out) noexcept nogil:
    cdef const char* at = value.ptr
    cdef const char* end = value.ptr + value.len
    cdef const char* after
    cdef size_t depth = 0
    while at < end and not out.failed:
        if at[0] == c'"':
            after = _after_string(at + 1, end)
            buf_put(out, at, <size_t> (after - at))
            at = after
            continue
        if at[0] == c'{' or at[0] == c'[':
            buf_putc(out, at[0])
            after = _blanks(at + 1, end)
            if after < end and (after[0] == c'}' or after[0] == c']'):
                buf_putc(out, after[0])
                at = after + 1
                continue
            depth += 1
            _line(out, depth)
        elif at[0] == c'}' or at[0] == c']':
            depth -= 1 if depth else 0
            _line(out, depth)
            buf_putc(out, at[0])
        elif at[0] == c',':
            buf_putc(out, c',')
            _line(out, depth)
        elif at[0] == c':':
            buf_put(out, ": ", 2)
        elif not (at[0] == c' ' or at[0] == c'\n' or at[0] == c'\r' or at[0] == c'\t'):
            buf_putc(out, at[0])
        at += 1

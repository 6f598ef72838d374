# hot: every event passes here
# Textual joining and normalising of paths. Symbolic links are not followed: the names are what a
# program asked for, seen from its directory.

from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from rulekit.native._strings cimport intern

cdef enum:
    MAX_PATH = 1024
    SLASH = 47
    DOT = 46

cdef extern from *:
    """
    /* Does the text need work: a "/" followed by "/" or "." anywhere? Eight places at a time. */
    static inline int rk_needs_work(const char *p, size_t n)
    {
        const uint64_t ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
        const uint64_t slashes = ones * '/', dots = ones * '.';
        size_t i = 0;
        uint64_t a, b, here, slash_next, dot_next;
        for (; i + 9 <= n; i += 8) {
            memcpy(&a, p + i, 8);
            memcpy(&b, p + i + 1, 8);
            a ^= slashes;
            dot_next = b ^ dots;
            slash_next = b ^ slashes;
            here = (a - ones) & ~a & high;
            slash_next = (slash_next - ones) & ~slash_next & high;
            dot_next = (dot_next - ones) & ~dot_next & high;
            if (here & (slash_next | dot_next))
                return 1;
        }
        for (; i + 1 < n; i++)
            if (p[i] == '/' && (p[i + 1] == '/' || p[i + 1] == '.'))
                return 1;
        return 0;
    }
    """
    bint rk_needs_work(const char* p, size_t n) noexcept nogil


cdef uint32_t _append(char* out, uint32_t n, const char* path, uint32_t length) noexcept nogil:
    # Appends `path` to the `n` bytes that `out` holds, part by part. Dots count only at the start of
    # the result or after a "/", so a directory without final "/" swallows the first part as text.
    cdef uint32_t i = 0
    cdef uint32_t j
    while i < length:
        if path[i] == SLASH:
            if n == 0 or out[n - 1] != SLASH:
                out[n] = SLASH
                n += 1
            i += 1
            continue
        j = i
        while j < length and path[j] != SLASH:
            j += 1
        if n == 0 or out[n - 1] == SLASH:
            if j - i == 1 and path[i] == DOT:
                i = j + 1
                continue
            if j - i == 2 and path[i] == DOT and path[i + 1] == DOT:
                if n > 1:
                    n -= 1
                    while n > 0 and out[n - 1] != SLASH:
                        n -= 1
                i = j + 1
                continue
        memcpy(out + n, path + i, j - i)
        n += j - i
        i = j
    return n


cdef uint32_t _join(char* out, const char* dir, uint32_t dir_len, const char* path, uint32_t length) noexcept nogil:
    cdef uint32_t n = 0
    if <uint64_t> dir_len + length + 1 > MAX_PATH:
        memcpy(out, b"/DIR_TOO_LONG/FILENAME_TOO_LONG", 31)
        return 31
    if length and path[0] != SLASH:
        memcpy(out, dir, dir_len)
        n = dir_len
        if (path[0] != DOT and not rk_needs_work(path, length) and path[length - 1] != SLASH):
            memcpy(out + n, path, length)
            return n + length
    n = _append(out, n, path, length)
    if n > 1 and out[n - 1] == SLASH:
        n -= 1
    return n


cdef Str* concat_path(State* state, const char* dir, uint32_t dir_len, const char* path, uint32_t path_len) noexcept nogil:
    cdef char out[MAX_PATH + 32]
    cdef uint32_t n
    if (path_len and path[0] == SLASH and path_len > 1 and path[path_len - 1] != SLASH
            and not rk_needs_work(path, path_len) and <uint64_t> dir_len + path_len + 1 <= MAX_PATH):
        return intern(state.strings, path, path_len)
    n = _join(out, dir, dir_len, path, path_len)
    return intern(state.strings, out, n)


cdef Str* concat_dir(State* state, const char* dir, uint32_t dir_len, const char* path, uint32_t path_len) noexcept nogil:
    cdef char out[MAX_PATH + 32]
    cdef uint32_t n = _join(out, dir, dir_len, path, path_len)
    if n == 0 or out[n - 1] != SLASH:
        out[n] = SLASH
        n += 1
    return intern(state.strings, out, n)

# RFC 3339, as the API server of Kubernetes writes it.

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    MAX_YEAR = 2261

cdef const int* _days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


cdef inline int _number(const char* at, int digits) noexcept nogil:
    cdef int i, number = 0
    for i in range(digits):
        if not c'0' <= at[i] <= c'9':
            return -1
        number = number * 10 + (at[i] - c'0')
    return number


cdef inline int64_t _days_before(int64_t year, int month) noexcept nogil:
    # From 1970-01-01 to the first of a month. Years begin in March, so that leap days come last.
    cdef int64_t y = year - (month <= 2)
    cdef int64_t m = month - 3 if month > 2 else month + 9
    return 365 * y + y // 4 - y // 100 + y // 400 + (153 * m + 2) // 5 - 719468


cdef bint parse_rfc3339(const char* text, uint32_t length, uint64_t* ts_ns) noexcept nogil:
    cdef const char* at = text + 19
    cdef const char* end = text + length
    cdef int year, month, day, hour, minute, second, n_days
    cdef int away_hours, away_minutes
    cdef int64_t seconds, nanos = 0, unit = 100000000
    if length < 20 or text[4] != c'-' or text[7] != c'-' or text[10] != c'T':
        return False
    if text[13] != c':' or text[16] != c':':
        return False
    year = _number(text, 4)
    month = _number(text + 5, 2)
    day = _number(text + 8, 2)
    hour = _number(text + 11, 2)
    minute = _number(text + 14, 2)
    second = _number(text + 17, 2)
    if not 1969 <= year <= MAX_YEAR or not 1 <= month <= 12 or day < 1:
        return False
    n_days = _days[month - 1]
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        n_days = 29
    if day > n_days or not 0 <= hour <= 23 or not 0 <= minute <= 59 or not 0 <= second <= 59:
        return False
    if at[0] == c'.':
        at += 1
        if at >= end or not c'0' <= at[0] <= c'9':
            return False
        while at < end and c'0' <= at[0] <= c'9':
            nanos += (at[0] - c'0') * unit
            unit //= 10
            at += 1
    seconds = (_days_before(year, month) + day - 1) * 86400 + hour * 3600 + minute * 60 + second
    if end - at == 6 and (at[0] == c'+' or at[0] == c'-') and at[3] == c':':
        away_hours = _number(at + 1, 2)
        away_minutes = _number(at + 4, 2)
        if not 0 <= away_hours <= 24 or not 0 <= away_minutes <= 59:
            return False
        away_minutes += away_hours * 60
        seconds += -away_minutes * 60 if at[0] == c'+' else away_minutes * 60
    elif end - at != 1 or at[0] != c'Z':
        return False
    if seconds < 0:
        return False
    ts_ns[0] = <uint64_t> seconds * 1000000000 + <uint64_t> nanos
    return True

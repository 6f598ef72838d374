"""Bytes of texts: numbers, addresses, times, flags, buffers."""

from libc.stdint cimport int8_t, int16_t, int32_t
from libc.stdio cimport snprintf
from libc.string cimport memchr, memcpy, strlen
from libc.time cimport gmtime_r, localtime_r, time_t, tm

from rulekit.native._scratch cimport (
    buf_free, buf_i64, buf_put, buf_putc, buf_puts, buf_reserve, buf_u64, scratch_alloc,
)
from rulekit.state._fields cimport (
    V_ADDRESS, V_BOOL, V_BYTES, V_DOUBLE, V_INT, V_LIST, V_NULL, V_TEXT, V_UINT, put_text,
)

cdef extern from "<arpa/inet.h>" nogil:
    enum: AF_INET6
    const char* inet_ntop(int family, const void* addr, char* text, unsigned int size)

cdef enum:
    MAX_BUFFER_TEXT = 1023     # of a byte buffer printed as a field

cdef const char* _UPPER = "0123456789ABCDEF"
cdef const char* _LOWER = "0123456789abcdef"
cdef const char* _BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


cdef void put_hex(Buf* out, uint64_t value, bint upper) noexcept nogil:
    cdef char digits[16]
    cdef const char* alphabet = _UPPER if upper else _LOWER
    cdef int i = 16
    while True:
        i -= 1
        digits[i] = alphabet[value & 15]
        value >>= 4
        if value == 0:
            break
    buf_put(out, digits + i, 16 - i)


cdef void put_octal(Buf* out, uint64_t value) noexcept nogil:
    cdef char digits[22]
    cdef int i = 22
    while True:
        i -= 1
        digits[i] = <char> (c'0' + (value & 7))
        value >>= 3
        if value == 0:
            break
    buf_put(out, digits + i, 22 - i)


cdef void put_padded(Buf* out, uint64_t value) noexcept nogil:
    cdef uint64_t limit = 100000000
    while limit > 1 and value < limit:
        buf_putc(out, c'0')
        limit //= 10
    buf_u64(out, value)


cdef inline char* _two(char* at, int value) noexcept nogil:
    at[0] = <char> (c'0' + value // 10 % 10)
    at[1] = <char> (c'0' + value % 10)
    return at + 2


cdef void put_time(Buf* out, uint64_t ts_ns, int form) noexcept nogil:
    cdef time_t seconds = <time_t> (ts_ns // 1000000000)
    cdef tm parts
    cdef char text[64]
    cdef char* at = text
    if form == TIME_ISO8601:
        gmtime_r(&seconds, &parts)
    else:
        localtime_r(&seconds, &parts)
    if form == TIME_DATE or form == TIME_DATE_S or form == TIME_ISO8601:
        buf_u64(out, <unsigned long long> (parts.tm_year + 1900))
        at[0] = c'-'
        at = _two(at + 1, parts.tm_mon + 1)
        at[0] = c'-'
        at = _two(at + 1, parts.tm_mday)
        at[0] = c'T' if form == TIME_ISO8601 else c' '
        at += 1
    at = _two(at, parts.tm_hour)
    at[0] = c':'
    at = _two(at + 1, parts.tm_min)
    at[0] = c':'
    at = _two(at + 1, parts.tm_sec)
    buf_put(out, text, at - text)
    if form != TIME_OF_DAY_S and form != TIME_DATE_S:
        buf_putc(out, c'.')
        put_padded(out, ts_ns % 1000000000)
        if form == TIME_ISO8601:
            buf_put(out, "+0000", 5)


cdef void put_ipv4(Buf* out, const uint8_t* addr) noexcept nogil:
    buf_u64(out, addr[0])
    buf_putc(out, c'.')
    buf_u64(out, addr[1])
    buf_putc(out, c'.')
    buf_u64(out, addr[2])
    buf_putc(out, c'.')
    buf_u64(out, addr[3])


cdef void put_ipv6(Buf* out, const uint8_t* addr) noexcept nogil:
    cdef char text[64]
    if inet_ntop(AF_INET6, addr, text, sizeof(text)) != NULL:
        buf_put(out, text, strlen(text))


cdef inline char _printable(unsigned char byte) noexcept nogil:
    return <char> byte if 0x20 <= byte <= 0x7e else c'.'


cdef void put_printable(Buf* out, const char* data, size_t length) noexcept nogil:
    cdef size_t i
    cdef char* at
    if not buf_reserve(out, length):
        return
    at = out.ptr + out.len
    for i in range(length):
        at[i] = _printable(<unsigned char> data[i])
    out.len += length


cdef void put_base64(Buf* out, const char* data, size_t length) noexcept nogil:
    cdef const unsigned char* p = <const unsigned char*> data
    cdef size_t i = 0
    cdef uint32_t word
    cdef char* at
    if not buf_reserve(out, (length + 2) // 3 * 4):
        return
    at = out.ptr + out.len
    while i < length:
        word = (<uint32_t> p[i]) << 16
        if i + 1 < length:
            word |= (<uint32_t> p[i + 1]) << 8
        if i + 2 < length:
            word |= p[i + 2]
        at[0] = _BASE64[word >> 18]
        at[1] = _BASE64[(word >> 12) & 63]
        at[2] = _BASE64[(word >> 6) & 63] if i + 1 < length else c'='
        at[3] = _BASE64[word & 63] if i + 2 < length else c'='
        at += 4
        i += 3
    out.len = at - out.ptr


cdef void _put_hex_rows(Buf* out, const char* data, size_t length, bint ascii) noexcept nogil:
    # One row: tab, 0x, four digits of the offset, colon, eight groups of two bytes, characters.
    cdef size_t row, i
    cdef unsigned char byte
    cdef char text[20]
    for row in range(0, length, 16):
        buf_put(out, text, snprintf(text, sizeof(text), "\n\t0x%.4x:", <unsigned int> row))
        for i in range(row, row + 16):
            if i >= length and not ascii:
                break
            if not i & 1:
                buf_putc(out, c' ')
            byte = <unsigned char> data[i] if i < length else 0
            buf_putc(out, _LOWER[byte >> 4] if i < length else c' ')
            buf_putc(out, _LOWER[byte & 15] if i < length else c' ')
        if ascii:
            buf_put(out, "  ", 2)
            for i in range(row, min(row + 16, length)):
                buf_putc(out, _printable(<unsigned char> data[i]))
    buf_putc(out, c'\n')


cdef void _put_lines(Buf* out, const char* data, size_t length) noexcept nogil:
    cdef size_t i
    # A carriage return ends a line as well, one before a line feed with it.
    buf_putc(out, c'\n')
    for i in range(length):
        if 0x20 <= <unsigned char> data[i] <= 0x7e:
            buf_putc(out, data[i])
        elif data[i] == c'\r' or (data[i] == c'\n' and (i == 0 or data[i - 1] != c'\r')):
            buf_putc(out, c'\n')


cdef void put_buffer(Buf* out, const char* data, size_t length, uint8_t style) noexcept nogil:
    if style == BUFFER_BASE64:
        put_base64(out, data, length)
    elif style == BUFFER_DOTS:
        put_printable(out, data, length)
    elif length == 0:
        return
    elif style == BUFFER_TEXT:
        _put_lines(out, data, length)
    else:
        _put_hex_rows(out, data, length, style == BUFFER_HEX_ASCII)


cdef inline void _put_name(Buf* out, const FlagName* row, size_t start) noexcept nogil:
    if out.len > start:
        buf_putc(out, c'|')
    buf_put(out, row.name, row.len)


cdef void put_flags(Buf* out, const FlagName* table, uint32_t value, bint exact) noexcept nogil:
    # A table is walked in its own order; what a row takes is gone for the rows after it, so that
    # O_RDWR (3) is not O_RDONLY|O_WRONLY.
    cdef const FlagName* row = table
    cdef size_t start = out.len
    cdef uint32_t left = value
    if table == NULL:
        return
    while row.name != NULL:
        if exact:
            if row.value == value:
                _put_name(out, row, start)
        elif row.value == 0:
            if value == 0:
                _put_name(out, row, start)
                return
        elif left & row.value == row.value:
            left &= ~row.value
            _put_name(out, row, start)
            if row.value == value:
                return
        row += 1


cdef void put_mode(Buf* out, const FlagName* table, uint32_t value) noexcept nogil:
    # Unlike flags: an exact match ends the walk wherever it stands, after what was taken before it.
    cdef const FlagName* row = table
    cdef size_t start = out.len
    cdef uint32_t left = value
    if table == NULL:
        return
    while row.name != NULL:
        if row.value == value:
            _put_name(out, row, start)
            return
        if row.value != 0 and left & row.value == row.value:
            left &= ~row.value
            _put_name(out, row, start)
        row += 1


cdef void put_integer(Buf* out, uint64_t bits, bint is_signed, uint8_t pt, uint8_t fmt) noexcept nogil:
    if fmt == PF_HEX or fmt == PF_OCT:
        if pt == PT_INT8 or pt == PT_INT16 or pt == PT_INT32:
            bits = <uint32_t> bits
        if fmt == PF_HEX:
            put_hex(out, bits, True)
        else:
            put_octal(out, bits)
    elif is_signed and <int64_t> bits < 0:
        buf_i64(out, <int64_t> bits)
    elif fmt == PF_10_PADDED_DEC:
        put_padded(out, bits)
    else:
        buf_u64(out, bits)


cdef void put_value(Buf* out, const Value* value, uint8_t fmt, uint8_t style) noexcept nogil:
    cdef const void* nul
    cdef size_t length
    cdef char text[352]
    cdef int written
    cdef uint32_t i
    if value.fmt != 0:
        fmt = value.fmt
    if value.kind == V_TEXT:
        length = value.len
        nul = memchr(value.ptr, 0, length) if length else NULL
        if nul != NULL:
            length = <size_t> (<const char*> nul - value.ptr)
        buf_put(out, value.ptr, length)
    elif value.kind == V_INT or value.kind == V_UINT:
        put_integer(out, value.u64, value.kind == V_INT, value.pt, fmt)
    elif value.kind == V_BOOL:
        buf_puts(out, "true" if value.u64 else "false")
    elif value.kind == V_BYTES:
        length = MAX_BUFFER_TEXT // 4 * 3 if style == BUFFER_BASE64 else MAX_BUFFER_TEXT
        put_buffer(out, value.ptr, min(<size_t> value.len, length), style)
    elif value.kind == V_DOUBLE:
        written = snprintf(text, sizeof(text), "%.1f", value.f64)
        if written > 0:
            buf_put(out, text, min(<size_t> written, sizeof(text) - 1))
    elif value.kind == V_ADDRESS:
        if value.len == 4:
            put_ipv4(out, <const uint8_t*> value.ptr)
        else:
            put_ipv6(out, <const uint8_t*> value.ptr)
    elif value.kind == V_LIST:
        buf_putc(out, c'(')
        for i in range(value.n_items):
            if i:
                buf_putc(out, c',')
            put_value(out, &value.items[i], fmt, style)
        buf_putc(out, c')')
    elif PT_INT8 <= value.pt <= PT_UINT64 or value.pt >= PT_ERRNO:
        buf_putc(out, c'0')           # an empty parameter of a number's type
    elif value.pt == 0:
        buf_put(out, "<NA>", 4)


cdef bint put_buf(Context* c, Value* out, Buf* text) noexcept nogil:
    cdef char* copy = NULL
    cdef size_t length = text.len
    if not text.failed and length <= 0x7fffffff:
        copy = <char*> scratch_alloc(&c.state.scratch, length + 1)
    if copy != NULL:
        if length:
            memcpy(copy, text.ptr, length)
        copy[length] = 0
    buf_free(text)
    return copy != NULL and put_text(out, copy, <uint32_t> length)

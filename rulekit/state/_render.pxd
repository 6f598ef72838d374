# Bytes of texts: numbers, addresses, times, flags, buffers. Everything appends to a Buf.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rulekit.native._event cimport FlagName
from rulekit.native._scratch cimport Buf
from rulekit.state._fields cimport Value
from rulekit.state._state cimport Context

# Types and print formats of parameters (ids of tables/event_table.json)
cdef enum ParamType:
    PT_NONE = 0
    PT_INT8 = 1
    PT_INT16 = 2
    PT_INT32 = 3
    PT_INT64 = 4
    PT_UINT8 = 5
    PT_UINT16 = 6
    PT_UINT32 = 7
    PT_UINT64 = 8
    PT_CHARBUF = 9
    PT_BYTEBUF = 10
    PT_ERRNO = 11
    PT_SOCKADDR = 12
    PT_SOCKTUPLE = 13
    PT_FD = 14
    PT_PID = 15
    PT_FDLIST = 16
    PT_FSPATH = 17
    PT_SYSCALLID = 18
    PT_SIGTYPE = 19
    PT_RELTIME = 20
    PT_ABSTIME = 21
    PT_PORT = 22
    PT_L4PROTO = 23
    PT_SOCKFAMILY = 24
    PT_BOOL = 25
    PT_IPV4ADDR = 26
    PT_DYN = 27
    PT_FLAGS8 = 28
    PT_FLAGS16 = 29
    PT_FLAGS32 = 30
    PT_UID = 31
    PT_GID = 32
    PT_DOUBLE = 33
    PT_SIGSET = 34
    PT_CHARBUFARRAY = 35
    PT_CHARBUF_PAIR_ARRAY = 36
    PT_IPV4NET = 37
    PT_IPV6ADDR = 38
    PT_IPV6NET = 39
    PT_IPADDR = 40
    PT_IPNET = 41
    PT_MODE = 42
    PT_FSRELPATH = 43
    PT_ENUMFLAGS8 = 44
    PT_ENUMFLAGS16 = 45
    PT_ENUMFLAGS32 = 46
    PT_FD32 = 47
    PT_PID32 = 48

cdef enum PrintFormat:
    PF_NA = 0
    PF_DEC = 1
    PF_HEX = 2
    PF_10_PADDED_DEC = 3
    PF_ID = 4
    PF_DIR = 5
    PF_OCT = 6

cdef enum TimeForm:
    TIME_OF_DAY = 0        # 16:17:57.881785348, local
    TIME_OF_DAY_S = 1      # 16:17:57
    TIME_DATE = 2          # 2016-08-04 16:17:57.881785348, local
    TIME_DATE_S = 3
    TIME_ISO8601 = 4       # 2016-08-04T16:17:57.881785348+0000, UTC

cdef enum BufferStyle:     # how outputs show byte buffers
    BUFFER_DOTS = 0        # printable ASCII, a dot for every other byte
    BUFFER_BASE64 = 1
    BUFFER_HEX = 2         # rows of sixteen bytes, on lines of their own
    BUFFER_HEX_ASCII = 3   # the same with the printable characters behind
    BUFFER_TEXT = 4        # printable ASCII and line feeds, other bytes left out

cdef void put_time(Buf* out, uint64_t ts_ns, int form) noexcept nogil
cdef void put_hex(Buf* out, uint64_t value, bint upper) noexcept nogil
cdef void put_octal(Buf* out, uint64_t value) noexcept nogil
cdef void put_padded(Buf* out, uint64_t value) noexcept nogil               # nine digits at least
cdef void put_ipv4(Buf* out, const uint8_t* addr) noexcept nogil
cdef void put_ipv6(Buf* out, const uint8_t* addr) noexcept nogil
cdef void put_printable(Buf* out, const char* data, size_t length) noexcept nogil   # others as "."
cdef void put_base64(Buf* out, const char* data, size_t length) noexcept nogil
cdef void put_buffer(Buf* out, const char* data, size_t length, uint8_t style) noexcept nogil
cdef void put_flags(Buf* out, const FlagName* table, uint32_t value, bint exact) noexcept nogil
cdef void put_mode(Buf* out, const FlagName* table, uint32_t value) noexcept nogil
cdef void put_integer(Buf* out, uint64_t bits, bint is_signed, uint8_t pt, uint8_t fmt) noexcept nogil
cdef void put_value(Buf* out, const Value* value, uint8_t fmt, uint8_t style) noexcept nogil

# Make what `text` holds a value in scratch memory; frees `text`. False: no memory.
cdef bint put_buf(Context* c, Value* out, Buf* text) noexcept nogil

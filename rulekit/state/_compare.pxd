# Comparisons of field values: with literals, with other fields, over lists, ancestors and socket ends.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from rulekit.native._text cimport Texts
from rulekit.native._textindex cimport TextFn, regex_fn
from rulekit.state._fields cimport Value

cdef enum ComparedKind:      # the order of rulekit.schema.types.Kind
    K_TEXT = 0
    K_BYTES = 1
    K_INT = 2
    K_UINT = 3
    K_BOOL = 4
    K_PORT = 5
    K_DOUBLE = 6
    K_ADDRESS = 7
    K_NETWORK = 8

cdef enum Quantifier:
    Q_ONE = 0
    Q_LIST = 1               # `in` holds for every element, `intersects` for one
    Q_ANCESTORS = 2          # for one ancestor
    Q_ENDS = 3               # for one end of a socket, `!=` for both

cdef struct Network:
    uint8_t bytes[16]
    uint8_t mask[16]
    uint32_t len             # 4 or 16

cdef struct Literals:        # right sides; all memory is borrowed
    Texts texts
    const int64_t* numbers   # UINT as two's complement
    const double* doubles
    Network* networks
    void* owner              # given to `regex`
    regex_fn regex

cdef struct Comparison:
    uint8_t op               # TextOp
    uint8_t modifier
    uint8_t kind             # ComparedKind
    uint8_t quantifier
    uint32_t first           # literals: in texts, numbers, doubles or networks, as the kind says
    uint32_t n               # of `in` on numbers: sorted
    TextFn* test             # of text and bytes; borrowed

# `other` stands for the literals when it is not NULL.
cdef bint compare_value(const Literals* l, const Comparison* p, const Value* value, const Value* other) noexcept nogil

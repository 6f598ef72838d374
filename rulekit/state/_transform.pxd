# Transformers over values, and operands: fields, literals, tuples and calls as a tree that is
# evaluated without the GIL. One implementation for outputs and for conditions.

from libc.stdint cimport uint8_t, uint32_t

from rulekit.state._fields cimport FieldRef, Value
from rulekit.state._state cimport Context

cdef enum Transform:
    T_NONE = 0
    T_TOLOWER = 1
    T_TOUPPER = 2
    T_B64 = 3
    T_BASENAME = 4
    T_LEN = 5
    T_VAL = 6
    T_CONCAT = 7
    T_JOIN = 8
    T_GETOPT = 9

cdef enum OperandKind:
    OPERAND_FIELD = 1
    OPERAND_LITERAL = 2
    OPERAND_TUPLE = 3
    OPERAND_CALL = 4

cdef struct Operand:
    uint8_t kind             # OperandKind
    uint8_t op               # Transform of OPERAND_CALL
    uint8_t key              # option letter of getopt(...)[c]; 0: none
    uint32_t n_args
    Operand* args            # owned: arguments of a call, items of a tuple
    FieldRef* ref            # owned
    Value literal            # its bytes are owned

cdef int transform_op(str name) except -1          # ValueError: no such transformer

# Result of a transformer in `out` (scratch memory). False: null - an argument is of kind V_NULL, of a
# kind that the transformer does not take, or cannot be decoded.
cdef bint apply_transform(Context* c, int op, const Value* args, uint32_t n_args, uint8_t key, Value* out) noexcept nogil

# `bound` is an operand of rulekit.rules.bound. Free the result with free_operand.
cdef Operand* make_operand(object bound) except NULL
cdef void free_operand(Operand* operand) noexcept
cdef bint eval_operand(Context* c, Operand* operand, Value* out) noexcept nogil

# The right sides of comparisons: literals of a program, ready to be compared with.

from cpython cimport array
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from rulekit.errors import RuleError
from rulekit.native.regex import RegexError, compile_regex

from rulekit.native._text cimport textset_add, textset_free, textset_init
from rulekit.native._textindex cimport T_IN, T_REGEX, TextFn
from rulekit.state._compare cimport Network

cdef enum:
    SET_LITERALS = 4         # from so many literals on `in` uses a hash set


cdef bint _regex(void* owner, uint32_t literal, const char* text, uint32_t n) noexcept nogil:
    with gil:
        return _regex_gil(<LiteralPool> owner, literal, text, n)


cdef bint _regex_gil(LiteralPool pool, uint32_t literal, const char* text, uint32_t n) noexcept:
    try:
        return pool._regexes[literal](text[:n])
    except Exception as error:
        if pool.error is None:
            pool.error = error
        return False


cdef void* _data(dict tables, str name):
    return (<array.array> tables[name]).data.as_voidptr


cdef class LiteralPool:
    """Literals of a program; its arrays are used in place.

    Raises `RuleError` for a regular expression that cannot be used.
    """

    def __cinit__(self, dict tables not None, bytes pool not None):
        self._buffers = (tables, pool)
        self._regexes = {}
        self.error = None
        self.c.owner = <void*> self
        self.c.regex = _regex
        self.c.texts.pool = <const char*> pool
        self.c.texts.offsets = <const uint64_t*> _data(tables, "text_end")
        self.c.numbers = <const int64_t*> _data(tables, "numbers")
        self.c.doubles = <const double*> _data(tables, "doubles")
        self._load_tests(tables, pool)
        self._load_networks(tables, pool)

    def _load_tests(self, dict tables, bytes pool):
        cdef uint32_t i, k, n = len(tables["test_op"])
        cdef TextFn* test
        ends = tables["text_end"]
        self.tests = <TextFn*> calloc(n + 1, sizeof(TextFn))
        if self.tests == NULL:
            raise MemoryError
        self.n_tests = n
        for i in range(n):
            test = &self.tests[i]
            test.op = tables["test_op"][i]
            test.modifier = tables["test_modifier"][i]
            test.first = tables["test_first"][i]
            test.n = tables["test_n"][i]
            if test.op == T_IN and test.n >= SET_LITERALS:
                if not textset_init(&test.set, &self.c.texts, test.n):
                    raise MemoryError
                test.has_set = True
                for k in range(test.n):
                    textset_add(&test.set, test.first + k)
            elif test.op == T_REGEX:
                for k in range(test.first, test.first + test.n):
                    pattern = pool[ends[k]:ends[k + 1]]
                    try:
                        self._regexes[k] = compile_regex(pattern)
                    except RegexError as error:
                        text = pattern.decode("utf-8", "replace")
                        raise RuleError(f"regular expression `{text}`: {error}") from error

    def _load_networks(self, dict tables, bytes pool):
        cdef uint32_t i, k, bits, n = len(tables["network_text"])
        cdef Network* network
        ends = tables["text_end"]
        self.c.networks = <Network*> calloc(n + 1, sizeof(Network))
        if self.c.networks == NULL:
            raise MemoryError
        for i in range(n):
            network = &self.c.networks[i]
            number = tables["network_text"][i]
            prefix = pool[ends[number]:ends[number + 1]]
            network.len = min(len(prefix), 16)
            bits = tables["network_bits"][i]
            for k in range(network.len):
                network.bytes[k] = prefix[k]
                network.mask[k] = 0xFF if bits >= 8 else 0xFF00 >> bits & 0xFF
                bits = bits - 8 if bits > 8 else 0

    def __dealloc__(self):
        cdef uint32_t i
        if self.tests != NULL:
            for i in range(self.n_tests):
                textset_free(&self.tests[i].set)
        free(self.tests)
        free(self.c.networks)

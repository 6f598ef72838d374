"""Conditions with nothing to say about → bound conditions and their event types, in one walk.

What `check` says about a condition with a mistake, or with anything to remark, is worked out there;
here such a condition is only recognised. Both give equal results for all others
(`tests/rules/test_quick_check.py`).
"""

from cpython.object cimport PyObject

from rulekit.native._made cimport Shape, get, is_a, learn, made, put
from rulekit.native._unicode cimport (
    PyUnicode_AsASCIIString, PyUnicode_DATA, PyUnicode_IS_ASCII, PyUnicode_KIND, PyUnicode_READ,
    PyUnicode_Substring,
)
from rulekit.rules.ast import (
    AndNode,
    ComparisonNode,
    FieldNode,
    ItemRun,
    ListItems,
    ListNode,
    LiteralNode,
    NotNode,
    OrNode,
)
from rulekit.rules.bound import (
    BoundAnd,
    BoundComparison,
    BoundField,
    BoundNot,
    BoundOr,
)
from rulekit.rules.event_types import EventTypeError, all_events, events_of_leaf, is_type_field
from rulekit.rules.literals import LONGEST_TEXT, LiteralError, known_event_types, read_literal
from rulekit.rules.names import DEPRECATED_FIELDS, fields_of
from rulekit.rules.operands import CheckError, bind_operand
from rulekit.rules.refusals import check_fields
from rulekit.rules.remarks import outdated_in, remarks_on_literal
from rulekit.rules.static import PREFIX
from rulekit.schema.types import operators_of
from rulekit.text.source import Span

# Levels of a tree; what is deeper is walked where depth does not matter.
cdef int MOST_LEVELS = 300
# Literals whose values are kept, by what they are compared with.
cdef int MOST_VALUES = 100_000

cdef frozenset _TEXTS = frozenset(("PT_CHARBUF", "PT_FSPATH", "PT_FSRELPATH"))
cdef frozenset _NOT_AS_TEXT = frozenset(("regex", "bcontains", "bstartswith"))
# Fields that are looked at one by one: a fixed set of values, or a meaning of their own.
cdef frozenset _LOOKED_AT = frozenset(("evt.type", "evt.num", "syscall.type", "evt.around", "evt.rawarg"))

cdef Shape AND, OR, NOT, COMPARISON, FIELD, NODE_AND, NODE_OR, NODE_NOT, NODE_COMPARISON
cdef Shape NODE_FIELD, NODE_LITERAL, NODE_LIST
learn(&AND, BoundAnd)
learn(&OR, BoundOr)
learn(&NOT, BoundNot)
learn(&COMPARISON, BoundComparison)
learn(&FIELD, BoundField)
learn(&NODE_AND, AndNode)
learn(&NODE_OR, OrNode)
learn(&NODE_NOT, NotNode)
learn(&NODE_COMPARISON, ComparisonNode)
learn(&NODE_FIELD, FieldNode)
learn(&NODE_LITERAL, LiteralNode)
learn(&NODE_LIST, ListNode)


class _Odd(Exception):
    """Something that there is more to say about."""


cdef class Left:
    """What is known of a field wherever it stands on the left."""

    cdef object field, index, key, kind, is_list, field_type, operators, name
    cdef bint as_text, plugin, is_type, looked_at


cdef class QuickCheck:
    """Checks the conditions of one event source while rules are loaded.

    Args:
        nodes: Trees that stand in many conditions, by identity; each is walked once.
    """

    cdef str source
    cdef dict nodes, known, lefts, values, type_sets
    cdef object everything
    # What names of fields begin with, up to the first dot.
    cdef set heads
    cdef dict done
    cdef int level
    # Events of the part walked last, and of its negation.
    cdef object plain, negated

    def __init__(self, str source, dict nodes):
        self.source = source
        self.nodes = nodes
        self.known = {}
        self.lefts = {}
        self.values = {}
        self.type_sets = {}
        self.everything = all_events()
        self.heads = {name.partition(".")[0] for name in (PREFIX, *fields_of(source))}

    def check(self, node):
        """Return the bound condition and the set of its events, or None: there is more to say."""
        self.done = {}
        self.level = 0
        try:
            bound = self.bind(node)
        except (_Odd, CheckError, EventTypeError):
            return None
        finally:
            self.done = None
        return bound, self.plain

    cdef object bind(self, object node):
        if is_a(node, &NODE_COMPARISON):
            return self.comparison_once(node)
        key = <size_t> <PyObject *> node
        found = self.known.get(key)
        if found is not None:
            bound, self.plain, self.negated = <tuple> found
            return bound
        self.level += 1
        if self.level > MOST_LEVELS:
            raise _Odd
        if is_a(node, &NODE_AND):
            bound = self.chain(&AND, node, NODE_AND.slots[0], NODE_AND.slots[1], True)
        elif is_a(node, &NODE_OR):
            bound = self.chain(&OR, node, NODE_OR.slots[0], NODE_OR.slots[1], False)
        elif is_a(node, &NODE_NOT):
            child = self.bind(get(node, NODE_NOT.slots[0]))
            self.plain, self.negated = self.negated, self.plain
            bound = made(&NOT)
            put(bound, NOT.slots[0], child)
            put(bound, NOT.slots[1], get(node, NODE_NOT.slots[1]))
        else:
            raise _Odd  # a macro that was not put in
        self.level -= 1
        if key in self.nodes:
            self.known[key] = (bound, self.plain, self.negated)
        return bound

    cdef object chain(
        self, Shape *shape, object node, Py_ssize_t children, Py_ssize_t span, bint meet
    ):
        cdef list parts = []
        cdef object every = self.everything, all_of = self.everything, any_of = 0, here, other
        for child in <tuple> get(node, children):
            parts.append(self.bind(child))
            here, other = (self.plain, self.negated) if meet else (self.negated, self.plain)
            if here is not every:
                all_of = here if all_of is every else all_of & here
            if any_of is not every:
                any_of = every if other is every else any_of | other
        self.plain, self.negated = (all_of, any_of) if meet else (any_of, all_of)
        bound = made(shape)
        put(bound, shape.slots[0], tuple(parts))
        put(bound, shape.slots[1], get(node, span))
        return bound

    cdef object comparison_once(self, object node):
        # A macro of one comparison may stand in a condition twice.
        key = <size_t> <PyObject *> node
        found = self.done.get(key)
        if found is None:
            bound = self.comparison(node)
            self.done[key] = (bound, self.plain, self.negated)
            return bound
        bound, self.plain, self.negated = <tuple> found
        return bound

    cdef object comparison(self, object node):
        cdef Left left
        cdef object operand, other = None, right = get(node, NODE_COMPARISON.slots[3])
        cdef object op = get(node, NODE_COMPARISON.slots[1])
        cdef object modifier = get(node, NODE_COMPARISON.slots[2])
        cdef tuple values = ()
        cdef object node_left = get(node, NODE_COMPARISON.slots[0])
        self.plain = self.negated = self.everything
        if not is_a(node_left, &NODE_FIELD):
            return self.of_call(node, node_left, op, right)
        left = self.left(node_left)
        if op == "==":
            op = "="
        if op not in left.operators:
            raise _Odd
        if left.looked_at:
            self.look_at(node, left, op, right)
        operand = left.field
        if left.kind is not None:
            operand = made(&FIELD)
            put(operand, FIELD.slots[0], left.field)
            put(operand, FIELD.slots[1], left.index)
            put(operand, FIELD.slots[2], left.key)
            put(operand, FIELD.slots[3], left.kind)
            put(operand, FIELD.slots[4], left.is_list)
            put(operand, FIELD.slots[5], get(node_left, NODE_FIELD.slots[2]))
        if right is None:
            modifier = None
        elif is_a(right, &NODE_LITERAL):
            values = (self.value(left, op, get(right, NODE_LITERAL.slots[0])),)
        elif is_a(right, &NODE_LIST):
            values = self.of_list(left, op, get(right, NODE_LIST.slots[0]))
        else:
            typed = bind_operand(right, self.source)
            check_fields(node, bind_operand(node_left, self.source), typed)
            other, modifier = typed.operand, None
        return self.compared(node, operand, op, modifier, values, other)

    cdef object compared(self, object node, object left, object op, object modifier, tuple values, object other):
        bound = made(&COMPARISON)
        put(bound, COMPARISON.slots[0], left)
        put(bound, COMPARISON.slots[1], op)
        put(bound, COMPARISON.slots[2], modifier)
        put(bound, COMPARISON.slots[3], values)
        put(bound, COMPARISON.slots[4], other)
        put(bound, COMPARISON.slots[5], get(node, NODE_COMPARISON.slots[4]))
        return bound

    cdef Left left(self, object node):
        """Return what is known of the field of a node."""
        name, arg = get(node, NODE_FIELD.slots[0]), get(node, NODE_FIELD.slots[1])
        key = name if arg is None else (name, arg)
        known = self.lefts.get(key)
        if known is not None:
            return known
        if name in DEPRECATED_FIELDS:
            raise _Odd
        cdef Left left = Left()
        typed = bind_operand(node, self.source)
        bound = typed.operand
        if type(bound) is not BoundField:
            raise _Odd  # a constant of the configuration
        left.field, left.index, left.key = bound.field, bound.index, bound.key
        left.kind, left.is_list = bound.kind, bound.is_list
        left.field_type, left.name = typed.type, bound.field.name
        left.operators = operators_of(typed.type, typed.is_list)
        left.looked_at = left.name in _LOOKED_AT or name in _LOOKED_AT
        left.is_type = is_type_field(node)
        left.as_text = typed.type in _TEXTS and not left.looked_at
        left.plugin = name.startswith(("ka.", "jevt."))
        self.lefts[key] = left
        return left

    cdef int look_at(self, object node, Left left, object op, object right) except -1:
        """Tell the events of a comparison of the event itself."""
        if left.name == "evt.around" and op != "=":
            raise _Odd
        if left.is_type or left.name == "evt.num":
            text = None
            if type(right) is LiteralNode:
                text = (op, right.text, left.name, get(node, NODE_COMPARISON.slots[2]))
            elif type(right) is ListNode and type(right.items) is ListItems:
                if len(right.items.runs) == 1 and type(right.items.runs[0]) is ItemRun:
                    text = (op, right.items.runs[0].read, left.name, get(node, NODE_COMPARISON.slots[2]))
            found = None if text is None else self.type_sets.get(text)
            if found is None:
                found = events_of_leaf(node, False), events_of_leaf(node, True)
                if text is not None:
                    self.type_sets[text] = found
            self.plain, self.negated = <tuple> found
        return 0

    cdef object of_call(self, object node, object node_left, object op, object right):
        """Check a comparison with a call on its left: rare, and like `check` does it."""
        cdef Left left = Left()
        typed = bind_operand(node_left, self.source)
        if op == "==":
            op = "="
        if op not in operators_of(typed.type, typed.is_list) or outdated_in(node_left):
            raise _Odd
        modifier, values, other = get(node, NODE_COMPARISON.slots[2]), (), None
        self.plain, self.negated = events_of_leaf(node, False), events_of_leaf(node, True)
        left.name = typed.field.name if typed.field is not None else None
        left.field_type, left.looked_at, left.plugin = typed.type, left.name in _LOOKED_AT, True
        if right is None:
            modifier = None
        elif type(right) is LiteralNode:
            values = (self.value(left, op, right.text),)
        elif type(right) is ListNode:
            values = self.of_list(left, op, right.items)
        else:
            bound = bind_operand(right, self.source)
            check_fields(node, typed, bound)
            other, modifier = bound.operand, None
        return self.compared(node, typed.operand, op, modifier, values, other)

    cdef tuple of_list(self, Left left, object op, object items):
        cdef tuple found
        if type(items) is tuple:
            return tuple([self.value(left, op, item.text) for item in <tuple> items])
        runs = [
            self.of_run(left, op, run) if type(run) is ItemRun
            else tuple([self.value(left, op, item.text) for item in run])
            for run in items.runs
        ]
        if len(runs) == 1:
            return runs[0]
        all_of = []
        for found in runs:
            all_of.extend(found)
        return tuple(all_of)

    cdef tuple of_run(self, Left left, object op, object run):
        """Return the values of a named list, or of a list that came before in these words."""
        read = run.read
        cdef dict values = read.values
        key = (left.field_type, left.name, op, self.source)
        found = values.get(key)
        if found is None:
            found = tuple([self.value(left, op, text) for text in <tuple> read.texts]), ()
            values[key] = found
        elif (<tuple> found)[1]:
            raise _Odd
        if left.plugin and "<NA>" in read.texts:
            raise _Odd
        return (<tuple> found)[0]

    cdef object value(self, Left left, object op, str text):
        """Return a literal's value; there may be nothing to say about it."""
        cdef Py_ssize_t i, size = len(text)
        cdef int kind
        cdef void *data
        cdef Py_UCS4 char
        cdef Py_ssize_t dot = 0
        cdef bint named = False, more = False
        if left.as_text and size <= LONGEST_TEXT and PyUnicode_IS_ASCII(text) and op not in _NOT_AS_TEXT:
            kind, data = PyUnicode_KIND(text), PyUnicode_DATA(text)
            if left.plugin and text == "<NA>":
                raise _Odd
            for i in range(size):
                char = PyUnicode_READ(kind, data, i)
                if char == 0:
                    raise _Odd
                if char == c".":
                    named = True
                    if not dot:
                        dot = i
                elif char == c"(":
                    named = more = True
                elif char == c"[" or char <= c" ":
                    more = True
            if named and not (c"/" == PyUnicode_READ(kind, data, 0)):
                # A field's name, or what looks like a call, is remarked on; no path is either.
                if more or PyUnicode_Substring(text, 0, dot) in self.heads:
                    self.unremarked(text, op)
            return PyUnicode_AsASCIIString(text)
        key = (left.field_type, left.name if left.looked_at else None, op, text, left.plugin)
        value = self.values.get(key)
        if value is None:
            if left.plugin and text == "<NA>":
                raise _Odd
            self.unremarked(text, op)
            if left.name == "evt.type" and text not in known_event_types():
                raise _Odd
            if left.name == "evt.around" and op != "=":
                raise _Odd
            try:
                value = read_literal(left.field_type, op, text, rawarg=left.name == "evt.rawarg")
            except LiteralError:
                raise _Odd
            if len(self.values) < MOST_VALUES:
                self.values[key] = value
        return value

    cdef int unremarked(self, str text, object op) except -1:
        key = (text, op == "regex")
        told = self.values.get(key)
        if told is None:
            told = bool(remarks_on_literal(LiteralNode(text, False, _NOWHERE), op, self.source))
            if len(self.values) < MOST_VALUES:
                self.values[key] = told
        if told:
            raise _Odd
        return 0


_NOWHERE = Span(None, 0, 0)

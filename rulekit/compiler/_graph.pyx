"""The predicate graph and how conditions get into it: hundreds of thousands of nodes.

What nodes, operands and predicates are, `ir` tells.
"""

cimport cython
from cpython.object cimport PyObject

from rulekit.compiler.ir import CallOperand, FieldOperand, Predicate, TupleOperand
from rulekit.compiler.tables import WITH_MEMORY, NodeOp
from rulekit.native._made cimport Shape, get, is_a, learn, made, put
from rulekit.rules.bound import BoundAnd, BoundComparison, BoundField, BoundNot, BoundOr
from rulekit.schema.types import Kind

cdef enum:
    FALSE = 0
    TRUE = 1
    PREDICATE = 2
    NOT = 3
    AND = 4
    OR = 5

if [int(op) for op in NodeOp] != [FALSE, TRUE, PREDICATE, NOT, AND, OR]:
    raise ImportError("the numbers of NodeOp have changed")

cdef Shape PREDICATE_SHAPE
learn(&PREDICATE_SHAPE, Predicate)


@cython.final
cdef class Graph:
    """A hash-consed graph; not thread-safe.

    Attributes:
        operands, predicates: By number.
        ops: `NodeOp` of each node; `args`: its children, or ``(predicate,)``.
        ordered: Per node, 1 when its children must be tried in their order, because evaluating
            one has an effect (a field with memory).
        depth: Per node, levels below it.
    """

    cdef readonly list operands, predicates, args, depth
    cdef readonly bytearray ops, ordered
    cdef dict operand_ids, predicate_nodes, negations, conjunctions, disjunctions
    cdef set impure  # operands that remember

    def __init__(self):
        self.operands = []
        self.predicates = []
        self.ops = bytearray((FALSE, TRUE))
        self.args = [(), ()]
        self.ordered = bytearray(2)
        self.depth = [0, 0]
        self.operand_ids = {}
        self.predicate_nodes = {}
        self.negations = {}
        self.conjunctions = {}
        self.disjunctions = {}
        self.impure = set()

    def operand(self, operand):
        """Return the number of an operand, the same for equal ones."""
        number = self.operand_ids.get(operand)
        if number is None:
            number = len(self.operands)
            self.operands.append(operand)
            self.operand_ids[operand] = number
            if isinstance(operand, FieldOperand):
                impure = operand.instance != 0
            elif isinstance(operand, CallOperand):
                impure = not self.impure.isdisjoint(operand.args)
            elif isinstance(operand, TupleOperand):
                impure = not self.impure.isdisjoint(operand.items)
            else:
                impure = False
            if impure:
                self.impure.add(number)
        return number

    def predicate(self, p):
        """Return the node of a comparison."""
        return self.compared(p.left, p.op, p.modifier, p.kind, p.quantifier, p.values, p.other)

    cpdef object compared(self, left, op, modifier, kind, quantifier, tuple values, other):
        """Return the node of a comparison given by its parts; see `Predicate`."""
        # Kind and quantifier are those of what is on the left.
        key = (left, op, modifier, values, other)
        node = self.predicate_nodes.get(key)
        if node is None:
            ordered = left in self.impure or other in self.impure
            node = self.add(PREDICATE, (len(self.predicates),), ordered)
            predicate = made(&PREDICATE_SHAPE)
            put(predicate, PREDICATE_SHAPE.slots[0], left)
            put(predicate, PREDICATE_SHAPE.slots[1], op)
            put(predicate, PREDICATE_SHAPE.slots[2], modifier)
            put(predicate, PREDICATE_SHAPE.slots[3], kind)
            put(predicate, PREDICATE_SHAPE.slots[4], quantifier)
            put(predicate, PREDICATE_SHAPE.slots[5], values)
            put(predicate, PREDICATE_SHAPE.slots[6], other)
            self.predicates.append(predicate)
            self.predicate_nodes[key] = node
        return node

    def predicate_of(self, node):
        """Return the comparison that a predicate node stands for."""
        return self.predicates[self.args[node][0]]

    cpdef object not_(self, child):
        """Return the negation of a node."""
        cdef Py_ssize_t number = child
        if number <= TRUE:
            return TRUE - number
        if self.ops[number] == NOT:
            return (<tuple> self.args[number])[0]
        return self.intern(NOT, self.negations, (child,))

    cpdef object and_(self, children):
        """Return the conjunction; of nothing it is TRUE."""
        return self.chain(AND, children, TRUE, FALSE)

    cpdef object or_(self, children):
        """Return the disjunction; of nothing it is FALSE."""
        return self.chain(OR, children, FALSE, TRUE)

    cdef object chain(self, int op, children, neutral, final):
        cdef dict flat = {}
        cdef Py_ssize_t number
        cdef bint opposed = False
        cdef tuple inner
        for child in children:
            number = child
            if self.ops[number] == op:
                inner = self.args[number]
                for each in inner:
                    flat[each] = None
            else:
                flat[child] = None
        flat.pop(neutral, None)
        # A constant decides at once, unless something before it must be evaluated.
        if final in flat:
            before = []
            for child in flat:
                if child == final:
                    break
                before.append(child)
            if not any([self.ordered[child] for child in before]):
                return final
            flat = dict.fromkeys([*before, final])
        else:
            for child in flat:
                number = child
                if self.ordered[number]:
                    opposed = False
                    break
                if self.ops[number] == NOT and (<tuple> self.args[number])[0] in flat:
                    opposed = True
            if opposed:
                return final
        if not flat:
            return neutral
        if len(flat) == 1:
            return next(iter(flat))
        return self.intern(op, self.conjunctions if op == AND else self.disjunctions, tuple(flat))

    cdef object intern(self, int op, dict known, tuple args):
        node = known.get(args)
        if node is None:
            ordered = False
            for child in args:
                if self.ordered[<Py_ssize_t> child]:
                    ordered = True
                    break
            node = self.add(op, args, ordered)
            known[args] = node
        return node

    cdef object add(self, int op, tuple args, bint ordered):
        cdef Py_ssize_t below = 0, level
        node = len(self.ops)
        self.ops.append(op)
        self.args.append(args)
        self.ordered.append(ordered)
        if op != PREDICATE:
            for child in args:
                level = self.depth[<Py_ssize_t> child]
                below = max(below, level)
        self.depth.append(below + 1)
        return node

    def reachable(self, roots):
        """Return all nodes below `roots`, children before parents."""
        # A node's children were made before it, so that the numbers are in order.
        cdef Py_ssize_t node, size = len(self.ops)
        cdef bytearray seen
        if len(roots) < size // 64:
            return self.below(roots)
        seen = bytearray(size)
        for root in roots:
            seen[<Py_ssize_t> root] = 1
        for node in range(size - 1, TRUE, -1):
            if seen[node] and self.ops[node] >= NOT:
                for child in <tuple> self.args[node]:
                    seen[<Py_ssize_t> child] = 1
        return [node for node in range(size) if seen[node]]

    cdef list below(self, roots):
        """Do what `reachable` does, without a look at each node of the graph."""
        cdef set found = set(roots)
        cdef list todo = list(found)
        while todo:
            node = todo.pop()
            if self.ops[<Py_ssize_t> node] >= NOT:
                for child in <tuple> self.args[<Py_ssize_t> node]:
                    if child not in found:
                        found.add(child)
                        todo.append(child)
        return sorted(found)


include "_lowering.pxi"
include "passes/_scopes.pxi"
include "passes/_walks.pxi"

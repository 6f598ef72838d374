"""The predicate graph and how conditions get into it: hundreds of thousands of nodes.

What nodes, operands and predicates are, `ir` tells.
"""

from rulekit.compiler.ir import CallOperand, FieldOperand, Predicate, TupleOperand
from rulekit.compiler.tables import NodeOp
from rulekit.native._made cimport Shape, get, is_a, learn
from rulekit.rules.bound import BoundAnd, BoundComparison, BoundNot, BoundOr

cdef enum:
    FALSE = 0
    TRUE = 1
    PREDICATE = 2
    NOT = 3
    AND = 4
    OR = 5

if [int(op) for op in NodeOp] != [FALSE, TRUE, PREDICATE, NOT, AND, OR]:
    raise ImportError("the numbers of NodeOp have changed")

cdef Shape BOUND_AND, BOUND_OR, BOUND_NOT, BOUND_COMPARISON
learn(&BOUND_AND, BoundAnd)
learn(&BOUND_OR, BoundOr)
learn(&BOUND_NOT, BoundNot)
learn(&BOUND_COMPARISON, BoundComparison)


cdef class Graph:
    """A hash-consed graph; not thread-safe.

    Attributes:
        operands, predicates: By number.
        ops: `NodeOp` of each node; `args`: its children, or ``(predicate,)``.
        ordered: Per node, 1 when its children must be tried in their order, because evaluating
            one has an effect (a field with memory).
        depth: Per node, levels below it.
    """

    cdef readonly list operands, predicates, ops, args, depth
    cdef readonly bytearray ordered
    cdef dict operand_ids, predicate_nodes, nodes
    cdef set impure  # operands that remember

    def __init__(self):
        self.operands = []
        self.predicates = []
        self.ops = [FALSE, TRUE]
        self.args = [(), ()]
        self.ordered = bytearray(2)
        self.depth = [0, 0]
        self.operand_ids = {}
        self.predicate_nodes = {}
        self.nodes = {}
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

    def compared(self, left, op, modifier, kind, quantifier, tuple values, other):
        """Return the node of a comparison given by its parts; see `Predicate`."""
        # Kind and quantifier are those of what is on the left.
        key = (left, op, modifier, values, other)
        node = self.predicate_nodes.get(key)
        if node is None:
            ordered = left in self.impure or other in self.impure
            node = self.add(PREDICATE, (len(self.predicates),), ordered)
            self.predicates.append(Predicate(left, op, modifier, kind, quantifier, values, other))
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
        if <int> self.ops[number] == NOT:
            return (<tuple> self.args[number])[0]
        return self.intern(NOT, (child,))

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
            if <int> self.ops[number] == op:
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
                if <int> self.ops[number] == NOT and (<tuple> self.args[number])[0] in flat:
                    opposed = True
            if opposed:
                return final
        if not flat:
            return neutral
        if len(flat) == 1:
            return next(iter(flat))
        return self.intern(op, tuple(flat))

    cdef object intern(self, int op, tuple args):
        key = (op, args)
        node = self.nodes.get(key)
        if node is None:
            ordered = False
            for child in args:
                if self.ordered[<Py_ssize_t> child]:
                    ordered = True
                    break
            node = self.add(op, args, ordered)
            self.nodes[key] = node
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
            if seen[node] and <int> self.ops[node] >= NOT:
                for child in <tuple> self.args[node]:
                    seen[<Py_ssize_t> child] = 1
        return [node for node in range(size) if seen[node]]

    cdef list below(self, roots):
        """Do what `reachable` does, without a look at each node of the graph."""
        cdef set found = set(roots)
        cdef list todo = list(found)
        while todo:
            node = todo.pop()
            if <int> self.ops[<Py_ssize_t> node] >= NOT:
                for child in <tuple> self.args[<Py_ssize_t> node]:
                    if child not in found:
                        found.add(child)
                        todo.append(child)
        return sorted(found)


def node_of(Graph graph, root, comparison, dict done):
    """Return the node of a bound condition (iterative: trees may be deeper than the stack).

    Args:
        comparison: Returns the node of a comparison.
        done: Nodes by the identity of what they were made of; those that do not depend on the
            rule are added.
    """
    cdef dict fresh = {}  # results that must not be shared between rules
    cdef list todo = []
    cdef tuple children
    cdef Py_ssize_t at, i
    cdef object bound = root, node, group
    while bound is not None or todo:
        if bound is None:
            # The next child that is not done; its group when all are.
            group, children, at = todo[len(todo) - 1]
            for i in range(at, len(children)):
                key = id(children[i])
                if key in done or key in fresh:
                    continue
                bound = children[i]
                if is_a(bound, &BOUND_COMPARISON):
                    node = comparison(bound)
                    (fresh if graph.ordered[<Py_ssize_t> node] else done)[key] = node
                    bound = None
                    continue
                todo[len(todo) - 1] = (group, children, i + 1)
                break
            if bound is None:
                todo.pop()
                nodes = []
                for child in children:
                    key = id(child)
                    node = done.get(key)
                    nodes.append(fresh[key] if node is None else node)
                if is_a(group, &BOUND_NOT):
                    node = graph.not_(nodes[0])
                elif is_a(group, &BOUND_AND):
                    node = graph.and_(nodes)
                else:
                    node = graph.or_(nodes)
                (fresh if graph.ordered[<Py_ssize_t> node] else done)[id(group)] = node
            continue
        key = id(bound)
        if is_a(bound, &BOUND_COMPARISON):
            node = comparison(bound)
            (fresh if graph.ordered[<Py_ssize_t> node] else done)[key] = node
        elif key not in done:
            if is_a(bound, &BOUND_NOT):
                todo.append((bound, (get(bound, BOUND_NOT.slots[0]),), 0))
            elif is_a(bound, &BOUND_AND):
                todo.append((bound, get(bound, BOUND_AND.slots[0]), 0))
            else:
                todo.append((bound, get(bound, BOUND_OR.slots[0]), 0))
        bound = None
    node = done.get(id(root))
    return fresh[id(root)] if node is None else node

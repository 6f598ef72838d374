# What nodes depend on, and what they say about one thing alone. Part of `_graph`: splitting looks at
# every node of a ruleset several times.

cdef extern from "Python.h":
    char *PyByteArray_AS_STRING(object memory)


cdef class Scopes:
    """Scopes of the nodes of one graph, as unions of bits; a subclass knows those of comparisons.

    Attributes:
        near: The bit of comparisons that are not of a text, but from which one of it follows.
    """

    cdef readonly Graph graph
    cdef int near
    cdef bytearray known  # an int for each node
    cdef Py_ssize_t n_known
    cdef dict of_left, projected

    def __init__(self, Graph graph, int near):
        self.graph = graph
        self.near = near
        self.known = bytearray()
        self.n_known = 0
        self.of_left = {}
        self.projected = {}

    def scope(self, node):
        """Return the union of the scopes of all comparisons below a node."""
        return self.of(node)

    cdef int of(self, Py_ssize_t node) except -1:
        if node >= self.n_known:
            self.look()
        return (<int *> PyByteArray_AS_STRING(self.known))[node]

    cdef int look(self) except -1:
        """Learn the scopes of all nodes made by now: children come before their parents."""
        cdef Graph graph = self.graph
        cdef Py_ssize_t each, size = len(graph.ops)
        cdef int scope
        cdef int *scopes
        cdef tuple args
        self.known += bytes((size - self.n_known) * sizeof(int))
        scopes = <int *> PyByteArray_AS_STRING(self.known)
        for each in range(self.n_known, size):
            args = graph.args[each]
            if graph.ops[each] == PREDICATE:
                scope = self.of_comparison(args[0])
            else:
                scope = 0
                for child in args:
                    scope |= scopes[<Py_ssize_t> child]
            scopes[each] = scope
        self.n_known = size
        return 0

    cdef int of_comparison(self, number) except -1:
        predicate = self.graph.predicates[<Py_ssize_t> number]
        if get(predicate, PREDICATE_SHAPE.slots[6]) is not None:
            return self.predicate_scope(number)
        # Literals do not matter.
        left = get(predicate, PREDICATE_SHAPE.slots[0])
        scope = self.of_left.get(left)
        if scope is None:
            scope = self.of_left[left] = self.predicate_scope(number)
        return scope

    def project(self, node, int scope, bint near):
        """Return what a node demands of one scope: comparisons of all others read as true.

        Args:
            near: Also what follows from the comparisons of the bit `near`.
        """
        self.of(node)
        memo = self.projected.get(scope)
        if memo is None:
            memo = self.projected[scope] = {}
        return self.projection(node, scope, self.near if near else 0, True, memo)

    cdef object projection(self, node, int scope, int near, bint over, dict memo):
        # With `over` the result is implied by the node, without it it implies the node.
        cdef Graph graph = self.graph
        cdef Py_ssize_t number = node
        cdef int op, below = (<int *> PyByteArray_AS_STRING(self.known))[number]
        cdef tuple args
        cdef list children
        if number <= TRUE or below & ~self.near == scope:
            return node
        if not below & (scope | near):
            return TRUE if over else FALSE
        key = number * 2 + over
        found = memo.get(key)
        if found is not None:
            return found
        op, args = graph.ops[number], graph.args[number]
        if op == PREDICATE:
            found = TRUE if over else FALSE
            if over and near:
                found = self.implied(args[0])
        elif op == NOT:
            found = graph.not_(self.projection(args[0], scope, near, not over, memo))
        else:
            children = []
            for child in args:
                children.append(self.projection(child, scope, near, over, memo))
            found = graph.and_(children) if op == AND else graph.or_(children)
        memo[key] = found
        return found

    def outside(self, root, pure):
        """Return the node of those parts of a conjunction whose scope is none of `pure`."""
        cdef list rest = []
        for part in parts_of(self.graph, root):
            if self.of(part) not in pure:
                rest.append(part)
        return self.graph.and_(rest)

    def demanded(self, roots, int scopes):
        """Return the parts of conjunctions that are of `scopes` only, and where they stand."""
        cdef dict users = {}
        cdef Py_ssize_t position = 0
        for root in roots:
            if not self.graph.ordered[<Py_ssize_t> root]:
                for part in parts_of(self.graph, root):
                    if not self.of(part) & ~scopes:
                        places = users.get(part)
                        if places is None:
                            users[part] = [position]
                        else:
                            (<list> places).append(position)
            position += 1
        return users


cdef tuple parts_of(Graph graph, root):
    if graph.ops[<Py_ssize_t> root] == AND:
        return graph.args[<Py_ssize_t> root]
    return (root,)

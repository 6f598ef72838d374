# What the passes `fold` and `order` do with every node. Part of `_graph`.


def settled(Graph graph, everything, telling, decide):
    """Return per node the slots where it certainly holds, where it certainly does not, and whether
    something below depends on the slot.

    Args:
        telling: Operands whose comparisons may depend on the slot alone.
        decide: Returns the two sets of a comparison.
    """
    cdef Py_ssize_t node, number, size = len(graph.ops)
    cdef list true = [0] * size, false = [0] * size
    cdef bytearray varies = bytearray(size), decided = bytearray(size)
    cdef bint some, changes
    cdef int op
    cdef tuple args
    false[FALSE] = true[TRUE] = everything
    decided[FALSE] = decided[TRUE] = 1
    for node in range(TRUE + 1, size):
        op, args = graph.ops[node], graph.args[node]
        if op == PREDICATE:
            predicate = graph.predicates[<Py_ssize_t> args[0]]
            if get(predicate, PREDICATE_SHAPE.slots[0]) in telling:
                true[node], false[node] = decide(graph, predicate)
                if true[node] or false[node]:
                    varies[node] = decided[node] = 1
            continue
        some = changes = False
        for child in args:
            number = child
            some = some or decided[number]
            changes = changes or varies[number]
        if not some:
            continue
        decided[node], varies[node] = 1, changes
        if op == NOT:
            number = args[0]
            true[node], false[node] = false[number], true[number]
            continue
        # Slots where all of the children are as it takes all to be, and where any is.
        all_of, any_of = everything, 0
        for child in args:
            number = child
            if op == AND:
                all_of, any_of = all_of & true[number], any_of | false[number]
            else:
                all_of, any_of = all_of & false[number], any_of | true[number]
        if op == AND:
            true[node], false[node] = all_of, any_of
        else:
            true[node], false[node] = any_of, all_of
    return true, false, varies


def specialised(Graph graph, list true, list false, bytearray varies, roots, part):
    """Return what nodes become on a set of slots that are decided alike, by node."""
    cdef dict done = {}
    cdef set waiting = set()
    cdef list todo = list(roots), children
    cdef Py_ssize_t number
    cdef int op
    while todo:
        node = todo.pop()
        if node in done or node in waiting:
            continue
        number = node
        if graph.ordered[number] or not varies[number]:
            done[node] = node
        elif true[number] & part:
            done[node] = TRUE
        elif false[number] & part:
            done[node] = FALSE
        elif graph.ops[number] == PREDICATE:
            done[node] = node
        else:
            waiting.add(node)
            todo.extend(<tuple> graph.args[number])
    for node in sorted(waiting):
        number = node
        op = graph.ops[number]
        children = []
        for child in <tuple> graph.args[number]:
            children.append(done[child])
        if op == NOT:
            done[node] = graph.not_(children[0])
        elif op == AND:
            done[node] = graph.and_(children)
        else:
            done[node] = graph.or_(children)
    return done


# Costs are added up; in conditions that nobody writes they would outgrow any number.
cdef long long MOST = 1 << 40
# Longer chains are sorted by something that does not compare all with all.
cdef enum:
    SHORT = 24


cdef class NodeCosts:
    """Costs of the nodes of one graph; a subclass knows those of comparisons."""

    cdef readonly Graph graph
    cdef bytearray known  # a long long for each node
    cdef Py_ssize_t n_known

    def __init__(self, Graph graph):
        self.graph = graph
        self.known = bytearray()
        self.n_known = 0

    def cost(self, node):
        """Return the cost of a node."""
        self.look(node)
        return (<long long *> PyByteArray_AS_STRING(self.known))[<Py_ssize_t> node]

    cdef int look(self, Py_ssize_t node) except -1:
        """Learn the costs of all nodes made by now."""
        cdef Graph graph = self.graph
        cdef Py_ssize_t each, size = len(graph.ops)
        cdef long long least, total, cost
        cdef long long *costs
        cdef tuple args
        if node < self.n_known:
            return 0
        self.known += bytes((size - self.n_known) * sizeof(long long))
        costs = <long long *> PyByteArray_AS_STRING(self.known)
        for each in range(self.n_known, size):
            if graph.ops[each] <= TRUE:
                continue
            args = graph.args[each]
            if graph.ops[each] == PREDICATE:
                costs[each] = self.predicate_cost(args[0])
                continue
            # Half of a chain is evaluated on average, and the first part always.
            total, least = 0, MOST
            for child in args:
                cost = costs[<Py_ssize_t> child]
                total += cost
                least = min(least, cost)
            costs[each] = min(2 + least + (total - least) // 2, MOST)
        self.n_known = size
        return 0

    def tables(self, list nodes, dict predicates):
        """Return nodes as a program has them: their first child and number of children, all
        children, and the position by node.

        The arrays are of 32 bits. The children of a node come in the order in which to try them.

        Args:
            nodes: All nodes below, children before parents.
            predicates: Positions of comparisons.
        """
        cdef Graph graph = self.graph
        cdef Py_ssize_t size = len(nodes), place = 0, total = 0, number
        cdef tuple args
        cdef bytearray first, n, children, position
        cdef unsigned int *firsts
        cdef unsigned int *ns
        cdef unsigned int *positions
        cdef unsigned int *target
        for node in nodes:
            total += len(<tuple> graph.args[<Py_ssize_t> node])
        first, n = bytearray(4 * size), bytearray(4 * size)
        children, position = bytearray(4 * total), bytearray(4 * len(graph.ops))
        firsts = <unsigned int *> PyByteArray_AS_STRING(first)
        ns = <unsigned int *> PyByteArray_AS_STRING(n)
        positions = <unsigned int *> PyByteArray_AS_STRING(position)
        target = <unsigned int *> PyByteArray_AS_STRING(children)
        self.look(len(graph.ops) - 1)
        total = 0
        for node in nodes:
            number = node
            positions[number] = place
            args = graph.args[number]
            if graph.ops[number] == PREDICATE:
                firsts[place] = predicates[args[0]]
            else:
                firsts[place], ns[place] = total, len(args)
                self.ordered(args, graph.ordered[number], &target[total])
                for number in range(total, total + len(args)):
                    target[number] = positions[target[number]]
                total += len(args)
            place += 1
        del children[4 * total:]
        return first, n, children, position

    cdef int ordered(self, tuple args, bint fixed, unsigned int *target) except -1:
        """Write the children of a node in the order in which to try them."""
        cdef Py_ssize_t i, at, child, size = len(args)
        cdef long long *costs = <long long *> PyByteArray_AS_STRING(self.known)
        if size > SHORT and not fixed:
            args, fixed = tuple(sorted(args, key=self.cost)), True
        for i in range(size):
            child, at = args[i], i
            while not fixed and at and costs[target[at - 1]] > costs[child]:
                target[at] = target[at - 1]
                at -= 1
            target[at] = child
        return 0

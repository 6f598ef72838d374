# Bound conditions → nodes. Part of `_graph`: every comparison of a ruleset passes here.

cdef Shape BOUND_AND, BOUND_OR, BOUND_NOT, BOUND_COMPARISON, BOUND_FIELD
learn(&BOUND_AND, BoundAnd)
learn(&BOUND_OR, BoundOr)
learn(&BOUND_NOT, BoundNot)
learn(&BOUND_COMPARISON, BoundComparison)
learn(&BOUND_FIELD, BoundField)


@cython.final
cdef class _Left:
    """What is known of a left side."""

    cdef object number, kind, quantifier
    cdef bint text, several

    def __cinit__(self, number, kind, quantifier):
        self.number, self.kind, self.quantifier = number, kind, quantifier
        self.text = kind is Kind.TEXT
        self.several = quantifier == "list"


cdef class Comparisons:
    """Makes nodes of conditions, rule after rule; a subclass says what operands are.

    Attributes:
        rule: Number of the current rule, counted from 1.
    """

    cdef readonly Graph graph
    cdef public Py_ssize_t rule
    cdef dict done, fresh, fields, texts, values

    def __init__(self, graph=None):
        self.graph = Graph() if graph is None else graph
        self.rule = 0
        # Nodes of trees that stand in several places, by identity: the rules hold the trees, which
        # therefore outlive this. Those of `fresh` must not be shared between rules.
        self.done = {}
        self.fresh = {}
        self.fields = {}
        # Lists that stand in several places, and what became of them, by identity.
        self.texts = {}
        self.values = {}

    def condition(self, root):
        """Return the node of a condition (iterative: trees may be deeper than the stack)."""
        cdef list opened = [], nodes
        cdef tuple children
        cdef object bound = root, group, node
        self.rule += 1
        self.fresh = {}
        while True:
            if is_a(bound, &BOUND_COMPARISON):
                node = self.node_of(bound)
            else:
                node = self.known(bound)
                if node is None:
                    children, nodes = children_of(bound), []
                    if children:
                        opened.append((bound, children, nodes))
                        bound = children[0]
                        continue
                    node = self.closed(bound, nodes)
            # The node goes to the group that waits for it, and may complete that one as well.
            while opened:
                group, children, nodes = <tuple> opened[len(opened) - 1]
                nodes.append(node)
                if len(nodes) < len(children):
                    bound = children[len(nodes)]
                    break
                opened.pop()
                node = self.closed(group, nodes)
            else:
                return node

    cdef object known(self, bound):
        key = <size_t> <PyObject *> bound
        node = self.done.get(key)
        return self.fresh.get(key) if node is None else node

    cdef object closed(self, group, list nodes):
        if is_a(group, &BOUND_NOT):
            node = self.graph.not_(nodes[0])
        elif is_a(group, &BOUND_AND):
            node = self.graph.and_(nodes)
        else:
            node = self.graph.or_(nodes)
        (self.fresh if self.graph.ordered[<Py_ssize_t> node] else self.done)[
            <size_t> <PyObject *> group
        ] = node
        return node

    def comparison(self, bound):
        """Return the node of a comparison in the current rule."""
        if not is_a(bound, &BOUND_COMPARISON):
            raise TypeError("no comparison")
        return self.node_of(bound)

    cdef object node_of(self, bound):
        cdef _Left left = self.left(get(bound, BOUND_COMPARISON.slots[0]))
        cdef object op = get(bound, BOUND_COMPARISON.slots[1])
        cdef object modifier = get(bound, BOUND_COMPARISON.slots[2])
        cdef tuple values = get(bound, BOUND_COMPARISON.slots[3])
        cdef object other = get(bound, BOUND_COMPARISON.slots[4])
        cdef bint listed = op == "in" or op == "intersects" or op == "pmatch"
        if other is not None:
            return self.compared(left, op, None, (), self.operand(other))
        if op == "exists":
            return self.compared(left, op, None, (), None)
        if not values:
            return FALSE
        if op == "=" and (modifier is None or modifier == "anyof"):
            op, modifier, listed = "in", None, True
        elif op == "intersects" and not left.several:
            op = "in"
        elif modifier is not None:
            listed = listed or modifier == "anyof" or modifier == "allof"
        elif not listed:
            values = values[:1]
        return self.compared(left, op, modifier, self.compared_with(values, left.text, listed), None)

    cdef object compared(self, _Left left, op, modifier, tuple values, other):
        return self.graph.compared(
            left.number, op, modifier, left.kind, left.quantifier, values, other
        )

    cdef tuple compared_with(self, tuple values, bint text, bint listed):
        """Return the values that are compared with; texts end at their NUL bytes."""
        if not listed or len(values) == 1:
            return stripped(values) if text else values
        # A list that stands in many conditions is one tuple in all of them.
        cdef dict lists = self.texts if text else self.values
        key = <size_t> <PyObject *> values
        known = lists.get(key)
        if known is None:
            known = values, (distinct_texts(stripped(values)) if text else distinct(values))
            lists[key] = known
        return (<tuple> known)[1]

    cdef _Left left(self, bound):
        if not is_a(bound, &BOUND_FIELD):
            return _Left(*self.shape(bound))
        name = get(bound, BOUND_FIELD.slots[0]).name
        index, key = get(bound, BOUND_FIELD.slots[1]), get(bound, BOUND_FIELD.slots[2])
        kind = get(bound, BOUND_FIELD.slots[3])
        form = name if index is None and key is None else (name, index, key)
        found = self.fields.get(form)
        if found is None or (<_Left> found).kind is not kind:
            found = _Left(*self.shape(bound))
            if name not in WITH_MEMORY:
                self.fields[form] = found
        return found


cdef tuple children_of(bound):
    if is_a(bound, &BOUND_NOT):
        return (get(bound, BOUND_NOT.slots[0]),)
    if is_a(bound, &BOUND_AND):
        return get(bound, BOUND_AND.slots[0])
    if is_a(bound, &BOUND_OR):
        return get(bound, BOUND_OR.slots[0])
    raise TypeError("no condition")


cdef tuple stripped(tuple values):
    cdef bytes text
    cdef Py_ssize_t size
    for value in values:
        if type(value) is bytes:
            text = value
            size = len(text)
            if size and text[size - 1] == 0:
                return tuple([v.rstrip(b"\0") if isinstance(v, bytes) else v for v in values])
    return values


# Sorting more texts than this takes longer than everything else that is done with them.
cdef Py_ssize_t MANY = 4096


cdef tuple distinct_texts(tuple values):
    if len(values) <= MANY:
        return distinct(values)
    return values if len(set(values)) == len(values) else tuple(dict.fromkeys(values))


cdef tuple distinct(tuple values):
    # Sorted, so that lists in another order are the same predicate.
    cdef set found = set(values)
    if len(found) == 1:
        return values[:1]
    try:
        return tuple(sorted(found))
    except TypeError:  # addresses and networks of both families sort, mixed kinds do not
        return tuple(dict.fromkeys(values))

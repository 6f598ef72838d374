"""What is plain in rule files, read and put together in one go.

Of elements those that define something, with the usual keys and nothing else; of conditions those
that one element wrote, where names of lists stand behind other words. Whatever else there is (what
changes an earlier definition, exceptions), and everything with a mistake, is left to
`items` and `lists`, which alone know what to say. Both make equal definitions and equal texts of
what both can take (`tests/rules/test_plain.py`).
"""

from libc.stdint cimport uint64_t

from rulekit.native._made cimport Shape, get, is_a, learn, made, put
from rulekit.native._unicode cimport (
    PyUnicode_DATA, PyUnicode_KIND, PyUnicode_READ, PyUnicode_Substring,
)
from rulekit.rules._scan import scalar_span
from rulekit.rules.ast import AndNode, ComparisonNode, MacroNode, NotNode, OrNode
from rulekit.rules.definitions import ListDef, MacroDef, RuleDef
from rulekit.rules.findings import Context
from rulekit.rules.item_texts import ItemTexts
from rulekit.rules.nodes import NULL_TEXTS, Mapping, PackedScalars, Scalar, Sequence
from rulekit.rules.priority import BY_NAME
from rulekit.rules.tokens import LIST_BLANKS, LIST_DELIMITERS, LIST_NAME, MACRO_NAME
from rulekit.text.pieced import Insertion, Part, PiecedText
from rulekit.text.source import Span

cdef Shape SCALAR, SEQUENCE, MAPPING, SPAN, CONTEXT, LIST, MACRO, PART, INSERTION, PIECED
cdef Shape NODE_AND, NODE_OR, NODE_NOT, NODE_COMPARISON, NODE_MACRO
learn(&SCALAR, Scalar)
learn(&SEQUENCE, Sequence)
learn(&MAPPING, Mapping)
learn(&SPAN, Span)
learn(&CONTEXT, Context)
learn(&LIST, ListDef)
learn(&MACRO, MacroDef)
learn(&PART, Part)
learn(&INSERTION, Insertion)
learn(&PIECED, PiecedText)
learn(&NODE_AND, AndNode)
learn(&NODE_OR, OrNode)
learn(&NODE_NOT, NotNode)
learn(&NODE_COMPARISON, ComparisonNode)
learn(&NODE_MACRO, MacroNode)

cdef frozenset _RULE_KEYS = frozenset(
    ("rule", "condition", "output", "desc", "priority", "source", "enabled", "tags")
)


# --- elements

cdef enum Kind:
    ODD, PLAIN_LIST, PLAIN_MACRO, PLAIN_RULE


cdef inline object text_in(dict index, str key):
    """Return the scalar of a key; None where a text is missing, empty or null."""
    node = index.get(key)
    if node is None or not is_a(node, &SCALAR):
        return None
    if get(node, SCALAR.slots[4]) or not get(node, SCALAR.slots[2]):
        return None
    return node


cdef bint only_texts(object node):
    """Whether a node is a sequence of texts."""
    if node is None or not is_a(node, &SEQUENCE):
        return False
    items = get(node, SEQUENCE.slots[2])
    if type(items) is PackedScalars:
        return NULL_TEXTS.isdisjoint(items.texts)
    for item in <list> items:
        if not is_a(item, &SCALAR) or get(item, SCALAR.slots[4]):
            return False
    return True


cdef Kind kind_of(object element):
    """Tell what an element defines; `ODD` when there may be anything to say about it."""
    if not is_a(element, &MAPPING):
        return ODD
    cdef list pairs = get(element, MAPPING.slots[2])
    index = get(element, MAPPING.slots[3])
    if index is None:
        index = element.index()
    cdef dict present = index
    # Keys that are no texts, and second ones, are not in the index.
    if len(present) != len(pairs):
        return ODD
    if len(pairs) == 2:
        node = text_in(present, "list")
        if node is not None:
            if LIST_NAME.fullmatch(get(node, SCALAR.slots[2])) and only_texts(present.get("items")):
                return PLAIN_LIST
            return ODD
        node = text_in(present, "macro")
        if node is not None and MACRO_NAME.fullmatch(get(node, SCALAR.slots[2])):
            if text_in(present, "condition") is not None:
                return PLAIN_MACRO
        return ODD
    for key in ("rule", "condition", "output", "desc"):
        if text_in(present, key) is None:
            return ODD
    for key in present:
        if key not in _RULE_KEYS:
            return ODD
    node = text_in(present, "priority")
    if node is None or get(node, SCALAR.slots[2]) not in BY_NAME:
        return ODD
    if "source" in present and text_in(present, "source") is None:
        return ODD
    if "tags" in present and not only_texts(present["tags"]):
        return ODD
    if "enabled" in present:
        node = text_in(present, "enabled")
        if node is None or get(node, SCALAR.slots[2]) not in ("true", "false"):
            return ODD
    return PLAIN_RULE


def is_plain(element):
    """Whether there is nothing to say about an element alone, nor for Falco's schema."""
    return kind_of(element) != ODD


cdef class PlainReader:
    """Reads the plain elements of a file into a collector.

    Args:
        outside: The context of the whole file.
    """

    cdef object file, outside, collector

    def __init__(self, file, outside, collector):
        self.file = file
        self.outside = outside
        self.collector = collector

    def read(self, element):
        """Read an element; return False, and do nothing, when it is not plain."""
        cdef Kind kind = kind_of(element)
        if kind == ODD:
            return False
        cdef dict present = get(element, MAPPING.slots[3])
        if kind == PLAIN_LIST:
            self.list(element, present)
        elif kind == PLAIN_MACRO:
            self.macro(element, present)
        else:
            return self.rule(element, present)
        return True

    cdef object context(self, object parent, str kind, str name, object node):
        context = made(&CONTEXT)
        put(context, CONTEXT.slots[0], self.file)
        put(context, CONTEXT.slots[1], parent)
        put(context, CONTEXT.slots[2], kind)
        put(context, CONTEXT.slots[3], name)
        # A node of any kind begins with where it starts.
        put(context, CONTEXT.slots[4], node.start)
        put(context, CONTEXT.slots[5], None)
        return context

    cdef int list(self, object element, dict present) except -1:
        node = present["list"]
        cdef str name = get(node, SCALAR.slots[2])
        new = made(&LIST)
        put(new, LIST.slots[0], name)
        put(new, LIST.slots[1], scalar_span(self.file, node))
        put(new, LIST.slots[2], self.context(self.outside, "list", name, element))
        items = get(present["items"], SEQUENCE.slots[2])
        put(new, LIST.slots[3], ItemTexts.written(self.file, items))
        put(new, LIST.slots[4], 0)
        put(new, LIST.slots[5], 0)
        put(new, LIST.slots[6], False)
        self.collector.define_list(new)
        return 0

    cdef int macro(self, object element, dict present) except -1:
        node, condition = present["macro"], present["condition"]
        cdef str name = get(node, SCALAR.slots[2])
        context = self.context(self.outside, "macro", name, element)
        new = made(&MACRO)
        put(new, MACRO.slots[0], name)
        put(new, MACRO.slots[1], scalar_span(self.file, node))
        put(new, MACRO.slots[2], context)
        put(new, MACRO.slots[3], [scalar_span(self.file, condition)])
        put(new, MACRO.slots[4], self.context(context, "macro condition", "", condition))
        put(new, MACRO.slots[5], 0)
        put(new, MACRO.slots[6], 0)
        put(new, MACRO.slots[7], False)
        self.collector.define_macro(new)
        return 0

    cdef bint rule(self, object element, dict present) except -1:
        collector = self.collector
        node, condition, output = present["rule"], present["condition"], present["output"]
        cdef str name = get(node, SCALAR.slots[2])
        named = present.get("source")
        source = "syscall" if named is None else get(named, SCALAR.slots[2])
        if name in collector.rules or source not in collector.sources:
            return False
        context = self.context(self.outside, "rule", name, element)
        span = scalar_span(self.file, output)
        cdef str text = get(output, SCALAR.slots[2])
        trimmed = text.lstrip(" \t\n\v\f\r")
        cdef Py_ssize_t start = len(text) - len(trimmed)
        if start or trimmed.rstrip(" \t\n\v\f\r") != trimmed:
            trimmed = trimmed.rstrip(" \t\n\v\f\r")
            span = Span(span.source, start, start + len(trimmed))
        tags = present.get("tags")
        enabled = present.get("enabled")
        collector.define_rule(
            RuleDef(
                name,
                scalar_span(self.file, node),
                context,
                [scalar_span(self.file, condition)],
                [span],
                [scalar_span(self.file, present["desc"])],
                BY_NAME[get(present["priority"], SCALAR.slots[2])],
                source,
                self.context(context, "rule condition", "", condition),
                self.context(context, "rule output", "", output),
                set() if tags is None else {tag.value for tag in tags.items},
                [],
                enabled is None or get(enabled, SCALAR.slots[2]) == "true",
                source_span=None if named is None else scalar_span(self.file, named),
            ),
            None,
        )
        return True


# --- lists in conditions

cdef enum:
    BLANK = 1
    DELIMITER = 2

cdef unsigned char CLASS[128]


cdef int _classes() except -1:
    cdef int i
    for i in range(128):
        CLASS[i] = 0
    for char in LIST_DELIMITERS:
        CLASS[<Py_UCS4> char] = BLANK | DELIMITER if char in LIST_BLANKS else DELIMITER
    return 0


_classes()


cdef inline object span_of(object source, Py_ssize_t start, Py_ssize_t end):
    span = made(&SPAN)
    put(span, SPAN.slots[0], source)
    put(span, SPAN.slots[1], start)
    put(span, SPAN.slots[2], end)
    return span


cdef inline object part_of(str text, object origin, object insertion):
    part = made(&PART)
    put(part, PART.slots[0], text)
    put(part, PART.slots[1], origin)
    put(part, PART.slots[2], insertion)
    return part


cdef object BETWEEN = part_of(" ", None, None)


cdef class Named:
    """A list whose text can take the place of its name wherever that stands."""

    cdef object entry, source, whole, name, name_span, count
    cdef str text


cdef class QuickLists:
    """Puts lists into conditions that one element wrote.

    Args:
        lists: `ExpandedList` by name; no name holds a delimiter.
        text_of: Returns the text of such a list; then its `words` are known.
    """

    cdef dict lists, known
    cdef object text_of
    # By the first character of names, which lengths they have; one bit for each.
    cdef uint64_t lengths[128]

    def __init__(self, dict lists, text_of):
        cdef str name
        cdef int i
        cdef Py_UCS4 first
        self.lists = lists
        self.known = {}
        self.text_of = text_of
        for i in range(128):
            self.lengths[i] = 0
        for name in lists:
            if name:
                first = name[0]
                self.lengths[<unsigned int> first & 127] |= (<uint64_t> 1) << (len(name) & 63)

    cdef Named named(self, str name):
        """Return a list, or None when its text is not simply put in."""
        if name in self.known:
            return self.known[name]
        cdef Named named = None
        entry = self.lists[name]
        source = self.text_of(entry)
        cdef str text = source.text
        # Lists that are named in this one come later.
        if not entry.words and text.strip() == text:
            named = Named()
            named.entry, named.source, named.text, named.name = entry, source, text, name
            named.whole = span_of(source, 0, len(text))
            named.name_span = entry.definition.name_span
            named.count = len(entry.items)
        self.known[name] = named
        return named

    cdef bint apart(self, str text, Py_ssize_t start, Py_ssize_t end):
        """Whether there is more than blanks and commas in a range."""
        return bool(PyUnicode_Substring(text, start, end).strip(LIST_BLANKS + ","))

    def put_in(self, str file, origin):
        """Return the text of a condition with lists put in, and the lists in the order of the text.

        Returns:
            None when `lists` has to look at it.
        """
        source = get(origin, SPAN.slots[0])
        cdef str text = source.text
        cdef Py_ssize_t size = len(text), at = 0, begin, copied = 0, end, after, length = 0
        if not size or get(origin, SPAN.slots[1]) != 0 or get(origin, SPAN.slots[2]) != size:
            return None
        cdef int kind = PyUnicode_KIND(text)
        cdef void *data = PyUnicode_DATA(text)
        cdef Py_UCS4 char
        cdef Named named, before = None
        cdef list used = None, parts = None, starts, texts
        cdef str name, piece
        cdef dict inserted
        while at < size:
            char = PyUnicode_READ(kind, data, at)
            if char < 128 and CLASS[char]:
                at += 1
                continue
            begin = at
            while True:
                at += 1
                if at == size:
                    break
                char = PyUnicode_READ(kind, data, at)
                if char < 128 and CLASS[char]:
                    break
            char = PyUnicode_READ(kind, data, begin)
            if not self.lengths[<unsigned int> char & 127] >> ((at - begin) & 63) & 1:
                continue
            name = PyUnicode_Substring(text, begin, at)
            if name not in self.lists:
                continue
            named = self.named(name)
            if named is None:
                return None
            end = begin
            while end > copied:
                char = PyUnicode_READ(kind, data, end - 1)
                if not (char < 128 and CLASS[char] & BLANK):
                    break
                end -= 1
            if used is None:
                if end == 0:
                    return None  # at the very start
                used, parts, starts, texts, inserted = [], [], [], [], {}
            elif not (before.text and named.text) and not self.apart(text, copied, end):
                return None  # which of both takes the comma depends on their order
            before = named
            while at < size:
                char = PyUnicode_READ(kind, data, at)
                if not (char < 128 and CLASS[char] & BLANK):
                    break
                at += 1
            after = at
            if not named.text:
                # An empty list takes one comma with it, the left one first.
                if PyUnicode_READ(kind, data, end - 1) == c",":
                    end -= 1
                    if end == 0:
                        return None
                elif at < size and PyUnicode_READ(kind, data, at) == c",":
                    after = at + 1
            if end > copied:
                piece = PyUnicode_Substring(text, copied, end)
                parts.append(part_of(piece, span_of(source, copied, end), None))
                texts.append(piece)
                starts.append(length)
                length += end - copied
                parts.append(BETWEEN)
                texts.append(" ")
                starts.append(length)
                length += 1
            if named.text:
                insertion = made(&INSERTION)
                put(insertion, INSERTION.slots[0], span_of(source, begin, begin + len(name)))
                put(insertion, INSERTION.slots[1], named.name)
                put(insertion, INSERTION.slots[2], named.count)
                put(insertion, INSERTION.slots[3], named.name_span)
                parts.append(part_of(named.text, named.whole, insertion))
                texts.append(named.text)
                starts.append(length)
                inserted[length] = named.source
                length += len(named.text)
            parts.append(BETWEEN)
            texts.append(" ")
            starts.append(length)
            length += 1
            used.append(named.entry)
            copied = at = after
        if used is None:
            return source, ()
        if copied < size:
            piece = PyUnicode_Substring(text, copied, size)
            parts.append(part_of(piece, span_of(source, copied, size), None))
            texts.append(piece)
            starts.append(length)
        made_of = made(&PIECED)
        put(made_of, PIECED.slots[0], file)
        put(made_of, PIECED.slots[1], "".join(texts))
        put(made_of, PIECED.slots[2], None)
        put(made_of, PIECED.slots[3], ())
        put(made_of, PIECED.slots[4], [])
        put(made_of, PIECED.slots[5], tuple(parts))
        put(made_of, PIECED.slots[6], tuple(starts))
        put(made_of, PIECED.slots[7], {"inserted": inserted})
        return made_of, used


# --- macros in trees

def with_macros_put_in(node, dict trees):
    """Return the tree with names replaced; parts without names stay the same objects.

    Recursion is no deeper than the parser allows a written condition to nest.
    """
    return replaced(node, trees)


cdef object replaced(object node, dict trees):
    cdef Shape *shape
    cdef tuple children
    cdef list new = None
    cdef Py_ssize_t i
    if is_a(node, &NODE_COMPARISON):
        return node
    if is_a(node, &NODE_MACRO):
        return trees[get(node, NODE_MACRO.slots[0])]
    if is_a(node, &NODE_NOT):
        old = get(node, NODE_NOT.slots[0])
        child = replaced(old, trees)
        if child is old:
            return node
        tree = made(&NODE_NOT)
        put(tree, NODE_NOT.slots[0], child)
        put(tree, NODE_NOT.slots[1], get(node, NODE_NOT.slots[1]))
        return tree
    shape = &NODE_AND if is_a(node, &NODE_AND) else &NODE_OR
    children = get(node, shape.slots[0])
    for i in range(len(children)):
        child = replaced(children[i], trees)
        if child is not children[i]:
            if new is None:
                new = list(children)
            new[i] = child
    if new is None:
        return node
    tree = made(shape)
    put(tree, shape.slots[0], tuple(new))
    put(tree, shape.slots[1], get(node, shape.slots[1]))
    return tree

"""Conditions without a mistake → trees, read in one go.

Knows only what is right: the same language as `grammar.lark`, and nothing about errors. Where
anything is odd, the text is left to the grammar, whose lexer and diagnostics know what may stand
where. Both make equal trees of a text that both can read (`tests/rules/test_read.py`).
"""

from cpython.array cimport array, clone

import re
from array import array as new_array

from rulekit.native._made cimport Shape, is_a, learn, made, put
from rulekit.native._unicode cimport (
    PyUnicode_DATA, PyUnicode_KIND, PyUnicode_READ, PyUnicode_Substring,
)
from rulekit.rules.ast import (
    AndNode,
    ComparisonNode,
    FieldNode,
    ItemRun,
    ListItems,
    ListNode,
    LiteralNode,
    MacroNode,
    NotNode,
    OrNode,
    ReadItems,
    TransformNode,
    TupleNode,
)
from rulekit.rules.item_texts import ListText
from rulekit.rules.tokens import BadEscape, unescape
from rulekit.text.pieced import PiecedText
from rulekit.text.source import Span

# No condition that somebody writes nests deeper; a level of parentheses counts at most eight.
cdef int MOST_NESTED = 100
cdef int LEVELS_EACH = 8
# Lists of other conditions that are kept: most are short and come again.
cdef int LONGEST_KEPT = 400
cdef int MOST_KEPT = 50_000

cdef enum:
    LETTER = 1
    WORD = 2       # may go on in a name
    BLANK = 4      # between tokens
    SPACE = 8      # after `not`
    NO_BARE = 16   # ends a bare value

cdef unsigned char CLASS[128]


cdef void _classes() noexcept:
    cdef int i
    for i in range(128):
        CLASS[i] = 0
    for i in range(26):
        CLASS[65 + i] = CLASS[97 + i] = LETTER | WORD
    for i in range(10):
        CLASS[48 + i] = WORD
    CLASS[95] = WORD
    for char in " \t\x08\r\n":
        CLASS[<Py_UCS4> char] |= BLANK
    for char in " \t\n\v\f\r":
        CLASS[<Py_UCS4> char] |= SPACE
    for char in "()\"' \t\n\v\f\r=,":
        CLASS[<Py_UCS4> char] |= NO_BARE


_classes()

# Rare tokens are left to the expressions of the grammar.
_number = re.compile(r"0[xX][0-9a-fA-F]+|[+-]?[0-9]+\.?[0-9]*(?:[eE][+-][0-9]+)?").match
_argument = re.compile(
    r"""\[("[^"\0]*(?:(?<=\\)"[^"\0]*)*(?<!\\)"|'[^'\0]*(?:(?<=\\)'[^'\0]*)*(?<!\\)'"""
    r"""|[^\]\["' \t\n\v\f\r]+)\]"""
).match

cdef tuple CALLS = ("tolower(", "toupper(", "b64(", "basename(", "len(", "join(", "concat(", "getopt(")
# With the blank that must follow; `=` and its kin are looked at by themselves.
cdef tuple TEXT_OPERATORS = (
    "glob", "iglob", "contains", "icontains", "bcontains", "startswith", "bstartswith",
    "endswith", "regex",
)
cdef tuple LIST_OPERATORS = ("intersects", "in", "pmatch")
cdef tuple MODIFIERS = ("oneof", "anyof", "allof")

cdef Shape SPAN, AND, OR, NOT, COMPARISON, FIELD, LITERAL, LIST, MACRO, RUN, ITEMS
learn(&SPAN, Span)
learn(&AND, AndNode)
learn(&OR, OrNode)
learn(&NOT, NotNode)
learn(&COMPARISON, ComparisonNode)
learn(&FIELD, FieldNode)
learn(&LITERAL, LiteralNode)
learn(&LIST, ListNode)
learn(&MACRO, MacroNode)
learn(&RUN, ItemRun)
learn(&ITEMS, ListItems)


class _Odd(Exception):
    """Something that the grammar has to look at."""


def read_condition(source, int max_depth, dict lists):
    """Return the tree of a condition, or None when the grammar has to look at it.

    Args:
        max_depth: As in `parse_condition`.
        lists: Lists of earlier conditions by their text; this one's are added.
    """
    cdef Reader reader = Reader(source, max_depth, lists)
    try:
        node = reader.condition()
    except (_Odd, BadEscape):
        return None
    return node if reader.at == reader.size else None


def read_operand(source, int max_depth):
    """Return the tree of a field or call that is the whole text, or None as `read_condition`."""
    cdef Reader reader = Reader(source, max_depth, {})
    try:
        reader.skip()
        node = reader.operand()
        reader.skip()
    except (_Odd, BadEscape):
        return None
    return node if reader.at == reader.size else None


def read_items(str text):
    """Return the items of a list's text without its parentheses, or None when it is more or less."""
    cdef Items items = Items(text)
    try:
        while True:
            items.next()
            if items.at == items.size:
                break
            if items.char(items.at) != c",":
                return None
            items.at += 1
    except (_Odd, BadEscape):
        return None
    return items.read()


cdef class Cursor:
    """A place in a text."""

    cdef str text
    cdef int kind
    cdef void *data
    cdef Py_ssize_t at, size

    cdef inline Py_UCS4 char(self, Py_ssize_t at) noexcept:
        """Return a character; 0 beyond the end."""
        return PyUnicode_READ(self.kind, self.data, at) if at < self.size else 0

    cdef inline int cls(self, Py_ssize_t at) noexcept:
        cdef Py_UCS4 char = self.char(at)
        return CLASS[char] if char < 128 else 0

    cdef inline void skip(self) noexcept:
        while self.cls(self.at) & BLANK:
            self.at += 1

    cdef inline str cut(self, Py_ssize_t start, Py_ssize_t end):
        return PyUnicode_Substring(self.text, start, end)

    cdef Py_ssize_t quoted_end(self, Py_ssize_t at) except -1:
        """Return where the quoted text that begins at `at` ends."""
        cdef Py_UCS4 quote = self.char(at), char, before = 0
        while True:
            at += 1
            if at >= self.size:
                raise _Odd
            char = PyUnicode_READ(self.kind, self.data, at)
            if char == quote and before != c"\\":
                return at + 1
            if char == 0:
                raise _Odd
            before = char

    cdef Py_ssize_t bare_end(self, Py_ssize_t at) except -1:
        """Return where the bare value that begins at `at` ends."""
        cdef Py_ssize_t start = at
        cdef Py_UCS4 char
        while at < self.size:
            char = PyUnicode_READ(self.kind, self.data, at)
            if char < 128 and CLASS[char] & NO_BARE:
                break
            at += 1
        if at == start:
            raise _Odd
        return at

    cdef str quoted(self, Py_ssize_t start, Py_ssize_t end):
        """Return what a quoted text stands for."""
        cdef Py_ssize_t i
        for i in range(start + 1, end - 1):
            if PyUnicode_READ(self.kind, self.data, i) == c"\\":
                return unescape(self.cut(start, end), start)
        return self.cut(start + 1, end - 1)


cdef class Items(Cursor):
    """Reads items between commas."""

    cdef list texts
    cdef bytearray is_quoted
    cdef array places

    def __cinit__(self, str text):
        self.text = text
        self.kind, self.data, self.size = PyUnicode_KIND(text), PyUnicode_DATA(text), len(text)
        self.texts = []
        self.is_quoted = bytearray()
        self.places = new_array("I")

    cdef int next(self) except -1:
        """Read an item and the blanks around it."""
        cdef Py_ssize_t end
        self.skip()
        cdef Py_UCS4 char = self.char(self.at)
        cdef bint quoted = char == c'"' or char == c"'"
        if quoted:
            end = self.quoted_end(self.at)
            self.texts.append(self.quoted(self.at, end))
        else:
            end = self.bare_end(self.at)
            self.texts.append(self.cut(self.at, end))
        self.is_quoted.append(quoted)
        self.places.append(self.at)
        self.places.append(end)
        self.at = end
        self.skip()
        return 0

    cdef object read(self):
        return ReadItems(tuple(self.texts), bytes(self.is_quoted), self.places)


cdef class Reader(Cursor):
    """Reads one condition; the methods are named as the rules of the grammar.

    `first` and `last` are the place of the operand read last, its parentheses included.
    """

    cdef object source
    cdef Py_ssize_t first, last
    cdef int depth, deepest
    cdef dict lists, inserted

    def __cinit__(self, source, int max_depth, dict lists):
        self.source = source
        self.text = source.text
        self.kind, self.data = PyUnicode_KIND(self.text), PyUnicode_DATA(self.text)
        self.size = len(self.text)
        self.deepest = min(MOST_NESTED, max_depth // LEVELS_EACH - 2)
        self.lists = lists

    cdef object span(self, Py_ssize_t start, Py_ssize_t end):
        span = made(&SPAN)
        put(span, SPAN.slots[0], self.source)
        put(span, SPAN.slots[1], start)
        put(span, SPAN.slots[2], end)
        return span

    cdef int deeper(self) except -1:
        self.depth += 1
        if self.depth > self.deepest:
            raise _Odd
        return 0

    cdef bint word(self, str word) noexcept:
        """Tell whether the word stands here, whatever follows."""
        cdef Py_ssize_t i
        if self.size - self.at < len(word):
            return False
        for i in range(len(word)):
            if PyUnicode_READ(self.kind, self.data, self.at + i) != word[i]:
                return False
        return True

    cdef int close(self) except -1:
        """Take the parenthesis that closes."""
        self.skip()
        if self.char(self.at) != c")":
            raise _Odd
        self.at += 1
        self.depth -= 1
        return 0

    cdef object chain(self, Shape *shape, list nodes, Py_ssize_t start):
        node = made(shape)
        put(node, shape.slots[0], tuple(nodes))
        put(node, shape.slots[1], self.span(start, self.last))
        self.first = start
        return node

    cdef object glued(self, Py_ssize_t length):
        """Read ``(condition)`` behind a word that its parenthesis is glued to."""
        cdef Py_ssize_t start = self.at
        self.at += length
        self.deeper()
        node = self.condition()
        self.close()
        self.first, self.last = start, self.at
        return node

    cdef object condition(self):
        cdef list nodes = None
        node = self.conjunction()
        cdef Py_ssize_t start = self.first
        cdef Py_UCS4 after
        while self.char(self.at) == c"o" and self.char(self.at + 1) == c"r":
            after = self.char(self.at + 2)
            if after == c"(":
                more = self.glued(3)
                self.skip()
            elif self.cls(self.at + 2) & BLANK:
                self.at += 2
                more = self.conjunction()
            else:
                raise _Odd
            if nodes is None:
                nodes = [node]
            nodes.append(more)
        return node if nodes is None else self.chain(&OR, nodes, start)

    cdef object conjunction(self):
        cdef list nodes = None
        node = self.negation()
        cdef Py_ssize_t start = self.first
        self.skip()
        while self.char(self.at) == c"a" and self.word("and"):
            if self.char(self.at + 3) == c"(":
                more = self.glued(4)
            elif self.cls(self.at + 3) & BLANK:
                self.at += 3
                more = self.negation()
            else:
                raise _Odd
            self.skip()
            if nodes is None:
                nodes = [node]
            nodes.append(more)
        return node if nodes is None else self.chain(&AND, nodes, start)

    cdef object negation(self):
        cdef int count = 0
        cdef Py_ssize_t start
        self.skip()
        start = self.at
        while self.char(self.at) == c"n" and self.word("not") and self.cls(self.at + 3) & SPACE:
            count += 1
            self.at += 4
            while self.cls(self.at) & SPACE:
                self.at += 1
        if count:
            self.skip()
        if self.char(self.at) == c"n" and self.word("not("):
            node = self.glued(4)
            count += 1
        else:
            node = self.primary()
            if not count:
                return node
        self.first = start
        if count % 2:
            child, node = node, made(&NOT)
            put(node, NOT.slots[0], child)
            put(node, NOT.slots[1], self.span(start, self.last))
        return node

    cdef object primary(self):
        cdef Py_ssize_t start = self.at, end
        cdef object left
        if self.char(start) == c"(":
            self.at += 1
            self.deeper()
            node = self.condition()
            self.close()
            self.first, self.last = start, self.at
            return node
        if not self.cls(start) & LETTER:
            raise _Odd
        end = self.name_end(start)
        if self.char(end) == c"(" and self.is_call():
            left = self.transform()
        elif self.char(end) == c"." and self.cls(end + 1) & LETTER:
            left = self.field()
        else:
            self.at = end
            node = made(&MACRO)
            put(node, MACRO.slots[0], self.cut(start, end))
            put(node, MACRO.slots[1], self.span(start, end))
            self.first, self.last = start, end
            return node
        self.skip()
        return self.comparison(left, start)

    cdef Py_ssize_t name_end(self, Py_ssize_t at) noexcept:
        while self.cls(at) & WORD:
            at += 1
        return at

    cdef object comparison(self, object left, Py_ssize_t start):
        cdef Py_UCS4 char = self.char(self.at)
        cdef object op = None, modifier = None, right = None
        cdef str word
        if char == c"e" and self.word("exists"):
            self.at += 6
            self.last = self.at
            op = "exists"
        elif char == c"<" or char == c">":
            op = "<" if char == c"<" else ">"
            self.at += 1
            if self.char(self.at) == c"=":
                self.at += 1
                op = "<=" if char == c"<" else ">="
            self.skip()
            right = self.number_right()
        elif char == c"=" or (char == c"!" and self.char(self.at + 1) == c"="):
            if char == c"!":
                op = "!="
                self.at += 2
            elif self.char(self.at + 1) == c"=":
                op = "=="
                self.at += 2
            else:
                op = "="
                self.at += 1
            right, modifier = self.text_right()
        else:
            for word in TEXT_OPERATORS:
                if self.word(word) and self.cls(self.at + len(word)) & BLANK:
                    op = word
                    self.at += len(word)
                    right, modifier = self.text_right()
                    break
            else:
                for word in LIST_OPERATORS:
                    if self.word(word):
                        op = word
                        self.at += len(word)
                        self.skip()
                        right = self.operand_right()
                        if right is None:
                            right = self.list_right()
                        break
                else:
                    raise _Odd
        node = made(&COMPARISON)
        put(node, COMPARISON.slots[0], left)
        put(node, COMPARISON.slots[1], op)
        put(node, COMPARISON.slots[2], modifier)
        put(node, COMPARISON.slots[3], right)
        put(node, COMPARISON.slots[4], self.span(start, self.last))
        self.first = start
        return node

    cdef object literal(self, str text, bint quoted, Py_ssize_t start, Py_ssize_t end):
        node = made(&LITERAL)
        put(node, LITERAL.slots[0], text)
        put(node, LITERAL.slots[1], quoted)
        put(node, LITERAL.slots[2], self.span(start, end))
        self.at = self.last = end
        return node

    cdef object number_right(self):
        right = self.operand_right()
        return self.number() if right is None else right

    cdef object number(self):
        found = _number(self.text, self.at)
        if found is None:
            raise _Odd
        return self.literal(found[0], False, self.at, found.end())

    cdef tuple text_right(self):
        """Return the right side of a text operator and its modifier."""
        cdef Py_ssize_t before = self.at, after
        cdef str word
        self.skip()
        if self.at > before:
            for word in MODIFIERS:
                if self.word(word):
                    after = self.at + len(word)
                    if self.is_modifier(after):
                        self.at = after
                        self.skip()
                        return self.list_right(), word
        right = self.operand_right()
        return (self.value() if right is None else right), None

    cdef bint is_modifier(self, Py_ssize_t at) noexcept:
        """Tell whether what follows a word makes it a modifier: a list, or the name of one."""
        cdef Py_ssize_t begin = at
        while self.cls(at) & BLANK:
            at += 1
        if at == begin:
            return False
        if self.char(at) == c"(":
            return True
        if not self.cls(at) & LETTER:
            return False
        begin, self.at = self.at, at
        cdef bint connective = False
        if self.word("and") or self.word("not"):
            at += 3
            connective = True
        elif self.word("or"):
            at += 2
            connective = True
        self.at = begin
        # An underscore ends these words here.
        return not connective or (self.cls(at) & WORD and self.char(at) != c"_")

    cdef object value(self):
        """Read a quoted or bare text."""
        cdef Py_UCS4 char = self.char(self.at)
        cdef Py_ssize_t end
        if char == c'"' or char == c"'":
            end = self.quoted_end(self.at)
            return self.literal(self.quoted(self.at, end), True, self.at, end)
        end = self.bare_end(self.at)
        return self.literal(self.cut(self.at, end), False, self.at, end)

    cdef object list_right(self):
        cdef Py_ssize_t start = self.at, end
        if self.char(start) != c"(":
            if not self.cls(start) & LETTER:
                raise _Odd
            end = self.name_end(start)
            return self.literal(self.cut(start, end), False, start, end)
        items = self.items()
        node = made(&LIST)
        put(node, LIST.slots[0], items)
        put(node, LIST.slots[1], self.span(start, self.at))
        self.last = self.at
        return node

    cdef object items(self):
        """Read the list that begins here."""
        cdef Py_ssize_t start = self.at, end = self.at + 1
        cdef Py_UCS4 char
        self.at += 1
        self.skip()
        if self.char(self.at) == c")":
            self.at += 1
            return ()
        if self.inserted is None:
            self.inserted = self.source.inserted() if isinstance(self.source, PiecedText) else {}
        while True:
            char = self.char(end)
            if char == c")":
                break
            if char == c'"' or char == c"'":
                end = self.quoted_end(end)
            elif end >= self.size:
                raise _Odd
            else:
                end += 1
        for begin in self.inserted:
            if start < begin < end:
                return self.pieced_items()
        cdef str text = self.cut(start + 1, end)
        read = self.lists.get(text)
        if read is None:
            read = read_items(text)
            if read is None:
                raise _Odd
            if len(text) <= LONGEST_KEPT and len(self.lists) < MOST_KEPT:
                self.lists[text] = read
        self.at = end + 1
        return self.list_items([self.run(read, start + 1)])

    cdef object run(self, object read, Py_ssize_t offset):
        run = made(&RUN)
        put(run, RUN.slots[0], read)
        put(run, RUN.slots[1], self.source)
        put(run, RUN.slots[2], offset)
        return run

    cdef object list_items(self, list runs):
        items = made(&ITEMS)
        put(items, ITEMS.slots[0], tuple(runs))
        return items

    cdef object pieced_items(self):
        """Read a list in which named lists stand; each of those was read before, or is now."""
        cdef list runs = [], items = []
        cdef Py_ssize_t end, start
        cdef str named
        while True:
            whole = self.inserted.get(self.at)
            read = None
            if whole is not None:
                named = whole.text
                end = self.at + len(named)
                # The last item is the same here unless more of it follows.
                if end >= self.size or self.cls(end) & NO_BARE:
                    read = noted_items(whole)
            if read is not None:
                if items:
                    runs.append(tuple(items))
                    items = []
                runs.append(self.run(read, self.at))
                self.at = end
            else:
                items.append(self.value())
            self.skip()
            if self.char(self.at) == c")":
                self.at += 1
                break
            if self.char(self.at) != c",":
                raise _Odd
            self.at += 1
            self.skip()
        if not runs:
            return tuple(items)
        if items:
            runs.append(tuple(items))
        return self.list_items(runs)

    cdef object operand_right(self):
        """Read ``val(field)`` or a call; None when there is none."""
        cdef Py_ssize_t start = self.at
        if not self.cls(start) & LETTER:
            return None
        if self.char(start) == c"v" and self.word("val("):
            self.at += 4
            self.skip()
            node = self.field()
            # The field stands for all of it, in its place too.
            self.last = self.at
            self.skip()
            if self.char(self.at) != c")" or self.char(self.at + 1) == c"[":
                raise _Odd
            self.at += 1
            return node
        if self.is_call():
            node = self.transform()
            self.last = self.at
            return node
        return None

    cdef bint is_call(self) noexcept:
        cdef str word
        for word in CALLS:
            if self.word(word):
                return True
        return False

    cdef object operand(self):
        if not self.cls(self.at) & LETTER:
            raise _Odd
        return self.transform() if self.is_call() else self.field()

    cdef object field(self):
        """Read a field, its argument included."""
        cdef Py_ssize_t start = self.at, end = self.at
        if not self.cls(start) & LETTER:
            raise _Odd
        end = self.name_end(end)
        if not (self.char(end) == c"." and self.cls(end + 1) & LETTER):
            raise _Odd
        while self.char(end) == c"." and self.cls(end + 1) & LETTER:
            end = self.name_end(end + 1)
        self.at = end
        node = made(&FIELD)
        put(node, FIELD.slots[0], self.cut(start, end))
        put(node, FIELD.slots[1], self.argument() if self.char(end) == c"[" else None)
        put(node, FIELD.slots[2], self.span(start, self.at))
        return node

    cdef object argument(self):
        """Read an argument in brackets."""
        found = _argument(self.text, self.at)
        if found is None:
            raise _Odd
        text = found[1]
        if text[0] in "\"'":
            text = unescape(text, self.at + 1)
        self.at = found.end()
        return text

    cdef object transform(self):
        cdef Py_ssize_t start = self.at, end = self.name_end(self.at)
        name = self.cut(start, end)
        self.at = end + 1
        self.deeper()
        cdef list args = []
        while True:
            self.skip()
            args.append(self.call_argument())
            self.skip()
            if self.char(self.at) != c",":
                break
            self.at += 1
        self.close()
        arg = self.argument() if self.char(self.at) == c"[" else None
        return TransformNode(name, tuple(args), arg, self.span(start, self.at))

    cdef object call_argument(self):
        cdef Py_UCS4 char = self.char(self.at)
        cdef Py_ssize_t start = self.at
        cdef list items = []
        if char == c"(":
            self.at += 1
            self.deeper()
            self.skip()
            while self.char(self.at) != c")":
                items.append(self.element())
                self.skip()
                if self.char(self.at) != c",":
                    break
                self.at += 1
                self.skip()
                if self.char(self.at) == c")":
                    raise _Odd
            self.close()
            return TupleNode(tuple(items), self.span(start, self.at))
        return self.element()

    cdef object element(self):
        cdef Py_UCS4 char = self.char(self.at)
        if self.cls(self.at) & LETTER:
            return self.operand()
        if char == c'"' or char == c"'":
            return self.value()
        return self.number()


cdef object noted_items(object text):
    """Return the items of a named list's text, read once however many conditions name it."""
    if not isinstance(text, PiecedText):
        return None
    cdef dict notes = text.notes
    if "items" not in notes:
        read = bare_items(text.items.texts) if isinstance(text, ListText) else None
        notes["items"] = read_items(text.text) if read is None else read
    return notes["items"]


cdef object bare_items(list texts):
    """Return items that stand in the text of their list just as they are, or None."""
    cdef Py_ssize_t at = 0, i, j, size
    cdef str text
    cdef array places = clone(new_array("I"), 2 * len(texts), False)
    cdef int kind
    cdef void *data
    cdef Py_UCS4 char
    for i, text in enumerate(texts):
        kind, data, size = PyUnicode_KIND(text), PyUnicode_DATA(text), len(text)
        places.data.as_uints[2 * i] = <unsigned int> at
        for j in range(size):
            char = PyUnicode_READ(kind, data, j)
            if char < 128 and CLASS[char] & NO_BARE:
                return None
        at += size
        places.data.as_uints[2 * i + 1] = <unsigned int> at
        at += 2  # a comma and a blank
    return ReadItems(tuple(texts), bytes(len(texts)), places)


def items_of(text):
    """Return the items of a named list's text, or None when it is more or less than items."""
    return noted_items(text)


def measured(root):
    """Return what a tree holds, as `Condition` has it: names of macros with their first node, how
    often each occurs and how deep at most, the number of comparisons, the levels of the tree."""
    cdef dict macros = {}, counts = {}, levels = {}
    cdef list stack = [(root, 1)]
    cdef Py_ssize_t level, size = 0, depth = 0, i
    cdef tuple children
    while stack:
        node, level = <tuple> stack.pop()
        depth = max(depth, level)
        if is_a(node, &COMPARISON):
            size += 1
        elif is_a(node, &MACRO):
            name = node.name
            macros.setdefault(name, node)
            counts[name] = counts.get(name, 0) + 1
            levels[name] = max(levels.get(name, 0), level)
        elif is_a(node, &NOT):
            stack.append((node.child, level + 1))
        else:
            children = node.children
            for i in range(len(children) - 1, -1, -1):
                if is_a(children[i], &COMPARISON):
                    size += 1
                    depth = max(depth, level + 1)
                else:
                    stack.append((children[i], level + 1))
    return macros, counts, levels, size, depth

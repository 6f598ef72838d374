"""Rule files as people mostly write them → YAML nodes, in one pass.

Knows a part of YAML: block and flow collections, all styles of scalars, comments, aliases. Whatever
is beyond that, or wrong, is left to libyaml and to `yaml`: tags, several documents, tabs in the
indentation, values that are missing. Both give the same nodes at the same places of a text that
both can read (`tests/rules/test_scan.py`).
"""

from rulekit.native._made cimport Shape, get, learn, made, put
from rulekit.native._unicode cimport (
    PyUnicode_DATA, PyUnicode_KIND, PyUnicode_READ, PyUnicode_Substring,
)
from rulekit.rules.nodes import MAX_ALIASED_NODES, NULL_TEXTS, Mapping, PackedScalars, Scalar, Sequence

from rulekit.rules.scalar_text import ScalarText
from rulekit.text.source import Span

# Rule files nest four or five levels.
cdef int MOST_LEVELS = 60
# Scalars of a sequence that are packed together.
cdef int PACKED_AT_ONCE = 512
# Longer keys are no simple keys of libyaml.
cdef int LONGEST_KEY = 1000

cdef frozenset _NULLS = frozenset(NULL_TEXTS)
cdef dict _ESCAPES = {"\\": "\\", '"': '"', "/": "/", "n": "\n", "t": "\t", "r": "\r"}

cdef Shape SCALAR, SEQUENCE, MAPPING, TEXT, SPAN
learn(&SCALAR, Scalar)
learn(&SEQUENCE, Sequence)
learn(&MAPPING, Mapping)
learn(&TEXT, ScalarText)
learn(&SPAN, Span)


class _Odd(Exception):
    """Something that libyaml has to look at."""


def scan_document(str text):
    """Return the root of the only document of a file, or None when libyaml has to read it."""
    cdef Scanner scanner = Scanner(text)
    try:
        return scanner.document()
    except _Odd:
        return None


def control_in(str text):
    """Return where the first character stands that no YAML holds, -1 when there is none."""
    cdef Py_ssize_t at, size = len(text)
    cdef int kind = PyUnicode_KIND(text)
    cdef void *data = PyUnicode_DATA(text)
    cdef Py_UCS4 char
    for at in range(size):
        char = PyUnicode_READ(kind, data, at)
        if char < 0x20:
            if char != c"\t" and char != c"\n" and char != c"\r":
                return at
        elif char >= 0x7F and (
            char <= 0x84
            or 0x86 <= char <= 0x9F
            or 0xD800 <= char <= 0xDFFF
            or char == 0xFEFF
            or char == 0xFFFE
            or char == 0xFFFF
        ):
            return at
    return -1


def scalar_text(file, node):
    """Return the value of a scalar as text that knows its place in `file`."""
    text = made(&TEXT)
    put(text, TEXT.slots[0], file.name)
    put(text, TEXT.slots[1], node.value)
    put(text, TEXT.slots[2], file)
    put(text, TEXT.slots[3], ())
    put(text, TEXT.slots[4], [])
    put(text, TEXT.slots[5], get(node, SCALAR.slots[0]))
    put(text, TEXT.slots[6], get(node, SCALAR.slots[1]))
    put(text, TEXT.slots[7], get(node, SCALAR.slots[3]))
    put(text, TEXT.slots[8], [])
    return text


def scalar_span(file, node):
    """Return the whole value of a scalar as a place in itself."""
    span = made(&SPAN)
    put(span, SPAN.slots[0], scalar_text(file, node))
    put(span, SPAN.slots[1], 0)
    put(span, SPAN.slots[2], len(get(node, SCALAR.slots[2])))
    return span


def _weight(node):
    """Return how many nodes a node is, aliases counted as what they stand for."""
    stack, weight = [node], 0
    while stack:
        part = stack.pop()
        weight += 1
        if type(part) is Sequence:
            stack += part.items
        elif type(part) is Mapping:
            for pair in part.pairs:
                stack += pair
        if weight > MAX_ALIASED_NODES:
            raise _Odd
    return weight


cdef class Scanner:
    """A place in a text; `line` is where its line begins."""

    cdef str text
    cdef int kind, level
    cdef void *data
    cdef Py_ssize_t at, size, line
    cdef dict words, anchors
    cdef Py_ssize_t aliased

    def __cinit__(self, str text):
        self.text = text
        self.kind, self.data, self.size = PyUnicode_KIND(text), PyUnicode_DATA(text), len(text)
        self.words = {}
        self.anchors = {}

    cdef inline Py_UCS4 char(self, Py_ssize_t at) noexcept:
        """Return a character; a line break beyond the end."""
        return PyUnicode_READ(self.kind, self.data, at) if at < self.size else c"\n"

    cdef inline bint ends_word(self, Py_ssize_t at) noexcept:
        cdef Py_UCS4 char = self.char(at)
        return char == c" " or char == c"\n" or char == c"\t"

    cdef inline Py_ssize_t column(self) noexcept:
        return self.at - self.line

    cdef int new_line(self) except -1:
        """Go behind a line break; markers of documents are not read here."""
        cdef Py_UCS4 char
        self.at += 1
        self.line = self.at
        char = self.char(self.at)
        if (char == c"-" or char == c".") and self.char(self.at + 1) == char:
            if self.char(self.at + 2) == char:
                raise _Odd
        return 0

    cdef int skip(self) except -1:
        """Go to the next token: over blanks, comments, line breaks."""
        cdef Py_UCS4 char
        while self.at < self.size:
            char = PyUnicode_READ(self.kind, self.data, self.at)
            if char == c" ":
                self.at += 1
            elif char == c"\n":
                self.new_line()
            elif char == c"#":
                if self.at > self.line and self.char(self.at - 1) != c" ":
                    raise _Odd
                while self.char(self.at) != c"\n":
                    self.at += 1
            elif char == c"\t" or char == c"\r":
                raise _Odd
            else:
                break
        return 0

    cdef int line_ends(self) except -1:
        """See to it that nothing but a comment stands in the rest of the line."""
        while self.char(self.at) == c" ":
            self.at += 1
        cdef Py_UCS4 char = self.char(self.at)
        if char != c"\n" and not (char == c"#" and self.char(self.at - 1) == c" "):
            raise _Odd
        return 0

    cdef int deeper(self) except -1:
        self.level += 1
        if self.level > MOST_LEVELS:
            raise _Odd
        return 0

    cdef object document(self):
        cdef Py_UCS4 char
        if any([odd in self.text for odd in ("\r", "\x85", "\u2028", "\u2029")]):
            return None
        char = self.char(0)
        if char == c"%" or self.text.startswith(("---", "...")):
            return None
        self.skip()
        if not self.is_entry(self.at):
            return None
        root = self.sequence(self.column(), False)
        return root if self.at == self.size else None

    cdef inline bint is_entry(self, Py_ssize_t at) noexcept:
        return at < self.size and self.char(at) == c"-" and self.ends_word(at + 1)

    # --- block collections

    cdef object sequence(self, Py_ssize_t column, bint indentless):
        """Read the items that begin with `-` in this column."""
        cdef Py_ssize_t start = self.at
        cdef list items = []
        cdef object packed = None
        self.deeper()
        while self.is_entry(self.at) and self.column() == column:
            self.at += 1
            self.skip()
            if self.at >= self.size or self.column() <= column:
                raise _Odd  # nothing stands there
            items.append(self.node(column))
            self.skip()
            if len(items) == PACKED_AT_ONCE:
                items, packed = self.packed(items, packed)
        if self.at < self.size and self.column() >= column and not (indentless and self.column() == column):
            raise _Odd
        self.level -= 1
        if packed is not None:
            rest, packed = self.packed(items, packed)
            return self.sequence_of(start, self.at, packed or rest)
        return self.sequence_of(start, self.at, items)

    cdef tuple packed(self, list items, object packed):
        """Put scalars where they need little room; all items are a list where one is no scalar."""
        cdef bint scalars = all([type(item) is Scalar for item in items])
        if scalars and (packed is not None or len(items) == PACKED_AT_ONCE):
            if packed is None:
                packed = PackedScalars()
            packed.take(items)
            return [], packed
        return ([] if packed is None else list(packed)) + items, None

    cdef object sequence_of(self, Py_ssize_t start, Py_ssize_t end, object items):
        node = made(&SEQUENCE)
        put(node, SEQUENCE.slots[0], start)
        put(node, SEQUENCE.slots[1], end)
        put(node, SEQUENCE.slots[2], items)
        return node

    cdef object mapping(self, Py_ssize_t column, object key):
        """Read the pairs whose keys begin in this column; the first key is read."""
        cdef Py_ssize_t start = self.at, line
        cdef list pairs = []
        cdef dict known = {}
        start = self.line + column
        self.deeper()
        while True:
            self.at += 1  # the colon
            line = self.line
            self.skip()
            if self.at >= self.size:
                raise _Odd
            anchored = self.anchor()
            if self.line == line:
                value = self.alias()
                if value is None:
                    value = self.scalar(column, False)
                if self.line == line or not self.is_block(value):
                    self.line_ends()
            elif self.is_entry(self.at) and self.column() == column:
                value = self.sequence(column, True)
            elif self.column() > column:
                value = self.node(column)
            else:
                raise _Odd  # the value is missing
            if anchored is not None:
                self.keep(anchored, value)
            pairs.append((key, value))
            if not key.null:
                known.setdefault(key.value, value)
            self.skip()
            if self.at >= self.size or self.column() < column:
                break
            if self.column() != column or self.is_entry(self.at):
                raise _Odd
            key = self.key()
            if key is None:
                raise _Odd
        self.level -= 1
        return self.mapping_of(start, self.at, pairs, known)

    cdef bint is_block(self, object value):
        return type(value) is Scalar and value.style in ("|", ">")

    cdef object mapping_of(self, Py_ssize_t start, Py_ssize_t end, list pairs, dict known):
        node = made(&MAPPING)
        put(node, MAPPING.slots[0], start)
        put(node, MAPPING.slots[1], end)
        put(node, MAPPING.slots[2], pairs)
        put(node, MAPPING.slots[3], known)
        return node

    cdef object node(self, Py_ssize_t parent):
        """Read what begins here, in a column behind that of its parent."""
        cdef Py_ssize_t line = self.line
        anchored = self.anchor()
        if anchored is not None and self.line != line and self.column() <= parent:
            raise _Odd
        cdef bint behind = anchored is not None and self.line == line
        cdef Py_ssize_t column = self.column()
        line = self.line
        if self.is_entry(self.at):
            if behind:
                raise _Odd
            value = self.sequence(column, False)
        elif (key := self.key()) is not None:
            if behind:
                raise _Odd  # the anchor is that of the key
            value = self.mapping(column, key)
        else:
            value = self.alias()
            if value is None:
                value = self.scalar(parent, False)
            if self.line == line or not self.is_block(value):
                self.line_ends()
        if anchored is not None:
            self.keep(anchored, value)
        return value

    # --- anchors and aliases

    cdef str name(self):
        """Read the name behind `&` or `*`."""
        cdef Py_ssize_t start = self.at + 1
        cdef Py_UCS4 char
        self.at = start
        while True:
            char = self.char(self.at)
            if not (c"a" <= char <= c"z" or c"A" <= char <= c"Z" or c"0" <= char <= c"9" or char == c"_" or char == c"-"):
                break
            self.at += 1
        if self.at == start or not self.ends_word(self.at):
            raise _Odd
        return self.cut(start, self.at)

    cdef tuple anchor(self):
        """Read an anchor and go on to what it is of; return its name and place, or None."""
        cdef Py_ssize_t start = self.at
        if self.char(start) != c"&":
            return None
        name = self.name()
        self.skip()
        if self.at >= self.size or self.char(self.at) == c"*":
            raise _Odd
        return name, start

    cdef object keep(self, tuple anchored, object node):
        name, node.start = anchored
        self.anchors[name] = node, _weight(node)

    cdef object alias(self):
        """Return the node that an alias stands for, or None when there is no alias here."""
        if self.char(self.at) != c"*":
            return None
        found = self.anchors.get(self.name())
        if found is None:
            raise _Odd
        node, weight = found
        self.aliased += weight
        if self.aliased > MAX_ALIASED_NODES:
            raise _Odd
        return node

    cdef object key(self):
        """Read a scalar that a colon follows in its line; None, and stay, when it is none."""
        cdef Py_ssize_t start = self.at, end
        cdef Py_UCS4 char = self.char(start)
        cdef str style = ""
        if char == c"'" or char == c'"':
            end = start + 1
            while self.char(end) != char and self.char(end) != c"\n" and self.char(end) != c"\\":
                end += 1
            if self.char(end) != char or self.char(end + 1) == char:
                return None
            style = "'" if char == c"'" else '"'
            end += 1
        elif self.begins_plain(start, False):
            end = self.plain_end(start, False)
        else:
            return None
        if self.char(end) != c":" or not self.ends_word(end + 1) or end >= self.size:
            return None
        if end - start > LONGEST_KEY:
            raise _Odd
        self.at = end
        value = self.cut(start, end) if not style else self.cut(start + 1, end - 1)
        value = self.words.setdefault(value, value)
        return self.scalar_of(start, end, value, style)

    # --- scalars and flow collections

    cdef inline str cut(self, Py_ssize_t start, Py_ssize_t end):
        return PyUnicode_Substring(self.text, start, end)

    cdef object scalar_of(self, Py_ssize_t start, Py_ssize_t end, str value, str style):
        node = made(&SCALAR)
        put(node, SCALAR.slots[0], start)
        put(node, SCALAR.slots[1], end)
        put(node, SCALAR.slots[2], value)
        put(node, SCALAR.slots[3], style)
        put(node, SCALAR.slots[4], not style and len(value) < 5 and value in _NULLS)
        return node

    cdef object scalar(self, Py_ssize_t indent, bint flow):
        """Read a scalar or flow collection; `indent` is the column of the collection around it."""
        cdef Py_UCS4 char = self.char(self.at)
        if char == c"'" or char == c'"':
            return self.quoted(char)
        if char == c"[":
            return self.flow_sequence()
        if char == c"{":
            return self.flow_mapping()
        if (char == c"|" or char == c">") and not flow:
            return self.block(indent, char == c"|")
        if not self.begins_plain(self.at, flow):
            raise _Odd
        return self.plain(indent, flow)

    cdef bint begins_plain(self, Py_ssize_t at, bint flow) noexcept:
        cdef Py_UCS4 char = self.char(at), after
        if at >= self.size:
            return False
        if char == c"-":
            after = self.char(at + 1)
            return not self.ends_word(at + 1) and after not in (c",", c"[", c"]", c"{", c"}")
        return char not in (
            c" ", c"\n", c"\t", c"?", c":", c",", c"[", c"]", c"{", c"}", c"#", c"&", c"*", c"!",
            c"|", c">", c"'", c'"', c"%", c"@", c"`",
        )

    cdef Py_ssize_t plain_end(self, Py_ssize_t at, bint flow) except -1:
        """Return where the part of a plain scalar that stands in one line ends."""
        cdef Py_ssize_t end = at
        cdef Py_UCS4 char, after
        while at < self.size:
            char = PyUnicode_READ(self.kind, self.data, at)
            if char == c"\n":
                break
            if char == c" ":
                at += 1
                continue
            if char == c"\t":
                raise _Odd
            if char == c":":
                if self.ends_word(at + 1):
                    break
                if flow:
                    after = self.char(at + 1)
                    if after in (c",", c"[", c"]", c"{", c"}", c"?"):
                        raise _Odd
            elif char == c"#":
                if end < at:
                    break
            elif flow:
                if char in (c",", c"[", c"]", c"{", c"}"):
                    break
                if char == c"?":
                    raise _Odd
            at += 1
            end = at
        return end

    cdef object plain(self, Py_ssize_t indent, bint flow):
        cdef Py_ssize_t start = self.at, end = self.plain_end(start, flow), at
        cdef Py_ssize_t begin
        cdef int breaks
        cdef list pieces
        self.at = end
        while self.char(self.at) == c" ":
            self.at += 1
        if self.at >= self.size or self.char(self.at) != c"\n":
            self.at = end
            return self.scalar_of(start, end, self.cut(start, end), "")
        if flow:
            # It goes on in the next line, unless that begins with what ends it.
            at = self.at
            while self.ends_word(at) and at < self.size:
                at += 1
            if self.char(at) not in (c",", c"]", c"}"):
                raise _Odd
            self.at = end
            return self.scalar_of(start, end, self.cut(start, end), "")
        pieces = [self.cut(start, end)]
        while True:
            # At a line break: does the scalar go on behind it?
            breaks = 0
            while self.at < self.size and self.char(self.at) == c"\n":
                self.new_line()
                breaks += 1
                while self.char(self.at) == c" ":
                    self.at += 1
                if self.char(self.at) == c"\t":
                    raise _Odd
            if self.at >= self.size or self.column() <= indent or self.char(self.at) == c"#":
                break
            at = self.at
            begin = self.plain_end(at, False)
            if begin == at:
                raise _Odd  # a colon
            pieces.append(" " if breaks == 1 else "\n" * (breaks - 1))
            pieces.append(self.cut(at, begin))
            end = begin
            self.at = end
            while self.char(self.at) == c" ":
                self.at += 1
            if self.at < self.size and self.char(self.at) == c"\n":
                continue
            break
        if len(pieces) > 1 and self.char(end) == c":":
            raise _Odd
        # Back to its end: what follows in that line is looked at by others.
        self.at = end
        self.line = self.line_of(end)
        value = pieces[0] if len(pieces) == 1 else "".join(pieces)
        return self.scalar_of(start, end, value, "")

    cdef Py_ssize_t line_of(self, Py_ssize_t at) noexcept:
        while at > 0 and PyUnicode_READ(self.kind, self.data, at - 1) != c"\n":
            at -= 1
        return at

    cdef object quoted(self, Py_UCS4 quote):
        """Read a quoted scalar."""
        cdef Py_ssize_t start = self.at, begin
        cdef Py_UCS4 char
        cdef list pieces = []
        cdef str style = "'" if quote == c"'" else '"'
        cdef int breaks
        cdef bint escaped
        self.at += 1
        begin = self.at
        while True:
            if self.at >= self.size:
                raise _Odd
            char = PyUnicode_READ(self.kind, self.data, self.at)
            if char == quote:
                if quote == c"'" and self.char(self.at + 1) == c"'" and self.at + 1 < self.size:
                    pieces.append(self.cut(begin, self.at + 1))
                    self.at += 2
                    begin = self.at
                    continue
                break
            if char == c"\\" and quote == c'"':
                pieces.append(self.cut(begin, self.at))
                escaped = self.char(self.at + 1) == c"\n"
                if not escaped:
                    made_of = _ESCAPES.get(self.cut(self.at + 1, self.at + 2))
                    if made_of is None:
                        raise _Odd
                    pieces.append(made_of)
                    self.at += 2
                    begin = self.at
                    continue
                self.at += 1
                begin = self.folded(pieces, True)
                continue
            if char == c"\n":
                # Blanks before the break are dropped.
                end = self.at
                while end > begin and PyUnicode_READ(self.kind, self.data, end - 1) == c" ":
                    end -= 1
                if end > begin and PyUnicode_READ(self.kind, self.data, end - 1) == c"\t":
                    raise _Odd
                pieces.append(self.cut(begin, end))
                begin = self.folded(pieces, False)
                continue
            self.at += 1
        value = self.cut(begin, self.at)
        if pieces:
            pieces.append(value)
            value = "".join(pieces)
        self.at += 1
        return self.scalar_of(start, self.at, value, style)

    cdef Py_ssize_t folded(self, list pieces, bint escaped) except -1:
        """Go over the line breaks and blanks here; add what they stand for."""
        cdef int breaks = 0
        while self.at < self.size:
            if self.char(self.at) == c"\n":
                self.new_line()
                breaks += 1
            elif self.char(self.at) == c" ":
                self.at += 1
            elif self.char(self.at) == c"\t":
                raise _Odd
            else:
                break
        if escaped:
            pieces.append("\n" * (breaks - 1))
        else:
            pieces.append(" " if breaks == 1 else "\n" * (breaks - 1))
        return self.at

    cdef object flow_sequence(self):
        cdef Py_ssize_t start = self.at
        cdef list items = []
        self.deeper()
        self.at += 1
        while True:
            self.skip()
            if self.char(self.at) == c"]" and self.at < self.size:
                break
            items.append(self.scalar(0, True))
            self.skip()
            if self.char(self.at) == c"," and self.at < self.size:
                self.at += 1
            elif self.char(self.at) != c"]" or self.at >= self.size:
                raise _Odd
        self.at += 1
        self.level -= 1
        return self.sequence_of(start, self.at, items)

    cdef object flow_mapping(self):
        cdef Py_ssize_t start = self.at
        cdef list pairs = []
        cdef dict known = {}
        self.deeper()
        self.at += 1
        while True:
            self.skip()
            if self.char(self.at) == c"}" and self.at < self.size:
                break
            if not self.begins_plain(self.at, True):
                raise _Odd
            begin = self.at
            end = self.plain_end(begin, True)
            if self.char(end) != c":" or end - begin > LONGEST_KEY or self.char(end + 1) != c" ":
                raise _Odd
            key = self.scalar_of(begin, end, self.cut(begin, end), "")
            self.at = end + 1
            self.skip()
            value = self.scalar(0, True)
            pairs.append((key, value))
            if not key.null:
                known.setdefault(key.value, value)
            self.skip()
            if self.char(self.at) == c"," and self.at < self.size:
                self.at += 1
            elif self.char(self.at) != c"}" or self.at >= self.size:
                raise _Odd
        self.at += 1
        self.level -= 1
        return self.mapping_of(start, self.at, pairs, known)

    cdef object block(self, Py_ssize_t parent, bint literal):
        """Read a literal or folded scalar."""
        cdef Py_ssize_t start = self.at, end, indent = 0, begin
        cdef int chomping = 0, breaks, before = 0
        cdef bint blank_before = False, blank, any_line = False
        cdef Py_UCS4 char
        cdef list pieces = []
        self.at += 1
        char = self.char(self.at)
        if char == c"-" or char == c"+":
            chomping = -1 if char == c"-" else 1
            self.at += 1
        elif c"1" <= char <= c"9":
            raise _Odd
        if c"1" <= self.char(self.at) <= c"9":
            raise _Odd
        self.line_ends()
        while self.char(self.at) != c"\n":
            self.at += 1
        if self.at >= self.size:
            raise _Odd
        self.new_line()
        # Empty lines before the first one that tells the indentation.
        breaks, end, indent = self.empty_lines(0, parent)
        while self.at < self.size and self.column() == indent:
            blank = self.char(self.at) == c" " or self.char(self.at) == c"\t"
            if any_line:
                if not literal and not blank_before and not blank:
                    if not breaks:
                        pieces.append(" ")
                else:
                    pieces.append("\n")
            if breaks:
                pieces.append("\n" * breaks)
            blank_before = blank
            begin = self.at
            while self.char(self.at) != c"\n":
                self.at += 1
            pieces.append(self.cut(begin, self.at))
            any_line = True
            if self.at >= self.size:
                raise _Odd  # no line break ends the file
            self.new_line()
            breaks, end, indent = self.empty_lines(indent, parent)
        if any_line and chomping != -1:
            pieces.append("\n")
        if chomping == 1:
            pieces.append("\n" * breaks)
        self.at = end
        self.line = end
        return self.scalar_of(start, end, "".join(pieces), "|" if literal else ">")

    cdef tuple empty_lines(self, Py_ssize_t indent, Py_ssize_t parent):
        """Go over empty lines and the indentation of the next; return how many, where they end."""
        cdef Py_ssize_t end = self.at, deepest = 0
        cdef int breaks = 0
        while True:
            while (not indent or self.column() < indent) and self.char(self.at) == c" ":
                self.at += 1
            deepest = max(deepest, self.column())
            if (not indent or self.column() < indent) and self.char(self.at) == c"\t":
                raise _Odd
            if self.at >= self.size or self.char(self.at) != c"\n":
                break
            self.new_line()
            breaks += 1
            end = self.at
        if not indent:
            indent = max(deepest, parent + 1, 1)
        return breaks, end, indent

"""Write a rule file anew from the places of its nodes and comments."""

from __future__ import annotations

from rulekit.tools.fmt_condition import NotTokens, condition_tree, flat_condition, layout_condition
from rulekit.tools.fmt_nodes import Map, Marker, Node, Scalar, Seq, Stream, Unsupported

LINE_WIDTH = 100
_STEP = 2


class Writer:
    """Writes one text. Raises `Unsupported` for forms it does not know how to keep."""

    def __init__(self, stream: Stream) -> None:
        self._in = stream
        self._text = stream.text
        self._out: list[str] = []
        # Comments on lines of their own and comments behind something, by line.
        self._standing = {c.line: c for c in stream.comments if not c.trailing}
        self._trailing = {c.line: c for c in stream.comments if c.trailing}
        self._line = 0  # first source line not yet dealt with
        # Columns of the collections around the last node: source column → indentation.
        self._levels: list[tuple[int, int]] = []

    def write(self) -> str:
        for document in self._in.documents:
            if document.begin is not None:
                self._marker(document.begin)
            root = document.root
            if isinstance(root, Seq) and not root.flow and not self._properties(root):
                self._levels = []
                self._seq(root, 0, "", top=True)
            elif not (isinstance(root, Scalar) and root.start == root.end):
                raise Unsupported("a document that is no list of items")
            if document.finish is not None:
                self._marker(document.finish)
        self._lead(None, 0, top=True)
        if self._trailing:
            raise Unsupported("a comment in an odd place")
        return "\n".join([*self._out, ""]) if self._out else ""

    # What stands between nodes

    def _marker(self, marker: Marker) -> None:
        self._lead(marker.start, 0, top=bool(self._out))
        self._out.append(self._text[marker.start : marker.end].strip())
        self._close(marker.start)
        self._levels = []

    def _lead(self, start: int | None, indent: int, top: bool = False) -> None:
        """Write the blank lines and comments before the node at `start` (None: the end)."""
        if start is None:
            line, column = self._in.line(len(self._text)) + 1, 0
        else:
            line, column = self._in.line(start), self._in.column(start)
        if top and self._levels:
            column = max(column, self._levels[0][0])
        deepest = len(self._levels)
        separated = not top
        blank = False
        for at in range(self._line, line):
            comment = self._standing.get(at)
            if comment is None:
                blank = blank or not self._in.line_text(at).strip()
                continue
            # A comment further in than the next node belongs to what came before.
            while deepest and self._levels[deepest - 1][0] > comment.column:
                deepest -= 1
            inside = deepest > 0 and self._levels[deepest - 1][0] > column
            if not inside:
                deepest = 0
            if not inside and not separated:
                blank, separated = True, True
            self._blank(blank)
            level = self._levels[deepest - 1][1] if inside else indent
            self._out.append(" " * level + self._text[comment.start : comment.end].rstrip())
            blank = False
        if start is not None:
            self._blank(blank or not separated)
        self._line = line

    def _blank(self, wanted: bool) -> None:
        if wanted and self._out and not self._out[-1].startswith("---"):
            self._out.append("")

    def _close(self, end: int) -> None:
        """Add the comment that stands behind what ended at `end`."""
        line = self._in.line(end)
        comment = self._trailing.pop(line, None)
        if comment is not None:
            self._out[-1] += "  " + self._text[comment.start : comment.end].rstrip()
        self._line = max(self._line, line + 1)

    def _properties(self, node: Seq | Map) -> str:
        if node.anchor is None and node.tag is None:
            return ""
        found = self._in.properties(node)
        if not found:
            raise Unsupported("an anchor on a line of its own")
        return found

    # Collections

    def _seq(self, node: Seq, indent: int, prefix: str, top: bool = False) -> None:
        column = self._in.column(node.start)
        previous = node.start
        for item in node.items:
            dash = self._dash(previous, item)
            if not prefix:
                self._lead(dash, indent, top)
            self._levels = [v for v in self._levels if v[0] < column]
            self._levels.append((column, indent))
            head = (prefix or " " * indent) + "-"
            prefix = ""
            self._value(item, dash + 1, indent, head)
            previous = item.end

    def _dash(self, start: int, item: Node) -> int:
        """Return the offset of the dash before an item."""
        at = start
        while at < item.start or item.start == item.end:
            char = self._text[at : at + 1]
            if char == "-":
                return at
            if char == "#":
                at = self._text.find("\n", at)
            elif not char.isspace():
                break
            at += 1
        if self._text[item.start - 1 : item.start] == "-":
            return item.start - 1
        raise Unsupported("an item without a dash of its own")

    def _map(self, node: Map, indent: int, prefix: str) -> None:
        column = self._in.column(node.start)
        for key, value in node.pairs:
            if not isinstance(key, Scalar) or key.style in ("|", ">") or key.start == key.end:
                raise Unsupported("a key that is no simple text")
            written = self._text[key.start : key.end]
            colon = self._text.find(":", key.end)
            if "\n" in written or colon < 0 or self._text[key.end : colon].strip(" \t"):
                raise Unsupported("a key that is no simple text")
            if not prefix:
                self._lead(key.start, indent)
            self._levels = [v for v in self._levels if v[0] < column]
            self._levels.append((column, indent))
            head = (prefix or " " * indent) + written + ":"
            prefix = ""
            condition = indent == _STEP and key.value == "condition"
            self._value(value, colon + 1, indent, head, condition)

    # Values

    def _value(
        self, node: Node, after: int, indent: int, head: str, condition: bool = False
    ) -> None:
        """Write a value behind its key or dash, which ended at `after` and stands in `head`."""
        is_item = head.endswith("-")
        if (
            node.start >= after
            and self._text[after : node.start].strip(" \t\n")
            and not (self._in.comments_in(after, node.start))
        ):
            raise Unsupported("a key that is no simple text")
        if isinstance(node, (Seq, Map)) and not node.flow:
            self._nested(node, after, indent, head, is_item)
        elif node.start <= after or node.start == node.end:
            self._out.append(head)
            self._close(after - 1)
        else:
            moved = bool(self._in.comments_in(after, node.start))
            if moved:
                self._out.append(head)
                self._close(after - 1)
                self._lead(node.start, indent + _STEP)
                head = " " * (indent + _STEP - 1)
            if isinstance(node, Scalar):
                self._scalar(node, indent, head, after, condition)
            elif isinstance(node, (Seq, Map)):
                self._flow(node, indent, head)
            else:
                self._out.append(f"{head} {self._text[node.start : node.end]}")
            self._close(max(node.end - 1, node.start))

    def _nested(self, node: Seq | Map, after: int, indent: int, head: str, is_item: bool) -> None:
        properties = self._properties(node)
        inner = indent + _STEP
        if is_item and not properties and not self._in.comments_in(after, node.start):
            # The first key or dash follows the dash on its line.
            prefix = head + " "
            if isinstance(node, Map):
                self._map(node, inner, prefix)
            else:
                self._seq(node, inner, prefix)
            return
        if is_item and not properties:
            raise Unsupported("a comment between a dash and its item")
        self._out.append(f"{head} {properties}" if properties else head)
        self._close(after - 1)
        if isinstance(node, Map):
            self._map(node, inner, "")
        else:
            self._seq(node, inner, "")

    def _scalar(self, node: Scalar, indent: int, head: str, after: int, condition: bool) -> None:
        written = self._text[node.start : node.end]
        block = node.style in ("|", ">")
        plain = node.style == "" and node.anchor is None and node.tag is None
        if condition and (block or plain) and self._condition(node, indent, head):
            return
        if block:
            self._block(node, indent, head)
        elif "\n" not in written:
            self._out.append(f"{head} {written}")
        else:
            first, *rest = (line.strip(" \t") for line in written.split("\n"))
            pad = " " * (indent + _STEP)
            if "\n" in self._text[after : node.start]:
                if head.strip():
                    self._out.append(head)
                head = pad[:-1]
            # A line that ends in a backslash keeps the blanks before it: strip() did not reach.
            self._out.append(f"{head} {first}")
            self._out += [pad + line if line else "" for line in rest]

    def _block(self, node: Scalar, indent: int, head: str) -> None:
        """Write a block scalar as it is, moved to its new indentation."""
        header, *lines = self._text[node.start : node.end].split("\n")
        sign = header.split("#")[0].strip()
        if any(c.isdigit() or c == "+" for c in sign):
            raise Unsupported("a block scalar with indentation or kept blank lines")
        if lines and not node.value.endswith("\n") and not sign.endswith("-"):
            # At the end of a file without a last line break, which it now gets.
            sign = sign[0] + "-"
        shown = [line for line in lines if line.strip(" ")]
        old = len(shown[0]) - len(shown[0].lstrip(" ")) if shown else 0
        pad = " " * (indent + _STEP)
        self._header(node, head, sign)
        for line in lines:
            self._out.append(pad + line[old:] if line[old:] else "")

    def _header(self, node: Scalar, head: str, sign: str) -> None:
        self._out.append(f"{head} {sign}")
        comment = self._trailing.pop(self._in.line(node.start), None)
        if comment is not None:
            self._out[-1] += "  " + self._text[comment.start : comment.end].rstrip()

    def _condition(self, node: Scalar, indent: int, head: str) -> bool:
        """Write a condition laid out anew; False when it is better left alone."""
        sign = ">"
        if node.style:
            sign = self._text[node.start : node.end].split("\n")[0].split("#")[0].strip()
            if sign not in (">", ">-", "|", "|-"):
                return False
        if condition_tree(node.value) is None:
            return False
        try:
            if not node.style and "\n" not in self._text[node.start : node.end]:
                flat = flat_condition(node.value)
                if len(head) + 1 + len(flat) <= LINE_WIDTH and _plain(flat):
                    self._out.append(f"{head} {flat}")
                    return True
            lines = layout_condition(node.value, indent + _STEP, LINE_WIDTH)
        except NotTokens:
            return False
        if not any(line.strip() for line in lines):
            return False
        comment = self._trailing.get(self._in.line(node.end - 1))
        if comment is not None and self._in.line(node.start) != comment.line:
            return False
        self._header(node, head, sign)
        self._out += lines
        return True

    # Flow collections

    def _flow(self, node: Seq | Map, indent: int, head: str) -> None:
        written = self._text[node.start : node.end]
        pad = " " * (indent + _STEP)
        flat = None if self._in.comments_in(node.start, node.end) else self._flat(node)
        if flat is None:
            first, *rest = written.split("\n")
            self._out.append(f"{head} {first.rstrip()}")
            margin = min((len(s) - len(s.lstrip()) for s in rest if s.strip()), default=0)
            self._out += [pad + s[margin:].rstrip() if s.strip() else "" for s in rest]
            for comment in self._in.comments_in(node.start, node.end):
                self._trailing.pop(comment.line, None)
            return
        if isinstance(node, Map) or not node.items:
            self._out.append(f"{head} {flat}")
            return
        if "\n" not in written and len(head) + 1 + len(flat) <= LINE_WIDTH:
            self._out.append(f"{head} {flat}")
            return
        properties = self._properties(node)
        self._out.append(f"{head} {properties} [" if properties else f"{head} [")
        rows = self._rows(node, LINE_WIDTH - len(pad))
        # A pair without a value ends in the blank that makes its colon one.
        self._out += [pad + line.rstrip() for line in rows]
        self._out.append(pad + "]")

    def _rows(self, node: Seq, width: int) -> list[str]:
        """Return the lines of a list: those of its author, filled where they are too long."""
        rows: list[str] = []
        last = -1
        for i, item in enumerate(node.items):
            piece = (self._flat(item) or "") + ("," if i + 1 < len(node.items) else "")
            line = self._in.line(item.start)
            fits = rows and len(rows[-1]) + 1 + len(piece) <= width
            if fits and line == last and not isinstance(item, (Seq, Map)):
                rows[-1] += " " + piece
            else:
                rows.append(piece)
            last = self._in.line(item.end - 1)
        return rows

    def _flat(self, node: Node) -> str | None:
        """Return a node on one line, or None when it does not go on one."""
        if isinstance(node, Map) or (isinstance(node, Seq) and not node.flow):
            written = self._text[node.start : node.end].rstrip()
            if isinstance(node, Map) and not written.endswith("}") and _bare(node.pairs[-1][1]):
                written += " "
            return None if "\n" in written else written
        if isinstance(node, Seq):
            parts = [self._flat(item) for item in node.items]
            texts = [p for p in parts if p is not None]
            if len(texts) != len(parts):
                return None
            properties = self._properties(node)
            return f"{properties} " * bool(properties) + f"[{', '.join(texts)}]"
        written = self._text[node.start : node.end]
        # A tag or an anchor without a value would take what is put behind it for its name.
        return None if "\n" in written or _bare(node) else written


def _bare(node: Node) -> bool:
    """Tell whether a scalar is empty and not even quoted."""
    return isinstance(node, Scalar) and not node.value and not node.style


def _plain(text: str) -> bool:
    """Tell whether a text can stand as a plain scalar behind a key."""
    return ": " not in text and " #" not in text and not text.endswith(":")

"""Which character of a file each character of a YAML scalar came from."""

from __future__ import annotations

_BLANK = " \t"
_SPACE = " \t\r\n"


def scalar_offsets(text: str, start: int, end: int, style: str, value: str) -> tuple[int, ...]:
    """Return the offset in `text` of each character of `value`, plus one for the end.

    Args:
        start, end: Where the scalar stands in `text`, quotes and block header included.
        style: ``'``, ``"``, ``|``, ``>`` or empty for plain.

    Returns:
        Shape ``(len(value) + 1,)``, never decreasing, all within ``[start, end]``.
    """
    while start < end and text[start] in "&!":
        # An anchor or a tag stands before the scalar.
        while start < end and text[start] not in _SPACE:
            start += 1
        start = _skip(text, start, end, _SPACE)
    if style in ("|", ">"):
        offsets = _block(text, start, end, value)
    else:
        quotes = 1 if style else 0
        # A quote that the file lacks stands beyond its end.
        inner, stop = start + quotes, min(end - quotes, len(text))
        end = min(end, len(text))
        if text[inner:stop] == value:
            return tuple(range(inner, stop + 1))
        offsets = _flow(text, inner, stop, style, value)
    offsets.append(min(offsets[-1] + 1, end) if offsets else start)
    return tuple(offsets)


def _flow(text: str, at: int, end: int, style: str, value: str) -> list[int]:
    """Map a plain or quoted scalar, whose line breaks are folded."""
    offsets: list[int] = []
    wanted = len(value)
    while len(offsets) < wanted:
        if at >= end:
            offsets.append(max(end - 1, 0))
            continue
        char = text[at]
        if char in _SPACE:
            stop = at
            while stop < end and text[stop] in _SPACE:
                stop += 1
            breaks = text.count("\n", at, stop)
            if breaks:
                # One break folds to a blank, n breaks to n - 1; blanks around them are dropped.
                made = max(1, breaks - 1)
                offsets.extend([at] * min(made, wanted - len(offsets)))
                at = stop
                continue
        elif char == "\\" and style == '"':
            length = _escape_length(text, at)
            if text[at + 1 : at + 2] in ("\n", "\r"):
                at += 2
                while at < end and text[at] in _SPACE:
                    at += 1
                continue
            offsets.append(at)
            at += length
            continue
        elif char == "'" and style == "'":
            offsets.append(at)
            at += 2
            continue
        offsets.append(at)
        at += 1
    return offsets


def _escape_length(text: str, at: int) -> int:
    return 2 + {"x": 2, "u": 4, "U": 8}.get(text[at + 1 : at + 2], 0)


def _block(text: str, start: int, end: int, value: str) -> list[int]:
    """Map a literal or folded scalar: lines keep their order, indentation is skipped."""
    offsets: list[int] = []
    header = text.find("\n", start, end)
    if header < 0:
        return [start] * len(value)
    at = header + 1
    indent = _indent(text, at, end, value)
    at = _skip_indent(text, at, end, indent)
    for char in value:
        if char == "\n":
            at = _skip(text, at, end, _BLANK + "\r")
            offsets.append(min(at, end - 1))
            if at < end and text[at] == "\n":
                at = _skip_indent(text, at + 1, end, indent)
        elif at < end and text[at] == char:
            offsets.append(at)
            at += 1
        elif char == " " and at < end and text[at] in "\r\n":
            offsets.append(at)
            at = text.find("\n", at, end) + 1 or end
            at = _skip_indent(text, at, end, indent)
        else:
            # Lines that folding dropped stand between here and the character.
            at = _skip(text, at, end, _SPACE)
            offsets.append(min(at, end - 1))
            at += 1
    return offsets


def _indent(text: str, at: int, end: int, value: str) -> int:
    """Return how many blanks each line of the block begins with.

    That is what the first line with a text has more in the file than in the value.
    """
    return max(0, _leading(text[at:end]) - _leading(value))


def _leading(lines: str) -> int:
    for line in lines.split("\n"):
        if line.strip(_SPACE):
            return len(line) - len(line.lstrip(" "))
    return 0


def _skip_indent(text: str, at: int, end: int, indent: int) -> int:
    stop = min(at + indent, end)
    while at < stop and text[at] == " ":
        at += 1
    return at


def _skip(text: str, at: int, end: int, chars: str) -> int:
    while at < end and text[at] in chars:
        at += 1
    return at

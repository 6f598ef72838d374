"""What the quick readers and the full ones both know of tokens and of names."""

from __future__ import annotations

import re

LIST_NAME = re.compile("[^()\"' \t\n\v\f\r=,]+")
MACRO_NAME = re.compile(r"[a-zA-Z]+[a-zA-Z0-9_]*")

# What stands around the name of a list in a condition; blanks go when it is put in.
LIST_BLANKS = " \t\n\r"
LIST_DELIMITERS = LIST_BLANKS + "(),="

_escape = re.compile(r"\\(x[0-9a-fA-F]{2}|[^x]|x)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "\\": "\\", "/": "/", " ": "\\"}


class BadEscape(Exception):
    """The backslash at `offset` begins no known escape."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def unescape(quoted: str, offset: int) -> str:
    """Return what the quoted text (quotes included) stands for.

    Bytes from 0x80 up that were written ``\\xHH`` become lone surrogates, as in PEP 383.

    Raises:
        BadEscape: An escape is unknown; `offset` is where the opening quote stands.
    """
    body = quoted[1:-1]
    if "\\" not in body:
        return body

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name in _ESCAPES:
            return _ESCAPES[name]
        if name == quoted[0]:
            return name
        if len(name) == 3:
            byte = int(name[1:], 16)
            return chr(byte if byte < 0x80 else 0xDC00 + byte)
        raise BadEscape(offset + 1 + found.start())

    return _escape.sub(value, body)

"""Which patterns ``regex`` takes: RE2 in its POSIX mode, without compiling anything.

No Perl classes (``\\d``), no word boundaries, no ``(?...)``, no back-references.
"""

from __future__ import annotations

import re

_MOST_REPEATS = 1000
_CLASSES = frozenset(
    f"[:{negated}{name}:]"
    for negated in ("", "^")
    for name in (
        *("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print"),
        *("punct", "space", "upper", "word", "xdigit"),
    )
)
# Counts with leading zeros or of ten digits and more are no counts: the brace is a character.
_repeat = re.compile(r"\{(0|[1-9][0-9]{0,8})(?:(,)(0|[1-9][0-9]{0,8})?)?\}").match
_class_name = re.compile(r"\[:.*?:\]", re.DOTALL).match
_hex_escape = re.compile(r"x(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]+)\})").match
_octal_escape = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}").match
_C_ESCAPES = {"n": 10, "r": 13, "t": 9, "a": 7, "f": 12, "v": 11}


class RegexError(ValueError):
    """A pattern that cannot be used; the text says why."""


def check_regex(pattern: bytes) -> None:
    """Refuse what RE2 refuses in POSIX mode.

    Raises:
        RegexError: The pattern is not valid.
    """
    try:
        text = pattern.decode("utf-8")
    except UnicodeDecodeError:
        raise RegexError("the pattern is not UTF-8") from None
    _Reader(text).read()


class _Reader:
    """One pass over a pattern; groups are kept on a stack of their own."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def read(self) -> None:
        text = self.text
        # Per open group: how often its content repeats at most, over all alternatives.
        most = [1]
        # What a repetition would apply to: its own greatest repeat count, or None.
        last: int | None = None
        while self.at < len(text):
            char = text[self.at]
            if char == "(":
                most.append(1)
                last = None
                self.at += 1
            elif char == ")":
                if len(most) == 1:
                    raise RegexError("`)` closes nothing")
                last = most.pop()
                most[-1] = max(most[-1], last)
                self.at += 1
            elif char == "|":
                last = None
                self.at += 1
            elif char in "*+?":
                if last is None:
                    raise RegexError(f"`{char}` repeats nothing")
                self.at += 1
            elif char == "{" and (found := _repeat(text, self.at)):
                last = self._repeated(found, last)
                most[-1] = max(most[-1], last)
            elif char == "[":
                self._char_class()
                last = 1
            elif char == "\\":
                self.at += 1
                self._escape()
                last = 1
            else:
                self.at += 1
                last = 1
        if len(most) > 1:
            raise RegexError("`(` is not closed")

    def _repeated(self, found: re.Match[str], last: int | None) -> int:
        shown = found[0]
        if last is None:
            raise RegexError(f"`{shown}` repeats nothing")
        low = int(found[1])
        high = int(found[3]) if found[3] else (None if found[2] else low)
        if low > _MOST_REPEATS or (high is not None and (high > _MOST_REPEATS or high < low)):
            raise RegexError(f"bad repetition `{shown}`: at most {_MOST_REPEATS}")
        times = last * max(low if high is None else high, 1)
        if times > _MOST_REPEATS:
            raise RegexError(f"nested repetitions come to more than {_MOST_REPEATS}")
        self.at = found.end()
        return times

    def _escape(self) -> int:
        """Read what follows a backslash; return the character it stands for."""
        text, at = self.text, self.at
        if at == len(text):
            raise RegexError("a backslash ends the pattern")
        char = text[at]
        if found := _octal_escape(text, at):
            self.at = found.end()
            return int(found[0], 8)
        if char == "x":
            if found := _hex_escape(text, at):
                code = int((found[1] or found[2])[-8:], 16)
                if len((found[2] or "").lstrip("0")) <= 6 and code <= 0x10FFFF:
                    self.at = found.end()
                    return code
            raise RegexError("bad escape `\\x`")
        if char in _C_ESCAPES:
            self.at += 1
            return _C_ESCAPES[char]
        if char.isascii() and not char.isalnum():
            self.at += 1
            return ord(char)
        raise RegexError(f"`\\{char}` is not known in POSIX patterns")

    def _char_class(self) -> None:
        text, start = self.text, self.at
        self.at += 1
        if text.startswith("^", self.at):
            self.at += 1
        first = True
        while first or not text.startswith("]", self.at):
            rest = text[self.at : self.at + 2]
            if not rest:
                raise RegexError(f"`[` at {start + 1} is not closed")
            if rest[0] == "-" and not first and rest != "-]":
                raise RegexError("`-` stands first or last in a class, or between two characters")
            first = False
            if rest == "[:" and (found := _class_name(text, self.at)):
                if found[0] not in _CLASSES:
                    raise RegexError(f"unknown class `{found[0]}`")
                self.at = found.end()
                continue
            low = self._class_char(start)
            if text.startswith("-", self.at) and not text.startswith("-]", self.at):
                self.at += 1
                if self._class_char(start) < low:
                    raise RegexError("a range in a class runs backwards")
        self.at += 1

    def _class_char(self, start: int) -> int:
        if self.at >= len(self.text):
            raise RegexError(f"`[` at {start + 1} is not closed")
        char = self.text[self.at]
        self.at += 1
        return self._escape() if char == "\\" else ord(char)

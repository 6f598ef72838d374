"""What a regular expression can match, told without matching: its literals, its two ends.

``regex`` compares the whole value, which is what these questions are about.
"""

from __future__ import annotations

import re
from itertools import product

_MOST_TEXTS = 64
_LONGEST = 1000  # characters of a pattern; each text of a longer one takes them all
_REPEAT = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}")


def only_texts(pattern: str) -> frozenset[str] | None:
    """Return the texts that a pattern matches when they are few, else None."""
    if len(pattern) > _LONGEST:
        return None
    try:
        texts, at = _alternatives(pattern, 0, 0)
    except _TooMany:
        return None
    return frozenset(texts) if at == len(pattern) else None


class _TooMany(Exception):
    pass


def _alternatives(pattern: str, at: int, depth: int) -> tuple[list[str], int]:
    if depth > 50:
        raise _TooMany
    found: list[str] = []
    branch = [""]
    while at < len(pattern) and pattern[at] != ")":
        char = pattern[at]
        if char == "|":
            found += branch
            branch = [""]
            at += 1
            continue
        if char == "(":
            texts, at = _alternatives(pattern, at + 1, depth + 1)
            at += 1
        elif char == "\\" and at + 1 < len(pattern) and not pattern[at + 1].isalnum():
            texts, at = [pattern[at + 1]], at + 2
        elif char in "^$":
            # Both ends hold anyway; inside a pattern they are another check's concern.
            texts, at = [""], at + 1
        elif char in ".[\\":
            raise _TooMany
        else:
            texts, at = [char], at + 1
        repeat = _REPEAT.match(pattern, at)
        if repeat is not None:
            if repeat.group() != "?":
                raise _TooMany
            texts, at = [*texts, ""], repeat.end()
        branch = [a + b for a, b in product(branch, texts)]
        if len(branch) + len(found) > _MOST_TEXTS:
            raise _TooMany
    return found + branch, at


def misplaced_anchor(pattern: str) -> int | None:
    """Return the offset of a ``^`` or ``$`` that no value can get past, or None.

    Only plain cases are told: whatever could be empty counts as if it were.
    """
    at = 0
    begun = False
    groups: list[bool] = []
    while at < len(pattern):
        char = pattern[at]
        if char == "^" and begun:
            return at
        if char == "$" and _must_follow(pattern, at + 1):
            return at
        if char == "(":
            groups.append(begun)
        elif char == ")" and groups:
            begun = groups.pop()
        elif char == "|":
            begun = groups[-1] if groups else False
        elif char not in "^$*?+{)":
            end = _atom_end(pattern, at)
            begun = begun or not _optional(pattern, end)
            at = end
            continue
        repeat = _REPEAT.match(pattern, at)
        at = repeat.end() if repeat is not None else at + 1
    return None


def _must_follow(pattern: str, at: int) -> bool:
    if at >= len(pattern) or pattern[at] in "|)$^(*?+{":
        return False
    return not _optional(pattern, _atom_end(pattern, at))


def _optional(pattern: str, at: int) -> bool:
    repeat = _REPEAT.match(pattern, at)
    return repeat is not None and (repeat.group()[0] in "*?" or repeat.group().startswith("{0"))


def _atom_end(pattern: str, at: int) -> int:
    if pattern[at] == "[":
        return _class_end(pattern, at)
    return at + (2 if pattern[at] == "\\" else 1)


def _class_end(pattern: str, at: int) -> int:
    """Return the offset behind a bracket expression."""
    at += 1
    if pattern.startswith("^", at):
        at += 1
    first = True
    while at < len(pattern) and (first or pattern[at] != "]"):
        first = False
        if pattern.startswith("[:", at) and (end := pattern.find(":]", at)) >= 0:
            at = end + 1
        elif pattern[at] == "\\":
            at += 1
        at += 1
    return at + 1


def first_literal(pattern: str) -> str | None:
    """Return the character every match begins with, or None when there is more than one way."""
    pattern = pattern.lstrip("^(")
    if "|" in pattern or not pattern:
        return None
    if pattern[0] == "\\" and len(pattern) > 1 and not pattern[1].isalnum():
        first, rest = pattern[1], pattern[2:]
    elif pattern[0] in "\\.[$*+?{":
        return None
    else:
        first, rest = pattern[0], pattern[1:]
    repeat = _REPEAT.match(rest)
    return None if repeat is not None and repeat.group()[0] in "*?{" else first

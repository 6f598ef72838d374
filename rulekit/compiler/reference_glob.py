"""Shell patterns as `glob` and `pmatch` mean them: fnmatch(3) without flags, in bytes."""

from __future__ import annotations

from collections.abc import Callable


def glob_matches(text: bytes, pattern: bytes, fold: bool = False) -> bool:
    """Return whether `text` matches a shell pattern as fnmatch(3) without flags, byte by byte."""
    tokens = _glob_tokens(pattern.lower() if fold else pattern, fold)
    if tokens is None:
        return False
    if fold:
        text = text.lower()
    # Positions of the pattern that may be next; a star stays.
    states = _after_stars(tokens, {0})
    for byte in text:
        following = set()
        for at in states:
            if at < len(tokens):
                token = tokens[at]
                if token is None:
                    following.add(at)
                elif byte in token:
                    following.add(at + 1)
        states = _after_stars(tokens, following)
    return len(tokens) in states


def _after_stars(tokens: list[frozenset[int] | None], states: set[int]) -> set[int]:
    out = set(states)
    for at in states:
        while at < len(tokens) and tokens[at] is None:
            at += 1
            out.add(at)
    return out


_CLASSES: dict[bytes, Callable[[bytes], bool]] = {
    b"alnum": bytes.isalnum,
    b"alpha": bytes.isalpha,
    b"blank": lambda c: c in b" \t",
    b"cntrl": lambda c: c[0] < 32 or c[0] == 127,
    b"digit": bytes.isdigit,
    b"graph": lambda c: 32 < c[0] < 127,
    b"lower": bytes.islower,
    b"print": lambda c: 32 <= c[0] < 127,
    b"punct": lambda c: 32 < c[0] < 127 and not c.isalnum(),
    b"space": bytes.isspace,
    b"upper": bytes.isupper,
    b"xdigit": lambda c: c in b"0123456789abcdefABCDEF",
}


def _glob_tokens(pattern: bytes, fold: bool) -> list[frozenset[int] | None] | None:
    # One set of bytes per position, None for a star; None altogether: matches nothing.
    tokens: list[frozenset[int] | None] = []
    at = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        at += 1
        if char == b"*":
            tokens.append(None)
        elif char == b"?":
            tokens.append(frozenset(range(256)))
        elif char == b"\\":
            if at == len(pattern):
                return None
            tokens.append(frozenset(pattern[at : at + 1]))
            at += 1
        elif char == b"[":
            bracket = _glob_bracket(pattern, at, fold)
            if bracket is None:  # never closed: an ordinary character
                tokens.append(frozenset(b"["))
            else:
                members, at = bracket
                tokens.append(members)
        else:
            tokens.append(frozenset(char))
    return tokens


def _glob_bracket(pattern: bytes, at: int, fold: bool) -> tuple[frozenset[int], int] | None:
    members: set[int] = set()
    negated = pattern[at : at + 1] in (b"!", b"^") and at < len(pattern)
    if negated:
        at += 1
    first = True
    while True:
        char = pattern[at : at + 1]
        if not char:
            return None
        if char == b"]" and not first:
            at += 1
            break
        first = False
        if char == b"[" and pattern[at + 1 : at + 2] == b":":
            end = pattern.find(b":]", at + 2)
            name = pattern[at + 2 : end] if end >= 0 else b""
            if name in _CLASSES:
                test = _CLASSES[name]
                found = {c for c in range(128) if test(bytes([c]))}
                if fold and name in (b"upper", b"lower"):
                    found = set(b"abcdefghijklmnopqrstuvwxyz")
                members |= found
                at = end + 2
                continue
        low, at = _glob_member(pattern, at)
        if low < 0:
            return None
        if pattern[at : at + 1] == b"-" and pattern[at + 1 : at + 2] not in (b"", b"]"):
            high, at = _glob_member(pattern, at + 1)
            if high < 0:
                return None
            members.update(range(low, high + 1))
        else:
            members.add(low)
    return frozenset(set(range(256)) - members if negated else members), at


def _glob_member(pattern: bytes, at: int) -> tuple[int, int]:
    if pattern[at] == ord("\\"):
        at += 1
        if at == len(pattern):
            return -1, at
    return pattern[at], at + 1

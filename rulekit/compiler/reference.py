"""The meaning of a rule: a slow evaluator of unoptimised conditions in plain Python.

Whatever the compiled program answers is judged by this module, never the other way round.
It shares no code with the matcher.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

from rulekit.compiler.reference_glob import glob_matches
from rulekit.native.regex import compile_regex
from rulekit.rules.bound import (
    Bound,
    BoundAnd,
    BoundComparison,
    BoundField,
    BoundLiteral,
    BoundNot,
    BoundOr,
    BoundTransform,
    BoundTuple,
    Operand,
    TypedValue,
)
from rulekit.schema.types import Kind

# TEXT, BYTES, ADDRESS: bytes. INT, UINT, PORT: int. DOUBLE: float. A list of these where a field
# has several values: list fields, ancestors, the ends of a socket. None is null.
Value: TypeAlias = "bytes | int | bool | float | list[Any] | None"
Get: TypeAlias = "Callable[[BoundField], Value]"

_GLOB = frozenset(b"?*[")


def evaluate(condition: Bound, get: Get) -> bool:
    """Return whether `condition` holds when `get` answers the value of each field.

    Operands are looked at from left to right, and no further than needed.
    """
    # An explicit stack: conditions may be nested deeper than Python may recurse.
    stack: list[tuple[Bound, int]] = []
    node: Bound = condition
    while True:
        while not isinstance(node, BoundComparison):
            stack.append((node, 0))
            if isinstance(node, BoundNot):
                node = node.child
            elif node.children:
                node = node.children[0]
            else:
                break
        result = isinstance(node, BoundAnd)
        if isinstance(node, BoundComparison):
            result = compare(node, get)
        else:
            stack.pop()
        while stack:
            parent, done = stack.pop()
            if isinstance(parent, BoundNot):
                result = not result
            elif isinstance(parent, (BoundAnd, BoundOr)):
                done += 1
                if result == isinstance(parent, BoundAnd) and done < len(parent.children):
                    stack.append((parent, done))
                    node = parent.children[done]
                    break
        else:
            return result


def compare(comparison: BoundComparison, get: Get) -> bool:
    """Return whether one comparison holds; null on either side makes it false."""
    left = operand_value(comparison.left, get)
    if left is None:
        return False
    if comparison.op == "exists":
        return True
    quantifier = quantifier_of(comparison.left)
    kind = kind_of(comparison.left)
    if comparison.other is not None:
        right = operand_value(comparison.other, get)
        if right is None:
            return False
        literals = tuple(right) if isinstance(right, list) else (right,)
        return holds(comparison.op, None, kind, quantifier, left, literals)
    if not comparison.values:
        return False
    return holds(comparison.op, comparison.modifier, kind, quantifier, left, comparison.values)


def quantifier_of(operand: Operand) -> str:
    """Return ``one``, ``list``, ``ancestors`` or ``ends``: what several values mean."""
    if isinstance(operand, BoundField):
        if operand.field.quantifier == "ancestors":
            named = operand.index is not None or operand.key is not None
            return "one" if named else "ancestors"
        if operand.field.quantifier == "ends":
            return "ends"
        return "list" if operand.is_list else "one"
    if isinstance(operand, BoundTransform):
        return "list" if operand.is_list else "one"
    return "list" if isinstance(operand, BoundTuple) else "one"


def kind_of(operand: Operand) -> Kind:
    """Return the kind of value that an operand yields."""
    if isinstance(operand, (BoundField, BoundTransform)):
        return operand.kind
    return Kind.TEXT


def operand_value(operand: Operand, get: Get) -> Value:
    """Return the value of a field, literal, tuple or transformer call; None is null."""
    if isinstance(operand, BoundField):
        return _plain(get(operand), operand.kind)
    if isinstance(operand, BoundLiteral):
        return operand.value
    if isinstance(operand, BoundTuple):
        items = [_argument(item, get) for item in operand.items]
        return None if any(item is None for item in items) else items
    arguments = [_argument(argument, get) for argument in operand.args]
    if any(argument is None for argument in arguments):
        return None
    return _plain(transform(operand.name, arguments, operand.key), operand.kind)


def _argument(operand: Operand, get: Get) -> Value:
    """Return the value of an argument: of all ancestors the one text, or that of the process."""
    if not isinstance(operand, BoundField) or quantifier_of(operand) != "ancestors":
        return operand_value(operand, get)
    if operand.field.name in ("proc.apid", "proc.aenv"):
        return operand_value(replace(operand, index=0), get)
    items: Any = operand_value(operand, get)
    text = b""
    for item in items or ():
        text = text + b" " + item if text else item
    return text or None


def _plain(value: Value, kind: Kind) -> Value:
    # Texts end at their first NUL.
    if kind is not Kind.TEXT:
        return value
    if isinstance(value, bytes):
        return value.split(b"\0", 1)[0]
    if isinstance(value, list):
        return [_plain(item, kind) for item in value]
    return value


def transform(name: str, arguments: Sequence[Value], key: str | None) -> Value:
    """Return what a transformer makes of values that are not null; None is null."""
    first: Any = arguments[0] if arguments else None
    if name == "tolower":
        return _each(bytes.lower, first)
    if name == "toupper":
        return _each(bytes.upper, first)
    if name == "basename":
        return _each(lambda text: text.rsplit(b"/", 1)[-1], first)
    if name == "b64":
        return _decode_base64(first)
    if name == "len":
        return len(first)
    if name == "val":
        return first  # type: ignore[no-any-return]
    if name == "concat":
        return b"".join(_text(argument) for argument in arguments)
    if name == "join":
        items: Any = arguments[1]
        return _text(first).join(_text(item) for item in items)
    if name == "getopt":
        return _getopt(first, arguments[1], key)  # type: ignore[arg-type]
    raise ValueError(f"no such transformer: {name}")


def _each(function: Callable[[bytes], bytes], value: Any) -> Value:
    return [function(item) for item in value] if isinstance(value, list) else function(value)


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("ascii")


def _decode_base64(text: Any) -> Value:
    if len(text) % 4 == 0:
        text = text[:-2] if text[-2:] == b"==" else text.removesuffix(b"=")
    padded = text + b"=" * (-len(text) % 4)
    try:
        decoded = base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Bits that no byte takes must be zero.
    return decoded if base64.b64encode(decoded) == padded else None


def _getopt(words: list[bytes], options: bytes, key: str | None) -> Value:
    """Read options: letters, each followed by its value if it takes one."""
    valid = set(options) - {ord(":")}
    takes_value = {a for a, b in pairwise(options) if b == ord(":")}
    wanted = None if key is None else key.encode("utf-8", "surrogateescape")[:1]
    found: list[bytes] = []
    picked: bytes | None = None
    left = [word.split(b"\0", 1)[0] for word in words]
    while left:
        word = left.pop(0)
        if word == b"--" or (word[:2] != b"--" and (len(word) < 2 or word[:1] != b"-")):
            break
        if word[:2] == b"--":
            continue  # a long option
        at = 1
        while at < len(word):
            letter = word[at : at + 1]
            at += 1
            if ord(letter) not in valid:
                found.append(b"?")
                continue
            value = letter
            if ord(letter) not in takes_value:
                found.append(letter)
            elif at < len(word) or left:
                value = word[at:] or left.pop(0)
                found += [letter, value]
                at = len(word)
            else:  # the missing value stands for the letter
                value = b""
                found.append(value)
            if letter == wanted:
                picked = value
    return found if key is None else picked


def holds(
    op: str,
    modifier: str | None,
    kind: Kind,
    quantifier: str,
    value: Value,
    literals: Iterable[TypedValue],
) -> bool:
    """Return whether ``value op literals`` holds for a value that is not null."""
    right = list(literals)
    if op == "exists":
        return True
    if quantifier == "ends":
        return _modified(modifier, right, lambda some: _ends(op, kind, value, some))
    if quantifier == "ancestors":
        ancestors: Any = value
        return any(holds(op, modifier, kind, "one", one, right) for one in ancestors)
    if quantifier == "list":
        items: Any = value
        if op == "intersects":
            return any(_one("in", kind, item, right) for item in items)
        return all(_one(op, kind, item, right) for item in items)
    return _modified(modifier, right, lambda some: _one(op, kind, value, some))


def _modified(
    modifier: str | None, right: list[TypedValue], check: Callable[[list[TypedValue]], bool]
) -> bool:
    if modifier is None:
        return check(right)
    true = sum(check([literal]) for literal in right)
    if modifier == "anyof":
        return true > 0
    if modifier == "oneof":
        return true == 1
    return true == len(right) and true > 0


def _ends(op: str, kind: Kind, value: Any, right: list[TypedValue]) -> bool:
    ends = value if isinstance(value, list) else [value]
    if op == "!=":
        return bool(ends) and all(_one("!=", kind, end, right) for end in ends)
    return any(_one(op, kind, end, right) for end in ends)


def _one(op: str, kind: Kind, value: Any, right: list[TypedValue]) -> bool:
    if op in ("in", "intersects"):
        return any(_scalar("=", kind, value, literal) for literal in right)
    if op == "pmatch":
        return any(path_matches(value, literal) for literal in right)  # type: ignore[arg-type]
    return bool(right) and _scalar(op, kind, value, right[0])


def _scalar(op: str, kind: Kind, value: Any, literal: Any) -> bool:
    if kind is Kind.NETWORK and isinstance(literal, tuple):
        inside = in_network(value, literal)
        return inside if op == "=" else not inside
    if kind is Kind.TEXT:
        if not isinstance(value, bytes) or not isinstance(literal, bytes):
            return False
        literal = literal.rstrip(b"\0")
    elif isinstance(value, bytes) != isinstance(literal, bytes):
        return False
    return _OPERATORS[op](value, literal)


def in_network(address: bytes, network: tuple[bytes, int]) -> bool:
    """Return whether a packed address lies in a network; families that differ do not."""
    prefix, length = network
    if len(address) != len(prefix):
        return False
    shift = 8 * len(prefix) - length
    return int.from_bytes(address, "big") >> shift == int.from_bytes(prefix, "big") >> shift


def path_matches(value: bytes, path: bytes) -> bool:
    """Return whether `path` is a component-wise prefix of `value`; components may be globs."""
    have = [part for part in value.split(b"/") if part]
    want = [part for part in path.rstrip(b"\0").split(b"/") if part]
    if len(want) > len(have):
        return False
    return all(
        glob_matches(a, b) if not _GLOB.isdisjoint(b) else a == b
        for a, b in zip(have, want, strict=False)
    )


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "contains": lambda a, b: b in a,
    "icontains": lambda a, b: b.lower() in a.lower(),
    "bcontains": lambda a, b: b in a,
    "startswith": lambda a, b: a.startswith(b),
    "bstartswith": lambda a, b: a.startswith(b),
    "endswith": lambda a, b: a.endswith(b),
    "glob": lambda a, b: glob_matches(a, b),
    "iglob": lambda a, b: glob_matches(a, b, fold=True),
    "regex": lambda a, b: compile_regex(b)(a),
}

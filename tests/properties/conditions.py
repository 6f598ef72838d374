"""Short ways to write bound conditions by hand, and hypothesis strategies for random ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

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
)
from rulekit.rules.check import check_condition
from rulekit.rules.parser import parse_condition
from rulekit.schema.fields import field_table
from rulekit.schema.types import Kind
from rulekit.text.source import SourceText

SPAN = SourceText("test", "").span(0, 0)


def bound(text: str) -> Bound:
    """Return a condition given as text, checked."""
    result = check_condition(parse_condition(SourceText("test", text)), "syscall", stand_alone=True)
    assert result.bound is not None, result.diagnostics
    return result.bound


def field(name: str, index: int | None = None, key: str | None = None) -> BoundField:
    """Return a field as the checker binds it."""
    found = field_table()[name]
    return BoundField(found, index, key, found.kind, found.is_list, SPAN)


def check(
    left: str | Operand,
    op: str,
    *values: Any,
    modifier: str | None = None,
    other: Operand | None = None,
) -> BoundComparison:
    """Return a comparison."""
    operand = field(left) if isinstance(left, str) else left
    return BoundComparison(operand, op, modifier, values, other, SPAN)


def both(*children: Bound) -> BoundAnd:
    return BoundAnd(children, SPAN)


def either(*children: Bound) -> BoundOr:
    return BoundOr(children, SPAN)


def no(child: Bound) -> BoundNot:
    return BoundNot(child, SPAN)


def call(
    name: str, *args: Operand, key: str | None = None, kind: Kind = Kind.TEXT, many: bool = False
) -> BoundTransform:
    """Return a transformer call."""
    return BoundTransform(name, args, key, kind, many, SPAN)


# (name, index, key) of the fields that random conditions use, by what they depend on.
PROCESS_FIELDS = [
    ("proc.name", None, None),
    ("proc.cmdline", None, None),
    ("proc.aname", None, None),
    ("proc.aname", 2, None),
    ("proc.apid", None, None),
    ("proc.pid", None, None),
    ("proc.is_exe_writable", None, None),
    ("user.uid", None, None),
    ("container.id", None, None),
]
EVENT_FIELDS = [
    ("fd.name", None, None),
    ("fd.directory", None, None),
    ("fd.filename", None, None),
    ("fs.path.name", None, None),
    ("evt.arg", None, "flags"),
    ("evt.rawres", None, None),
    ("evt.buflen", None, None),
    ("evt.is_open_read", None, None),
    ("evt.buffer", None, None),
    ("fd.sport", None, None),
    ("fd.port", None, None),
    ("fd.sip", None, None),
    ("fd.ip", None, None),
    ("fd.snet", None, None),
    ("fd.net", None, None),
    ("fd.types", None, None),
    ("thread.cpu", None, None),
]
TYPE_FIELDS = [("evt.type", None, None), ("evt.dir", None, None), ("syscall.type", None, None)]

# Slots of events and what the fields of TYPE_FIELDS say on them.
SLOTS = {
    3: (b"open", b"<", b"open"),
    307: (b"openat", b"<", b"openat"),
    293: (b"execve", b"<", b"execve"),
    186: (b"procexit", b">", None),
    512 + 14: (b"stat", b"<", b"stat"),
}

_TEXT_OPS = ["=", "!=", "in", "contains", "icontains", "startswith", "endswith", "glob", "iglob"]
_TEXT_OPS += ["pmatch", "<", "<=", ">", ">=", "intersects"]
_PAIR_OPS = ["=", "!=", "contains", "startswith", "endswith", "glob", "in", "<"]
_NUMBER_OPS = ["=", "!=", "<", "<=", ">", ">=", "in", "intersects"]
_OPS = {
    Kind.TEXT: _TEXT_OPS,
    Kind.BYTES: ["=", "!=", "in", "contains", "startswith", "endswith", "bcontains", "bstartswith"],
    Kind.INT: _NUMBER_OPS,
    Kind.UINT: _NUMBER_OPS,
    Kind.PORT: _NUMBER_OPS,
    Kind.DOUBLE: _NUMBER_OPS,
    Kind.BOOL: ["=", "!=", "in"],
    Kind.ADDRESS: ["=", "!=", "in"],
    Kind.NETWORK: ["=", "!=", "in"],
}
_MODIFIED = {"=", "!=", "contains", "icontains", "startswith", "endswith", "glob", "iglob"}

_text = st.text(st.sampled_from("aAb/*.-?["), max_size=4).map(str.encode)
_ADDRESSES = [
    b"\x0a\0\0\1",
    b"\x0a\0\0\2",
    b"\x7f\0\0\1",
    bytes(15) + b"\1",
    b"\xfe\x80" + bytes(14),
]
_NETWORKS = [(b"\x0a\0\0\0", 8), (b"\x0a\0\0\2", 31), (b"\x7f\0\0\1", 32), (b"\xfe" + bytes(15), 7)]
_LITERALS: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: _text,
    Kind.BYTES: st.sampled_from([b"", b"a", b"\0", b"a\0b", b"b"]),
    Kind.INT: st.sampled_from([-(2**63), -2, -1, 0, 1, 2, 2**63 - 1]),
    Kind.UINT: st.sampled_from([0, 1, 2, 2**63, 2**64 - 1]),
    Kind.PORT: st.sampled_from([0, 80, 443]),
    Kind.BOOL: st.booleans(),
    Kind.DOUBLE: st.sampled_from([0.0, 1.0, 2.0]),
    Kind.ADDRESS: st.sampled_from(_ADDRESSES),
    Kind.NETWORK: st.sampled_from(_NETWORKS),
}
_VALUES = {
    **_LITERALS,
    Kind.TEXT: st.one_of(_text, st.sampled_from([b"a\0b", b"", b"a", b"/a/b"])),
    Kind.DOUBLE: st.sampled_from([0.0, 0.5, 1.0, 1.5]),
    Kind.NETWORK: st.sampled_from(_ADDRESSES),
}


@st.composite
def operands(draw: st.DrawFn, names: list[Any], depth: int = 2) -> Operand:
    """Draw a text operand: a field, or transformers over fields."""
    fields = [
        field(*name) for name in names if name[0] in ("fs.path.name", "proc.name", "evt.type")
    ]
    if not fields or depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(fields or [field("fs.path.name")]))
    inner = operands(names, depth - 1)
    name = draw(st.sampled_from(["tolower", "toupper", "basename", "b64", "concat", "join"]))
    if name == "concat":
        return call(name, *draw(st.lists(inner, min_size=2, max_size=3)))
    if name == "join":
        items = tuple(draw(st.lists(inner, min_size=1, max_size=3)))
        number = (field("evt.rawres"),) if draw(st.booleans()) else ()
        return call(name, BoundLiteral(b"-", SPAN), BoundTuple(items + number, SPAN))
    return call(name, draw(inner))


@st.composite
def comparisons(draw: st.DrawFn, names: list[Any]) -> Bound:
    """Draw one comparison of one of the fields named."""
    if draw(st.integers(0, 9)) == 0:
        text = draw(operands(names))
        choice = draw(st.integers(0, 3))
        if choice == 0:
            return check(call("len", text, kind=Kind.UINT), ">", draw(st.integers(0, 4)))
        if choice == 1:
            return check(text, draw(st.sampled_from(_PAIR_OPS)), other=draw(operands(names)))
        if choice == 2:
            letters = call("getopt", field("fd.types"), BoundLiteral(b"ab:", SPAN), many=True)
            return check(letters, draw(st.sampled_from(["in", "intersects"])), b"a", b"b", b"?")
        return check(text, draw(st.sampled_from(_TEXT_OPS)), draw(_text))
    name, index, key = draw(st.sampled_from(names))
    left = field(name, index, key)
    if draw(st.integers(0, 9)) == 0:
        return check(left, "exists")
    ops = ["in", "intersects"] if left.is_list else _OPS[left.kind]
    op = draw(st.sampled_from(ops))
    quantified = left.field.quantifier != "one" and index is None
    if left.field.quantifier == "ends" and op == "intersects":
        op = "in"
    literals = _LITERALS[left.kind]
    if name in ("evt.type", "syscall.type"):
        literals = st.sampled_from([b"open", b"openat", b"execve", b"stat", b"procexit"])
    elif name == "evt.dir":
        literals = st.sampled_from([b"<", b">"])
    if (
        not quantified
        and left.kind is Kind.TEXT
        and op not in ("pmatch",)
        and draw(st.integers(0, 9)) == 0
    ):
        return check(left, op, other=field("fs.path.name"))
    if op in _MODIFIED and draw(st.integers(0, 4)) == 0:
        modifier = draw(st.sampled_from(["anyof", "allof", "oneof"]))
        return check(left, op, *draw(st.lists(literals, max_size=3)), modifier=modifier)
    if op in ("in", "intersects", "pmatch"):
        return check(left, op, *draw(st.lists(literals, max_size=6)))
    return check(left, op, draw(literals))


def conditions(names: list[Any]) -> st.SearchStrategy[Bound]:
    """Draw a condition over the fields named."""
    return st.recursive(
        comparisons(names),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=4).map(lambda c: both(*c)),
            st.lists(inner, min_size=1, max_size=4).map(lambda c: either(*c)),
            inner.map(no),
        ),
        max_leaves=8,
    )


@st.composite
def values(draw: st.DrawFn, names: list[Any]) -> dict[Any, Any]:
    """Draw a value or null for each of the fields named."""
    drawn = {}
    for name, index, key in names:
        found = field_table()[name]
        one = _VALUES[found.kind]
        many = found.is_list or (found.quantifier != "one" and index is None)
        empty = 1 if found.quantifier == "ancestors" else 0
        value = draw(
            st.one_of(st.none(), st.lists(one, min_size=empty, max_size=3) if many else one)
        )
        if value is not None:
            drawn[name, index, key] = value
    path = drawn.get(("fd.name", None, None))
    for name, part in (("fd.directory", 0), ("fd.filename", 2)):
        if drawn.pop((name, None, None), None) is not None and path is not None:
            # As a file shows them; "/" stands for no directory.
            text = path.split(b"\0")[0].rpartition(b"/")[part]
            drawn[name, None, None] = text if part or text else b"/"
    return drawn

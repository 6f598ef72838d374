"""What a condition always is when something about the event is given."""

from __future__ import annotations

from collections.abc import Callable

from rulekit.rules.bound import Bound, BoundComparison, BoundField, BoundNot, BoundOr

Leaf = Callable[[BoundComparison], bool | None]

_OPEN = 3  # how O_RDWR is stored; reading is 1, writing 2


def always(node: Bound, leaf: Leaf) -> bool | None:
    """Return what a condition always is, None when it varies.

    Args:
        leaf: What a comparison always is, None when it varies or nobody knows.
    """
    if isinstance(node, BoundComparison):
        return leaf(node)
    if isinstance(node, BoundNot):
        inner = always(node.child, leaf)
        return None if inner is None else not inner
    decisive = isinstance(node, BoundOr)
    values = []
    for child in node.children:
        value = always(child, leaf)
        if value is decisive:
            return decisive
        values.append(value)
    return None if None in values else not decisive


def on_failure(node: BoundComparison) -> bool | None:
    """Return what a comparison is for a call that failed, with whatever error."""
    name, argument = _name(node)
    if name in ("evt.rawres", "fd.num") or (name == "evt.rawarg" and argument == "res"):
        return _negative(node)
    if name == "evt.failed":
        return _equals(node, True)
    if name == "evt.res" or (name == "evt.arg" and argument in ("res", "fd")):
        return _text_of_failure(node, "SUCCESS" if name == "evt.res" else None)
    return None


def on_reading(node: BoundComparison) -> bool | None:
    """Return what a comparison is for an open that only reads."""
    name, _ = _name(node)
    if name == "evt.is_open_write":
        return _equals(node, False)
    if name == "evt.is_open_read":
        return _equals(node, True)
    return None


def on_files(node: BoundComparison) -> bool | None:
    """Return what a comparison is for a descriptor of a file."""
    return _on_type(node, b"file", b"f")


def _on_type(node: BoundComparison, name: bytes, char: bytes) -> bool | None:
    field, _ = _name(node)
    if field in ("fd.sip", "fd.cip", "fd.rip", "fd.lip", "fd.sport", "fd.cport", "fd.rport"):
        return False
    if field in ("fd.snet", "fd.cnet", "fd.rnet", "fd.lnet", "fd.lport", "fd.sockfamily"):
        return False
    if field in ("fd.type", "fd.typechar") and node.op in ("=", "in") and node.other is None:
        return (name if field == "fd.type" else char) in node.values
    return None


def _name(node: BoundComparison) -> tuple[str, str | None]:
    if isinstance(node.left, BoundField) and node.modifier is None:
        return node.left.field.name, node.left.key
    return "", None


def _negative(node: BoundComparison) -> bool | None:
    """Return what a comparison with numbers is for every number below 0."""
    numbers = [value for value in node.values if isinstance(value, int)]
    if len(numbers) != len(node.values) or not numbers or node.other is not None:
        return None
    least = min(numbers)
    if node.op in ("=", "in"):
        return False if least >= 0 else None
    if node.op == "!=":
        return True if least >= 0 else None
    if node.op in (">=", ">"):
        return False if least >= (0 if node.op == ">=" else -1) else None
    if node.op in ("<", "<="):
        return True if least >= (0 if node.op == "<" else -1) else None
    return None


def _equals(node: BoundComparison, value: bool) -> bool | None:
    if len(node.values) != 1 or not isinstance(node.values[0], (bool, int)):
        return None
    if node.op == "=":
        return bool(node.values[0]) is value
    return bool(node.values[0]) is not value if node.op == "!=" else None


def _text_of_failure(node: BoundComparison, success: str | None) -> bool | None:
    """Return what a comparison with texts is for the text of an error, such as ENOENT or -2."""
    if node.op not in ("=", "in", "!=") or node.other is not None:
        return None
    texts = [value for value in node.values if isinstance(value, bytes)]
    if not texts or len(texts) != len(node.values):
        return None
    if not all(t == b"SUCCESS" if success else t.isdigit() for t in texts):
        return None
    return node.op == "!="

"""Conditions about alerts, in the language of rules: which of them go where, which are noise.

Fields are those of the alert (`ALERT_FIELDS`) and every field that its output names, with the
argument as it stands there: ``alert.priority <= 3 and proc.name in (sh, bash)``. What an alert does
not have is null, as in rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from rulekit.alert import PRIORITIES, Alert, priority_number
from rulekit.compiler.reference import holds, transform
from rulekit.errors import RuleError
from rulekit.rules.ast import (
    AndNode,
    Argument,
    ComparisonNode,
    FieldNode,
    ListNode,
    LiteralNode,
    MacroNode,
    Node,
    NotNode,
    OrNode,
    TransformNode,
    TupleNode,
)
from rulekit.rules.names import close_to
from rulekit.rules.parser import FILTER_DEPTH, parse_condition
from rulekit.schema.types import Kind
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText, Span

Test: TypeAlias = Callable[[Alert], bool]
_Get: TypeAlias = Callable[[Alert], Any]
# Arguments of transformers that are particular about them: which of them are lists.
_LISTS = {"join": (False, True), "getopt": (True, False), "b64": (False,)}

ALERT_FIELDS: dict[str, tuple[str, _Get]] = {
    "alert.rule": ("name of the rule", lambda alert: alert.rule),
    "alert.priority": (
        "number of the priority, 0 (Emergency) to 7 (Debug); `=` and `in` also take names",
        lambda alert: priority_number(alert.priority),
    ),
    "alert.tags": ("tags of the rule, a list", lambda alert: alert.tags),
    "alert.source": ("syscall, k8s_audit, internal, ...", lambda alert: alert.source),
    "alert.host": ("host of the event", lambda alert: alert.hostname),
    "alert.message": ("output of the rule, without time and priority", lambda alert: alert.message),
}


def compile_condition(text: SourceText) -> Test:
    """Return a function that tells whether a condition holds for an alert.

    Raises:
        RuleError: It cannot be parsed, or names an unknown field of alerts; with its place.
    """
    return _test(parse_condition(text, max_depth=FILTER_DEPTH))


def is_alert_field(name: str) -> bool:
    """Tell whether a field is one of the alert itself, not of the event."""
    return name.startswith("alert.")


def field_getter(name: str, span: Span) -> _Get:
    """Return a function that gives a field of an alert, None where it has none.

    Raises:
        RuleError: There is no such field of alerts.
    """
    if is_alert_field(name):
        known = ALERT_FIELDS.get(name)
        if known is None:
            close = close_to(name, ALERT_FIELDS)
            help_ = f"did you mean `{close}`?" if close else f"say one of {', '.join(ALERT_FIELDS)}"
            raise _error("RK201", f"alerts have no field `{name}`", span, help_)
        return known[1]

    def get(alert: Alert) -> Any:
        value = alert.output_fields.get(name)
        return alert.context.get(name) if value is None else value

    return get


def _error(code: str, message: str, span: Span, help_: str | None = None) -> RuleError:
    return RuleError(message, [Diagnostic(code, "error", message, span, help=help_)])


def _test(node: Node) -> Test:
    if isinstance(node, AndNode):
        tests = [_test(child) for child in node.children]
        return lambda alert: all(test(alert) for test in tests)
    if isinstance(node, OrNode):
        tests = [_test(child) for child in node.children]
        return lambda alert: any(test(alert) for test in tests)
    if isinstance(node, NotNode):
        inner = _test(node.child)
        return lambda alert: not inner(alert)
    if isinstance(node, MacroNode):
        raise _error("RK208", f"`{node.name}` is a macro, which no file defines", node.span)
    return _comparison(node)


def _comparison(node: ComparisonNode) -> Test:
    left, op, modifier = _value(node.left), "=" if node.op == "==" else node.op, node.modifier
    if node.right is None:
        return lambda alert: left(alert) is not None
    if isinstance(node.right, (FieldNode, TransformNode)):
        right = _value(node.right)

        def compare(alert: Alert) -> bool:
            value, other = left(alert), right(alert)
            if value is None or other is None:
                return False
            others = other if isinstance(other, list) else [other]
            return _holds(op, None, value, [_text(one) for one in others])

        return compare
    literals = [node.right] if isinstance(node.right, LiteralNode) else list(node.right.items)
    is_priority = isinstance(node.left, FieldNode) and node.left.name == "alert.priority"
    texts = [_priority(one) if is_priority else one.text for one in literals]
    wanted = [text.encode("utf-8", "surrogateescape") for text in texts]

    def test(alert: Alert) -> bool:
        value = left(alert)
        return value is not None and _holds(op, modifier, value, wanted)

    return test


def _priority(literal: LiteralNode) -> str:
    if literal.text.isdigit():
        return literal.text
    try:
        return str(priority_number(literal.text))
    except ValueError:
        names = ", ".join(name.lower() for name in PRIORITIES)
        message = f"`{literal.text}` is not a priority"
        raise _error("RK205", message, literal.span, f"say one of {names}") from None


def _holds(op: str, modifier: str | None, value: Any, texts: Sequence[bytes]) -> bool:
    """Compare a value with literals, which are what the value is: numbers or texts."""
    if isinstance(value, (list, tuple)):
        items = [_text(item) for item in value]
        return holds(op, modifier, Kind.TEXT, "list", items, texts)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return holds(op, modifier, Kind.TEXT, "one", _text(value), texts)
    numbers: list[Any] = []
    for text in texts:
        try:
            numbers.append(int(text, 0))
        except ValueError:
            try:
                numbers.append(float(text))
            except ValueError:
                if op == "!=":
                    return True
    if op not in ("=", "!=", "<", "<=", ">", ">=", "in"):
        return holds(op, modifier, Kind.TEXT, "one", _text(value), texts)
    return holds(op, modifier, Kind.INT, "one", value, numbers)


def _value(operand: Argument | ListNode) -> _Get:
    if isinstance(operand, FieldNode):
        name = operand.name if operand.arg is None else f"{operand.name}[{operand.arg}]"
        return field_getter(name, operand.span)
    if isinstance(operand, LiteralNode):
        text = operand.text.encode("utf-8", "surrogateescape")
        return lambda alert: text
    if isinstance(operand, (TupleNode, ListNode)):
        items = [_value(item) for item in operand.items]
        return lambda alert: [item(alert) for item in items]
    arguments = [_value(argument) for argument in operand.args]
    name, key = operand.name, operand.arg
    lists = _LISTS.get(name)
    wanted = 1 if lists is None else len(lists)
    if name != "concat" and len(arguments) != wanted:
        noun = "argument" if wanted == 1 else "arguments"
        raise _error("RK207", f"`{name}` takes {wanted} {noun}", operand.span)

    def call(alert: Alert) -> Any:
        values = [argument(alert) for argument in arguments]
        if any(value is None for value in values):
            return None
        found = [_texts(value) for value in values]
        # What an alert has is only seen here: what does not fit is null as well.
        if lists is not None and tuple(isinstance(one, list) for one in found) != lists:
            return None
        return transform(name, found, key)

    return call


def _texts(value: Any) -> Any:
    return [_text(item) for item in value] if isinstance(value, (list, tuple)) else _text(value)


def _text(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode("utf-8", "surrogatepass")

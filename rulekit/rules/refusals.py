"""What is said of conditions that do not fit: operators, names, pairs of fields."""

from __future__ import annotations

from rulekit.rules.ast import ComparisonNode, MacroNode
from rulekit.rules.event_types import EventTypeError
from rulekit.rules.operands import CheckError, TypedOperand
from rulekit.rules.syntax import OPERATORS
from rulekit.schema.types import operators_of
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import Span

_NETWORKS = frozenset({"PT_IPNET", "PT_IPV4NET", "PT_IPV6NET"})
_TYPE_WORDS = {
    **dict.fromkeys(("PT_CHARBUF", "PT_FSPATH", "PT_FSRELPATH"), "text"),
    "PT_BYTEBUF": "a byte buffer",
    "PT_BOOL": "a boolean",
    "PT_PORT": "a port",
    **dict.fromkeys(("PT_IPADDR", "PT_IPV4ADDR", "PT_IPV6ADDR"), "an address"),
    **dict.fromkeys(_NETWORKS, "a network"),
    **dict.fromkeys(("PT_RELTIME", "PT_ABSTIME"), "a time"),
}


def many_events(span: Span, count: int) -> Diagnostic:
    """Return the warning about a condition that is tried for many events."""
    label = f"can be true for {count} event types"
    help = "add `evt.type in (...)`, so that the rule is tried for those events only"
    message = "condition does not say for which event types it is meant"
    return Diagnostic("RK406", "warning", message, span, label, help, "LOAD_NO_EVTTYPE")


def event_type_error(e: EventTypeError) -> Diagnostic:
    """Return the error about a condition whose event types cannot be told."""
    label = "compare `evt.type` itself with literals"
    return condition_error("RK209", str(e), e.span, label)


def condition_error(
    code: str, message: str, span: Span, label: str, help: str | None = None
) -> Diagnostic:
    """Return an error that Falco gives while it compiles a condition."""
    return Diagnostic(code, "error", message, span, label, help, falco="LOAD_ERR_COMPILE_CONDITION")


def undefined_macro(node: MacroNode) -> Diagnostic:
    """Return the error about a name that is no macro."""
    help = None
    if node.name in ("true", "false"):
        help = "there are no constants; compare a field"
    elif node.name in OPERATORS or node.name in ("and", "or", "not"):
        help = "an operand is missing beside this word"
    return Diagnostic(
        *("RK208", "error", f"undefined macro {shown(node.name)}", node.span),
        label="no macro of this name is defined",
        help=help,
        falco="LOAD_ERR_VALIDATE",
    )


def shown(text: str) -> str:
    """Return a text in backquotes, shortened."""
    return f"`{text}`" if len(text) <= 60 else f"`{text[:60]}...`"


def words(operand: TypedOperand) -> str:
    """Return what the values of an operand are, in words."""
    if operand.is_list:
        return "a list"
    return _TYPE_WORDS.get(operand.type, "a number")


def bad_operator(node: ComparisonNode, left: TypedOperand) -> Diagnostic:
    """Return the error about an operator that the left side does not allow."""
    allowed = operators_of(left.type, left.is_list)
    if left.field is not None and left.field.name == "evt.around":
        allowed = frozenset({"=", "exists"})
    label = f"this is {words(left)}"
    if allowed == {"exists"}:
        label = "values of this type cannot be compared"
    help = f"it allows {', '.join(f'`{op}`' for op in OPERATORS if op in allowed)}"
    message = f"operator `{node.op}` does not fit {shown(node.left.span.text)}"
    return condition_error("RK204", message, node.left.span, label, help)


def check_fields(node: ComparisonNode, left: TypedOperand, right: TypedOperand) -> None:
    """Refuse a comparison of two fields that cannot be made."""
    right_span = right.operand.span

    def refuse(label: str, span: Span) -> CheckError:
        message = "these two cannot be compared with each other"
        return CheckError("field-compare", condition_error("RK206", message, span, label))

    if node.op in ("pmatch", "regex"):
        raise refuse(f"`{node.op}` takes literals only", right_span)
    if left.type in _NETWORKS:
        raise refuse("a network is compared with literals only", left.operand.span)
    for side in (left, right):
        if "no_rhs" in side.restrictions:
            raise refuse("this field is compared with literals only", side.operand.span)
    if (left.type, left.is_list) != (right.type, right.is_list):
        label = f"{left.type[3:]}{' list' * left.is_list} on the left, "
        label += f"{right.type[3:]}{' list' * right.is_list} here"
        raise refuse(label, right_span)

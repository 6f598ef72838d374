"""Syntax tree → checked condition: names resolved, operators allowed, literals typed.

Errors come in the order in which Falco would meet them; the first is the one it reports.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rulekit.rules.ast import (
    AndNode,
    ComparisonNode,
    FieldNode,
    ListNode,
    LiteralNode,
    MacroNode,
    Node,
    NotNode,
    OrNode,
    TransformNode,
)
from rulekit.rules.bound import (
    Bound,
    BoundAnd,
    BoundComparison,
    BoundNot,
    BoundOr,
    TypedValue,
)
from rulekit.rules.event_types import EventTypeError, EventTypes, event_types_of
from rulekit.rules.literals import (
    LiteralError,
    UnknownEventType,
    known_event_types,
    read_literal,
)
from rulekit.rules.names import close_to
from rulekit.rules.operands import CheckError, TypedOperand, bind_operand
from rulekit.rules.parser import ConditionSyntaxError, parse_condition
from rulekit.rules.remarks import remarks_on_literal, unsafe_and_deprecated
from rulekit.rules.syntax import OPERATORS
from rulekit.rules.unparse import to_sexpr
from rulekit.schema.types import operators_of
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText, Span

_MOST_ERRORS = 100
_MOST_REMARKS = 1000
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


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What checking found.

    Attributes:
        bound: The condition to compile; None when there are errors.
        diagnostics: Warnings and errors in the order in which Falco meets them.
        error_class: Kind of the first error, None without one: ``unknown-field
            field-argument event-type operator value field-compare transformer undefined-macro
            event-type-analysis``, from `check_one` also ``syntax depth shape``.
        events: Event types for which the condition can be true; None when there are errors.
    """

    bound: Bound | None
    diagnostics: tuple[Diagnostic, ...]
    error_class: str | None
    events: EventTypes | None = None

    @property
    def skippable(self) -> bool:
        """True when ``skip-if-unknown-filter`` turns the first error into a warning."""
        first = next((d.code for d in self.diagnostics if d.severity == "error"), None)
        return first in ("RK201", "RK203")


def check_condition(node: Node, source: str, *, stand_alone: bool = False) -> CheckResult:
    """Bind a condition whose macros are already replaced.

    Args:
        source: Event source of the rule; it decides which fields exist.
        stand_alone: The condition is a filter of its own, not that of a rule: what concerns
            only the index of rules by event type is not looked at.
    """
    checker = _Checker(source)
    bound = checker.bind(node)
    told = unsafe_and_deprecated(node)
    if checker.errors:
        # A macro is missed before anything else is looked at.
        checker.errors.sort(key=lambda e: e[0] != "undefined-macro")
        return CheckResult(None, (*told, *(d for _, d in checker.errors)), checker.errors[0][0])
    told += checker.remarks_in(node)
    try:
        events = event_types_of(node)
    except EventTypeError as e:
        if stand_alone:
            return CheckResult(bound, tuple(told), None, None)
        found = _event_type_error(e)
        return CheckResult(None, (*told, found), "event-type-analysis")
    if source == "syscall" and events.many and not stand_alone:
        told.append(_many_events(node.span, len(events.codes)))
    return CheckResult(bound, tuple(told), None, events)


def check_one(condition: str) -> dict[str, Any]:
    """Check a condition as that of a syscall rule in a file without lists and macros.

    Returns:
        ``condition``, ``ok``, ``class`` (None when good), ``ast`` (None when it does not
        parse), ``errors`` and ``warnings`` (Falco's codes, each once, sorted).
    """
    text = SourceText("condition", condition)
    try:
        node = parse_condition(text)
    except ConditionSyntaxError as e:
        result = CheckResult(None, (e.diagnostic,), e.error_class)
        tree = None
    else:
        result = check_condition(node, "syscall")
        tree = to_sexpr(node)

    def codes(severity: str) -> list[str]:
        return sorted({d.falco for d in result.diagnostics if d.severity == severity and d.falco})

    return {
        "condition": condition,
        "ok": result.error_class is None,
        "class": result.error_class,
        "ast": tree,
        "errors": codes("error")[:1] if result.error_class else [],
        "warnings": codes("warning"),
    }


def _many_events(span: Span, count: int) -> Diagnostic:
    label = f"can be true for {count} event types"
    help = "add `evt.type in (...)`, so that the rule is tried for those events only"
    message = "condition does not say for which event types it is meant"
    return Diagnostic("RK406", "warning", message, span, label, help, "LOAD_NO_EVTTYPE")


def _event_type_error(e: EventTypeError) -> Diagnostic:
    label = "compare `evt.type` itself with literals"
    return _error("RK209", str(e), e.span, label)


def _error(code: str, message: str, span: Span, label: str, help: str | None = None) -> Diagnostic:
    return Diagnostic(code, "error", message, span, label, help, falco="LOAD_ERR_COMPILE_CONDITION")


@dataclass(slots=True)
class _Checker:
    """Binds one condition; goes on after an error to find the next."""

    source: str
    errors: list[tuple[str, Diagnostic]] = field(default_factory=list)
    # Remarks by node; of groups that hold such nodes an empty list.
    remarks: dict[int, list[Diagnostic]] = field(default_factory=dict)

    def bind(self, node: Node) -> Bound | None:
        """Return the bound form of `node`; subtrees that macros share are bound once."""
        done: dict[int, Bound | None] = {}
        stack: list[tuple[Node, bool]] = [(node, False)]
        while stack:
            part, ready = stack.pop()
            if id(part) in done:
                continue
            if isinstance(part, ComparisonNode):
                done[id(part)] = self._try_comparison(part)
            elif isinstance(part, MacroNode):
                self._add("undefined-macro", _undefined_macro(part))
                done[id(part)] = None
            elif not ready:
                stack.append((part, True))
                children = (part.child,) if isinstance(part, NotNode) else part.children
                stack += [(child, False) for child in reversed(children)]
            else:
                done[id(part)] = _joined(part, done)
                children = (part.child,) if isinstance(part, NotNode) else part.children
                if any(id(child) in self.remarks for child in children):
                    self.remarks[id(part)] = []
        return done[id(node)]

    def remarks_in(self, node: Node) -> list[Diagnostic]:
        """Return the remarks on `node`; those on a macro used twice come twice, as in Falco."""
        told: list[Diagnostic] = []
        stack = [node]
        while stack and len(told) < _MOST_REMARKS:
            part = stack.pop()
            if id(part) not in self.remarks:
                continue
            told += self.remarks[id(part)]
            if isinstance(part, NotNode):
                stack.append(part.child)
            elif isinstance(part, (AndNode, OrNode)):
                stack += reversed(part.children)
        return told[:_MOST_REMARKS]

    def _add(self, error_class: str, found: Diagnostic) -> None:
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append((error_class, found))

    def _try_comparison(self, node: ComparisonNode) -> BoundComparison | None:
        try:
            return self._comparison(node)
        except CheckError as e:
            self._add(e.error_class, e.diagnostic)
            return None

    def _comparison(self, node: ComparisonNode) -> BoundComparison:
        left = bind_operand(node.left, self.source)
        op = "=" if node.op == "==" else node.op
        if op not in operators_of(left.type, left.is_list):
            raise CheckError("operator", _bad_operator(node, left))
        if node.right is None:
            return BoundComparison(left.operand, op, None, (), None, node.span)
        if isinstance(node.right, (FieldNode, TransformNode)):
            right = bind_operand(node.right, self.source)
            _check_fields(node, left, right)
            return BoundComparison(left.operand, op, None, (), right.operand, node.span)
        literals = node.right.items if isinstance(node.right, ListNode) else (node.right,)
        values = tuple([self._value(node, left, op, literal) for literal in literals])
        return BoundComparison(left.operand, op, node.modifier, values, None, node.span)

    def _value(
        self, node: ComparisonNode, left: TypedOperand, op: str, literal: LiteralNode
    ) -> TypedValue:
        if remarks := remarks_on_literal(literal, op, self.source):
            self.remarks.setdefault(id(node), []).extend(remarks)
        field_name = left.field.name if left.field is not None else None
        try:
            value = read_literal(left.type, op, literal.text, rawarg=field_name == "evt.rawarg")
            if field_name == "evt.type" and literal.text not in known_event_types():
                raise UnknownEventType("no event and no system call has this name")
        except UnknownEventType as e:
            close = close_to(literal.text.lower(), known_event_types())
            raise CheckError(
                "event-type",
                _error(
                    "RK203",
                    f"unknown event type {_shown(literal.text)}",
                    literal.span,
                    str(e),
                    close and f"did you mean `{close}`?",
                ),
            ) from None
        except LiteralError as e:
            message = f"bad value {_shown(literal.text)} for {_words(left)}"
            found = _error("RK205", message, literal.span, str(e))
            raise CheckError("value", found) from None
        if field_name == "evt.around" and op != "=":
            raise CheckError("operator", _bad_operator(node, left))
        return value


def _joined(node: AndNode | OrNode | NotNode, done: dict[int, Bound | None]) -> Bound | None:
    if isinstance(node, NotNode):
        child = done[id(node.child)]
        return None if child is None else BoundNot(child, node.span)
    children = [done[id(c)] for c in node.children]
    whole = tuple(c for c in children if c is not None)
    if len(whole) < len(children):
        return None
    made = BoundAnd if isinstance(node, AndNode) else BoundOr
    return made(whole, node.span)


def _undefined_macro(node: MacroNode) -> Diagnostic:
    help = None
    if node.name in ("true", "false"):
        help = "there are no constants; compare a field"
    elif node.name in OPERATORS or node.name in ("and", "or", "not"):
        help = "an operand is missing beside this word"
    return Diagnostic(
        *("RK208", "error", f"undefined macro {_shown(node.name)}", node.span),
        label="no macro of this name is defined",
        help=help,
        falco="LOAD_ERR_VALIDATE",
    )


def _shown(text: str) -> str:
    return f"`{text}`" if len(text) <= 60 else f"`{text[:60]}...`"


def _words(operand: TypedOperand) -> str:
    if operand.is_list:
        return "a list"
    return _TYPE_WORDS.get(operand.type, "a number")


def _bad_operator(node: ComparisonNode, left: TypedOperand) -> Diagnostic:
    allowed = operators_of(left.type, left.is_list)
    if left.field is not None and left.field.name == "evt.around":
        allowed = frozenset({"=", "exists"})
    label = f"this is {_words(left)}"
    if allowed == {"exists"}:
        label = "values of this type cannot be compared"
    help = f"it allows {', '.join(f'`{op}`' for op in OPERATORS if op in allowed)}"
    message = f"operator `{node.op}` does not fit {_shown(node.left.span.text)}"
    return _error("RK204", message, node.left.span, label, help)


def _check_fields(node: ComparisonNode, left: TypedOperand, right: TypedOperand) -> None:
    """Refuse a comparison of two fields that cannot be made."""
    right_span = right.operand.span

    def refuse(label: str, span: Span) -> CheckError:
        message = "these two cannot be compared with each other"
        return CheckError("field-compare", _error("RK206", message, span, label))

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

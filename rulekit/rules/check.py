"""Syntax tree → checked condition: names resolved, operators allowed, literals typed.

Errors come in the order in which Falco would meet them; the first is the one it reports.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from rulekit.rules._check import QuickCheck
from rulekit.rules.ast import (
    AndNode,
    ComparisonNode,
    FieldNode,
    ItemRun,
    ListItems,
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
from rulekit.rules.event_types import EventTypeError, EventTypes, event_types_of, types_in
from rulekit.rules.literals import (
    LiteralError,
    UnknownEventType,
    known_event_types,
    read_literal,
)
from rulekit.rules.names import close_to
from rulekit.rules.operands import CheckError, TypedOperand, bind_operand
from rulekit.rules.parser import ConditionSyntaxError, parse_condition
from rulekit.rules.refusals import (
    bad_operator,
    check_fields,
    condition_error,
    event_type_error,
    many_events,
    shown,
    undefined_macro,
    words,
)
from rulekit.rules.remarks import remarks_on_literal, unsafe_and_deprecated
from rulekit.rules.shared import CheckedTree, SharedTrees
from rulekit.rules.unparse import to_sexpr
from rulekit.schema.types import operators_of
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText

_MOST_ERRORS = 100
_MOST_REMARKS = 200


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


def check_condition(
    node: Node, source: str, *, stand_alone: bool = False, shared: SharedTrees | None = None
) -> CheckResult:
    """Bind a condition whose macros are already replaced.

    Args:
        source: Event source of the rule; it decides which fields exist.
        stand_alone: The condition is a filter of its own, not that of a rule: what concerns
            only the index of rules by event type is not looked at.
        shared: What is known of trees that stand in other conditions, too.
    """
    if shared is not None and not stand_alone:
        if source not in shared.quick:
            shared.quick[source] = QuickCheck(source, shared.nodes)
        quick = shared.quick[source].check(node)
        if quick is not None:
            bound, events = quick
            return _good(node, source, bound, types_in(events), [])
    shared = shared or SharedTrees()
    checker = _Checker(source, shared)
    bound = checker.bind(node)
    told = unsafe_and_deprecated(node, shared)
    if checker.errors:
        # A macro is missed before anything else is looked at.
        checker.errors.sort(key=lambda e: e[0] != "undefined-macro")
        return CheckResult(None, (*told, *(d for _, d in checker.errors)), checker.errors[0][0])
    told += checker.remarks_in(node)
    try:
        events = event_types_of(node, shared)
    except EventTypeError as e:
        if stand_alone:
            return CheckResult(bound, tuple(told), None, None)
        found = event_type_error(e)
        return CheckResult(None, (*told, found), "event-type-analysis")
    if stand_alone:
        return CheckResult(bound, tuple(told), None, events)
    return _good(node, source, bound, events, told)


def _good(
    node: Node, source: str, bound: Bound | None, events: EventTypes, told: list[Diagnostic]
) -> CheckResult:
    if source == "syscall" and events.many:
        told.append(many_events(node.span, len(events.codes)))
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


@dataclass(slots=True)
class _Checker:
    """Binds one condition; goes on after an error to find the next."""

    source: str
    shared: SharedTrees
    errors: list[tuple[str, Diagnostic]] = field(default_factory=list)
    # Remarks by node; of groups that hold such nodes an empty list.
    remarks: dict[int, list[Diagnostic]] = field(default_factory=dict)

    def bind(self, node: Node) -> Bound | None:
        """Return the bound form of `node`; subtrees that macros share are bound once."""
        done: dict[int, Bound | None] = {}
        # With each group, once its children are on the stack: how many errors there were.
        stack: list[tuple[Node, int | None]] = [(node, None)]
        while stack:
            part, errors = stack.pop()
            if id(part) in done:
                continue
            if isinstance(part, ComparisonNode):
                done[id(part)] = self._try_comparison(part)
            elif isinstance(part, MacroNode):
                self._add("undefined-macro", undefined_macro(part))
                done[id(part)] = None
            elif errors is None:
                known = self.shared.checked.get((id(part), self.source))
                if known is not None:
                    done[id(part)] = known.bound
                    self.remarks.update(known.remarks)
                    for found in known.errors:
                        self._add(*found)
                    continue
                stack.append((part, len(self.errors)))
                stack += [(child, None) for child in reversed(_children(part))]
            else:
                done[id(part)] = _joined(part, done)
                if any(id(child) in self.remarks for child in _children(part)):
                    self.remarks[id(part)] = []
                if id(part) in self.shared.nodes:
                    self._keep(part, done[id(part)], errors)
        return done[id(node)]

    def _keep(self, node: AndNode | OrNode | NotNode, bound: Bound | None, errors: int) -> None:
        """Keep what came of a tree that stands in other conditions, too."""
        here = tuple(self.errors[errors:])
        if bound is None and not here:
            # What is wrong with it was met in another part of this condition.
            return
        remarks: dict[int, list[Diagnostic]] = {}
        stack: list[Node] = [node]
        while stack:
            part = stack.pop()
            if id(part) in self.remarks and id(part) not in remarks:
                remarks[id(part)] = self.remarks[id(part)]
                stack += _children(part)
        self.shared.checked[id(node), self.source] = CheckedTree(bound, here, remarks)

    def remarks_in(self, node: Node) -> list[Diagnostic]:
        """Return the remarks on `node`; those on a macro used twice come twice, as in Falco."""
        told: list[Diagnostic] = []
        stack = [node]
        while stack and len(told) < _MOST_REMARKS:
            part = stack.pop()
            if id(part) not in self.remarks:
                continue
            told += self.remarks[id(part)]
            stack += reversed(_children(part))
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
            raise CheckError("operator", bad_operator(node, left))
        if node.right is None:
            return BoundComparison(left.operand, op, None, (), None, node.span)
        if isinstance(node.right, (FieldNode, TransformNode)):
            right = bind_operand(node.right, self.source)
            check_fields(node, left, right)
            return BoundComparison(left.operand, op, None, (), right.operand, node.span)
        literals = node.right.items if isinstance(node.right, ListNode) else (node.right,)
        if isinstance(literals, ListItems):
            runs = [self._run(node, left, op, run) for run in literals.runs]
            values = runs[0] if len(runs) == 1 else tuple(chain.from_iterable(runs))
        else:
            values = tuple([self._value(node, left, op, literal) for literal in literals])
        return BoundComparison(left.operand, op, node.modifier, values, None, node.span)

    def _run(
        self,
        node: ComparisonNode,
        left: TypedOperand,
        op: str,
        run: ItemRun | tuple[LiteralNode, ...],
    ) -> tuple[TypedValue, ...]:
        """Return the values of some items; those of a named list are read once for each type."""
        if not isinstance(run, ItemRun):
            return tuple([self._value(node, left, op, literal) for literal in run])
        key = (left.type, left.field and left.field.name, op, self.source)
        if key not in run.read.values:
            run.read.values[key] = self._read_run(node, left, op, run)
        values: tuple[TypedValue, ...]
        values, noted = run.read.values[key]
        # What is to be said of an item is said wherever the list is used.
        for index in noted:
            self._value(node, left, op, run[index])
        return values

    def _read_run(
        self, node: ComparisonNode, left: TypedOperand, op: str, run: ItemRun
    ) -> tuple[tuple[TypedValue, ...], tuple[int, ...]]:
        """Return the values up to the first bad one, and which items have remarks or are bad."""
        values: list[TypedValue] = []
        noted: list[int] = []
        silent = _Checker(self.source, self.shared)
        for index, literal in enumerate(run):
            try:
                values.append(silent._value(node, left, op, literal))
            except CheckError:
                noted.append(index)
                break
            if silent.remarks and len(noted) < _MOST_REMARKS:
                noted.append(index)
            silent.remarks.clear()
        return tuple(values), tuple(noted)

    def _value(
        self, node: ComparisonNode, left: TypedOperand, op: str, literal: LiteralNode
    ) -> TypedValue:
        if remarks := remarks_on_literal(literal, op, self.source):
            self.remarks.setdefault(id(node), []).extend(remarks)
        field_name = left.field.name if left.field is not None else None
        try:
            unknown = field_name == "evt.type" and literal.text not in known_event_types()
            if not (unknown and op == "regex"):
                value = read_literal(left.type, op, literal.text, rawarg=field_name == "evt.rawarg")
            if unknown:
                raise UnknownEventType("no event and no system call has this name")
        except UnknownEventType as e:
            close = close_to(literal.text.lower(), known_event_types())
            raise CheckError(
                "event-type",
                condition_error(
                    "RK203",
                    f"unknown event type {shown(literal.text)}",
                    literal.span,
                    str(e),
                    close and f"did you mean `{close}`?",
                ),
            ) from None
        except LiteralError as e:
            message = f"bad value {shown(literal.text)} for {words(left)}"
            found = condition_error("RK205", message, literal.span, str(e))
            raise CheckError("value", found) from None
        if field_name == "evt.around" and op != "=":
            raise CheckError("operator", bad_operator(node, left))
        return value


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, NotNode):
        return (node.child,)
    return node.children if isinstance(node, (AndNode, OrNode)) else ()


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

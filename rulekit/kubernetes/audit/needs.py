"""What a rule wants of which requests: the least an audit policy has to let through.

Requests are looked at in classes: each part of a request (user, verb, place, namespace) is one of
the texts that rules compare it with, or *any other*. A condition is evaluated over a class with
three outcomes; where it cannot be false, its rule wants the event with the fields that decide.
"""

from __future__ import annotations

from dataclasses import dataclass

from rulekit.compiler.reference import holds
from rulekit.compiler.written import comparisons_of
from rulekit.kubernetes.audit.facts import READING, absent, is_without_pods
from rulekit.kubernetes.audit.policy import METADATA, STAGES
from rulekit.kubernetes.audit.reads import (
    DECIDED,
    EQUAL,
    PARTS_OF_REQUEST,
    SETS,
    Cell,
    Literals,
    Part,
    Wanted,
    decided_by,
    fields_in,
    pointer_of,
    reads_pods,
    wanted,
)
from rulekit.rules.bound import Bound, BoundComparison, BoundField, BoundNot, BoundOr
from rulekit.rules.ruleset import Rule

_TIMES = frozenset({"json.rawtime", "jevt.rawtime", "evt.rawtime"})

Need = dict[str, frozenset[Wanted]]
"""Stage → fields, for the stages in which a rule may match."""


@dataclass(frozen=True, slots=True)
class _Text:
    """What is known of a text: all of it, how it begins, or only that no rule names it."""

    text: str | None
    prefix: str = ""


class RuleNeeds:
    """What one rule wants, class of requests by class.

    Args:
        known: The texts that the classes tell apart.
    """

    def __init__(self, rule: Rule, known: Literals) -> None:
        self.rule = rule
        self._known = known
        self._by_part: dict[Part, list[tuple[BoundComparison, str]]] = {
            part: [] for part in PARTS_OF_REQUEST
        }
        for node in comparisons_of(rule.bound):
            pointer = decided_by(node)
            if pointer is not None:
                self._by_part[DECIDED[pointer]].append((node, pointer))
        self._reads_pods = reads_pods(rule)
        self._found: dict[object, Need] = {}

    def signature(self, part: Part, cell: Cell) -> object:
        """Return what the rule sees of one part of a class: classes that agree in it are one."""
        seen = tuple(self._decided(node, pointer, cell) for node, pointer in self._by_part[part])
        if part == "verb":
            return seen, cell.verb in READING, cell.verb == "patch"
        if part == "place":
            without = self._reads_pods and is_without_pods(cell.place.group, cell.place.resource)
            return seen, cell.place.resource == "", without
        return seen

    def of(self, cell: Cell) -> Need:
        """Return what the rule wants of a class of requests; empty when it cannot match."""
        key = tuple(self.signature(part, cell) for part in PARTS_OF_REQUEST)
        return self.of_key(key, cell)

    def of_key(self, key: object, cell: Cell) -> Need:
        """Return the same, remembered by what the rule sees of the class."""
        if key not in self._found:
            self._found[key] = self._need(cell)
        return self._found[key]

    def _need(self, cell: Cell) -> Need:
        found: Need = {}
        for stage in STAGES:
            outcome, read = self._evaluate(self.rule.bound, cell, stage)
            if outcome is False:
                continue
            for _, bound in self.rule.template.fields:
                read |= self._read(bound, cell, stage)
            found[stage] = read
        return found

    def _read(self, bound: BoundField, cell: Cell, stage: str) -> frozenset[Wanted]:
        pointer = pointer_of(bound, cell.verb)
        is_path = cell.place.resource == ""
        if pointer is None or self._is_absent(bound, cell, stage):
            return frozenset()
        found = wanted(bound, cell.verb)
        if found is not None and not pointer and (is_path or stage == "RequestReceived"):
            found = Wanted(found.name, METADATA)  # the whole event, which has no objects
        return frozenset() if found is None else frozenset({found})

    def _evaluate(
        self, node: Bound, cell: Cell, stage: str
    ) -> tuple[bool | None, frozenset[Wanted]]:
        if isinstance(node, BoundComparison):
            outcome = self._leaf(node, cell, stage)
            if outcome is not None:
                return outcome, frozenset()
            operands = [node.left] if node.other is None else [node.left, node.other]
            read = frozenset(
                one
                for operand in operands
                for bound in fields_in(operand)
                for one in self._read(bound, cell, stage)
            )
            return None, read
        if isinstance(node, BoundNot):
            outcome, read = self._evaluate(node.child, cell, stage)
            return None if outcome is None else not outcome, read
        decisive = isinstance(node, BoundOr)
        result: bool | None = not decisive
        all_read: frozenset[Wanted] = frozenset()
        for child in node.children:
            outcome, read = self._evaluate(child, cell, stage)
            if outcome is decisive:
                return decisive, frozenset()
            if outcome is None:
                result = None
                all_read |= read
        return result, all_read

    def _leaf(self, node: BoundComparison, cell: Cell, stage: str) -> bool | None:
        operands = [node.left] if node.other is None else [node.left, node.other]
        for operand in operands:
            for bound in fields_in(operand):
                if self._is_absent(bound, cell, stage):
                    return False
        if not isinstance(node.left, BoundField) or node.other is not None:
            return None
        if node.left.field.name in _TIMES:
            return _of_time(node)
        pointer = pointer_of(node.left, cell.verb)
        if pointer == "/stage":
            return _compare(node, stage.encode())
        if pointer == "/auditID" and node.op == "exists":
            return True
        pointer = decided_by(node)
        return None if pointer is None else self._decided(node, pointer, cell)

    def _is_absent(self, bound: BoundField, cell: Cell, stage: str) -> bool:
        place = cell.place
        if bound.field.name.startswith("pod.") and is_without_pods(place.group, place.resource):
            return True
        pointer = pointer_of(bound, cell.verb)
        is_path = place.resource == ""
        return bool(pointer) and absent(pointer or "", cell.verb, stage, is_path=is_path)

    def _decided(self, node: BoundComparison, pointer: str, cell: Cell) -> bool | None:
        value = _value(pointer, cell)
        if value is None:
            return False
        if value.text is None and pointer == "/objectRef/apiGroup":
            return None  # which may be the one without a name
        if node.op == "exists":
            return True
        if value.text is not None:
            return _compare(node, value.text.encode())
        texts = [v.decode("utf-8", "replace") for v in node.values if isinstance(v, bytes)]
        if node.modifier is not None or len(texts) != len(node.values):
            return None
        if node.op in EQUAL:
            if value.prefix and not any(text.startswith(value.prefix) for text in texts):
                return node.op == "!="
            known = getattr(self._known, SETS.get(pointer, "paths"))
            if pointer == "/requestURI":
                if value.prefix:
                    return None
                texts = [text.partition("?")[0] for text in texts]
            if all(text in known for text in texts):
                return node.op == "!="
            return None
        if node.op == "startswith":
            if value.prefix:
                if value.prefix.startswith(texts[0]):
                    return True
                return None if texts[0].startswith(value.prefix) else False
            if pointer == "/requestURI" and "?" in texts[0]:
                return False
        return None


def _value(pointer: str, cell: Cell) -> _Text | None:
    """Return what is known of the text at a pointer; None when there is none."""
    place = cell.place
    if pointer == "/user/username":
        return _Text(cell.user, cell.user_prefix)
    if pointer == "/verb":
        return _Text(cell.verb)
    if pointer == "/requestURI":
        if place.resource != "":
            return _Text(None, "/api")
        if place.path is not None and place.path.endswith("*"):
            return _Text(None, place.path[:-1])
        if place.path is not None and place.query:
            return _Text(None, f"{place.path}?")
        return _Text(place.path)
    text = {
        "/objectRef/apiGroup": place.group,
        "/objectRef/resource": place.resource,
        "/objectRef/subresource": place.subresource,
        "/objectRef/namespace": cell.namespace,
    }[pointer]
    return None if text == "" or place.resource == "" else _Text(text)


def _compare(node: BoundComparison, value: bytes) -> bool:
    assert isinstance(node.left, BoundField)
    quantifier = "list" if node.left.is_list else "one"
    seen: bytes | list[bytes] = [value] if node.left.is_list else value
    return holds(node.op, node.modifier, node.left.kind, quantifier, seen, node.values)


def _of_time(node: BoundComparison) -> bool | None:
    """Return what a comparison with the time of an event is: a number, and never 0."""
    if node.op == "exists":
        return True
    never = [isinstance(v, bytes) and not v.strip(b"0").isdigit() for v in node.values]
    return False if node.op in ("=", "in") and node.modifier is None and all(never) else None

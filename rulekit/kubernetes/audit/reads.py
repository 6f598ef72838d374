"""What conditions and outputs read of an audit event, and which texts they tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from rulekit.compiler.written import comparisons_of
from rulekit.kubernetes.audit.facts import API_GROUPS
from rulekit.kubernetes.audit.policy import METADATA, REQUEST, REQUEST_RESPONSE
from rulekit.rules.bound import (
    BoundComparison,
    BoundField,
    BoundTransform,
    BoundTuple,
    Operand,
)
from rulekit.rules.ruleset import Rule
from rulekit.state._fields_k8s import field_pointers

Part = Literal["user", "verb", "place", "namespace"]
PARTS_OF_REQUEST: tuple[Part, ...] = ("user", "verb", "place", "namespace")
# JSON pointer → part of the request that decides it.
DECIDED: dict[str, Part] = {
    "/user/username": "user",
    "/verb": "verb",
    "/objectRef/apiGroup": "place",
    "/objectRef/resource": "place",
    "/objectRef/subresource": "place",
    "/requestURI": "place",
    "/objectRef/namespace": "namespace",
}
EQUAL = ("=", "!=", "in", "intersects")
_WHOLE = frozenset({"json.obj", "jevt.obj", "evt.plugininfo"})


@dataclass(frozen=True, slots=True)
class Place:
    """What a request is about; None is any other text than those that rules name.

    Attributes:
        resource: Empty for a request that is about no resource, but `path`; that stands for any
            other one with this beginning when it ends in a star.
        query: The path is followed by a query.
    """

    group: str | None = None
    resource: str | None = None
    subresource: str | None = None
    path: str | None = None
    query: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A class of requests; None is any other text than those that rules name.

    Attributes:
        user_prefix: How the names of any other user begin.
        namespace: Empty where there is none.
    """

    user: str | None
    verb: str | None
    place: Place
    namespace: str | None
    user_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field that a rule reads: by name, how it is reached and from which level on it is there."""

    name: str
    level: int
    managed: bool = False


@cache
def _pointers() -> dict[str, str]:
    return {name: pointer.decode() for name, pointer in field_pointers().items()}


def pointer_of(bound: BoundField, verb: str | None) -> str | None:
    """Return where in an event a field looks; None for what is no part of it.

    Args:
        verb: Of the request: fields of pods look elsewhere for patches.
    """
    name = bound.field.name
    if name in _WHOLE:
        return ""
    if name in ("json.value", "jevt.value"):
        return (bound.key or "").rstrip("/")
    if name.startswith("pod."):
        return "/responseObject/spec" if verb == "patch" else "/requestObject/spec"
    return _pointers().get(name)


def of_part(part: Part, text: str | None) -> Cell:
    """Return the class of all requests of which one part is known."""
    return Cell(
        text if part == "user" else None,
        text if part == "verb" else None,
        Place(),
        text if part == "namespace" else None,
    )


def decided_by(node: BoundComparison) -> str | None:
    """Return the pointer of the part of a request that a comparison is about, or None."""
    if not isinstance(node.left, BoundField) or node.other is not None:
        return None
    if node.left.field.name == "ka.uri.param":
        return None
    pointer = pointer_of(node.left, None)
    return pointer if pointer in DECIDED else None


def level_of(pointer: str) -> int:
    """Return the level from which on something is written at a pointer."""
    if not pointer or pointer.split("/", 2)[1] == "responseObject":
        return REQUEST_RESPONSE
    return REQUEST if pointer.split("/", 2)[1] == "requestObject" else METADATA


def _reads_managed(pointer: str) -> bool:
    if not pointer:
        return True
    parts = pointer.split("/")[1:]
    if parts[0] not in ("requestObject", "responseObject"):
        return False
    if len(parts) > 1 and parts[1] == "items":
        parts = [parts[0], *parts[3:]]
    path = ("metadata", "managedFields")
    return all(a == b for a, b in zip(parts[1:], path, strict=False))


def wanted(bound: BoundField, verb: str | None) -> Wanted | None:
    """Return what a field asks of an event; None when it reads no part of it."""
    pointer = pointer_of(bound, verb)
    if pointer is None:
        return None
    argument = bound.key if bound.key is not None else bound.index
    name = bound.field.name if argument is None else f"{bound.field.name}[{argument}]"
    return Wanted(name, level_of(pointer), _reads_managed(pointer))


@dataclass(slots=True)
class Literals:
    """Texts that are told apart, by part of a request."""

    users: set[str] = field(default_factory=set)
    verbs: set[str] = field(default_factory=set)
    resources: set[str] = field(default_factory=set)
    subresources: set[str] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)

    def add(self, comparison: BoundComparison, pointer: str) -> None:
        """Add what a comparison tells apart."""
        texts = {
            value.decode("utf-8", "replace")
            for value in comparison.values
            if isinstance(value, bytes)
        }
        if pointer == "/requestURI" and comparison.op in (*EQUAL, "startswith"):
            told = comparison.op != "startswith"
            self.paths |= {text.partition("?")[0] for text in texts if told or "?" in text}
        elif comparison.op in EQUAL and pointer in SETS:
            getattr(self, SETS[pointer]).update(texts)


SETS = {
    "/user/username": "users",
    "/verb": "verbs",
    "/objectRef/resource": "resources",
    "/objectRef/subresource": "subresources",
    "/objectRef/namespace": "namespaces",
}


def literals_of(rules: Iterable[Rule]) -> Literals:
    """Return what the conditions of some rules tell apart."""
    found = Literals()
    for rule in rules:
        for node in comparisons_of(rule.bound):
            pointer = decided_by(node)
            if pointer is not None:
                found.add(node, pointer)
        if reads_pods(rule):
            found.resources |= set(API_GROUPS)
    for texts in (found.users, found.verbs, found.namespaces, found.subresources, found.resources):
        texts.discard("")
    return found


def fields_in(operand: Operand) -> Iterator[BoundField]:
    """Yield the fields of an operand."""
    if isinstance(operand, BoundField):
        yield operand
    elif isinstance(operand, BoundTransform):
        for each in operand.args:
            yield from fields_in(each)
    elif isinstance(operand, BoundTuple):
        for each in operand.items:
            yield from fields_in(each)


def reads_pods(rule: Rule) -> bool:
    """Return whether a condition names a field of pods."""
    nodes = list(comparisons_of(rule.bound))
    operands = [node.left for node in nodes]
    operands += [node.other for node in nodes if node.other is not None]
    return any(bound.field.name.startswith("pod.") for one in operands for bound in fields_in(one))

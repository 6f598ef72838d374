"""Audit policies of Kubernetes: which events an API server writes, and how much of each.

Facts: the types Policy and PolicyRule of audit.k8s.io/v1 and what the API server (1.36) does with
them: the first rule that matches decides, what no rule matches is not written. A rule matches when
each of its parts does; an empty part matches everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LEVELS = ("None", "Metadata", "Request", "RequestResponse")
"""By how much they keep; levels are numbers everywhere else."""
NONE, METADATA, REQUEST, REQUEST_RESPONSE = range(4)
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")


@dataclass(frozen=True, slots=True)
class GroupResources:
    """Resources of one API group; no `resources` are all of them, no `names` every object.

    Attributes:
        resources: ``pods`` (without its parts), ``pods/log``, ``pods/*`` (the pods as well),
            ``*/scale`` or ``*``.
    """

    group: str = ""
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule of a policy.

    Attributes:
        omit_managed: None is what the policy says.
        why: Names of the rules that want it; for people.
        line: Where it stands in its file, from 1; 0: in none.
    """

    level: int
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    omit_stages: frozenset[str] = frozenset()
    omit_managed: bool | None = None
    why: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """An audit policy."""

    rules: tuple[PolicyRule, ...]
    omit_stages: frozenset[str] = frozenset()
    omit_managed: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What a policy knows of a request.

    Attributes:
        resource: Empty for requests that are about no resource; then only `path` counts.
        namespace: Empty where there is none.
    """

    user: str = ""
    user_groups: frozenset[str] = frozenset()
    verb: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says of a request; `rule` is None when none matched."""

    level: int
    omit_stages: frozenset[str]
    omit_managed: bool
    rule: PolicyRule | None = field(default=None, compare=False)

    def keeps(self, stage: str) -> bool:
        """Whether an event of that stage is written."""
        return self.level != NONE and stage not in self.omit_stages


def decide(policy: Policy, request: Request) -> Decision:
    """Return what a policy says of a request."""
    for rule in policy.rules:
        if matches(rule, request):
            managed = policy.omit_managed if rule.omit_managed is None else rule.omit_managed
            return Decision(rule.level, policy.omit_stages | rule.omit_stages, managed, rule)
    return Decision(NONE, policy.omit_stages, policy.omit_managed)


def matches(rule: PolicyRule, request: Request) -> bool:
    """Return whether a rule of a policy matches a request."""
    if rule.users and request.user not in rule.users:
        return False
    if rule.user_groups and request.user_groups.isdisjoint(rule.user_groups):
        return False
    if rule.verbs and request.verb not in rule.verbs:
        return False
    if rule.namespaces or rule.resources:
        if not request.resource:
            return False
        if rule.namespaces and request.namespace not in rule.namespaces:
            return False
        return not rule.resources or any(
            _is_among(one, request) for one in rule.resources if one.group == request.group
        )
    if rule.urls:
        return not request.resource and any(path_matches(request.path, url) for url in rule.urls)
    return True


def _is_among(among: GroupResources, request: Request) -> bool:
    if not among.resources:
        return True
    if among.names and request.name not in among.names:
        return False
    return any(
        resource_matches(request.resource, request.subresource, each) for each in among.resources
    )


def resource_matches(resource: str, subresource: str, pattern: str) -> bool:
    """Return whether a resource, or a part of one, is what a policy names."""
    whole = f"{resource}/{subresource}" if subresource else resource
    if pattern in ("*", whole):
        return True
    head, _, tail = pattern.partition("/")
    return (head == "*" and bool(subresource) and tail == subresource) or (
        tail == "*" and head == resource
    )


def path_matches(path: str, pattern: str) -> bool:
    """Return whether a path without its query is what a policy names."""
    if pattern in ("*", path):
        return True
    return pattern.endswith("*") and path.startswith(pattern.rstrip("*"))


def request_of(event: dict[str, Any]) -> Request:
    """Return what a policy would know of the request that an audit event tells of."""
    user = _map(event.get("user"))
    target = _map(event.get("objectRef"))
    groups = user.get("groups")
    return Request(
        user=_text(user.get("username")),
        user_groups=frozenset(g for g in groups if isinstance(g, str))
        if isinstance(groups, list)
        else frozenset(),
        verb=_text(event.get("verb")),
        group=_text(target.get("apiGroup")),
        resource=_text(target.get("resource")),
        subresource=_text(target.get("subresource")),
        namespace=_text(target.get("namespace")),
        name=_text(target.get("name")),
        path=urlsplit(_text(event.get("requestURI"))).path,
    )


def reduce(policy: Policy, event: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is left of an audit event under a policy; None when it is not written."""
    decision = decide(policy, request_of(event))
    if not decision.keeps(_text(event.get("stage"))):
        return None
    left = dict(event)
    if decision.level < REQUEST_RESPONSE:
        left.pop("responseObject", None)
    if decision.level < REQUEST:
        left.pop("requestObject", None)
    level = event.get("level")
    written = LEVELS.index(level) if level in LEVELS else REQUEST_RESPONSE
    left["level"] = LEVELS[min(decision.level, written)]
    if decision.omit_managed:
        for key in ("requestObject", "responseObject"):
            if isinstance(left.get(key), dict):
                left[key] = _unmanaged(left[key])
    return left


def _unmanaged(value: dict[str, Any]) -> dict[str, Any]:
    found = dict(value)
    if isinstance(found.get("metadata"), dict):
        found["metadata"] = {k: v for k, v in found["metadata"].items() if k != "managedFields"}
    if isinstance(found.get("items"), list):
        found["items"] = [_unmanaged(v) if isinstance(v, dict) else v for v in found["items"]]
    return found


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def as_manifest(policy: Policy) -> dict[str, Any]:
    """Return a policy as the API server reads it."""
    made: dict[str, Any] = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy"}
    if policy.omit_stages:
        made["omitStages"] = in_order(policy.omit_stages)
    if policy.omit_managed:
        made["omitManagedFields"] = True
    made["rules"] = [rule_manifest(rule) for rule in policy.rules]
    return made


def rule_manifest(rule: PolicyRule) -> dict[str, Any]:
    """Return one rule of a policy as the API server reads it."""
    made: dict[str, Any] = {"level": LEVELS[rule.level]}
    for key, values in (
        ("users", rule.users),
        ("userGroups", rule.user_groups),
        ("verbs", rule.verbs),
        ("namespaces", rule.namespaces),
        ("nonResourceURLs", rule.urls),
        ("omitStages", in_order(rule.omit_stages)),
    ):
        if values:
            made[key] = list(values)
    if rule.resources:
        made["resources"] = [
            {"group": one.group}
            | ({"resources": list(one.resources)} if one.resources else {})
            | ({"resourceNames": list(one.names)} if one.names else {})
            for one in rule.resources
        ]
    if rule.omit_managed is not None:
        made["omitManagedFields"] = rule.omit_managed
    return made


def in_order(stages: Iterable[str]) -> list[str]:
    """Return stages in the order in which a request goes through them."""
    return sorted(stages, key=STAGES.index)

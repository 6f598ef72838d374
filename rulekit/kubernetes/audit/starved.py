"""Which rules see less under an audit policy than they look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product

from rulekit.kubernetes.audit.facts import (
    GROUP_MEMBERS,
    OWN_USERS,
    PARTS,
    PATH_VERBS,
    RESOURCE_VERBS,
    Groups,
    groups_of,
)
from rulekit.kubernetes.audit.grid import Target, exists
from rulekit.kubernetes.audit.needs import RuleNeeds
from rulekit.kubernetes.audit.policy import (
    LEVELS,
    NONE,
    Decision,
    Policy,
    PolicyRule,
    Request,
    matches,
)
from rulekit.kubernetes.audit.reads import (
    Cell,
    Literals,
    Part,
    Place,
    Wanted,
    literals_of,
    of_part,
)
from rulekit.rules.ruleset import Rule

_OTHER = "\0"  # stands for every text that neither the rule nor the policy names
_ANY = Cell(None, None, Place(), None)


@dataclass(slots=True)
class Gap:
    """Something that a rule does not get.

    Attributes:
        fields: Names of the fields that are missing; empty when the event is.
        why: What the policy says instead.
        line: Line of the rule of the policy that says so; 0: none matches.
        verbs, targets, users: Of the requests that this is about.
    """

    fields: tuple[str, ...]
    why: str
    line: int
    verbs: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Starved:
    """A rule that does not get all that it looks at; `blind`: it gets no event at all."""

    rule: Rule
    gaps: list[Gap]
    blind: bool


def starved(
    rules: Iterable[Rule], policy: Policy, more_groups: Groups | None = None
) -> list[Starved]:
    """Return the rules that a policy starves, with what they lack."""
    found = []
    for rule in rules:
        gaps, blind = _Check(rule, policy, more_groups).run()
        if gaps:
            found.append(Starved(rule, gaps, blind))
    return found


class _Check:
    def __init__(self, rule: Rule, policy: Policy, more_groups: Groups | None) -> None:
        self._policy = policy
        self._more = more_groups
        known = literals_of([rule])
        self._groups = _add(known, policy)
        known.verbs |= {*RESOURCE_VERBS, *PATH_VERBS}
        self._named = {
            (group, name) for name in known.resources for group in groups_of(name, more_groups)
        } | self._groups
        known.resources = {name for _, name in self._named if name}
        self._known = known
        self._needs = RuleNeeds(rule, known)
        self._names = sorted({n for r in policy.rules for g in r.resources for n in g.names})
        self._numbers: dict[object, int] = {}
        self._gaps: dict[object, Gap] = {}
        self._sees = False

    def run(self) -> tuple[list[Gap], bool]:
        """Return the gaps, and whether no event at all gets through."""
        users = [
            (
                user,
                prefix,
                groups,
                self._signature("user", user, prefix),
                self._by_user(user, groups),
            )
            for user, prefix, groups in self._users()
        ]
        verbs = [
            (verb, self._signature("verb", verb), self._by_verb(verb))
            for verb in [*sorted(self._known.verbs), None]
        ]
        spaces = [
            (space, self._signature("namespace", space)) for space in self._classes_of_namespaces()
        ]
        for place, target in self._places():
            seen = self._number(self._needs.signature("place", replace(_ANY, place=place)))
            by_space = {space: self._by_place(place, space) for space, _ in spaces}
            for (verb, verb_seen, by_verb), (space, space_seen) in product(verbs, spaces):
                if not exists(target, verb, space):
                    continue
                for user, prefix, groups, user_seen, by_user in users:
                    key = (user_seen, verb_seen, seen, space_seen)
                    cell = Cell(user, verb, place, space, prefix)
                    need = self._needs.of_key(key, cell)
                    if need:
                        for match in by_space[space]:
                            said = self._said(match & by_verb & by_user)
                            self._compare(cell, groups, need, said)
        return list(self._gaps.values()), not self._sees

    def _signature(self, part: Part, text: str | None, prefix: str = "") -> int:
        cell = replace(of_part(part, text), user_prefix=prefix)
        return self._number(self._needs.signature(part, cell))

    def _number(self, seen: object) -> int:
        return self._numbers.setdefault(seen, len(self._numbers))

    # Which rules of the policy match, as bits, when only one part of a request counts.

    def _bits(self, found: Iterable[bool]) -> int:
        return sum(1 << i for i, each in enumerate(found) if each)

    def _by_user(self, user: str | None, groups: frozenset[str]) -> int:
        request = Request(user=_text(user), user_groups=groups)
        return self._bits(
            matches(PolicyRule(1, users=r.users, user_groups=r.user_groups), request)
            for r in self._policy.rules
        )

    def _by_verb(self, verb: str | None) -> int:
        return self._bits(not r.verbs or verb in r.verbs for r in self._policy.rules)

    def _by_place(self, place: Place, space: str | None) -> set[int]:
        """Return the bits for each name that an object may have."""
        return {
            self._bits(
                matches(
                    PolicyRule(1, resources=r.resources, namespaces=r.namespaces, urls=r.urls),
                    _request(place, space, name),
                )
                for r in self._policy.rules
            )
            for name in [None, *self._names]
        }

    def _said(self, bits: int) -> Decision:
        if not bits:
            return Decision(NONE, self._policy.omit_stages, self._policy.omit_managed)
        rule = self._policy.rules[(bits & -bits).bit_length() - 1]
        managed = self._policy.omit_managed if rule.omit_managed is None else rule.omit_managed
        return Decision(rule.level, self._policy.omit_stages | rule.omit_stages, managed, rule)

    def _users(self) -> Iterator[tuple[str | None, str, frozenset[str]]]:
        """Yield names, how other names begin, and groups of users, each class once."""
        named = sorted({g for rule in self._policy.rules for g in rule.user_groups})
        seen = set()
        for user in [*sorted(self._known.users | set(OWN_USERS)), None]:
            own = {
                "system:unauthenticated" if user == "system:anonymous" else "system:authenticated"
            }
            own |= {
                group for group, start in GROUP_MEMBERS.items() if (user or "").startswith(start)
            }
            for group in [None, *named]:
                start = GROUP_MEMBERS.get(group or "", "")
                if user is not None and start and not user.startswith(start):
                    continue
                if user == "system:anonymous" and group is not None and group not in own:
                    continue
                prefix = start if user is None else ""
                if prefix == "system:anonymous":
                    continue  # which is a name of its own
                groups = frozenset(own | ({group} if group else set()))
                key = (
                    user is None and group,
                    self._needs.signature("user", replace(_ANY, user=user, user_prefix=prefix)),
                    tuple(
                        (not r.users or user in r.users)
                        and (not r.user_groups or not groups.isdisjoint(r.user_groups))
                        for r in self._policy.rules
                    ),
                )
                if key not in seen:
                    seen.add(key)
                    yield user, prefix, groups

    def _classes_of_namespaces(self) -> list[str | None]:
        found: dict[object, str | None] = {}
        for space in [None, "", *sorted(self._known.namespaces)]:
            key = (
                not space and space is not None,
                self._needs.signature("namespace", replace(_ANY, namespace=space)),
                tuple(space in r.namespaces for r in self._policy.rules),
            )
            found.setdefault(key, space)
        return list(found.values())

    def _places(self) -> Iterator[tuple[Place, Target]]:
        subs = sorted(self._known.subresources)
        for group, name in sorted(self._named):
            if not name:
                continue
            for sub in ["", *(s for s in subs if name in PARTS.get(s, (name,))), None]:
                place = Place(group, name, sub)
                yield place, Target((place,), ((group, name),), sub)
        for other in [None, *sorted({group for group, _ in self._groups})]:
            for sub in ["", *(s for s in subs if s not in PARTS), None]:
                place = Place(other, None, sub)
                yield place, Target((place,))
        for path in [*sorted(self._known.paths), None]:
            for query in (False, True) if path is not None else (False,):
                place = Place("", "", "", path, query)
                yield place, Target((place,), urls=())

    def _compare(
        self,
        cell: Cell,
        groups: frozenset[str],
        need: dict[str, frozenset[Wanted]],
        said: Decision,
    ) -> None:
        line = 0 if said.rule is None else said.rule.line
        for stage, wanted in need.items():
            if not said.keeps(stage):
                if said.rule is None:
                    why = "no rule of the policy matches"
                elif not said.level:
                    why = "level None"
                else:
                    why = f"the stage {stage} is omitted"
                self._add((), why, line, cell, groups)
                continue
            self._sees = True
            lost = {one.name for one in wanted if one.level > said.level}
            if lost:
                least = max(one.level for one in wanted if one.level > said.level)
                why = f"level {LEVELS[said.level]}, not {LEVELS[least]}"
                self._add(tuple(sorted(lost)), why, line, cell, groups)
            managed = {one.name for one in wanted if one.managed} - lost
            if managed and said.omit_managed:
                self._add(tuple(sorted(managed)), "omitManagedFields", line, cell, groups)

    def _add(
        self, fields: tuple[str, ...], why: str, line: int, cell: Cell, groups: frozenset[str]
    ) -> None:
        gap = self._gaps.setdefault((fields, why, line), Gap(fields, why, line))
        gap.verbs.add(cell.verb or "other verbs")
        gap.targets.add(shown_place(cell.place))
        special = groups - {"system:authenticated", "system:unauthenticated"}
        if cell.user is not None:
            gap.users.add(cell.user)
        else:
            gap.users.add(" ".join(sorted(special)) or "other users")


def _add(known: Literals, policy: Policy) -> set[tuple[str, str]]:
    """Add what a policy tells apart; return the resources it names, with their groups."""
    named: set[tuple[str, str]] = set()
    for rule in policy.rules:
        known.users |= set(rule.users)
        known.verbs |= set(rule.verbs)
        known.namespaces |= set(rule.namespaces) - {""}
        known.paths |= {url for url in rule.urls if url != "*"}
        for one in rule.resources:
            if not one.resources:
                named.add((one.group, ""))
            for pattern in one.resources:
                head, _, tail = pattern.partition("/")
                named.add((one.group, "" if head == "*" else head))
                if tail not in ("", "*"):
                    known.subresources.add(tail)
    return named


def _text(value: str | None) -> str:
    return _OTHER if value is None else value


def _request(place: Place, space: str | None, name: str | None) -> Request:
    return Request(
        group=_text(place.group),
        resource=_text(place.resource),
        subresource=_text(place.subresource),
        namespace=_text(space),
        name=_text(name),
        path=_text(place.path),
    )


def shown_place(place: Place) -> str:
    """Return a place as people write it: ``pods/exec``, ``deployments.apps``, ``/healthz``."""
    if place.resource == "":
        return place.path or "other paths"
    if place.resource is None:
        return f"other resources of {place.group}" if place.group else "other resources"
    name = f"{place.resource}.{place.group}" if place.group else place.resource
    if place.subresource is None:
        return f"other parts of {name}"
    return f"{name}/{place.subresource}" if place.subresource else name

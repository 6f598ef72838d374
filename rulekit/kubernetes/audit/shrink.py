"""Needs of rules → the audit policy that lets through these and no more.

The list of its rules is found from its front: again and again the rule that covers most of what is
not decided yet without touching anything that needs another answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from rulekit.kubernetes.audit.facts import (
    OWN_USERS,
    PARTS,
    PATH_VERBS,
    RESOURCE_VERBS,
    Groups,
    groups_of,
)
from rulekit.kubernetes.audit.grid import Grid, Texts, Value, make_grid, merged
from rulekit.kubernetes.audit.needs import RuleNeeds
from rulekit.kubernetes.audit.policy import NONE, STAGES, GroupResources, Policy, PolicyRule
from rulekit.kubernetes.audit.reads import literals_of
from rulekit.rules.ruleset import Rule


@dataclass(frozen=True, slots=True)
class _Atom:
    """Something that a policy can name: what it covers, and how it is called."""

    mask: int
    resources: tuple[tuple[str, str], ...] = ()  # group, pattern
    urls: tuple[str, ...] = ()


def unknown_resources(rules: Iterable[Rule], more_groups: Groups | None = None) -> list[str]:
    """Return resources that rules name whose API groups nobody knows."""
    named = literals_of(rules).resources
    return sorted(name for name in named if not groups_of(name, more_groups))


def smallest_policy(rules: Sequence[Rule], more_groups: Groups | None = None) -> Policy:
    """Return the audit policy that lets through what rules use, and nothing else.

    Args:
        more_groups: API groups besides those of Kubernetes itself, by name of the resource.
    """
    known = literals_of(rules)
    known.resources = {name for name in known.resources if groups_of(name, more_groups)}
    known.resources |= {parent for sub in known.subresources for parent in PARTS.get(sub, ())}
    known.users |= set(OWN_USERS)
    known.verbs |= {*RESOURCE_VERBS, *PATH_VERBS}
    needs = [RuleNeeds(rule, known) for rule in rules]
    grid = merged(make_grid(known, needs, more_groups))
    return _tidy(_Search(grid).rules([rule.name for rule in rules]))


class _Search:
    """Finds the rules; sets of cells are the bits of integers."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        shape = (
            range(len(grid.users)), range(len(grid.verbs)),
            range(len(grid.targets)), range(len(grid.namespaces)),
        )  # fmt: skip
        masks: list[list[int]] = [[0] * len(each) for each in shape]
        self._by_value: dict[Value, int] = {}
        self._open = 0
        for at in product(*shape):
            index = grid.index(*at)
            bit = 1 << index
            for axis, position in enumerate(at):
                masks[axis][position] |= bit
            value = grid.values[index]
            if value is not None:
                self._open |= bit
                self._by_value[value] = self._by_value.get(value, 0) | bit
        self._users, self._verbs, targets, self._namespaces = masks
        self._all = self._open
        self._atoms, self._url_atoms = self._name(targets)
        self._resources = 0
        for mask, target in zip(targets, grid.targets, strict=True):
            if target.urls is None:
                self._resources |= mask

    def _name(self, masks: list[int]) -> tuple[list[_Atom], list[_Atom]]:
        resources: list[_Atom] = []
        urls: list[_Atom] = []
        whole: dict[tuple[tuple[str, str], ...], int] = {}
        paths = 0
        for target, mask in zip(self._grid.targets, masks, strict=True):
            if target.urls is not None:
                paths |= mask
                if target.urls:
                    urls.append(_Atom(mask, urls=target.urls))
            elif target.resources:
                whole[target.resources] = whole.get(target.resources, 0) | mask
                if target.part is not None:
                    tail = f"/{target.part}" if target.part else ""
                    named = tuple((g, name + tail) for g, name in target.resources)
                    resources.append(_Atom(mask, named))
        urls.append(_Atom(paths, urls=("*",)))
        for group, mask in whole.items():
            resources.append(_Atom(mask, tuple((g, f"{name}/*") for g, name in group)))
        return resources, urls

    def rules(self, names: list[str]) -> list[PolicyRule]:
        """Return the list; what it does not decide needs nothing.

        Args:
            names: Of the rules of detection, for `PolicyRule.why`.
        """
        left = self._open
        found: list[tuple[PolicyRule, int]] = []
        nothing = self._by_value.get(Value(), 0)
        while left & ~nothing:
            best = self._best(left, [v for v in self._by_value if v.level])
            if best is None:
                best = self._best(left, [Value()])
            assert best is not None, "a class of requests that no policy can name"
            found.append(best)
            left &= ~best[1]
        # Rules whose cells the rest decides alike are not needed.
        for i in reversed(range(len(found))):
            rest = found[:i] + found[i + 1 :]
            if self._is_right(rest):
                found = rest
        left = self._open
        explained = []
        for rule, mask in found:
            here = mask & left
            left &= ~mask
            wants = 0
            for index, one in enumerate(self._grid.wants if rule.level else ()):
                if here >> index & 1:
                    wants |= one
            why = tuple(name for i, name in enumerate(names) if wants >> i & 1)
            explained.append(replace(rule, why=why))
        return explained

    def _is_right(self, rules: list[tuple[PolicyRule, int]]) -> bool:
        left = self._all
        for rule, mask in rules:
            value = Value() if rule.level == NONE else self._value_of(rule)
            if mask & left & ~self._by_value.get(value, 0):
                return False
            left &= ~mask
        return not left & ~self._by_value.get(Value(), 0)

    def _value_of(self, rule: PolicyRule) -> Value:
        return Value(rule.level, frozenset(STAGES) - rule.omit_stages, rule.omit_managed is False)

    def _best(self, left: int, values: list[Value]) -> tuple[PolicyRule, int] | None:
        best: tuple[int, int, PolicyRule, int] | None = None
        users = [None, *(i for i, t in enumerate(self._grid.users) if t[0] is not None)]
        spaces = [None, *(i for i, t in enumerate(self._grid.namespaces) if t[0] is not None)]
        for value in values:
            wrong = left & ~self._by_value[value]
            for user, space in product(users, spaces):
                part = left
                bad = wrong
                whole = self._all
                if user is not None:
                    whole &= self._users[user]
                if space is not None:
                    whole &= self._namespaces[space] & self._resources
                part &= whole
                bad &= whole
                if not part & ~bad:
                    continue
                for verbs, mask in self._verb_sets(part, bad):
                    for atoms, covered in self._places(part & mask, bad & mask, mask, space):
                        full = whole & mask & covered
                        gain = (full & left).bit_count()
                        if not gain:
                            continue
                        plain = -((user is not None) + (space is not None) + len(verbs))
                        if best is None or (gain, plain) > best[:2]:
                            rule = self._rule(value, user, space, verbs, atoms)
                            best = gain, plain, rule, full
        return None if best is None else best[2:]

    def _verb_sets(self, part: int, bad: int) -> list[tuple[tuple[int, ...], int]]:
        """Return sets of classes of verbs worth a try, with their cells; empty is every verb."""
        found: dict[tuple[int, ...], int] = {(): -1}
        for names in (-1, *(atom.mask for atom in (*self._atoms, *self._url_atoms))):
            here = tuple(
                i
                for i, mask in enumerate(self._verbs)
                if self._grid.verbs[i][0] is not None
                and part & mask & names
                and not bad & mask & names
            )
            for verbs in (here, *((i,) for i in here)):
                if verbs and verbs not in found:
                    mask = 0
                    for i in verbs:
                        mask |= self._verbs[i]
                    found[verbs] = mask
        return list(found.items())

    def _places(
        self, part: int, bad: int, mask: int, space: int | None
    ) -> list[tuple[list[_Atom], int]]:
        """Return the widest choices of places without a wrong cell, with what they cover."""
        found: list[tuple[list[_Atom], int]] = []
        if part and not bad:
            return [([], -1)]
        for atoms in (self._atoms, [] if space is not None else self._url_atoms):
            chosen = [a for a in atoms if part & a.mask and not bad & a.mask]
            # The widest names first, and none for what another one covers.
            chosen.sort(key=lambda atom: -(atom.mask.bit_count()))
            kept: list[_Atom] = []
            covered = 0
            for atom in chosen:
                if part & atom.mask & ~covered:
                    kept.append(atom)
                    covered |= atom.mask
            if kept:
                found.append((kept, covered))
        return found

    def _rule(
        self,
        value: Value,
        user: int | None,
        space: int | None,
        verbs: tuple[int, ...],
        atoms: list[_Atom],
    ) -> PolicyRule:
        grid = self._grid

        def texts(classes: Sequence[Texts]) -> tuple[str, ...]:
            return tuple(sorted(text for each in classes for text in each if text is not None))

        groups: dict[str, list[str]] = {}
        for atom in atoms:
            for group, pattern in atom.resources:
                groups.setdefault(group, []).append(pattern)
        return PolicyRule(
            value.level,
            users=() if user is None else texts([grid.users[user]]),
            verbs=texts([grid.verbs[i] for i in verbs]),
            namespaces=() if space is None else texts([grid.namespaces[space]]),
            resources=tuple(
                GroupResources(group, tuple(sorted(groups[group]))) for group in sorted(groups)
            ),
            urls=tuple(sorted(url for atom in atoms for url in atom.urls)),
            omit_stages=frozenset(STAGES) - value.stages if value.level else frozenset(),
            omit_managed=False if value.managed else None,
        )


def _tidy(rules: list[PolicyRule]) -> Policy:
    """Say once at the top what all rules say."""
    writing = [rule for rule in rules if rule.level]
    common = frozenset(STAGES)
    for rule in writing:
        common &= rule.omit_stages
    return Policy(
        tuple(replace(rule, omit_stages=rule.omit_stages - common) for rule in rules)
        or (PolicyRule(NONE),),
        common if writing else frozenset(),
        True,
    )

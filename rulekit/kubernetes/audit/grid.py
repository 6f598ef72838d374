"""All requests, cut into cells by what rules tell apart, each with the least they want of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

from rulekit.kubernetes.audit.facts import PARTS, PATH_VERBS, RESOURCE_VERBS, Groups, groups_of
from rulekit.kubernetes.audit.needs import RuleNeeds
from rulekit.kubernetes.audit.policy import METADATA, NONE, STAGES
from rulekit.kubernetes.audit.reads import Cell, Literals, Part, Place, of_part
from rulekit.schema.kubernetes import UNNAMESPACED

Texts = tuple[str | None, ...]  # of one class; None: any other
_ANY = Cell(None, None, Place(), None)
_FREE = UNNAMESPACED - {"namespaces"}  # a request about a namespace is in that namespace


@dataclass(frozen=True, slots=True)
class Value:
    """The least that has to be written of a class of requests."""

    level: int = NONE
    stages: frozenset[str] = frozenset()
    managed: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A class of places: resources with the same part, or paths.

    Attributes:
        resources: Group and name; empty are all that no rule names.
        part: None is any other part.
        urls: Paths; None for resources, empty are all that no rule names.
    """

    places: tuple[Place, ...]
    resources: tuple[tuple[str, str], ...] = ()
    part: str | None = None
    urls: tuple[str, ...] | None = None


@dataclass(slots=True)
class Grid:
    """Cells of requests: classes of each part, and the value of each combination."""

    users: list[Texts]
    verbs: list[Texts]
    targets: list[Target]
    namespaces: list[Texts]
    values: list[Value | None]  # None: there is no such request
    wants: list[int]  # which rules want it, as bits

    def index(self, user: int, verb: int, target: int, namespace: int) -> int:
        """Return the position of a cell in `values`."""
        n = (user * len(self.verbs) + verb) * len(self.targets) + target
        return n * len(self.namespaces) + namespace


def make_grid(known: Literals, needs: list[RuleNeeds], more: Groups | None) -> Grid:
    """Return all cells, each with what the rules want of it."""

    def classes(part: Part, texts: Iterable[str | None]) -> list[Texts]:
        found: dict[object, list[str | None]] = {}
        for text in texts:
            cell = of_part(part, text)
            key = tuple(need.signature(part, cell) for need in needs)
            # What no rule names is a class of its own: a policy can name it only by leaving out.
            found.setdefault((text is None, key), []).append(text)
        return [tuple(each) for each in found.values()]

    users = classes("user", [*sorted(known.users), None])
    verbs = _split_verbs(classes("verb", [*sorted(known.verbs), None]))
    namespaces = classes("namespace", ["", *sorted(known.namespaces), None])
    grid = Grid(users, verbs, _targets(known, needs, more), namespaces, [], [])
    _fill(grid, needs)
    return grid


def _split_verbs(classes: list[Texts]) -> list[Texts]:
    """Keep apart verbs that only resources or only paths can have."""
    found: dict[object, list[str | None]] = {}
    for i, texts in enumerate(classes):
        for text in texts:
            key = (i, text in RESOURCE_VERBS, text in PATH_VERBS)
            found.setdefault(key, []).append(text)
    return [tuple(each) for each in found.values()]


def _targets(known: Literals, needs: list[RuleNeeds], more: Groups | None) -> list[Target]:
    def seen(place: Place) -> object:
        cell = replace(_ANY, place=place)
        return tuple(need.signature("place", cell) for need in needs)

    alike: dict[object, list[tuple[str, str]]] = {}
    parts: dict[object, list[str | None]] = {}
    for name in sorted(known.resources):
        own: list[str | None] = [
            sub for sub in sorted(known.subresources) if name in PARTS.get(sub, (name,))
        ]
        own = ["", *own, None]
        for group in groups_of(name, more):
            key = tuple((sub, seen(Place(group, name, sub))) for sub in own)
            full = (key, name in _FREE)
            alike.setdefault(full, []).append((group, name))
            parts[full] = own
    found = [
        Target(tuple(Place(g, n, sub) for g, n in resources), tuple(resources), sub)
        for key, resources in alike.items()
        for sub in parts[key]
    ]
    others: list[str | None] = [sub for sub in sorted(known.subresources) if sub not in PARTS]
    found.append(Target(tuple(Place(None, None, sub) for sub in ["", *others, None])))
    by_look: dict[object, list[str]] = {}
    for path in sorted(known.paths):
        look = tuple(seen(Place("", "", "", path, query)) for query in (False, True))
        by_look.setdefault(look, []).append(path)
    for paths in by_look.values():
        places = tuple(Place("", "", "", paths[0], query) for query in (False, True))
        found.append(Target(places, urls=tuple(paths)))
    found.append(Target((Place("", "", "", None),), urls=()))
    return found


def _fill(grid: Grid, needs: list[RuleNeeds]) -> None:
    # What each rule sees of each class, as a small number.
    numbers: dict[object, int] = {}

    def number(need: RuleNeeds, part: Part, cell: Cell) -> int:
        return numbers.setdefault(need.signature(part, cell), len(numbers))

    def column(part: Part, classes: list[Texts]) -> list[list[int]]:
        cells = [of_part(part, texts[0]) for texts in classes]
        return [[number(need, part, cell) for need in needs] for cell in cells]

    users, verbs = column("user", grid.users), column("verb", grid.verbs)
    spaces = column("namespace", grid.namespaces)
    places = [
        [[number(need, "place", replace(_ANY, place=p)) for need in needs] for p in t.places]
        for t in grid.targets
    ]
    for u, v, t, n in product(
        range(len(grid.users)), range(len(grid.verbs)),
        range(len(grid.targets)), range(len(grid.namespaces)),
    ):  # fmt: skip
        target = grid.targets[t]
        verb, namespace = grid.verbs[v][0], grid.namespaces[n][0]
        if not exists(target, verb, namespace):
            grid.values.append(None)
            grid.wants.append(0)
            continue
        level, stages, managed, wants = NONE, 0, False, 0
        for place, seen in zip(target.places, places[t], strict=True):
            cell = Cell(grid.users[u][0], verb, place, namespace)
            for i, need in enumerate(needs):
                key = (users[u][i], verbs[v][i], seen[i], spaces[n][i])
                for stage, fields in need.of_key(key, cell).items():
                    wants |= 1 << i
                    stages |= 1 << STAGES.index(stage)
                    level = max(level, METADATA, *(one.level for one in fields))
                    managed = managed or any(one.managed for one in fields)
        kept = frozenset(stage for i, stage in enumerate(STAGES) if stages >> i & 1)
        grid.values.append(Value(level, kept, managed))
        grid.wants.append(wants)


def exists(target: Target, verb: str | None, namespace: str | None) -> bool:
    """Return whether there are requests about a target with this verb and in this namespace."""
    if target.urls is not None:
        return namespace == "" and (verb is None or verb in PATH_VERBS)
    if verb in PATH_VERBS and verb not in RESOURCE_VERBS:
        return False
    if namespace == "" or not target.resources:
        return True
    return target.resources[0][1] not in _FREE


def merged(grid: Grid) -> Grid:
    """Join classes of users, verbs and namespaces between which no cell differs."""
    sizes = {"user": len(grid.users), "verb": len(grid.verbs), "namespace": len(grid.namespaces)}

    def joined(part: str, classes: list[Texts]) -> list[list[int]]:
        found: dict[object, list[int]] = {}
        for i in range(sizes[part]):
            ranges = [range(len(grid.users)), range(len(grid.verbs)),
                      range(len(grid.targets)), range(len(grid.namespaces))]  # fmt: skip
            ranges[{"user": 0, "verb": 1, "namespace": 3}[part]] = range(i, i + 1)
            column = tuple(grid.values[grid.index(*at)] for at in product(*ranges))
            found.setdefault((classes[i][0] is None, column), []).append(i)
        return list(found.values())

    users = joined("user", grid.users)
    verbs = joined("verb", grid.verbs)
    namespaces = joined("namespace", grid.namespaces)
    values = []
    wants = []
    for u, v, t, n in product(users, verbs, range(len(grid.targets)), namespaces):
        values.append(grid.values[grid.index(u[0], v[0], t, n[0])])
        each = 0
        for at in product(u, v, n):
            each |= grid.wants[grid.index(at[0], at[1], t, at[2])]
        wants.append(each)

    def texts(classes: list[Texts], groups: list[list[int]]) -> list[Texts]:
        return [tuple(text for i in group for text in classes[i]) for group in groups]

    return Grid(
        texts(grid.users, users), texts(grid.verbs, verbs), grid.targets,
        texts(grid.namespaces, namespaces), values, wants,
    )  # fmt: skip

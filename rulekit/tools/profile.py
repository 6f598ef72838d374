"""Where the time of a ruleset goes: per stage, rule and comparison, with advice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from rulekit.compiler.dump import ProgramText, slot_name
from rulekit.compiler.tables import Domain
from rulekit.engine._loop import EventLoop
from rulekit.engine._profile import Profiler
from rulekit.engine.pipeline import CapturePath, Engine
from rulekit.rules.ruleset import Rule
from rulekit.sources.opening import open_reader

_STAGES = {"read": "read the capture", "decode": "decode and keep state", "event": "match rules"}
# What matching consists of, by the outermost thing that was measured in it.
_PARTS = {
    "process": "what holds for the process",
    "key": "what holds for the path and other texts",
    "gate": "comparisons that rules share",
    "rule": "rules, one by one",
    "event": "the rest: rules of the event's type, what of them is left",
}
# Fields whose text is put together of the whole event.
_WHOLE_EVENT = ("evt.args", "evt.info")
_COSTLY = 0.10  # share of matching from which a comparison is worth a word
_WORTH_NS = 10  # per event of the capture: what takes less need not be made faster
_UNKNOWN = 0.30  # share of matching from which working out what was not known is
_ENOUGH = 1000  # evaluations that make a share mean something


@dataclass(frozen=True, slots=True)
class Cost:
    """One rule or comparison.

    Attributes:
        evaluations: How often it was evaluated rather than known; for a rule, of any part of it.
        held: How many of them answered true.
        ns: CPU time, without that of other rules; a comparison that several rules share counts
            where it was evaluated first.
        share: Of the time of matching, 0 to 1.
        matches: Events that the rule matched.
        rules: Rules in which the comparison was evaluated.
    """

    name: str
    evaluations: int
    held: int
    ns: float
    share: float
    matches: int = 0
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """Time spent at one place: names from the outermost in, and what it took by itself."""

    names: tuple[str, ...]
    calls: int
    self_ns: float


@dataclass(frozen=True, slots=True)
class Profile:
    """What a run cost.

    Attributes:
        events: Event headers read.
        shown: Events shown to rules; `gated`: those of them whose type some rule names.
        stages: Name → ns.
        matching: What the last stage consists of: name → ns.
        caches: Name → ``(answered from what was kept, asked)``.
        flushes: How often everything kept was dropped because it had become too much.
        rules, comparisons: The costliest first.
    """

    events: int
    shown: int
    gated: int
    stages: dict[str, float]
    matching: dict[str, float]
    rules: tuple[Cost, ...]
    comparisons: tuple[Cost, ...]
    caches: dict[str, tuple[int, int]]
    flushes: int
    stacks: tuple[Stack, ...]
    advice: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Return the profile as JSON values; times in ns."""
        data = asdict(self)
        del data["stacks"]
        for key in ("stages", "matching"):
            data[key] = {name: round(ns) for name, ns in data[key].items()}
        data["caches"] = {
            name: {"hits": hits, "lookups": asked} for name, (hits, asked) in self.caches.items()
        }
        for key in ("rules", "comparisons"):
            drop = "rules" if key == "rules" else "matches"
            for row in data[key]:
                del row[drop]
                row["ns"], row["share"] = round(row["ns"]), round(row["share"], 5)
        return data


def profile(
    engine: Engine, source: CapturePath, progress: Callable[[EventLoop], None] | None = None
) -> Profile:
    """Run the rules of an engine over a capture and measure.

    Raises:
        SourceError: The capture cannot be read to its end.
    """
    profiler = Profiler(engine.program, first_match=engine.first_only)
    loop = EventLoop(open_reader(source))
    try:
        while not profiler.run(loop):
            if progress is not None:
                progress(loop)
        return _Tree(profiler, engine).profile(loop.n_events)
    finally:
        loop.close()


class _Tree:
    """Sums up what a profiler measured."""

    def __init__(self, profiler: Profiler, engine: Engine) -> None:
        self.profiler = profiler
        self.rules: list[Rule] = engine.rules
        self.text = ProgramText(engine.program)
        self.frames = profiler.frames()
        # Rates of single places err by a little: none may take more than it lies in.
        self.self_ns = [frame[5] for frame in self.frames]
        for frame in self.frames:
            if frame[2] >= 0:
                self.self_ns[frame[2]] -= frame[5]
        self.self_ns = [max(ns, 0.0) for ns in self.self_ns]

    def profile(self, events: int) -> Profile:
        stages = dict.fromkeys(_STAGES.values(), 0.0)
        parts = dict.fromkeys(_PARTS.values(), 0.0)
        for i, ns in enumerate(self.self_ns):
            top = part = i
            while self.frames[top][2] >= 0:
                part, top = top, self.frames[top][2]
            stages[_STAGES[self.frames[top][0]]] += ns
            if self.frames[top][0] == "event":
                parts[_PARTS.get(self.frames[part][0], _PARTS["event"])] += ns
        matching = stages[_STAGES["event"]]
        rules, comparisons = self._rules(matching), self._comparisons(matching)
        stats = self.profiler.matcher.stats()
        caches = self._caches(stats)
        return Profile(
            events,
            stats["events"],
            stats["gated"],
            stages,
            parts,
            rules,
            comparisons,
            caches,
            stats["flushes"],
            tuple(
                Stack(self._names(i), frame[3], self.self_ns[i])
                for i, frame in enumerate(self.frames)
            ),
            tuple(self._advice(events, rules, comparisons, parts, caches, stats["flushes"])),
        )

    def _rules(self, matching: float) -> tuple[Cost, ...]:
        ns: dict[int, float] = defaultdict(float)
        calls: dict[int, int] = defaultdict(int)
        held: dict[int, int] = defaultdict(int)
        for i, (what, number, _, n, true, _) in enumerate(self.frames):
            if what == "rule":
                calls[number] += n
                held[number] += true
            owner = self._owner(i)
            if owner is not None:
                ns[owner] += self.self_ns[i]
        costs = (
            Cost(
                rule.name,
                calls[i],
                held[i],
                ns[i],
                ns[i] / matching if matching else 0.0,
                self.profiler.matches[i],
            )
            for i, rule in enumerate(self.rules)
        )
        return tuple(sorted(costs, key=lambda cost: (-cost.ns, cost.name)))

    def _owner(self, frame: int) -> int | None:
        """Return the rule on whose behalf a frame was entered, None when for several."""
        while frame >= 0:
            if self.frames[frame][0] == "rule":
                return self.frames[frame][1]
            frame = self.frames[frame][2]
        return None

    def _comparisons(self, matching: float) -> tuple[Cost, ...]:
        ns: dict[int, float] = defaultdict(float)
        calls: dict[int, int] = defaultdict(int)
        held: dict[int, int] = defaultdict(int)
        rules: dict[int, dict[str, None]] = defaultdict(dict)
        for i, (what, number, _, n, true, total_ns) in enumerate(self.frames):
            if what != "comparison":
                continue
            ns[number] += total_ns
            calls[number] += n
            held[number] += true
            owner = self._owner(i)
            if owner is not None:
                rules[number][self.rules[owner].name] = None
        costs = (
            Cost(
                self.text.comparison(i),
                calls[i],
                held[i],
                ns[i],
                ns[i] / matching if matching else 0.0,
                rules=tuple(rules[i]),
            )
            for i in calls
        )
        return tuple(sorted(costs, key=lambda cost: (-cost.ns, cost.name)))

    def _caches(self, stats: dict[str, int]) -> dict[str, tuple[int, int]]:
        calls: dict[str, int] = defaultdict(int)
        below: dict[str, int] = defaultdict(int)
        for what, _, parent, n, _, _ in self.frames:
            calls[what] += n
            if what == "text" and parent >= 0:
                if self.frames[parent][0] == "field":
                    parent = self.frames[parent][2]
                below[self.frames[parent][0]] += n
        built = stats["signatures_built"] + stats["signatures_shared"]
        return {
            "what holds for a process": (max(calls["process"] - built, 0), calls["process"]),
            "what holds for a path or text": (max(calls["key"] - below["key"], 0), calls["key"]),
        }

    def _names(self, frame: int) -> tuple[str, ...]:
        names: list[str] = []
        while frame >= 0:
            what, number, parent = self.frames[frame][:3]
            names.append(self._name(what, number))
            frame = parent
        return tuple(reversed(names))

    def _name(self, what: str, number: int) -> str:
        if what == "rule":
            return self.rules[number].name
        if what == "comparison":
            return self.text.comparison(number)
        if what == "gate":
            return "shared by rules"
        if what == "key":
            return self.text.operand(number)
        if what == "field":
            return f"read {self.text.operand(number)}"
        if what == "text":
            return f"compare a new text ({Domain(number).name.lower()})"
        if what == "event":
            return f"match {slot_name(number)}"
        return {**_STAGES, "process": "look up the process", "words": "make rule words"}[what]

    def _advice(
        self,
        events: int,
        rules: tuple[Cost, ...],
        comparisons: tuple[Cost, ...],
        parts: dict[str, float],
        caches: dict[str, tuple[int, int]],
        flushes: int,
    ) -> list[str]:
        said = []

        def costly(cost: Cost) -> bool:
            return (
                cost.share >= _COSTLY
                and cost.evaluations >= _ENOUGH
                and cost.ns >= _WORTH_NS * events
            )

        for rule in self.rules:
            if rule.event_types.many:
                said.append(
                    f"rule {rule.name!r} is tried on nearly every event:"
                    " put an event type first (evt.type in (...) and ...)"
                )
        for cost in comparisons:
            if not costly(cost):
                continue
            said.append(
                f"`{cost.name}` costs {cost.share:.0%} of the ruleset"
                f" ({cost.evaluations:,} evaluations,"
                f" {cost.held / cost.evaluations:.1%} true); {_help(cost.name)}"
            )
        for cost in rules:
            if costly(cost) and not cost.matches:
                said.append(
                    f"rule {cost.name!r} costs {cost.share:.0%} of the ruleset and matched nothing:"
                    " a comparison that rules out most events, of the process or the path, would"
                    " spare the rest"
                )
        matching = sum(parts.values())
        for (name, (hits, asked)), part in zip(caches.items(), ("process", "key"), strict=True):
            spent = parts[_PARTS[part]]
            if (
                asked >= _ENOUGH
                and hits < asked / 2
                and spent >= _UNKNOWN * matching
                and spent >= _WORTH_NS * events
            ):
                said.append(
                    f"{name} was known only {hits / asked:.0%} of the time, finding it out takes"
                    f" {spent / matching:.0%} of matching: names repeat (proc.name, proc.exepath),"
                    " command lines, environments and paths of their own do not"
                )
        if flushes:
            said.append(f"what is kept became too much {flushes} times and was dropped")
        return said


def _help(comparison: str) -> str:
    """Return what to do about a comparison that costs much."""
    field = next((name for name in _WHOLE_EVENT if comparison.startswith(f"{name} ")), None)
    if field is not None:
        return f"{field} is put together of the whole event: name one argument (evt.arg.NAME)"
    return (
        "what holds for a process or a path is known beforehand: such a comparison that rules out"
        " most events would spare it"
    )

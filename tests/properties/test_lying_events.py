"""Where parents, leaders and numbers of threads lie, what is kept changes no answer either."""

from __future__ import annotations

import io
import os
import random
from collections import Counter
from typing import TypeAlias

import pytest

import rulekit
from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader
from rulekit.compiler.passes.split import PROCESS_FIELDS
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._loop import EventLoop
from rulekit.engine.limits import StateLimits
from rulekit.errors import RuleError
from rulekit.rules.bound import Bound
from rulekit.schema.fields import current_fields
from tests.properties.conditions import bound
from tests.properties.lying_events import capture

Rule: TypeAlias = tuple[str, Bound, None]

SEEDS = 2000 if os.environ.get("RULEKIT_FUZZ_LONG") else 40
N_EVENTS = 400
VALUES = 6  # of a field, the most frequent ones
SMALL = StateLimits(threads=5, fds_per_process=2, fds=5, containers=2, accounts=3)
# Fields that want an argument, and further forms of others.
ARGUMENTS = {
    "proc.env": ["T", "HOME"], "proc.aenv": ["T", "HOME", 1, 2], "proc.args": [0, 1],
    "container.label": ["io.kubernetes.pod.name"], "k8s.pod.label": ["app"],
    "evt.arg": [0], "evt.rawarg": ["res"],
}  # fmt: skip


def names() -> list[str]:
    """Return every field of system calls, in its argument forms."""
    found = ["thread.cgroup.cpu"]
    for field in current_fields("syscall"):
        if field.cls in ("json", "jevt"):
            continue
        if field.arg != "required":
            found.append(field.name)
        if field.name.startswith("proc.a") and field.arg == "optional":
            found += [f"{field.name}[{level}]" for level in range(4)]
        elif field.name.startswith("container.mount"):
            found += [f"{field.name}[0]", f"{field.name}[/a]"]
        found += [f"{field.name}[{key}]" for key in ARGUMENTS.get(field.name, ())]
    return list(dict.fromkeys(found))


def shown(name: str, value: object) -> list[str]:
    """Return conditions on one value of a field."""
    if isinstance(value, (list, tuple)):
        return [condition for each in value for condition in shown(name, each)]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return [f'{name} = "{text}"'] if value is not None and '"' not in text else []


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    """Return rules that tell apart the values that such events show."""
    seen: dict[str, Counter[str]] = {name: Counter() for name in names()}
    for seed in range(6):
        for event in rulekit.open_source(io.BytesIO(capture(seed, 200))):
            for name in list(seen):
                try:
                    seen[name].update(shown(name, event[name]))
                except KeyError:  # a field that conditions have, and outputs have not
                    seen.pop(name)
    rules: list[Rule] = []
    for name in names():
        texts = [text for text, _ in seen.get(name, Counter()).most_common(VALUES)]
        texts += [f"{name} exists", f"{name} contains a", f"{name} in (1, 2, 3, 4)"]
        for text in texts:
            try:
                rules.append((text, bound(text), None))
            except (RuleError, AssertionError):
                continue  # the operator is not for values of this kind
    told_apart = {text.split(" ")[0].split("[")[0] for text, _, _ in rules if " = " in text}
    told_apart |= {"thread.cgroup"} if "thread.cgroup.cpu" in told_apart else set()
    assert told_apart >= PROCESS_FIELDS
    return rules


def answers(matcher: Matcher, data: bytes, limits: StateLimits | None) -> list[object]:
    loop = EventLoop(CaptureReader(io.BytesIO(data)), matcher, limits=limits)
    found: list[object] = []
    while (step := loop.next()) is not None:
        if step:
            found.append((loop.raw, loop.matched()))
    return found


@pytest.mark.parametrize("limits", [None, SMALL], ids=["roomy", "crowded"])
def test_what_is_kept_changes_no_answer(rules: list[Rule], limits: StateLimits | None) -> None:
    program = compile_ruleset(rules)
    cached, plain = Matcher(program), Matcher(program, caches=False)
    for seed in range(SEEDS):
        data = capture(seed, N_EVENTS)
        assert answers(cached, data, limits) == answers(plain, data, limits), f"seed {seed}"
    stats = cached.stats()
    # Many an event found its process known: else this would prove nothing.
    read = stats["signatures_built"] + stats["signatures_shared"]
    assert read < 0.9 * stats["events"]
    assert stats["chains_checked"] > 300


@pytest.mark.parametrize("demand", ["", "fd.name startswith / and "])
def test_what_is_kept_of_few_rules_changes_no_answer(rules: list[Rule], demand: str) -> None:
    # With few rules most events end before the matcher is called, for what is kept says no to all.
    chance = random.Random(1)
    of_processes = [rule for rule in rules if rule[0].split(" ")[0].split("[")[0] in PROCESS_FIELDS]
    for seed in range(SEEDS):
        chosen = chance.sample(of_processes, 5)
        few = compile_ruleset(
            [(text, bound(f"{demand}{text}"), None) for text, _, _ in chosen if " = " in text]
            or chosen[:1]
        )
        data = capture(seed, N_EVENTS)
        cached, plain = Matcher(few), Matcher(few, caches=False)
        assert answers(cached, data, None) == answers(plain, data, None), f"seed {seed}: {chosen}"

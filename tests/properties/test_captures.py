"""On recorded events caches change no answer, and neither does dropping them all the time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rulekit._fastmatch import Matcher
from rulekit.compiler import compile
from rulekit.compiler.program import compile_ruleset
from rulekit.errors import RuleError
from rulekit.rules.loader import load_files
from rulekit.testing._probe import replay
from tests.properties.conditions import bound

RULES = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")
CAPTURES = [
    "own/attack-docker-all.scap",
    "own/attack-host-2025-all.scap",
    "own/tiny-host.scap",
    "public/sf_setns.scap",
    "public/psp_run_as_user_0_container.scap",
    "public/sf_tcp-client-server.scap",
]


@pytest.fixture(scope="module")
def upstream(shared: Path) -> object:
    loaded = load_files([str(shared / "rules/upstream" / f"{name}.yaml") for name in RULES])
    assert loaded.ruleset is not None
    return compile(loaded.ruleset)


@pytest.fixture(scope="module")
def filters(shared: Path) -> object:
    rules = []
    with (shared / "reference/conformance/eval.jsonl").open(encoding="utf-8") as lines:
        for text in sorted({json.loads(line)["filter"] for line in lines}):
            try:
                rules.append((text, bound(text), None))
            except (RuleError, AssertionError):
                continue  # some filters are for older peers only
    assert len(rules) > 1000
    return compile_ruleset(rules)


# All filters on captures of all system calls: half a minute each.
SLOW = [pytest.param("filters", capture, marks=pytest.mark.slow) for capture in CAPTURES[:2]]


@pytest.mark.parametrize(
    ("rules", "capture"),
    [
        *(("upstream", capture) for capture in CAPTURES),
        *(("filters", capture) for capture in CAPTURES[2:]),
        *SLOW,
    ],
)
def test_caches_change_no_answer(
    shared: Path, capture: str, rules: str, request: pytest.FixtureRequest
) -> None:
    path = shared / "captures" / capture
    source = path if path.exists() else path.with_name(path.name + ".gz")
    program = request.getfixturevalue(rules)
    matchers = [
        Matcher(program),
        Matcher(program, caches=False),
        Matcher(program, max_cache_bytes=20_000),
    ]
    (cached, plain, forgetful), n_headers, _ = replay(source, matchers)
    assert n_headers > 100
    assert cached == plain
    assert forgetful == plain
    assert matchers[2].stats()["flushes"] > 0 or rules == "upstream"

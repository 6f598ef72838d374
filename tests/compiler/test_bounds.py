"""Rules of sizes that nobody writes by hand: bounded time and memory, or a diagnostic."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from rulekit._fastmatch import Matcher
from rulekit.engine.pipeline import Engine
from rulekit.errors import RuleError
from rulekit.rules.loader import load_files
from rulekit.testing._probe import Probe

NAME = ("proc.name", None, None)
PATH = ("fd.name", None, None)


def loaded(tmp_path: Path, *items: dict[str, Any]) -> Engine:
    path = tmp_path / "rules.json.yaml"
    path.write_text(json.dumps(list(items)))
    return Engine(load_files([path]).require())


def rule(condition: str, name: str = "r") -> dict[str, Any]:
    return {"rule": name, "desc": "d", "condition": condition, "output": "o", "priority": "INFO"}


def test_a_list_longer_than_any_condition_may_be(tmp_path: Path) -> None:
    # Six million characters, which the condition has only once.
    items = [f"/{i:0>99}" for i in range(60_000)]
    engine = loaded(tmp_path, {"list": "paths", "items": items}, rule("fd.name in (paths)"))
    program = engine.program
    stored = len(program.pool) + sum(len(t) * t.itemsize for t in program.tables.values())
    assert stored < 60_000 * (100 + 64)
    probe = Probe(program)
    for value, hit in ((items[0], True), (items[-1], True), ("/x", False), (items[5][:-1], False)):
        for _ in range(2):
            assert bool(probe.match(3, {PATH: value.encode()}, tid=1)) == hit


def test_written_text_is_bounded_as_before(tmp_path: Path) -> None:
    condition = "proc.name in (" + ", ".join(f"a{i:0>97}" for i in range(55_000)) + ")"
    with pytest.raises(RuleError, match="longer than 5000000 characters"):
        loaded(tmp_path, rule(condition))


def test_ten_thousand_items_in_many_rules_are_kept_once(tmp_path: Path) -> None:
    items = [f"name{i}" for i in range(10_000)]
    rules = [rule(f"evt.type = open and proc.name in (names) and fd.num = {i}", f"r{i}")
             for i in range(50)]  # fmt: skip
    program = loaded(tmp_path, {"list": "names", "items": items}, *rules).program
    assert len(program.pool) < 3 * sum(map(len, items))
    probe = Probe(program)
    number = ("fd.num", None, None)
    assert probe.match(3, {NAME: b"name77", number: 7}, tid=1) == [7]
    assert probe.match(3, {NAME: b"nome77", number: 7}, tid=2) == []


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 90 + "proc.name = a" + ")" * 90,
        "not (" * 90 + "proc.name = a" + ")" * 90,
        "".join(f"(proc.name = a{i} or (fd.num = {i} and " for i in range(40))
        + "proc.name = z"
        + "))" * 40,
    ],
    ids=["parentheses", "negations", "both"],
)
def test_deep_conditions_run(tmp_path: Path, condition: str) -> None:
    program = loaded(tmp_path, rule(condition)).program
    for matcher in (Probe(program), Probe(program, caches=False)):
        got = [
            bool(matcher.match(3, {NAME: name, ("fd.num", None, None): 5}, tid=n, version=n + 1))
            for n, name in enumerate((b"a", b"b", b"z", b"a0"))
        ]
        assert got in ([True, False, False, False], [False, False, False, True])
        assert got[1] is False


@pytest.mark.parametrize("levels", [1_000, 5_000])
def test_deeper_ones_are_refused(tmp_path: Path, levels: int) -> None:
    with pytest.raises(RuleError, match="nested too deeply"):
        loaded(tmp_path, rule("(" * levels + "proc.name = a" + ")" * levels))


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a+)+$x", "(a|aa)+b", "(.*a){20}b", "(x+x+)+y"])
def test_regexes_made_to_explode_take_linear_time(tmp_path: Path, pattern: str) -> None:
    probe = Probe(loaded(tmp_path, rule(f"proc.name regex '{pattern}'")).program, caches=False)
    spent = []
    for length in (2_000, 32_000):
        started = time.process_time()
        for _ in range(3):
            assert probe.match(3, {NAME: b"a" * length}, tid=1) == []
        spent.append(time.process_time() - started)
    # Sixteen times the text; a matcher that tries all ways would never come back.
    assert spent[1] < 400 * max(spent[0], 1e-4)


@pytest.mark.parametrize("pattern", ["((a{0,100}){0,100}){0,100}", "((a{0,50}){0,50})b"])
def test_regexes_too_large_to_compile_are_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(RuleError, match="bad value"):
        loaded(tmp_path, rule(f"proc.name regex '{pattern}'"))


def test_thousands_of_rules_share_what_they_have_in_common(tmp_path: Path) -> None:
    rules = [
        rule(f"evt.type in (open, openat) and proc.name = p{i % 40} and fd.num = {i}", f"r{i}")
        for i in range(1_500)
    ]
    engine = loaded(tmp_path, *rules)
    tables = engine.program.tables
    assert len(tables["predicate_op"]) < 1_500 + 40 + 100
    assert len(tables["node_op"]) < 5 * 1_500
    assert Matcher(engine.program).n_rules == 1_500


def test_nobody_looks_for_garbage_while_an_engine_is_made(tmp_path: Path) -> None:
    # With the objects of a hundred thousand rules around, looking once takes seconds.
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps([rule(f"proc.name = p{i}", f"r{i}") for i in range(3_000)]))
    ruleset = load_files([path]).require()
    looked: list[str] = []

    def look(phase: str, info: dict[str, int]) -> None:
        looked.append(phase)

    gc.callbacks.append(look)
    try:
        Engine(ruleset)
    finally:
        gc.callbacks.remove(look)
    assert len(looked) <= 2


def test_what_refused_rules_leave_behind_does_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps([rule("proc.name = a and and")]))
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(3_000):
        assert not load_files([path]).ok
    assert len(gc.get_objects()) - before < 400_000


def test_cost_grows_with_the_number_of_rules_and_no_faster(tmp_path: Path) -> None:
    spent = []
    for count in (1_000, 4_000):
        rules = [
            rule(
                f"evt.type in (open, openat) and proc.name in (p{i}, q{i % 97}) and "
                f"not fd.name startswith /var/lib/{i % 499}/",
                f"rule {i}",
            )
            for i in range(count)
        ]
        started = time.process_time()
        assert len(loaded(tmp_path, *rules).rules) == count
        spent.append(time.process_time() - started)
    assert spent[1] < 4 * 3 * spent[0]


def test_a_long_list_takes_little_memory_while_it_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    items = "".join(f"    - /x{i:022d}\n" for i in range(100_000))
    path.write_text(
        f"- list: paths\n  items:\n{items}- rule: r\n  desc: d\n"
        "  condition: fd.name in (paths)\n  output: o\n  priority: INFO\n"
    )
    tracemalloc.start()
    try:
        ruleset = load_files([path]).require()
        Engine(ruleset)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A text of 24 characters takes 73 bytes by itself; it stands in some forms at a time.
    assert peak < 100_000 * 800
    assert ruleset.lists["paths"].items[-1] == "/x0000000000000000099999"


def test_a_bad_item_of_a_long_list_is_shown_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    items = "".join(f"    - {i}\n" for i in range(20_000)) + "    - twenty\n"
    path.write_text(
        f"- list: numbers\n  items:\n{items}- rule: r\n  desc: d\n"
        "  condition: fd.num in (numbers)\n  output: o\n  priority: INFO\n"
    )
    found = [d for d in load_files([path]).diagnostics if d.severity == "error"]
    assert [d.code for d in found] == ["RK205"]
    place = found[0].span.outermost()
    assert place.text == "twenty"
    assert place.source.locate(place.start) == (20_003, 7)
    assert found[0].labels[0].text == "list `numbers` is used here"

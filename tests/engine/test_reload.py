"""Other rules come into force between two events; nothing but the rules changes."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import pytest

import rulekit
from rulekit.engine.pipeline import Engine
from rulekit.errors import RuleError
from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Ruleset
from tests.state.documents import audit_event

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = ROOT / "rulesets" / "captures" / "attack-host.scap.gz"
OPENED = "evt.type in (open, openat, openat2) and fd.name startswith /etc"
CHILD = "evt.type in (execve, execveat) and evt.res = SUCCESS and proc.pname exists"


def rules(tmp_path: Path, source: str = "syscall", **conditions: str) -> Ruleset:
    path = tmp_path / "rules.yaml"
    path.write_text(
        json.dumps(
            [
                {"rule": name, "desc": "d", "condition": condition, "output": "%evt.num",
                 "priority": "INFO", "source": source}
                for name, condition in conditions.items()
            ]
        )
    )  # fmt: skip
    return load_files([path], sources=("syscall", "k8s_audit")).require()


def seen(engine: Engine) -> list[tuple[int, str]]:
    return [(alert.event, alert.rule) for alert in engine.run(HOST)]


def test_the_next_event_is_looked_at_by_the_new_rules_with_the_state_of_the_old(
    tmp_path: Path,
) -> None:
    old, new = rules(tmp_path, opened=OPENED), rules(tmp_path, none="evt.num < 0", child=CHILD)
    opened, children = seen(Engine(old)), seen(Engine(new))
    engine = Engine(old)
    found = []
    for alert in engine.run(HOST):
        found.append((alert.event, alert.rule))
        if len(found) == 20:
            engine.reload(new)
    at = opened[19][0]
    # The parents of processes are known although none of the rules before asked for them.
    assert found == opened[:20] + [each for each in children if each[0] > at]
    assert len(found) > 40
    assert engine.stats.reloads == 1
    assert engine.stats.alerts == {"opened": 20, "child": len(found) - 20}
    assert engine.stats.events > 10_000
    assert engine.rules[1].name == "child"


def test_there_and_back_is_as_without(tmp_path: Path) -> None:
    # More rules, fewer rules, more words than one: what is kept of processes and paths is of one
    # program only.
    few = rules(tmp_path, opened=OPENED, child=CHILD)
    padding = {f"never {i}": f"proc.name = no{i} or fd.name = /no/{i}" for i in range(150)}
    many = rules(tmp_path, **padding, opened=OPENED, child=CHILD)
    expected = seen(Engine(few))
    engine = Engine(few)
    found = []
    for alert in engine.run(HOST):
        found.append((alert.event, alert.rule))
        if len(found) < 20:
            engine.reload(many if len(found) % 2 else few)
    assert found == expected
    assert 15 < engine.stats.reloads < 20


def test_all_alerts_of_an_event_come_from_the_same_rules(tmp_path: Path) -> None:
    old = rules(tmp_path, first=OPENED, second=OPENED, third=OPENED)
    new = rules(tmp_path, only=OPENED)
    engine = Engine(old, matching="all")
    found = []
    for alert in engine.run(HOST):
        if not found:
            engine.reload(new)
        found.append((alert.event, alert.rule))
    assert [name for event, name in found if event == found[0][0]] == ["first", "second", "third"]
    assert {name for event, name in found if event != found[0][0]} == {"only"}


def test_rules_that_cannot_be_run_leave_the_old_ones_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(rules(tmp_path, opened=OPENED))
    before = engine.program

    def refuse(rules: object) -> None:
        raise RuleError("no")

    monkeypatch.setattr("rulekit.engine.in_force.compile", refuse)
    with pytest.raises(RuleError):
        engine.reload(rules(tmp_path, child=CHILD))
    assert engine.program is before
    assert {name for _, name in seen(engine)} == {"opened"}


def test_a_loop_that_finds_nothing_is_interrupted_from_another_thread(tmp_path: Path) -> None:
    # A pipe that delivers events without end: only the reload ends the wait for the first alert.
    engine = Engine(rules(tmp_path, none="evt.num < 0"))
    data = HOST.read_bytes()
    stopped, calls = threading.Event(), []

    class Endless(io.RawIOBase):
        """The same capture again and again; captures may follow one another."""

        def __init__(self) -> None:
            self.at = 0

        def readable(self) -> bool:
            return True

        def readinto(self, target) -> int:  # type: ignore[no-untyped-def]
            if stopped.is_set():
                return 0
            n = min(len(target), len(data) - self.at)
            target[:n] = data[self.at : self.at + n]
            self.at = (self.at + n) % len(data)
            calls.append(n)
            if len(calls) == 3:
                threading.Thread(target=engine.reload, args=(new,)).start()
            return n

    new = rules(tmp_path, opened=OPENED)
    run = engine.run(io.BufferedReader(Endless()))
    assert next(run).rule == "opened"
    stopped.set()
    run.close()
    assert engine.stats.reloads == 1


def test_documents_too(tmp_path: Path) -> None:
    lines = b"".join(
        json.dumps(audit_event(verb=verb, userAgent="x")).encode() + b"\n"
        for verb in ("get", "list", "get", "create")
    )
    old = rules(tmp_path, "k8s_audit", got="ka.verb = get")
    new = rules(
        tmp_path, "k8s_audit", made="ka.verb = create", agent="jevt.value[/userAgent] exists"
    )
    engine = Engine(old, source="k8s_audit", matching="all")
    found = []
    for alert in engine.run(io.BytesIO(lines)):
        found.append((alert.event, alert.rule))
        if len(found) == 1:
            engine.reload(new)
    assert found[0] == (1, "got")
    assert (4, "made") in found
    assert not [each for each in found[1:] if each[1] == "got"]
    assert [event for event, name in found if name == "agent"] == [2, 3, 4]


def test_another_engine_runs_the_same_program_at_the_same_time(tmp_path: Path) -> None:
    engine = Engine(rules(tmp_path, opened=OPENED, child=CHILD))
    twin = engine.another()
    assert twin.program is engine.program
    expected = seen(engine)
    both: dict[str, list[tuple[int, str]]] = {}
    threads = [
        threading.Thread(target=lambda key=key, each=each: both.update({key: seen(each)}))
        for key, each in (("a", engine), ("b", twin))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert both == {"a": expected, "b": expected}


def test_the_library_reloads_too(tmp_path: Path) -> None:
    engine = rulekit.Engine(rules(tmp_path, opened=OPENED))
    ruleset = rulekit.load(ROOT / "rulesets/persistence/rules.yaml")
    engine.reload(ruleset)
    assert [rule.name for rule in engine.rules] == [rule.name for rule in ruleset.rules]

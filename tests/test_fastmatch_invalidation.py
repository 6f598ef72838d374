"""What is kept about processes and strings is forgotten when it may have changed."""

from __future__ import annotations

import pytest

from rulekit.compiler.program import Program, compile_ruleset
from rulekit.testing._probe import Probe
from tests.properties.conditions import bound

NAME = ("proc.name", None, None)
PARENT = ("proc.pname", None, None)
OTHER = [{NAME: b"dog"}, {NAME: b"cat"}]


def program(*conditions: str) -> Program:
    return compile_ruleset([(text, bound(text), None) for text in conditions])


def family(probe: Probe) -> None:
    """1 is the parent of 2, 2 of 3; 4 is a second thread of 3."""
    probe.set_thread(1, 11)
    probe.set_thread(2, 12, parent=1)
    probe.set_thread(3, 13, parent=2)
    probe.set_thread(4, 14, parent=2, pid=3)


@pytest.fixture
def probe() -> Probe:
    made = Probe(program("proc.pname = bash"))
    family(made)
    assert made.match(3, {PARENT: b"bash"}, tid=3) == [0]
    assert made.match(3, {PARENT: b"bash"}, tid=4) == [0]
    # What is known is not read again: without this the tests below would prove nothing.
    assert made.match(3, {PARENT: b"zsh"}, tid=3) == [0]
    return made


@pytest.mark.parametrize("tid", [3, 4])
@pytest.mark.parametrize("ancestor", [1, 2])
def test_a_change_of_an_ancestor_is_noticed(probe: Probe, tid: int, ancestor: int) -> None:
    probe.set_thread(ancestor, 99)
    probe.changed(ancestors=True)
    assert probe.match(3, {PARENT: b"zsh"}, tid=tid) == []


def test_a_change_of_the_main_thread_is_noticed(probe: Probe) -> None:
    probe.set_thread(3, 99)
    probe.changed(ancestors=True)
    assert probe.match(3, {PARENT: b"zsh"}, tid=4) == []


def test_a_new_parent_is_noticed(probe: Probe) -> None:
    probe.set_thread(3, 13, parent=1)
    probe.changed(ancestors=True)
    assert probe.match(3, {PARENT: b"zsh"}, tid=3) == []


def test_a_parent_that_appears_is_noticed() -> None:
    probe = Probe(program("proc.pname exists"))
    probe.set_thread(6, 16)
    probe.set_thread(6, 16, parent=5)  # named, though nobody knows it yet
    assert probe.match(3, {}, tid=6) == []
    probe.set_thread(5, 15)
    probe.changed(ancestors=True)
    assert probe.match(3, {PARENT: b"x"}, tid=6) == [0]


def test_a_change_elsewhere_costs_no_new_signature(probe: Probe) -> None:
    probe.set_thread(7, 17)
    probe.changed(ancestors=True)
    assert probe.match(3, {PARENT: b"zsh"}, tid=3) == [0]
    assert probe.stats()["chains_checked"] == 1


def test_a_change_of_the_process_is_noticed(probe: Probe) -> None:
    probe.set_thread(3, 99)
    assert probe.match(3, {PARENT: b"zsh"}, tid=3) == []


@pytest.mark.parametrize("what", ["accounts", "containers"])
def test_changes_of_tables_are_noticed(probe: Probe, what: str) -> None:
    probe.changed(**{what: True})
    assert probe.match(3, {PARENT: b"zsh"}, tid=3) == []


def test_container_events_show_their_own_container(probe: Probe) -> None:
    assert probe.match(3, {PARENT: b"zsh"}, tid=3, container_event=True) == []
    assert probe.match(3, {PARENT: b"zsh"}, tid=3) == [0]


def test_events_without_a_thread_are_looked_at() -> None:
    probe = Probe(program("proc.name = cat"))
    for values in OTHER * 2:
        assert probe.match(3, values) == ([0] if values[NAME] == b"cat" else [])


def test_one_thread_after_another_is_told_apart() -> None:
    probe = Probe(program("proc.name = cat", "not proc.name = cat"))
    for _ in range(3):
        for tid, values in enumerate(OTHER, 1):
            want = [0] if values[NAME] == b"cat" else [1]
            assert probe.match(3, values, tid=tid, version=tid) == want


def test_two_programs_over_one_state_do_not_mix() -> None:
    # As after a reload: threads and strings still carry what the first program knew.
    first = Probe(program("fd.name contains a", "proc.name = cat"))
    second = Probe(program("proc.name = dog", "fd.name contains b"), beside=first)
    values = {("fd.name", None, None): b"a", NAME: b"cat"}
    for _ in range(3):
        assert first.match(3, values, tid=1, version=1) == [0, 1]
        assert second.match(3, values, tid=1, version=1) == []
    del first
    assert second.match(3, {**values, NAME: b"dog"}, tid=2, version=2) == [0]


def test_collected_strings_take_their_facts_with_them() -> None:
    probe = Probe(program("fd.name contains a or proc.name = cat"))
    for i in range(2000):
        text = b"%da" % i if i % 3 else b"%db" % i
        values = {("fd.name", None, None): text, NAME: b"dog"}
        assert probe.match(3, values, tid=1, version=1) == ([0] if i % 3 else [])
        if i % 100 == 0:
            probe.collect()


@pytest.mark.parametrize("field", ["proc.args", "proc.env"])
def test_facts_kept_on_a_list_belong_to_that_list(field: str) -> None:
    probe = Probe(program(f"{field} contains x"))
    name = (field, None, None)
    for version, text in enumerate([b"x", b"y", b"", b"xy"] * 2, 1):
        words = text + b"\0" if text else b""
        probe.set_thread(1, version, args=words, env=words)
        assert probe.match(3, {name: text}, tid=1) == ([0] if b"x" in text else [])
    assert probe.stats()["facts_built"] == 4


@pytest.mark.parametrize("which", ["effective", "permitted", "inheritable"])
def test_facts_kept_of_capabilities_belong_to_that_set(which: str) -> None:
    probe = Probe(program(f"thread.cap_{which} contains CAP_X"))
    name = (f"thread.cap_{which}", None, None)
    for version, number in enumerate([1, 2, 3, 4, 5, 6, 7, 1, 7, 2] * 2, 1):
        probe.set_thread(1, version, capabilities=number)
        text = b"CAP_X" if number % 2 else b"CAP_Y"
        assert probe.match(3, {name: text}, tid=1) == ([0] if number % 2 else [])


def test_facts_of_capabilities_do_not_outlive_the_caches() -> None:
    probe = Probe(
        program("thread.cap_effective contains CAP_X or fd.name contains a"), max_cache_bytes=600
    )
    name = ("thread.cap_effective", None, None)
    for i in range(300):
        probe.set_thread(1, i + 1, capabilities=1)
        values = {name: b"CAP_X", ("fd.name", None, None): b"%d" % i}
        assert probe.match(3, values, tid=1) == [0]

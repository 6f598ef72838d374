"""What is kept about processes and strings is forgotten when it may have changed."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from rulekit._fastmatch import Matcher
from rulekit.capture import Builder
from rulekit.capture._reader import CaptureReader
from rulekit.compiler.program import Program, compile_ruleset
from rulekit.engine._loop import EventLoop
from rulekit.testing._probe import Probe, replay
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


@pytest.mark.parametrize("changed", [1, 2, 8])
def test_a_thread_that_is_parent_counts_and_so_does_its_main_thread(changed: int) -> None:
    # 8 is a thread of 2 and the parent of 5.
    probe = Probe(program("proc.pname = bash"))
    family(probe)
    probe.set_thread(8, 18, parent=1, pid=2)
    probe.set_thread(5, 15, parent=8)
    assert probe.match(3, {PARENT: b"bash"}, tid=5) == [0]
    probe.set_thread(changed, 99)
    probe.changed(ancestors=True)
    assert probe.match(3, {PARENT: b"zsh"}, tid=5) == []


@pytest.mark.parametrize("changed", [2, 9])
def test_a_thread_with_another_parent_than_its_process_has_both(changed: int) -> None:
    probe = Probe(program("proc.pname = bash"))
    family(probe)
    probe.set_thread(9, 19, parent=1)
    probe.set_thread(6, 16, parent=9, pid=3)
    assert probe.match(3, {PARENT: b"bash"}, tid=6) == [0]
    probe.set_thread(changed, 99)
    probe.changed(ancestors=True)
    assert probe.match(3, {PARENT: b"zsh"}, tid=6) == []


@pytest.mark.parametrize("changed", [1, 2, 8, 9, 10, 11])
def test_a_parent_with_another_parent_than_its_process_has_both(changed: int) -> None:
    # 8 is a thread of 2 and the parent of 5; its parent 9, a thread of 10, is none of process 2's.
    # proc.aname goes on from 8 to 9, proc.aname[2] to the parent of 2.
    probe = Probe(program("proc.pname = bash"))
    family(probe)
    probe.set_thread(11, 21)
    probe.set_thread(10, 20, parent=11)
    probe.set_thread(9, 19, parent=11, pid=10)
    probe.set_thread(8, 18, parent=9, pid=2)
    probe.set_thread(5, 15, parent=8)
    assert probe.match(3, {PARENT: b"bash"}, tid=5) == [0]
    assert probe.match(3, {PARENT: b"zsh"}, tid=5) == [0]
    probe.set_thread(changed, 99)
    probe.changed(ancestors=True)
    assert probe.match(3, {PARENT: b"zsh"}, tid=5) == []


def test_a_new_parent_is_noticed(probe: Probe) -> None:
    probe.set_thread(3, 13, parent=1)
    probe.changed(ancestors=True)
    assert probe.match(3, {PARENT: b"zsh"}, tid=3) == []


def test_a_parent_that_appears_is_noticed() -> None:
    probe = Probe(program("proc.pname exists"))
    probe.set_thread(6, 16)
    probe.set_thread(6, 16, parent=5)  # named, though nobody knows it yet
    assert probe.match(3, {}, tid=6) == []
    probe.set_thread(5, 15)  # nobody tells that this leaf is an ancestor
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


def test_two_programs_do_not_mix_what_one_text_is_for_two_fields() -> None:
    # The first program knows the text as a path and as a name; the second one asks for the path
    # before it asks for the name.
    path = ("fd.name", None, None)
    first = Probe(program("fd.name contains a", "proc.name contains a"))
    second = Probe(program("fd.name contains b", "proc.name contains z"), beside=first)
    assert first.match(3, {path: b"ab", NAME: b"ab"}, tid=1, version=1) == [0, 1]
    assert second.match(3, {path: b"ab", NAME: b"cat"}, tid=2, version=2) == [0]
    assert second.match(3, {path: b"dog", NAME: b"ab"}, tid=3, version=3) == []


def test_two_programs_do_not_mix_what_a_computed_text_is() -> None:
    # A text that is put together for the event meets the one that the first program knows.
    path = ("fd.name", None, None)
    first = Probe(program("fd.name contains a"))
    second = Probe(program("fd.name contains b"), beside=first)
    for text, want in ((b"a", [[0], []]), (b"b", [[], [0]])):
        assert first.match(3, {path: text}, interned=False) == want[0]
        assert second.match(3, {path: text}, interned=False) == want[1]


def test_two_programs_do_not_mix_what_lists_make_true() -> None:
    first = Probe(program("proc.args contains a"))
    second = Probe(program("proc.args contains b"), beside=first)
    first.set_thread(1, 1, args=b"a\0")
    for version in range(2, 5):
        assert first.match(3, {("proc.args", None, None): b"a"}, tid=1) == [0]
        assert second.match(3, {("proc.args", None, None): b"a"}, tid=1) == []
        first.set_thread(1, version)


def test_collected_strings_take_their_facts_with_them() -> None:
    probe = Probe(program("fd.name contains a or proc.name = cat"))
    for i in range(2000):
        text = b"%da" % i if i % 3 else b"%db" % i
        values = {("fd.name", None, None): text, NAME: b"dog"}
        assert probe.match(3, values, tid=1, version=1) == ([0] if i % 3 else [])
        if i % 100 == 0:
            probe.collect()


def test_strings_that_the_table_refuses_are_looked_at() -> None:
    probe = Probe(program("fd.name contains a", "not fd.name contains a"))
    path = ("fd.name", None, None)
    assert probe.match(3, {path: b""}, interned=False) == [1]
    probe.refuse_strings()
    assert probe.match(3, {path: b"a"}, interned=False) == [0]
    assert probe.match(3, {path: b"b"}, interned=False) == [1]


@pytest.mark.parametrize("field", ["proc.args", "proc.env"])
def test_facts_kept_on_a_list_belong_to_that_list(field: str) -> None:
    probe = Probe(program(f"{field} contains x"))
    name = (field, None, None)
    for version, text in enumerate([b"x", b"y", b"", b"xy"] * 2, 1):
        words = text + b"\0" if text else b""
        if field == "proc.args":
            probe.set_thread(1, version, args=words)
        else:
            probe.set_thread(1, version, env=words)
        assert probe.match(3, {name: text}, tid=1) == ([0] if b"x" in text else [])
    assert probe.stats()["facts_built"] == 4


@pytest.mark.parametrize("place", range(3))
def test_facts_kept_of_capabilities_belong_to_that_set(place: int) -> None:
    name = f"thread.cap_{('effective', 'permitted', 'inheritable')[place]}"
    probe = Probe(program(f"{name} contains CAP_X"))
    for version, number in enumerate([1, 2, 3, 4, 5, 6, 7, 1, 7, 2] * 2, 1):
        sets = [0, 0, 0]
        sets[place] = number
        probe.set_thread(1, version, capabilities=(sets[0], sets[1], sets[2]))
        text = b"CAP_X" if number % 2 else b"CAP_Y"
        found = probe.match(3, {(name, None, None): text}, tid=1)
        assert found == ([0] if number % 2 else [])


def test_facts_of_capabilities_do_not_outlive_the_caches() -> None:
    # Few sets in turn, each with facts of its own: what is dropped and still in use shows others'.
    rules = [f"thread.cap_effective contains X{bit}" for bit in range(6)]
    probe = Probe(program(*rules, "fd.name contains a"), max_cache_bytes=1500)
    name, path = ("thread.cap_effective", None, None), ("fd.name", None, None)
    for i in range(1200):
        caps = 1 + (i * 7 + i // 3) % 62 if i % 40 < 3 else 1 + (i // 40 + i % 3) % 62
        holds = [bit for bit in range(6) if caps >> bit & 1]
        probe.set_thread(1, i + 1, capabilities=(caps, 0, 0))
        text = b" ".join(b"X%d" % bit for bit in holds)
        assert probe.match(3, {name: text, path: b"%d" % i}, tid=1) == holds
    assert probe.stats()["flushes"] > 10


def test_signatures_do_not_outlive_the_caches() -> None:
    # What the thread still names is gone: each time the caches were dropped there is a new one.
    rules = [f"fd.name contains X{bit}" for bit in range(6)]
    probe = Probe(program(*rules, "proc.pname = bash"), max_cache_bytes=1500)
    for i in range(400):
        holds = [bit for bit in range(6) if i >> bit & 1]
        path = b" ".join(b"X%d" % bit for bit in holds) + b"/%d" % i
        values = {("fd.name", None, None): path, PARENT: b"bash"}
        assert probe.match(3, values, tid=1, version=1) == [*holds, 6]
    stats = probe.stats()
    assert stats["flushes"] > 3
    assert stats["signatures_built"] == stats["flushes"] + 1


def test_facts_of_the_path_of_an_event_belong_to_one_program() -> None:
    # The path of a known descriptor is looked up without being read: as after a reload.
    b = Builder()
    b.add_process(100, "cat")
    b.add_event("open", {"fd": 3, "name": "/a"}, tid=100)
    for _ in range(4):
        b.add_event("read", {"res": 1, "data": b"x", "fd": 3, "size": 1}, tid=100)
    matchers = [
        Matcher(program("evt.type = read", "evt.type = read and fd.name contains a")),
        Matcher(program("evt.type = read and fd.name contains b", "evt.type = read")),
    ]
    loop = EventLoop(CaptureReader(io.BytesIO(b.build())), matchers[0])
    found = []
    while loop.next():
        found.append(loop.matched())
        loop.exchange(matchers[len(found) % 2])
    assert found == [[0, 1], [1], [0, 1], [1]]


# Of each: what happens between two reads, and the rule that holds from then on. With a rule or two,
# most events end before the matcher is called: what is kept of the process says no.
SEEN: dict[str, tuple[str, Callable[[Builder], object]]] = {
    "the process": ("user.uid = 5", lambda b: b.add_event("setuid", {"res": 0, "uid": 5}, tid=100)),
    "its parent": (
        "proc.pname = zsh", lambda b: b.execute(50, "zsh")),
    "an account": (
        "user.name = eve",
        lambda b: b.add_event(
            "useradded", {"uid": 7, "gid": 7, "name": "eve", "home": "/", "shell": "/bin/sh",
                          "container_id": ""}, tid=1)),
    "a container": (
        "container.name = box", lambda b: b.add_container(CONTAINER, "box")),
}  # fmt: skip
CONTAINER = "c" * 64


@pytest.mark.parametrize("change", SEEN)
def test_a_change_is_noticed_by_few_rules(change: str) -> None:
    condition, step = SEEN[change]
    b = Builder()
    b.add_process(50, "bash")
    b.add_process(100, "cat", ptid=50, uid=7, cgroups=[f"cpu=/docker/{CONTAINER}"])
    reads = []
    for happens in (None, None, step, None):
        if happens is not None:
            happens(b)
        reads.append(b.add_event("read", {"res": 1, "data": b"x", "fd": 3, "size": 1}, tid=100))
    matcher = Matcher(program(f"evt.type = read and {condition}"))
    (found,), _, _ = replay(io.BytesIO(b.build()), [matcher])
    assert found == [(raw, 0) for raw in reads[2:]]


def test_few_rules_of_two_programs_are_told_apart() -> None:
    b = Builder()
    b.add_process(100, "cat")
    reads = [b.add_event("read", {"res": 1, "fd": 3}, tid=100) for _ in range(4)]
    both = [Matcher(program(f"evt.type = read and proc.name = {name}")) for name in ("dog", "cat")]
    (dogs, cats), _, _ = replay(io.BytesIO(b.build()), both)
    assert dogs == []
    assert cats == [(raw, 0) for raw in reads]


def test_what_few_rules_know_of_a_path_is_of_one_program() -> None:
    # The second program looks at the same path, on another thread.
    b = Builder()
    for tid in (100, 200):
        b.add_process(tid, "cat")
        b.add_event("open", {"fd": 3, "name": "/cat"}, tid=tid)
    reads = []
    for _ in range(4):
        reads.append(b.add_event("read", {"res": 1, "fd": 3}, tid=100))
        b.add_event("write", {"res": 1, "fd": 3}, tid=200)
    both = [
        Matcher(program("evt.type = read and fd.name contains cat")),
        Matcher(program("evt.type = write and fd.name contains dog")),
    ]
    (cats, dogs), _, _ = replay(io.BytesIO(b.build()), both)
    assert dogs == []
    assert cats == [(raw, 0) for raw in reads]

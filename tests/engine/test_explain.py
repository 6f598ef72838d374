"""Rules explained: the same truths as the matcher's, and those it does not look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulekit._fastmatch import Matcher
from rulekit.capture import Builder
from rulekit.capture._reader import CaptureReader
from rulekit.compiler import compile
from rulekit.compiler.written import (
    WrittenProgram,
    WrittenRule,
    compile_written,
    compile_written_conditions,
)
from rulekit.engine._explain import Explainer
from rulekit.engine._loop import EventLoop
from rulekit.engine.pipeline import bind
from rulekit.errors import RulekitError
from rulekit.rules.bound import Bound, BoundAnd, BoundComparison, BoundNot
from rulekit.rules.loader import load_files

RULESETS = Path(__file__).resolve().parents[2] / "rulesets"
CAPTURES = sorted((RULESETS / "captures").glob("*.scap.gz"))
RULES = sorted(RULESETS.glob("*/rules.yaml"))


@pytest.fixture(scope="module")
def bundled() -> WrittenProgram:
    return compile_written(load_files(RULES).require())


def written(*conditions: str) -> WrittenProgram:
    return compile_written_conditions([(text, bind(text), None) for text in conditions])


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """cat opens two files, then closes one; 1 ms between events."""
    b = Builder()
    b.add_process(7, "cat")
    for i, name in enumerate(("/etc/passwd", "/tmp/x"), 3):
        b.add_event("openat", {"fd": i, "dirfd": "AT_FDCWD", "name": name}, tid=7)
    b.add_event("close", {"res": 0}, tid=7)
    path = tmp_path / "three.scap"
    b.save(path)
    return path


def outcome(rule: WrittenRule, true: int) -> bool:
    """Return what the written condition says, given the truth of each distinct comparison."""
    leaves = iter(rule.places)

    def of(node: Bound) -> bool:
        if isinstance(node, BoundComparison):
            place = next(leaves)
            return place is not None and bool(true >> place & 1)
        if isinstance(node, BoundNot):
            return not of(node.child)
        children = [of(child) for child in node.children]
        return all(children) if isinstance(node, BoundAnd) else any(children)

    return of(rule.condition)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_it_sees_the_matches_of_the_fast_matcher(path: Path, bundled: WrittenProgram) -> None:
    explainer = Explainer(bundled)
    fast = Matcher(compile(load_files(RULES).require()))
    loop = EventLoop(CaptureReader(path))
    found: list[tuple[int, list[int]]] = []
    at_end = False
    while not at_end:
        at_end, differences = explainer.gather(loop, fast)
        found += differences
    assert found == []
    matches = 0
    for number, rule in enumerate(bundled.rules):
        combinations, n_unkept = explainer.combinations(number)
        assert n_unkept == 0
        for matched, true, known, n_events, first in combinations:
            assert true & ~known == 0
            assert n_events > 0
            assert first > 0
            assert outcome(rule, true) == matched, (rule.name, first)
            matches += n_events * matched
    assert matches == fast.stats()["matches"] > 0


def test_one_event_is_explained(capture: Path) -> None:
    program = written(
        "evt.type = openat and fd.name startswith /etc and not proc.name in (vi, cat)",
        "evt.type = close and fd.num < 10",
    )
    explainer = Explainer(program)
    loop = EventLoop(CaptureReader(capture))
    with pytest.raises(RulekitError, match="gone"):
        explainer.look(loop)
    assert loop.next()
    explainer.look(loop)
    assert program.rules[0].places == (0, 1, 2)
    # The process decides: the matcher looks at its name, then at no other text.
    matched, true, known, tried = explainer.explain(0)
    assert (matched, true, known) == (False, 0b111, 0b111)
    assert tried & 0b100
    assert explainer.values(0, 1) == (b"/etc/passwd", None)
    assert explainer.values(0, 2) == (b"cat", None)
    # Another event type: nothing is tried, everything is known.
    assert explainer.explain(1) == (False, 0b10, 0b11, 0)
    assert explainer.values(1, 1) == (3, None)
    assert loop.next()
    with pytest.raises(RulekitError, match="gone"):
        explainer.look(EventLoop(CaptureReader(capture)))
    explainer.look(loop)
    assert explainer.explain(0)[1] == 0b101
    for wrong in (2, 1 << 31):
        with pytest.raises(IndexError):
            explainer.explain(wrong)
        with pytest.raises(IndexError):
            explainer.values(0, wrong + 1)
    while loop.next() is not None:
        pass
    with pytest.raises(RulekitError, match="gone"):
        explainer.explain(0)


def test_the_truths_are_of_the_event_last_looked_at(capture: Path) -> None:
    explainer = Explainer(written("fd.name = /tmp/x"))
    loop = EventLoop(CaptureReader(capture))
    truths = []
    while loop.next():
        explainer.look(loop)
        truths.append(explainer.explain(0)[0])
        assert explainer.explain(0)[0] == truths[-1]
    assert truths == [False, True, False]


def test_what_cannot_hold_and_what_is_written_twice_has_its_place(capture: Path) -> None:
    program = written("proc.name in () or proc.name = cat or (fd.num = 3 and proc.name = cat)")
    assert program.rules[0].places == (None, 0, 1, 0)
    explainer = Explainer(program)
    loop = EventLoop(CaptureReader(capture))
    assert loop.next()
    explainer.look(loop)
    assert explainer.explain(0)[:3] == (True, 0b11, 0b11)


def test_fields_with_a_memory_are_asked_only_when_the_matcher_asks(capture: Path) -> None:
    text = "evt.type = openat and evt.deltatime >= 1000000"
    program = written(text)
    assert program.rules[0].remembers == (False, True)
    explainer = Explainer(program)
    loop = EventLoop(CaptureReader(capture))
    seen = []
    while loop.next():
        explainer.look(loop)
        seen.append(explainer.explain(0))
    fast = EventLoop(CaptureReader(capture), Matcher(program.program))
    matches = 0
    while fast.next():
        matches += 1
    assert sum(each[0] for each in seen) == matches == 1
    # The third event is a close: the delta time was not asked, so it is not known.
    assert [each[2] for each in seen] == [0b11, 0b11, 0b01]


def test_combinations_are_bounded(capture: Path) -> None:
    explainer = Explainer(written("fd.name = /tmp/x"), max_combinations=1)
    explainer.gather(EventLoop(CaptureReader(capture)))
    combinations, n_unkept = explainer.combinations(0)
    assert combinations == [(False, 0, 1, 2, 1)]
    assert n_unkept == 1


def test_a_loop_with_a_matcher_or_other_rules_is_refused(capture: Path) -> None:
    program = written("fd.name = /tmp/x")
    explainer = Explainer(program)
    with pytest.raises(ValueError, match="matcher"):
        explainer.gather(EventLoop(CaptureReader(capture), Matcher(program.program)))
    with pytest.raises(ValueError, match="other rules"):
        explainer.gather(
            EventLoop(CaptureReader(capture)),
            Matcher(written("evt.num = 1", "evt.num = 2").program),
        )

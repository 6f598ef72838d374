"""Bounds of the state that users choose."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rulekit
from rulekit.capture import Builder
from rulekit.engine.limits import StateLimits

RULE = """\
- rule: Named
  desc: A thread whose program is known.
  condition: evt.type = close and proc.name startswith p
  output: "%proc.name %fd.name"
  priority: INFO
"""


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    b = Builder()
    for tid in range(100, 120):
        b.add_process(tid, f"p{tid}")
    for tid in range(100, 120):
        for fd in (3, 4, 5):
            b.add_event("open", {"fd": fd, "name": f"/f{fd}"}, tid=tid)
        b.add_event("close", {"res": 0, "fd": 5}, tid=tid)
    b.save(tmp_path / "a.scap")
    return tmp_path / "a.scap"


def test_an_engine_remembers_no_more_than_it_may(capture: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RULE)
    rules = rulekit.load(tmp_path / "r.yaml")
    every = rulekit.Engine(rules)
    assert len(list(every.run(capture))) == 20
    assert every.stats.counters == {}
    few = rulekit.Engine(rules, limits=StateLimits(threads=5, fds_per_process=2))
    for engine in (few, few.another()):
        found = list(engine.run(capture))
        assert len(found) == 5
        assert engine.stats.counters["threads_refused"] >= 15
        assert engine.stats.counters["fds_refused"] >= 5


def test_a_source_remembers_no_more_than_it_may(capture: Path) -> None:
    source = rulekit.open_source(capture, limits=StateLimits(threads=5))
    names = [event["proc.name"] for event in source.events("evt.type = close")]
    assert len([name for name in names if name is not None and name.startswith("p")]) == 5


def test_the_command_says_what_found_no_room(capture: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RULE)
    command = [sys.executable, "-m", "rulekit", "run", "-r", str(tmp_path / "r.yaml")]
    command += ["-e", str(capture), "--max-threads"]
    done = subprocess.run([*command, "5"], capture_output=True, text=True)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 5
    assert "threads refused" in done.stderr.replace("_", " ")
    done = subprocess.run([*command, "0"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "'0' is no whole number from 1" in done.stderr


@pytest.mark.parametrize("bound", [0, -1, 1 << 31])
def test_absurd_bounds_are_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="threads is not from 1"):
        StateLimits(threads=bound)

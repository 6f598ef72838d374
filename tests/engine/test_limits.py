"""Bounds of the state that users choose."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

import rulekit
from rulekit.capture import Builder
from rulekit.config.options import LimitOptions
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


WAYS = {
    "lines": ["-p", "%proc.name", "evt.type = close and proc.name startswith p"],
    "json": ["-F", "json", "-p", "%proc.name", "evt.type = close and proc.name startswith p"],
    "summary": ["-c", "fdcount_by", "proc.name"],
    "counts": ["-S"],
    "cpu": ["-c", "topprocs_cpu"],
    "tree": ["--tree"],
}


@pytest.mark.parametrize("way", WAYS)
def test_every_look_at_events_says_what_found_no_room(capture: Path, way: str) -> None:
    command = [sys.executable, "-m", "rulekit", "events", "-e", str(capture), *WAYS[way]]
    whole = subprocess.run(command, capture_output=True, text=True)
    assert (whole.returncode, whole.stderr) == (0, "") or way == "cpu"
    few = subprocess.run(
        [*command, "--max-threads", "5", "--max-fds", "2"], capture_output=True, text=True
    )
    assert few.returncode == 0
    assert "note: fds refused: " in few.stderr
    assert "note: threads refused: " in few.stderr
    assert (few.stdout != whole.stdout) == (way not in ("counts", "cpu"))


def test_questions_and_slices_keep_to_the_bounds(capture: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rulekit", "events", "-e", str(capture), "--max-threads", "5"]
    (tmp_path / "c.jsonl").write_text('"evt.type = close and proc.name startswith p"\n')
    (tmp_path / "o.jsonl").write_text('{"event": 80, "format": "%proc.name"}\n')
    done = subprocess.run(
        [*command, "--conditions", str(tmp_path / "c.jsonl")], capture_output=True, text=True
    )
    assert len(json.loads(done.stdout)["matches"]) == 5
    assert "threads refused" in done.stderr
    done = subprocess.run(
        [*command, "--outputs", str(tmp_path / "o.jsonl")], capture_output=True, text=True
    )
    assert json.loads(done.stdout)["fields"] in (None, {"proc.name": None})
    assert "threads refused" in done.stderr
    part = tmp_path / "part.scap"
    done = subprocess.run(
        [*command, "-w", str(part), "proc.name startswith p"], capture_output=True, text=True
    )
    assert "threads refused" in done.stderr
    assert f"{part}: 20 events" in done.stderr


def test_a_configuration_bounds_what_is_remembered(capture: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RULE)
    config = tmp_path / "rulekit.yaml"
    text = f"rules: [r.yaml]\ncapture: {capture}\nsinks: {{out: {{type: stdout}}}}\n"
    text += f"spool: {{path: {tmp_path / 'spool'}}}\n"
    config.write_text(text + "limits: {threads: 5, fds_per_process: 2}\n")
    command = [sys.executable, "-m", "rulekit", "run", "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5
    assert "note: threads refused: " in done.stderr
    # An option goes before the configuration.
    done = subprocess.run([*command, "--max-threads", "7"], capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 7
    config.write_text(text + "limits: {threads: 0}\n")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "limits" in done.stderr


def test_the_reference_of_the_configuration_names_the_defaults() -> None:
    hints = get_type_hints(LimitOptions, include_extras=True)
    for bound in fields(StateLimits):
        (meta,) = hints[bound.name].__metadata__
        assert f"({bound.default} if absent)" in meta.description


@pytest.mark.parametrize("bound", [0, -1, 1 << 31])
def test_absurd_bounds_are_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="threads is not from 1"):
        StateLimits(threads=bound)

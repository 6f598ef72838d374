"""The benchmarks, by one command: python -m pytest benchmarks

Works over one capture, `layout-2025-1m` unless --capture-file names another (without the reference
material a bundled one): header walk, inflating, decode and state, rules. --instructions adds
instructions per event, --record keeps the result; a peer that is installed is measured in the same
run. Not part of the tests: takes minutes.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.many_rules import many_rules
from benchmarks.work import ALWAYS, NEVER
from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader, time_decode
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._loop import EventLoop
from rulekit.engine.compiled import load_compiled
from rulekit.engine.pipeline import bind

Measure = Callable[..., dict[str, Any]]
Compile = Callable[[list[Path]], Path]
Rules = tuple[list[Path], list[Path]]


def one_pass(capture: Path, program: Any, first_match: bool = True) -> int:
    """Run a program over a capture, caches cold at the start; return the number of headers."""
    loop = EventLoop(CaptureReader(str(capture)), Matcher(program, first_match=first_match))
    while loop.next() is not None:
        pass
    return loop.n_events


def test_header_walk(measured: Measure, capture: Path) -> None:
    assert measured("header walk", lambda: time_decode(str(capture)), "walk", capture)["events"]


def test_gunzip(measured: Measure, zipped: Path, capture: Path) -> None:
    events = time_decode(str(capture))
    if zipped.read_bytes()[:2] != b"\x1f\x8b":
        pytest.skip("the capture is not zipped")
    try:
        from isal import igzip

        opened: Any = igzip.open
    except ImportError:
        opened = gzip.open

    def inflate() -> int:
        with opened(str(zipped), "rb") as stream:
            while stream.read(1 << 20):
                pass
        return events

    assert measured("inflate alone", inflate, "walk", zipped, peer="")["events"]


def test_header_walk_of_gzip(measured: Measure, zipped: Path) -> None:
    assert measured("header walk, gzip", lambda: time_decode(str(zipped)), "walk", zipped, peer="")


@pytest.mark.parametrize(
    ("name", "condition"), [("never", NEVER), ("always", ALWAYS)], ids=["none match", "all match"]
)
def test_one_condition(measured: Measure, capture: Path, name: str, condition: str) -> None:
    program = compile_ruleset([(name, bind(condition), None)])
    title = {"never": "decode + state", "always": "all match"}[name]
    assert measured(title, lambda: one_pass(capture, program), name, capture)["events"]


def test_stable_rules(measured: Measure, capture: Path, rules: Rules, program: Compile) -> None:
    rule_set(measured, "stable rules", capture, program(rules[0]), "stable")


def test_all_rules(measured: Measure, capture: Path, rules: Rules, program: Compile) -> None:
    rule_set(measured, "all rules", capture, program(rules[1]), "all")


@pytest.mark.parametrize("count", [1_000, 10_000])
def test_many_rules(
    measured: Measure, capture: Path, rules: Rules, program: Compile, tmp_path: Path, count: int
) -> None:
    path = tmp_path / f"{count}.yaml"
    path.write_text(many_rules(rules[1], count), "utf-8")
    rule_set(measured, f"{count} rules", capture, program([path]), "")


def rule_set(measured: Measure, name: str, capture: Path, file: Path, falco: str) -> None:
    """Measure rules; the peer is falco with the same rules, else sysdig with its one filter."""
    compiled = load_compiled(file).program
    row = measured(
        name, lambda: one_pass(capture, compiled), "rules", capture, file, peer=f"falco {falco}"
    )
    assert row["events"]

"""Profiles: the matches of a run, time that adds up, files that other tools read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rulekit.capture import Builder
from rulekit.capture._reader import CaptureReader
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._loop import EventLoop
from rulekit.engine._profile import Profiler
from rulekit.engine.pipeline import Engine, bind
from rulekit.errors import SourceError
from rulekit.rules.loader import load_files
from rulekit.tools.profile import Profile, profile
from rulekit.tools.profile_write import flame_graph, speedscope, text
from tests.cli.conftest import Cli, cli  # noqa: F401

RULESETS = Path(__file__).resolve().parents[2] / "rulesets"
RULES = sorted(RULESETS.glob("*/rules.yaml"))
CAPTURE = RULESETS / "captures/attack-host.scap.gz"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_files(RULES).require())


@pytest.fixture(scope="module")
def found(engine: Engine) -> Profile:
    return profile(engine, CAPTURE)


def test_it_runs_what_a_run_runs(engine: Engine, found: Profile) -> None:
    alerts = list(engine.run(CAPTURE))
    assert {cost.name: cost.matches for cost in found.rules if cost.matches} == engine.stats.alerts
    assert found.events == engine.stats.events
    assert alerts


def test_time_adds_up(found: Profile) -> None:
    whole = sum(found.stages.values())
    assert whole > 0
    assert sum(stack.self_ns for stack in found.stacks) == pytest.approx(whole)
    matching = found.stages["match rules"]
    assert sum(found.matching.values()) == pytest.approx(matching)
    assert all(ns > 0 for ns in found.matching.values())
    assert 0 < sum(cost.ns for cost in found.rules) <= matching
    assert sum(cost.ns for cost in found.comparisons) <= matching * 1.01
    assert all(0 <= cost.held <= cost.evaluations for cost in (*found.rules, *found.comparisons))
    assert all(0 <= hits <= asked for hits, asked in found.caches.values())


def test_evaluations_are_counted_exactly(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    for i in range(5):
        b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": f"/tmp/{i % 2}"}, tid=7)
    b.add_event("close", {"res": 0}, tid=7)
    b.save(tmp_path / "a.scap")
    condition = "evt.type = openat and evt.num < 4"
    profiler = Profiler(compile_ruleset([("r", bind(condition), None)]))
    assert profiler.run(EventLoop(CaptureReader(tmp_path / "a.scap")))
    assert profiler.matches == [3]
    counted = {what: (calls, held) for what, _, _, calls, held, _ in profiler.frames()}
    assert counted["comparison"] == (5, 3)
    with pytest.raises(ValueError, match="matcher"):
        profiler.run(EventLoop(CaptureReader(tmp_path / "a.scap"), profiler.matcher))


def test_damage_is_an_error_and_what_came_before_is_measured(tmp_path: Path) -> None:
    cut = tmp_path / "cut.scap"
    cut.write_bytes(gzip.decompress(CAPTURE.read_bytes())[:400_000])
    profiler = Profiler(compile_ruleset([("r", bind("fd.num < 4"), None)]))
    loop = EventLoop(CaptureReader(cut))
    with pytest.raises(SourceError):
        profiler.run(loop)
    frames = profiler.frames()
    assert sum(calls for what, _, _, calls, _, _ in frames if what == "event") > 1000


def test_a_costly_comparison_is_named(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: slow\n  desc: d\n  condition: evt.args contains nosuch_zzz\n"
        "  output: o\n  priority: INFO\n"
    )
    found = profile(Engine(load_files([rules]).require()), CAPTURE)
    advice = "\n".join(found.advice)
    assert "`evt.args contains 'nosuch_zzz'` costs" in advice
    assert "name one argument (evt.arg.NAME)" in advice
    assert "rule 'slow' is tried on nearly every event: put an event type first" in advice
    assert found.comparisons[0].rules == ("slow",)
    assert found.comparisons[0].share > 0.5


def test_a_text_is_read_on_behalf_of_whoever_looks_at_it_first(found: Profile) -> None:
    read = [stack.names for stack in found.stacks if stack.names[-1].startswith("read ")]
    assert any("fd.name" in names and names[-1] == "read fd.name" for names in read)
    hits, asked = found.caches["what holds for a path or text"]
    assert 0 < hits < asked


def test_what_only_the_event_tells_can_be_spared(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: slow\n  desc: d\n  condition: toupper(evt.arg.name) contains NOSUCH_ZZZ\n"
        "  output: o\n  priority: INFO\n"
    )
    found = profile(Engine(load_files([rules]).require()), CAPTURE)
    (said,) = [line for line in found.advice if "contains" in line]
    assert said.startswith("`toupper(evt.arg[name]) contains 'NOSUCH_ZZZ'` costs")
    assert said.endswith("such a comparison that rules out most events would spare it")


@pytest.mark.parametrize("distinct", [3000, 3])
def test_values_that_never_repeat_are_worth_a_word(tmp_path: Path, distinct: int) -> None:
    b = Builder()
    b.add_process(7, "cat")
    for i in range(3000):
        name = f"/srv/{i % distinct:0>60}"
        b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": name}, tid=7)
    b.save(tmp_path / "a.scap")
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: r\n  desc: d\n  condition: evt.type = openat and fd.name contains nosuch_zzz\n"
        "  output: o\n  priority: INFO\n"
    )
    found = profile(Engine(load_files([rules]).require()), tmp_path / "a.scap")
    said = [line for line in found.advice if "was known only 0% of the time" in line]
    assert len(said) == (distinct == 3000)
    assert all(line.startswith("what holds for a path or text") for line in said)


def test_speedscope_names_every_frame_and_weighs_every_sample(found: Profile) -> None:
    data: dict[str, Any] = json.loads(json.dumps(speedscope(found, "x")))
    (run,) = data["profiles"]
    assert len(run["samples"]) == len(run["weights"]) > 10
    names = [frame["name"] for frame in data["shared"]["frames"]]
    assert all(0 <= i < len(names) for sample in run["samples"] for i in sample)
    assert sum(run["weights"]) == pytest.approx(sum(found.stages.values()), rel=0.01)
    assert run["unit"] == "nanoseconds"


def test_the_flame_graph_is_a_picture_in_which_boxes_lie_on_their_callers(found: Profile) -> None:
    root = ElementTree.fromstring(flame_graph(found, "<&>"))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [group.find(f"{space}rect") for group in root.findall(f"{space}g")]
    spans = [
        (float(b.attrib["y"]), float(b.attrib["x"]), float(b.attrib["width"]))
        for b in boxes
        if b is not None
    ]
    assert len(spans) > 5
    for y, x, width in spans[1:]:
        below = [s for s in spans if s[0] == y + 17 and s[1] - 0.1 <= x <= s[1] + s[2]]
        assert any(x + width <= s[1] + s[2] + 0.5 for s in below)


def test_text_shows_as_many_rows_as_asked(found: Profile) -> None:
    short = text(found, 2)
    assert f"and {len(found.rules) - 2} rules more" in short
    assert "ns/event" in short
    assert found.rules[0].name in short


def test_the_command_writes_its_files(cli: Cli, tmp_path: Path) -> None:  # noqa: F811
    rules = RULESETS / "persistence/rules.yaml"
    scope, flame = tmp_path / "s.json", tmp_path / "f.svg"
    done = cli("profile", "-r", rules, "-e", CAPTURE, "--format", "json",
               "--speedscope", scope, "--flame-graph", flame)  # fmt: skip
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert set(data) == {
        "events", "shown", "gated", "stages", "matching", "rules", "comparisons", "caches",
        "flushes", "advice",
    }  # fmt: skip
    assert json.loads(scope.read_text())["profiles"]
    assert flame.read_text().startswith("<svg")
    done = cli("profile", "-r", rules, "-e", CAPTURE, "--speedscope", tmp_path / "no/such")
    assert done.returncode == 2
    assert "no/such: no such file" in done.stderr
    assert cli("profile", "-r", rules, "-e", tmp_path / "none").returncode == 2
    assert cli("profile", "-r", rules, "-e", CAPTURE, "--top", "0").returncode == 2


@pytest.mark.parametrize("command", [["profile", "-e", CAPTURE, "-r"], ["compile", "--dump=ir"]])
def test_rules_without_their_text_are_refused_in_words(
    cli: Cli,  # noqa: F811
    tmp_path: Path,
    command: list[Any],
) -> None:
    program = tmp_path / "p.rkc"
    assert cli("compile", RULES[0], "-o", program).returncode == 0
    done = cli(*command, program)
    assert done.returncode == 2
    assert done.stderr.endswith("p.rkc: compiled rules: this needs the text they were made from\n")

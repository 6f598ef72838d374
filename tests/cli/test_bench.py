"""``rulekit bench``: figures that add up, and a regression that is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rulekit.errors import RulekitError
from rulekit.tools.bench import STAGES, Measured, compare, saved

RULES = "rulesets/persistence/rules.yaml"
HOST = "rulesets/captures/tiny-host.scap.gz"


def test_figures_of_every_stage_and_of_another_ruleset(cli) -> None:
    done = cli("bench", "-r", RULES, "-e", HOST, "--runs", "2",
               "--against", "rulesets/execution/rules.yaml", "--format", "json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)["rulesets"]
    assert first["events"] == second["events"] > 500
    assert set(first["stages_ns_per_event"]) == set(STAGES)
    assert sum(first["stages_ns_per_event"].values()) == pytest.approx(first["ns_per_event"])
    assert first["ns_per_event"] > 1
    assert first["events_per_s"] > 1000
    assert first["peak_rss_mb"] > 5
    assert first["rules"] != second["rules"]
    assert "execution" in second["name"]


def test_a_kept_result_is_compared_with(cli, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    arguments = ("bench", "-r", RULES, "-e", HOST, "--runs", "2")
    done = cli(*arguments, "--save", kept)
    assert done.returncode == 0
    assert "events/s" in done.stdout
    data = json.loads(kept.read_text())
    assert data["capture"]["name"] == "tiny-host.scap.gz"
    # A kept result that no machine can reach is a regression, one that took ages is none.
    for factor, code in ((0.001, 1), (1000.0, 0)):
        kept.write_text(json.dumps({**data, "ns_per_event": data["ns_per_event"] * factor}))
        done = cli(*arguments, "--compare", kept)
        assert done.returncode == code, done.stdout
        assert "kept: " in done.stdout
        assert ("slower than" in done.stderr) == bool(code)
    done = cli(*arguments, "--compare", kept, "--format", "json")
    compared = json.loads(done.stdout)["compared"]
    assert not compared["slower"]
    assert compared["stages_ns_per_event"]["rules"]["now"] >= 0
    before = [stage["before"] for stage in compared["stages_ns_per_event"].values()]
    assert before == pytest.approx([data["stages_ns_per_event"][stage] for stage in STAGES])


def measured(seconds: float) -> Measured:
    found = Measured("x", 3, events=1000, elapsed_s=seconds)
    found.passes = {stage: seconds * (i + 1) / 4 for i, stage in enumerate(STAGES)}
    return found


def test_the_change_is_that_of_time_per_event(tmp_path: Path) -> None:
    capture = tmp_path / "c.scap"
    capture.write_bytes(b"x" * 10)
    kept = saved(measured(1.0), str(capture))
    found = compare(measured(1.2), str(capture), json.loads(json.dumps(kept)))
    assert found.change == pytest.approx(0.2)
    assert found.notes == ()
    assert found.stages["read"] == (pytest.approx(250_000), pytest.approx(300_000))
    moved = compare(measured(1.0), str(capture), {**kept, "machine": {"cpu": "another"}})
    assert moved.notes == ("it was kept on another machine: another",)
    assert "with 9 rules" in compare(measured(1.0), str(capture), {**kept, "rules": 9}).notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "another version"),
        ({"events": 1}, "kept for another capture"),
        ({"ns_per_event": None}, "no result of"),
        ({"ns_per_event": 0}, "no time"),
        ({"ns_per_event": 10**400}, "no result of"),
        ({"stages_ns_per_event": {}}, "no result of"),
        ({"machine": 3}, "no result of"),
    ],
)
def test_what_cannot_be_compared_is_said(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    capture = tmp_path / "c.scap"
    capture.write_bytes(b"x" * 10)
    kept = saved(measured(1.0), str(capture))
    with pytest.raises(RulekitError, match=message):
        compare(measured(1.0), str(capture), {**kept, **change})


def test_bad_arguments_are_clear_errors(cli, tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text("no json")
    for arguments, message in (
        (("-e", HOST, "--compare", tmp_path / "kept.json"), "no result of `rulekit bench --save`"),
        (("-e", HOST, "--compare", tmp_path / "none.json"), "none.json"),
        (("-e", tmp_path / "none.scap"), "none.scap"),
        (("-e", "/dev/null"), "/dev/null"),
        (("-e", HOST, "--runs", "0"), "is no number of passes"),
        (("-e", HOST, "--tolerance", "x"), "is no percentage"),
    ):
        done = cli("bench", "-r", RULES, *arguments)
        assert done.returncode == 2
        assert message in done.stderr


def test_standard_input_is_refused_before_it_is_read(cli) -> None:
    done = cli("bench", "-r", RULES, "-e", "-", "--runs", "1")
    assert done.returncode == 2
    assert "-: only a file can be read again and again" in done.stderr

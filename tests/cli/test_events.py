"""``rulekit events``: printing, filtering, many questions in one pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TINY = ROOT / "rulesets" / "captures" / "tiny-host.scap.gz"


def test_a_condition_chooses_events(cli) -> None:
    done = cli("events", "-e", TINY, "-p", "%evt.type %proc.name", "evt.type = execve")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "execve cat" in lines
    assert all(line.startswith("execve ") for line in lines)


def test_without_a_format_every_event_is_a_line(cli) -> None:
    done = cli("events", "-e", TINY)
    assert len(done.stdout.splitlines()) > 100
    assert "execve" in done.stdout


def test_nulls_leave_an_event_out_unless_wanted(cli) -> None:
    some = cli("events", "-e", TINY, "-p", "%evt.type %fd.name").stdout.splitlines()
    every = cli("events", "-e", TINY, "-p", "*%evt.type %fd.name").stdout.splitlines()
    assert 0 < len(some) < len(every)
    assert any(line.endswith("<NA>") for line in every)


def test_many_conditions_are_answered_in_order(cli, tmp_path: Path) -> None:
    path = tmp_path / "conditions"
    conditions = ["evt.type = execve", "evt.type = nosuch", "proc.name = cat and", "proc.name = no"]
    path.write_text("".join(json.dumps(c) + "\n" for c in conditions))
    done = cli("events", "-e", TINY, "--conditions", path)
    assert done.returncode == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["condition"] for a in answers] == conditions
    assert answers[0]["matches"] == sorted(set(answers[0]["matches"]))
    assert answers[0]["matches"][0] >= 1
    assert "error" in answers[1]
    assert "error" in answers[2]
    assert answers[3] == {"condition": "proc.name = no", "matches": []}


def test_outputs_are_rendered_for_one_event(cli, tmp_path: Path) -> None:
    conditions = tmp_path / "conditions"
    conditions.write_text('"evt.type = execve and proc.name = cat"\n')
    answer = json.loads(cli("events", "-e", TINY, "--conditions", conditions).stdout)
    (position,) = answer["matches"]
    path = tmp_path / "outputs"
    wanted = [
        {"event": position, "format": "%proc.name %proc.pname"},
        {"event": position, "format": "%nosuch"},
        {"event": 1 << 40, "format": "%proc.name"},
        {"event": position, "format": "text only"},
    ]
    path.write_text("".join(json.dumps(w) + "\n" for w in wanted))
    done = cli("events", "-e", TINY, "--outputs", path)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers[0]["text"] == "cat bash"
    assert answers[0]["fields"] == {"proc.name": "cat", "proc.pname": "bash"}
    assert "error" in answers[1]
    assert "error" in answers[2]
    assert answers[3]["text"] == "text only"


def test_mistakes_are_one_line(cli, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text('"evt.type = open"\n{\n')
    assert cli("events", "-e", TINY, "--conditions", bad).stderr == f"rulekit: {bad}:2: not JSON\n"
    bad.write_text("5\n")
    assert cli("events", "-e", TINY, "--conditions", bad).stderr == (
        f"rulekit: {bad}:1: a condition is a JSON string\n"
    )
    bad.write_text('{"event": "1"}\n')
    assert cli("events", "-e", TINY, "--outputs", bad).returncode == 2
    for arguments in (
        ["proc.nosuch = 1"],
        ["evt.type ="],
        ["-p", "%nosuch"],
        ["--conditions", bad, "-p", "x"],
        ["--conditions", tmp_path / "missing"],
    ):
        done = cli("events", "-e", TINY, *arguments)
        assert done.returncode == 2, arguments
        assert done.stderr.startswith("rulekit: ")
        assert done.stdout == ""


def test_a_capture_that_cannot_be_read_is_one_line(cli, tmp_path: Path) -> None:
    done = cli("events", "-e", tmp_path / "missing")
    assert done.returncode == 2
    assert done.stderr.startswith(f"rulekit: {tmp_path / 'missing'}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [None, b"", b"no capture at all, but some text\n" * 9])
def test_nothing_is_said_to_be_written_where_nothing_was(
    content: bytes | None, cli, tmp_path: Path
) -> None:
    source = tmp_path / "in.scap"
    if content is not None:
        source.write_bytes(content)
    done = cli("events", "-e", source, "-w", tmp_path / "out.scap")
    assert done.returncode == 2
    assert "partial" not in done.stderr

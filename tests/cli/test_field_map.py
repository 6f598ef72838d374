"""``--field-map``: a source of JSON documents without code."""

from __future__ import annotations

import json
from pathlib import Path

AGENT = Path(__file__).resolve().parent.parent.parent / "examples" / "agent"
MAP = ("--field-map", AGENT / "fields.yaml")


def test_check(cli) -> None:
    done = cli("check", *MAP, AGENT / "rules.yaml")
    assert done.returncode == 0
    assert "2 rules, no problems" in done.stdout or "rules.yaml: good" in done.stdout
    without = cli("check", AGENT / "rules.yaml")
    assert without.stdout != done.stdout


def test_a_field_that_no_map_has(cli, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text((AGENT / "rules.yaml").read_text().replace("agent.files", "agent.file"))
    done = cli("check", *MAP, rules)
    assert done.returncode == 1
    assert "did you mean `agent.files`?" in done.stdout


def test_run(cli) -> None:
    done = cli(
        "run", *MAP, "-r", AGENT / "rules.yaml", "-e", AGENT / "calls.jsonl", "--format", "json",
        "-q",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["rule"] == "Agent reads a secret"
    assert first["output_fields"]["agent.files"] == ["/etc/hosts", "/etc/shadow"]
    assert second["rule"] == "Agent acts without approval"
    assert second["output_fields"]["agent.cost"] == 12.5
    assert second["output_fields"]["agent.host"] == "fd00::1"


def test_fields(cli) -> None:
    done = cli("fields", *MAP, "--source", "agent", "agent.")
    assert "agent.exit_code  (int)" in done.stdout
    assert "agent.files  (list of text; argument optional: index: list position)" in done.stdout
    listed = json.loads(cli("fields", *MAP, "--source", "agent", "--format", "json").stdout)
    names = {field["name"] for each in listed["fieldclasses"] for field in each["fields"]}
    assert {"agent.tool", "jevt.value", "json.value"} <= names


def test_a_map_that_is_wrong(cli, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("source: s\nfields:\n  - name: s.a\n    pointer: a\n")
    for command in (
        ("check", AGENT / "rules.yaml"),
        ("run", "-r", AGENT / "rules.yaml", "-e", AGENT / "calls.jsonl"),
        ("fields",),
    ):
        done = cli(*command, "--field-map", path)
        assert done.returncode == 2
        assert "is no JSON pointer" in done.stderr
        assert f"{path}:4:14" in done.stderr

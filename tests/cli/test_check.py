"""``rulekit check``: verdicts, places, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

GOOD = "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_good_rules_give_zero(cli, good: Path) -> None:
    done = cli("check", good)
    assert done.returncode == 0
    assert str(good) in done.stdout


def test_json_has_the_shape_of_the_peers(cli, good: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD.replace("evt.type", "evt.tpye"))
    done = cli("check", "--format", "json", good, bad)
    assert done.returncode == 1
    first, second = json.loads(done.stdout)["falco_load_results"]
    assert (first["name"], first["successful"], first["errors"]) == (str(good), True, [])
    assert not second["successful"]
    assert [e["code"] for e in second["errors"]] == ["LOAD_ERR_COMPILE_CONDITION"]


OLD_STYLE = """\
- rule: File below /etc opened
  desc: d
  condition: evt.type = "open" and evt.dir = < and fd.name startswith "/etc"
  output: "File below /etc opened (user=%user.name command=%proc.cmdline file=%fd.name)"
  priority: WARNING
"""


def test_old_rules_load_with_warnings(cli, tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(OLD_STYLE)
    done = cli("check", "--format", "json", path)
    assert done.returncode == 0
    (result,) = json.loads(done.stdout)["falco_load_results"]
    assert result["successful"]
    assert [w["code"] for w in result["warnings"]] == ["LOAD_DEPRECATED_ITEM"]
    assert cli("check", "--strict", path).returncode == 1


def test_a_path_that_cannot_be_read_gives_two(cli, good: Path, tmp_path: Path) -> None:
    done = cli("check", tmp_path / "missing.yaml", good)
    assert done.returncode == 2
    assert "missing.yaml" in done.stdout + done.stderr


def test_conditions_are_judged_one_a_line(cli, tmp_path: Path) -> None:
    path = tmp_path / "conditions"
    path.write_text('"evt.type = open"\n"evt.type = "\n\n"proc.nosuch = 1"\n')
    done = cli("check", "--conditions", path, "--format", "json")
    assert done.returncode == 1
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["ok"] for a in answers] == [True, False, False]
    assert [a["class"] for a in answers] == [None, "syntax", "unknown-field"]
    assert set(answers[0]) >= {"condition", "ok", "class", "ast", "errors", "warnings"}
    done = cli("check", "--conditions", path)
    assert done.stdout.splitlines()[0] == "ok: 'evt.type = open'"


def test_nothing_to_check_is_an_error(cli, good: Path, tmp_path: Path) -> None:
    assert cli("check").returncode == 2
    assert cli("check", good, "--conditions", good).returncode == 2


def test_what_is_left_on_linux_audit(cli, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: A\n  desc: d\n  condition: evt.type = open and container.id != host\n"
        "  output: x\n  priority: INFO\n"
    )
    done = cli("check", "--source", "linux_audit", rules)
    assert "warning[RK801]: rule `A` can never match on Linux audit" in done.stdout
    assert "audit has no records of control groups" in done.stdout
    assert done.stdout.endswith("1 can never match, 0 match less, 0 match more\n")
    assert done.returncode == 0
    assert "RK47" not in done.stdout
    assert cli("check", "--strict", "--source", "linux_audit", rules).returncode == 1
    assert "RK801" not in cli("check", "--source", "linux_audit", "--ignore", "RK801", rules).stdout

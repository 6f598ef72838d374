"""``rulekit check``: selecting, configuring and fixing what lint finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RULES = """\
- list: l
  items: [a, a]

- rule: r
  desc: d
  condition: evt.type = open and evt.dir = < and proc.name in (l)
  output: x %proc.name
  priority: INFO
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def found(cli, folder: Path, *arguments: str, code: int = 0) -> set[str]:
    done = cli("check", "--format", "json", *arguments, "rules.yaml", cwd=folder)
    assert done.returncode == code, done.stderr
    return {d["code"] for d in json.loads(done.stdout)["rulekit"]["diagnostics"]}


def test_everything_is_reported_by_default(cli, folder: Path) -> None:
    assert found(cli, folder) == {"RK424", "RK440", "RK471"}


def test_arguments_choose(cli, folder: Path) -> None:
    assert found(cli, folder, "--select", "RK424") == {"RK424"}
    assert found(cli, folder, "--ignore", "RK44,missing-tags") == {"RK424"}
    assert found(cli, folder, "--strict", code=1) == {"RK424", "RK440", "RK471"}
    assert found(cli, folder, "--strict", "--select", "missing-tags") == {"RK471"}


def test_unknown_codes_are_refused(cli, folder: Path) -> None:
    done = cli("check", "--select", "RK9,E501", "rules.yaml", cwd=folder)
    assert done.returncode == 2
    assert "RK9" in done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rulekit.toml", '[lint]\nselect = ["RK4"]\nignore = ["missing-tags"]\n'),
        ("pyproject.toml", '[tool.rulekit.lint]\nselect = ["RK4"]\nignore = ["RK47"]\n'),
        ("rulekit.toml", '[lint.per-file-ignores]\n"r*.yaml" = ["missing-tags"]\n'),
    ],
)
def test_the_project_chooses(cli, folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    assert found(cli, folder) == {"RK424", "RK440"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[lint\n", "not TOML"),
        ("[lint]\nselekt = []\n", "selekt"),
        ("[lint]\nselect = 5\n", "select"),
        ('[lint]\nselect = ["E501"]\n', "E501"),
        ("lint = 3\n", "lint"),
    ],
)
def test_a_bad_configuration_is_named(cli, folder: Path, text: str, word: str) -> None:
    (folder / "rulekit.toml").write_text(text)
    done = cli("check", "rules.yaml", cwd=folder)
    assert done.returncode == 2
    assert "rulekit.toml" in done.stderr
    assert word in done.stderr


def test_fixes_are_applied_and_what_is_left_is_reported(cli, folder: Path) -> None:
    done = cli("check", "--fix", "rules.yaml", cwd=folder)
    assert done.returncode == 0
    assert "1 fix in 1 file" in done.stderr
    assert "RK424" in done.stdout
    assert "RK440" not in done.stdout
    wanted = RULES.replace(" and evt.dir = <", "")
    assert (folder / "rules.yaml").read_text() == wanted


def test_fixes_of_errors_are_applied_too(cli, folder: Path) -> None:
    path = folder / "rules.yaml"
    path.write_text(RULES.replace("evt.dir = < and", "fd.num = 3 &&"))
    cli("check", "--fix", "rules.yaml", cwd=folder)
    assert "fd.num = 3 and proc.name in" in path.read_text()


def test_nothing_to_fix_changes_nothing(cli, folder: Path) -> None:
    before = (folder / "rules.yaml").stat().st_mtime_ns
    assert found(cli, folder, "--fix", "--select", "RK424") == {"RK424"}
    assert (folder / "rules.yaml").stat().st_mtime_ns == before


def test_github_annotations_and_sarif_name_the_checks(cli, folder: Path) -> None:
    done = cli("check", "--format", "github", "rules.yaml", cwd=folder)
    assert any(line.startswith("::warning file=rules.yaml") for line in done.stdout.splitlines())
    log = json.loads(cli("check", "--format", "sarif", "rules.yaml", cwd=folder).stdout)
    assert "DeprecatedField" in {r["name"] for r in log["runs"][0]["tool"]["driver"]["rules"]}


def test_what_falco_would_not_understand(cli) -> None:
    rules = "rulesets/pod_security/rules.yaml"
    assert cli("check", rules).returncode == 0
    done = cli("check", "--compat", "falco", rules)
    assert done.returncode == 1
    assert "error[RK443]: Falco has no field `pod.containers.privileged`" in done.stdout
    assert cli("check", "--compat", "falco", "rulesets/kubernetes/rules.yaml").returncode == 0

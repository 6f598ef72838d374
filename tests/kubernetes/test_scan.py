"""``rulekit k8s scan``: rules over manifests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from rulekit.cli.main import main
from rulekit.engine.library import load
from rulekit.engine.pipeline import Engine
from rulekit.kubernetes.scan import Finding, Scan
from tests.kubernetes.standards import ROOT, RULES, cases, pod, wrap

MANIFESTS = ROOT / "examples" / "manifests"
SARIF = ROOT / "tests" / "data" / "sarif-schema-2.1.0.json"


def scan(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main(["k8s", "scan", *map(str, args)])
    return code, *capsys.readouterr()


def test_the_standards_through_scan(tmp_path: Path) -> None:
    table = list(cases())
    path = tmp_path / "all.yaml"
    with path.open("w") as file:
        for case in table:
            file.write("---\n")
            yaml.dump(case.object, file, Dumper=yaml.CSafeDumper)
    starts = [i + 1 for i, line in enumerate(path.read_text().split("\n")) if line == "---"]
    fired: dict[int, set[str]] = {}
    work = Scan(Engine(load(RULES), source="k8s_audit"))
    for found in work.run([str(path)]):
        assert isinstance(found, Finding), found
        fired.setdefault(found.manifest.line, set()).add(found.alert.rule)
    assert work.stats.objects == len(table)
    wrong = [
        str(case)
        for case, start in zip(table, starts, strict=True)
        if (case.rule in fired.get(start + 1, set())) == case.ok
    ]
    assert not wrong, f"{len(wrong)} of {len(table)}: {wrong[:5]}"


def test_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code, out, err = scan(capsys, "--tag", "baseline", "examples/manifests")
    assert code == 1
    assert out == (
        "examples/manifests/batch.yaml:2: CronJob shop/clean-up\n"
        "  deny  Pod in the namespaces of its node: host_network=unset host_pid=true"
        " host_ipc=unset\n"
        "  deny  Privileged container: containers.name=(clean,fetch)"
        " containers.privileged=(unset,true)\n"
        "  deny  Pod with a folder of its node: volumes.host_path=(/var/log)\n"
    )
    assert err == "3 objects in 2 files: 3 to deny\n"


def test_clean_manifests(capsys: pytest.CaptureFixture[str]) -> None:
    assert scan(capsys, MANIFESTS / "web.yaml") == (0, "", "2 objects in 1 file: nothing found\n")


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = scan(capsys, "-q", "--format", "json", "--deny", "warning", MANIFESTS)
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert len(found) == 9
    assert {(each["kind"], each["name"], each["line"]) for each in found} == {
        ("CronJob", "clean-up", 2)
    }
    assert [each["action"] for each in found] == ["deny"] * 8 + ["warn"]
    assert found[1]["output_fields"]["pod.containers.privileged"] == ["unset", "true"]


def test_sarif(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: [\n")
    code, out, err = scan(capsys, "--format", "sarif", MANIFESTS, bad)
    log = json.loads(out)
    jsonschema.validate(log, json.loads(SARIF.read_text()))
    (run,) = log["runs"]
    assert code == 2
    assert "1 could not be read" in err
    assert len(run["results"]) == 9
    assert len(run["tool"]["driver"]["rules"]) == 19
    first = run["results"][0]
    assert first["level"] == "error"
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"]
    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 2}
    assert run["invocations"][0]["executionSuccessful"] is False


def test_what_cannot_be_read_does_not_hide_the_rest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "all.yaml"
    inner = pod()
    inner["spec"]["hostPID"] = True
    path.write_text(yaml.safe_dump(wrap("Job", inner)) + "---\nvalues: 1\n---\na: 1\na: 2\n")
    code, out, err = scan(capsys, path, tmp_path / "missing")
    assert code == 2
    assert "Job shop/web" in out
    assert f"rulekit: {path}:" in err
    assert "the key `a` is there twice" in err
    assert f"rulekit: {tmp_path / 'missing'}: no such file" in err
    assert (
        "1 object in 2 files: 1 to deny; 1 document of something else left out; 2 could not" in err
    )


def test_the_limit_of_findings(capsys: pytest.CaptureFixture[str]) -> None:
    for limit, expected in (("critical", 0), ("error", 1), ("notice", 1)):
        assert scan(capsys, "--fail-on", limit, MANIFESTS)[0] == expected
    assert scan(capsys, "--tag", "nothing", MANIFESTS)[0] == 2


def test_rules_of_ones_own_and_namespaces(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- required_plugin_versions: [{name: k8saudit, version: 0.7.0}]\n"
        "- rule: Public service\n  desc: d\n  source: k8s_audit\n  priority: INFO\n"
        "  condition: ka.target.resource = services and ka.req.service.type = LoadBalancer\n"
        "  output: s (%ka.target.namespace %ka.target.name %ka.verb %ka.uri %ka.resp.name)\n"
        "  tags: [action_deny]\n"
    )
    path = tmp_path / "service.yaml"
    path.write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer}\n"
    )
    code, out, _ = scan(capsys, "-r", rules, "--namespace", "shop", "--format", "json", path)
    found = json.loads(out)
    assert code == 1
    assert found["action"] == "deny"
    assert found["message"] == "s (shop s create /api/v1/namespaces/shop/services s)"


def test_standard_input() -> None:
    with (MANIFESTS / "batch.yaml").open() as file:
        done = subprocess.run(
            [sys.executable, "-m", "rulekit", "k8s", "scan", "-"],
            cwd=ROOT, stdin=file, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.startswith("<stdin>:2: CronJob shop/clean-up\n")


def test_the_python_of_the_guide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "guide" / "pod-security.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    exec(code, {})
    assert capsys.readouterr().out == "deny Pod in the namespaces of its node\n"


def test_names_in_manifests_are_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    inner = pod()
    inner["spec"]["containers"][0]["name"] = "c\x1b[8m\nforged line"
    inner["spec"]["containers"][0]["securityContext"]["privileged"] = True
    bad = wrap("Pod", inner)
    bad["metadata"]["name"] = "web\x1b[2J"
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(bad))
    _, out, _ = scan(capsys, path)
    assert "web" in out
    assert "forged line" in out
    assert "\x1b" not in out
    assert "\nforged" not in out

"""The traces of audit events that Falco's own regression tests use, with the alerts they name.

Each row is a fact of those tests (falco, before commit b1ae5d3d; falcosecurity/testing): a trace,
what is loaded after the upstream rules, and which rule alerts how often. A row without a rule
means that nothing of WARNING or above may alert.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rulekit.alert import priority_number
from rulekit.cli.main import main
from rulekit.engine.pipeline import Engine
from rulekit.rules.loader import load_files
from tests.conformance.audit_traces import EXTRAS

ROWS = [
    line.split("\t")
    for line in (Path(__file__).parent.parent / "data" / "k8s_audit_traces.tsv")
    .read_text("utf-8")
    .splitlines()[1:]
]
SOURCES = ("syscall", "k8s_audit")


def upstream(shared: Path, name: str = "k8s_audit_rules.yaml") -> Path:
    """Return an upstream rules file of the reference material."""
    found = sorted((shared / "rules").rglob(name))
    if not found:
        pytest.skip(f"no {name} in the reference material")
    return found[0]


def trace(shared: Path, name: str) -> Path:
    """Return a trace of the reference material."""
    path = shared / "captures" / "k8s_audit" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no trace {name} in the reference material")
    return path


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_trace(row: list[str], shared: Path, tmp_path: Path) -> None:
    _, capture, extras, rule, count = row
    files = [] if "engine_v4" in extras else [upstream(shared)]
    for name in extras.split():
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(EXTRAS[name])
    engine = Engine(load_files(files, sources=SOURCES).require(), source="k8s_audit")
    alerts = list(engine.run(trace(shared, capture)))
    if rule:
        assert [a.rule for a in alerts].count(rule) == int(count)
        assert engine.stats.counters == {}
    else:
        assert [a.rule for a in alerts if priority_number(a.priority) <= 4] == []


def test_an_object_that_is_no_event_is_named(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = trace(shared, "fal_01_003")
    assert main(["run", "-r", str(upstream(shared)), "-e", str(path), "-q"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert f'{path}:1: no Kubernetes audit event and no list of them: {{"kind": 0}}' in err


def test_gke_rules_load_on_top_of_the_others(shared: Path) -> None:
    files = [upstream(shared), upstream(shared, "k8s_audit_rules_gke.yaml")]
    result = load_files(files)
    assert [d.message for d in result.diagnostics if d.severity == "error"] == []
    assert Engine(result.require(), source="k8s_audit").rules


# Two rows load rules that except images in lists with names of 2021, and a file that trusts nginx
# under names of 2023: then the rules fire. Their verdict is of a file with the older names.
OLD_NAMES = """\
- list: falco_privileged_images
  items: [nginx]
- list: falco_hostnetwork_images
  items: [nginx]
"""
TRUSTED_BY_OLD_NAMES = {
    "CompatEngineV4CreateHostnetworkTrustedPod", "CompatEngineV4CreatePrivilegedTrustedPod",
}  # fmt: skip


def test_all_rows_of_the_reference_agree(shared: Path, tmp_path: Path) -> None:
    """The rows with the rule files of those tests themselves, which are not copied here."""
    old_names = tmp_path / "old_names.yaml"
    old_names.write_text(OLD_NAMES)
    folder = shared / "captures" / "k8s_audit"
    table = folder / "expected.tsv"
    if not table.exists():
        pytest.skip("no expected.tsv in the reference material")
    head, *rows = [line.split("\t") for line in table.read_text("utf-8").splitlines()]
    assert len(rows) == 66
    for row in (dict(zip(head, values, strict=True)) for values in rows):
        files = [
            upstream(shared, Path(name).name) if name.startswith("upstream:") else folder / name
            for name in row["rules_loaded"].split("+")
        ]
        if row["case"] in TRUSTED_BY_OLD_NAMES:
            files.insert(0, old_names)
        engine = Engine(load_files(files, sources=SOURCES).require(), source="k8s_audit")
        alerts = list(engine.run(folder / row["trace_file"]))
        rules = [alert.rule for alert in alerts]
        if row["detections_total"] == ">0":
            rule, _, count = row["detections_by_rule"].partition("==")
            priority = row["detections_by_priority"].removesuffix(">0")
            assert rules.count(rule) == int(count), row["case"]
            assert any(alert.priority.upper().startswith(priority[:4]) for alert in alerts)
        elif row["detections_total"] == "==0":
            informational = [alert for alert in alerts if alert.priority == "Informational"]
            assert informational == [], row["case"]
        elif row["legacy_detect"] == "false":
            assert [a.rule for a in alerts if priority_number(a.priority) <= 4] == [], row["case"]
        else:
            assert alerts, row["case"]

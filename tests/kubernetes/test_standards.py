"""Every control of the Pod Security Standards × kind × pass or fail."""

from __future__ import annotations

import copy
import io
import json

import pytest

from rulekit.engine.library import load
from rulekit.engine.pipeline import Engine
from tests.kubernetes.standards import KINDS, RULES, Case, cases, pod, wrap

CASES = list(cases())
RESOURCES = {"Pod": "pods", "CronJob": "cronjobs"}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load(RULES), source="k8s_audit", matching="all")


def event(case: Case, verb: str, where: str) -> dict[str, object]:
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": str(case),
        "stage": "ResponseComplete",
        "verb": verb,
        "objectRef": {"resource": RESOURCES.get(case.kind, "deployments"), "namespace": "shop"},
        "user": {"username": "alice"},
        "responseStatus": {"code": 201},
        "stageTimestamp": "2026-11-23T02:54:17.632713Z",
        where: case.object,
    }


def test_the_table_has_all_controls() -> None:
    assert {case.level for case in CASES} == {"baseline", "restricted", "immutability"}
    rules = {rule.name for rule in load(RULES).rules}
    assert {case.rule for case in CASES} == rules
    for rule in rules:
        for kind in KINDS:
            found = {case.ok for case in CASES if case.rule == rule and case.kind == kind}
            assert found == {True, False}, (rule, kind)


@pytest.mark.parametrize(
    ("verb", "where"),
    [("create", "requestObject"), ("update", "requestObject"), ("patch", "responseObject")],
)
def test_through_audit_events(engine: Engine, verb: str, where: str) -> None:
    lines = [json.dumps(event(case, verb, where)).encode() for case in CASES]
    fired: dict[int, set[str]] = {}
    for alert in engine.run(io.BytesIO(b"\n".join(lines))):
        fired.setdefault(alert.event - 1, set()).add(alert.rule)
    wrong = [
        str(case) for i, case in enumerate(CASES) if (case.rule in fired.get(i, set())) == case.ok
    ]
    assert not wrong, f"{len(wrong)} of {len(CASES)}: {wrong[:5]}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_pod_that_keeps_to_everything_is_silent(engine: Engine, kind: str) -> None:
    assert engine.decide(wrap(kind, pod())).rules == ()


def test_through_verdicts(engine: Engine) -> None:
    wrong = []
    for case in CASES:
        verdict = engine.decide(case.object)
        if (case.rule in verdict.rules) == case.ok or verdict.problem:
            wrong.append(str(case))
        if not case.ok:
            wanted = "deny" if case.level == "baseline" else verdict.action
            assert verdict.action == wanted != "allow", str(case)
    assert not wrong, f"{len(wrong)} of {len(CASES)}: {wrong[:5]}"


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "RequestReceived"},
        {"verb": "get"},
        {"verb": "delete"},
        {"responseStatus": {"code": 403}},
        {"responseStatus": None},
        {"requestURI": "/api/v1/namespaces/shop/pods?dryRun=All"},
        {"objectRef": {"resource": "pods", "subresource": "status"}},
        {"objectRef": {"resource": "pods", "subresource": "exec"}},
        {"requestObject": None},
        {"requestObject": {"kind": "Pod", "spec": {"hostPID": True}}},
        {"requestObject": {"kind": "Service", "spec": {"hostPID": True, "ports": []}}},
        {"verb": "patch"},  # and no answer in the event
    ],
    ids=str,
)
def test_what_is_no_pod_that_came_to_be_is_silent(
    engine: Engine, change: dict[str, object]
) -> None:
    inner = pod()
    inner["spec"]["hostPID"] = True
    case = Case("", "", "", "", "Pod", wrap("Pod", inner), False)
    whole = event(case, "create", "requestObject")
    assert engine.decide(whole).rules == ("Pod in the namespaces of its node",)
    assert engine.decide({**whole, **change}).rules == ()


def test_a_new_debug_container_counts(engine: Engine) -> None:
    inner = pod()
    inner["spec"]["ephemeralContainers"][0]["securityContext"]["privileged"] = True
    case = Case("", "", "", "", "Pod", wrap("Pod", inner), False)
    whole = event(case, "patch", "responseObject")
    whole["objectRef"] = {"resource": "pods", "subresource": "ephemeralcontainers"}
    assert engine.decide(whole).rules == ("Privileged container",)


def test_namespaces_can_be_exempt(tmp_path) -> None:
    more = tmp_path / "more.yaml"
    more.write_text(
        "- list: pod_security_exempt_namespaces\n  items: [shop]\n  override: {items: replace}\n"
    )
    engine = Engine(load(RULES, more), source="k8s_audit")
    bad = copy.deepcopy(wrap("Pod", pod()))
    bad["spec"]["hostPID"] = True
    assert engine.decide(bad).action == "allow"
    bad["metadata"]["namespace"] = "other"
    assert engine.decide(bad).action == "deny"

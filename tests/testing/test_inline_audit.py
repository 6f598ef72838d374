"""Inline requests to an API server: what each comes to in fields, and that mistakes are named."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rulekit.cli.main import main
from rulekit.engine.alerts import compile_output
from rulekit.engine.pipeline import open_loop
from rulekit.testing.case import CaseError
from rulekit.testing.coverage import measure
from rulekit.testing.inline import scenario
from rulekit.testing.inline_values import InlineError
from rulekit.testing.mutation import mutate
from rulekit.testing.read import load_cases
from rulekit.testing.runner import run_cases

Write = Callable[..., Path]

POD: dict[str, Any] = {
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"containers": [{"name": "web", "image": "reg.io/web:1"}], "hostNetwork": True},
}
RULES = """\
- macro: answered
  condition: ka.stage = ResponseComplete and ka.response.code startswith 2
- rule: Secrets listed
  desc: x
  condition: answered and ka.verb = list and ka.target.resource = secrets and not ka.user.name in (robot)
  output: secrets listed (user=%ka.user.name)
  priority: WARNING
  source: k8s_audit
- rule: Shell started
  desc: x
  condition: evt.type = execve and proc.name = sh
  output: x
  priority: NOTICE
"""


def shown(requests: list[Any], template: str) -> list[str]:
    """Return the requests as text, through the loop that runs rules."""
    loop = open_loop(io.BytesIO(scenario(requests).data), None, "k8s_audit")
    output = compile_output(template, "k8s_audit")
    lines = []
    while (found := loop.next()) is not None:
        if found:
            lines.append(loop.render(output)[0])
    return lines


@pytest.mark.parametrize(
    ("request_", "template", "expected"),
    [
        ({"object": POD}, "%ka.verb %ka.uri %ka.target.resource %ka.target.namespace %ka.target.name %ka.response.code",
         "create /api/v1/namespaces/shop/pods pods shop web 201"),
        ({"object": POD}, "%ka.resp.name %ka.req.pod.containers.image %ka.req.pod.host_network", "web (reg.io/web:1) true"),
        ({"object": {"kind": "Pod", "metadata": {"generateName": "job-"}}}, "%ka.resp.name %ka.target.namespace", "job-x7k2p default"),
        ({"object": POD, "code": 403}, "%ka.auth.decision %ka.response.reason %ka.resp.name", "forbid Forbidden <NA>"),
        ({"object": POD, "decision": "forbid"}, "%ka.response.code", "403"),
        ({"object": POD, "response": None}, "%ka.resp.name", "<NA>"),
        ({"object": POD, "verb": "patch"}, "%ka.uri %ka.response.code %ka.resp.name", "/api/v1/namespaces/shop/pods/web 200 <NA>"),
        ({"resource": "secrets"}, "%ka.verb %ka.uri %ka.target.namespace", "list /api/v1/secrets <NA>"),
        ({"resource": "secrets", "namespace": "shop"}, "%ka.verb %ka.uri", "list /api/v1/namespaces/shop/secrets"),
        ({"resource": "secrets", "name": "db"}, "%ka.verb %ka.uri", "get /api/v1/namespaces/default/secrets/db"),
        ({"resource": "nodes", "name": "n1"}, "%ka.uri %ka.target.namespace", "/api/v1/nodes/n1 <NA>"),
        ({"resource": "deployments", "name": "d", "verb": "delete"}, "%ka.uri", "/apis/apps/v1/namespaces/default/deployments/d"),
        ({"resource": "widgets.example.com", "name": "w"}, "%ka.uri", "/apis/example.com/v1/namespaces/default/widgets/w"),
        ({"object": {"kind": "ClusterRoleBinding", "metadata": {"name": "b"},
                     "roleRef": {"name": "cluster-admin"}, "subjects": [{"kind": "User", "name": "eve"}]}},
         "%ka.uri %ka.req.binding.role %ka.req.binding.subjects.user_names",
         "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings cluster-admin (eve)"),
        ({"object": {"kind": "Widget", "apiVersion": "example.com/v2"}}, "%ka.uri", "/apis/example.com/v2/namespaces/default/widgets"),
        ({"object": {"kind": "NetworkPolicy"}}, "%ka.target.resource", "networkpolicies"),
        ({"resource": "pods/exec", "name": "web", "namespace": "shop", "params": {"command": ["sh", "-c", "id; id"], "tty": True}},
         "%ka.verb %ka.target.subresource %ka.response.code %ka.uri.param[command] %ka.uri",
         "get exec 101 sh /api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c&command=id%3B%20id&tty=True"),
        ({"uri": "/version?a=b", "params": {"c": 1}}, "%ka.verb %ka.uri %ka.target.resource", "get /version?a=b&c=1 <NA>"),
        ({"uri": "/healthz", "user": "system:anonymous"}, "%ka.user.name %ka.user.groups", "system:anonymous (system:unauthenticated)"),
        ({"uri": "/x", "user": "system:serviceaccount:shop:robot"}, "%ka.user.groups",
         "(system:serviceaccounts,system:serviceaccounts:shop,system:authenticated)"),
        ({"uri": "/x", "user": "bob", "groups": ["a", "b"], "impersonate": "root", "source": "10.0.0.9", "agent": "curl/8"},
         "%ka.user.groups %ka.impuser.name %json.value[/sourceIPs/0] %ka.useragent", "(a,b) root 10.0.0.9 curl/8"),
        ({"uri": "/x", "reason": "RBAC", "annotations": {"authorization.k8s.io/decision": "forbid"}},
         "%ka.auth.decision %ka.auth.reason", "forbid RBAC"),
        ({"kind": "Event", "stage": "Panic", "verb": "get", "auditID": "a"}, "%ka.stage %ka.verb %ka.auditid %ka.uri", "Panic get a <NA>"),
    ],
)  # fmt: skip
def test_what_a_request_says(request_: dict[str, Any], template: str, expected: str) -> None:
    assert shown([{"k8s_audit": request_}], template) == [expected]


def test_stages_differ_as_those_of_a_server_do() -> None:
    stages = ["RequestReceived", "ResponseComplete"]
    (received, complete) = scenario(
        [{"k8s_audit": {"object": POD, "stage": stages}}]
    ).data.splitlines()
    first, last = json.loads(received), json.loads(complete)
    assert first["objectRef"] == {"resource": "pods", "namespace": "shop", "apiVersion": "v1"}
    assert not {"responseStatus", "requestObject", "responseObject", "annotations"} & set(first)
    assert last["objectRef"]["name"] == "web"
    assert last["responseObject"]["metadata"]["name"] == "web"
    assert first["auditID"] == last["auditID"]


def test_times_go_on_and_entries_are_found_again() -> None:
    made = scenario([
        {"k8s_audit": {"uri": "/a", "stage": ["RequestReceived", "ResponseComplete"]}},
        {"k8s_audit": {"uri": "/b"}, "after": "2h", "id": "late"},
    ])  # fmt: skip
    times = [json.loads(line)["stageTimestamp"] for line in made.data.splitlines()]
    assert times == sorted(times)
    assert times[0] == times[1] < times[2]
    assert times[2].startswith("2023-11-15T00:13:20.001")
    assert [made.entry_of(raw) for raw in (1, 2, 3)] == [1, 1, 2]
    assert made.names == {"late": 2}
    assert made.source == "k8s_audit"


def deep(levels: int) -> Any:
    found: Any = {}
    for _ in range(levels):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    ("requests", "path", "message", "help_"),
    [
        ([{"k8s_audit": {}}], (0, "k8s_audit"), "what does the request ask for?", "say `resource`"),
        ([{"k8s_audit": []}], (0, "k8s_audit"), "a request is a map of keys", None),
        ([{"k8s_audit": {"usr": "x"}}], (0, "k8s_audit", "usr"), "a request has no key `usr`", "`user`"),
        ([{"k8s_audit": {"uri": "/", "verb": "gett"}}], (0, "k8s_audit", "verb"), "knows no verb `gett`", "`get`"),
        ([{"k8s_audit": {"uri": "/", "code": 99}}], (0, "k8s_audit", "code"), "from 100 to 599", None),
        ([{"k8s_audit": {"uri": "/", "code": "x"}}], (0, "k8s_audit", "code"), "whole number", None),
        ([{"k8s_audit": {"uri": "/", "stage": ["Panik"]}}], (0, "k8s_audit", "stage", 0), "no stage `Panik`", "`Panic`"),
        ([{"k8s_audit": {"uri": "/", "decision": "no"}}], (0, "k8s_audit", "decision"), "allow or forbid", None),
        ([{"k8s_audit": {"object": {"kind": "Deploymnt"}}}], (0, "k8s_audit", "object", "kind"), "for the kind `Deploymnt`", "`Deployment`"),
        ([{"k8s_audit": {"object": {"kind": "Gizmo"}}}], (0, "k8s_audit", "object", "kind"), "`Gizmo`", "say `resource"),
        ([{"k8s_audit": {"object": []}}], (0, "k8s_audit", "object"), "`object` is a map", None),
        ([{"k8s_audit": {"object": {"kind": []}}}], (0, "k8s_audit", "object", "kind"), "`kind` is text", None),
        ([{"k8s_audit": {"object": {"kind": "Pod", "spec": deep(900)}}}], (0, "k8s_audit"), "no JSON", None),
        ([{"k8s_audit": {"kind": "Event", "code": float("inf")}}], (0, "k8s_audit"), "no JSON", None),
        ([{"k8s_audit": {"uri": "/", "params": {"a": "\ud800"}}}], (0, "k8s_audit"), "surrogates", None),
        ([{"k8s_audit": {"uri": "/"}, "after": "99999999d"}], (0, "after"), "year 2262", None),
        ([{"k8s_audit": {"uri": "/"}, "by": "x"}], (0, "by"), "beside a request stands no `by`", None),
        ([{"k8s_audit": {"uri": "/"}}, {"open": "/x"}], (1,), "two cases", None),
        ([{"proc": "sh"}, {"k8s_audit": {"uri": "/"}}], (1,), "two cases", None),
        ([{"k8s_audit": {"uri": "/"}, "id": "a"}, {"k8s_audit": {"uri": "/"}, "id": "a"}], (1, "id"), "already", None),
    ],
)  # fmt: skip
def test_mistakes_are_named(
    requests: list[Any], path: tuple[str | int, ...], message: str, help_: str | None
) -> None:
    with pytest.raises(InlineError) as caught:
        scenario(requests)
    assert caught.value.path == path
    assert message in caught.value.message
    if help_ is not None:
        assert help_ in (caught.value.help or "")


CASES = """\
- case: a list of secrets
  events:
    - k8s_audit: {user: alice, resource: secrets, namespace: shop}
  expect: [{rule: Secrets listed, at: 1, fields: {ka.target.namespace: shop}}]
- case: nothing of the kind
  events:
    - k8s_audit: {user: robot, resource: secrets}
    - k8s_audit: {user: alice, resource: secrets, code: 403}
    - k8s_audit: {user: alice, resource: secrets, name: db}
    - k8s_audit: {user: alice, resource: pods}
    - k8s_audit: {user: alice, resource: secrets, stage: ResponseStarted}
  silent: Secrets listed
"""


@pytest.fixture
def audit(folder: Path, write: Write) -> Path:
    (folder / "rules.yaml").write_text(RULES)
    return write(CASES)


def test_cases_run_and_are_measured(audit: Path) -> None:
    cases = load_cases(audit)
    assert [result.outcome for result in run_cases(cases)] == ["passed", "passed"]
    (rule,) = measure(cases).rules
    assert (rule.n_matched, rule.outcomes, rule.decisions) == (1, (10, 10), (10, 10))
    (mutated,) = mutate(cases)
    assert [(m.before, m.after) for m in mutated.survivors] == [
        ("ka.response.code startswith 2", "ka.response.code contains 2")
    ]


def test_a_failure_shows_the_nearest_request(audit: Path, write: Write) -> None:
    (result,) = run_cases(load_cases(write(
        "- case: a\n  events: [{k8s_audit: {user: robot, resource: secrets}}]\n  fires: Secrets listed\n"
    )))  # fmt: skip
    text = "\n".join(result.failures[0].detail)
    assert "nearest miss: entry 1, list /api/v1/secrets by robot" in text
    assert 'holds: ka.user.name = "robot"' in text


def test_rules_of_another_source_are_refused(audit: Path, write: Write) -> None:
    text = "- case: a\n  events: [{k8s_audit: {uri: /x}}]\n  silent: Shell started\n"
    (result,) = run_cases(load_cases(write(text)))
    assert result.outcome == "error"
    assert result.failures[0].message == "`Shell started` is about syscall events"


def test_requests_are_saved_as_a_log(audit: Path, capfd: Any) -> None:
    assert main(["test", ".", "-k", "a list of", "--save-capture", "logs"]) == 0
    assert capfd.readouterr().out == "logs/a-list-of-secrets.jsonl\n"
    assert main(["run", "-r", "rules.yaml", "-e", "logs/a-list-of-secrets.jsonl", "-q"]) == 0
    assert "secrets listed (user=alice)" in capfd.readouterr().out


def test_a_damaged_log_is_an_error_even_where_silence_is_expected(
    audit: Path, write: Write
) -> None:
    log = scenario([{"k8s_audit": {"uri": "/x"}}]).data
    (audit.parent / "a.jsonl").write_bytes(log + b"{broken\n")
    (result,) = run_cases(load_cases(write("- case: a\n  capture: a.jsonl\n  only: true\n")))
    assert result.outcome == "error"
    assert "a.jsonl:2: no JSON" in result.failures[0].message


def test_mistakes_are_shown_where_they_stand(folder: Path, write: Write) -> None:
    path = write("- case: a\n  events:\n    - k8s_audit: {uri: /x, stage: Panik}\n  only: true\n")
    with pytest.raises(CaseError) as caught:
        load_cases(path)
    (found,) = caught.value.diagnostics
    assert found.span.source.locate(found.span.start) == (3, 35)

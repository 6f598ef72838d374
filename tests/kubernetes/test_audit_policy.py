"""Audit policies: what they let through, which one rules need, what they lack under another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rulekit.alert import Alert
from rulekit.engine.pipeline import Engine
from rulekit.kubernetes.audit.policy import (
    LEVELS,
    NONE,
    STAGES,
    Decision,
    GroupResources,
    Policy,
    PolicyRule,
    Request,
    as_manifest,
    decide,
    in_order,
    reduce,
)
from rulekit.kubernetes.audit.read import read_policy
from rulekit.kubernetes.audit.setup import Setup, flags, kubeconfig_text, pod_patch, policy_text
from rulekit.kubernetes.audit.shrink import smallest_policy, unknown_resources
from rulekit.kubernetes.audit.starved import starved
from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Rule, Ruleset

ROOT = Path(__file__).resolve().parent.parent.parent
RULESETS = ("kubernetes", "pod_security")


def ruleset(*paths: Path | str) -> Ruleset:
    return load_files(paths, sources=("k8s_audit",)).require()


def enabled(rules: Ruleset) -> list[Rule]:
    return [rule for rule in rules.rules if rule.source == "k8s_audit" and rule.enabled]


def written(tmp_path: Path, condition: str, output: str = "x") -> list[Rule]:
    path = tmp_path / "rules.yaml"
    path.write_text(
        f'- rule: R\n  desc: d\n  condition: >\n    {condition}\n  output: "{output}"\n'
        "  priority: INFO\n  source: k8s_audit\n"
    )
    return enabled(ruleset(path))


# ---- what a policy lets through -----------------------------------------------------------------

PODS = GroupResources("", ("pods",))


@pytest.mark.parametrize(
    ("rule", "request_", "expected"),
    [
        (PolicyRule(1), Request(), True),
        (PolicyRule(1, users=("a", "b")), Request(user="b"), True),
        (PolicyRule(1, users=("a",)), Request(user="b"), False),
        (PolicyRule(1, user_groups=("g",)), Request(user_groups=frozenset({"f", "g"})), True),
        (PolicyRule(1, user_groups=("g",)), Request(user_groups=frozenset({"f"})), False),
        (PolicyRule(1, verbs=("get",)), Request(verb="get"), True),
        (PolicyRule(1, verbs=("get",)), Request(verb="list"), False),
        (PolicyRule(1, resources=(PODS,)), Request(resource="pods"), True),
        (PolicyRule(1, resources=(PODS,)), Request(resource="pods", subresource="log"), False),
        (PolicyRule(1, resources=(PODS,)), Request(group="metrics.k8s.io", resource="pods"), False),
        (PolicyRule(1, resources=(PODS,)), Request(path="/api"), False),
        (
            PolicyRule(1, resources=(GroupResources("", ("pods/log",)),)),
            Request(resource="pods", subresource="log"),
            True,
        ),
        (
            PolicyRule(1, resources=(GroupResources("", ("pods/*",)),)),
            Request(resource="pods"),
            True,
        ),
        (
            PolicyRule(1, resources=(GroupResources("", ("*/scale",)),)),
            Request(resource="x", subresource="scale"),
            True,
        ),
        (
            PolicyRule(1, resources=(GroupResources("", ("*/scale",)),)),
            Request(resource="x"),
            False,
        ),
        (
            PolicyRule(1, resources=(GroupResources("", ("*",)),)),
            Request(resource="x", subresource="y"),
            True,
        ),
        (
            PolicyRule(1, resources=(GroupResources("apps"),)),
            Request(group="apps", resource="x"),
            True,
        ),
        (
            PolicyRule(1, resources=(GroupResources("", ("pods",), ("a",)),)),
            Request(resource="pods", name="a"),
            True,
        ),
        (
            PolicyRule(1, resources=(GroupResources("", ("pods",), ("a",)),)),
            Request(resource="pods", name="b"),
            False,
        ),
        (PolicyRule(1, namespaces=("x",)), Request(resource="pods", namespace="x"), True),
        (PolicyRule(1, namespaces=("",)), Request(resource="nodes"), True),
        (PolicyRule(1, namespaces=("",)), Request(path="/healthz"), False),
        (PolicyRule(1, urls=("/healthz*",)), Request(path="/healthz/etcd"), True),
        (PolicyRule(1, urls=("/healthz",)), Request(path="/healthz/etcd"), False),
        (PolicyRule(1, urls=("*",)), Request(path="/x"), True),
        (PolicyRule(1, urls=("*",)), Request(resource="pods", path="/x"), False),
    ],
)
def test_what_a_rule_of_a_policy_matches(
    rule: PolicyRule, request_: Request, expected: bool
) -> None:
    assert (decide(Policy((rule,)), request_).level == 1) is expected


def test_the_first_rule_decides_and_stages_add_up() -> None:
    policy = Policy(
        (
            PolicyRule(2, users=("a",), omit_stages=frozenset({"Panic"}), omit_managed=False),
            PolicyRule(3),
        ),
        frozenset({"RequestReceived"}),
        True,
    )
    assert decide(policy, Request(user="a")) == Decision(
        2, frozenset({"Panic", "RequestReceived"}), False
    )
    assert decide(policy, Request(user="b")) == Decision(3, frozenset({"RequestReceived"}), True)
    assert decide(Policy(()), Request()).level == NONE


def test_an_event_under_a_policy() -> None:
    managed = {"metadata": {"name": "x", "managedFields": [1]}, "items": [{"metadata": {}}, 7]}
    event = {
        "level": "RequestResponse",
        "stage": "ResponseComplete",
        "verb": "create",
        "user": {"username": "a", "groups": ["g", 7]},
        "objectRef": {"resource": "pods"},
        "requestURI": "/api/v1/pods?x=1",
        "requestObject": managed,
        "responseObject": {"kind": "Status"},
    }
    assert reduce(Policy((PolicyRule(0),)), event) is None
    assert reduce(Policy((PolicyRule(3),)), event) == event
    left = reduce(Policy((PolicyRule(2),), omit_managed=True), event)
    assert left is not None
    assert "responseObject" not in left
    assert left["level"] == "Request"
    assert left["requestObject"] == {"metadata": {"name": "x"}, "items": [{"metadata": {}}, 7]}
    left = reduce(Policy((PolicyRule(1),)), event)
    assert left is not None
    assert not {"requestObject", "responseObject"} & left.keys()
    omitted = Policy((PolicyRule(3, omit_stages=frozenset({"ResponseComplete"})),))
    assert reduce(omitted, event) is None
    for odd in ({}, {"user": 7, "objectRef": [], "requestURI": 1, "verb": None, "level": 7}):
        assert reduce(Policy((PolicyRule(1),)), odd) is not None


# ---- the smallest policy ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def genuine(shared: Path) -> list[dict[str, Any]]:
    path = shared / "captures" / "k8s_audit" / "genuine" / "audit-log.jsonl"
    if not path.exists():
        pytest.skip("no genuine log in the reference material")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module", params=["upstream", *RULESETS])
def rules(request: pytest.FixtureRequest, shared: Path) -> Ruleset:
    if request.param != "upstream":
        return ruleset(ROOT / "rulesets" / request.param / "rules.yaml")
    return ruleset(shared / "rules" / "upstream" / "k8saudit" / "k8s_audit_rules.yaml")


@pytest.fixture(scope="module")
def policy(rules: Ruleset) -> Policy:
    return smallest_policy(enabled(rules))


def alerts(engine: Engine, events: Iterable[dict[str, Any] | None], path: Path) -> Counter[str]:
    with path.open("w") as file:
        for event in events:
            if event is not None:
                file.write(json.dumps(event) + "\n")
    return Counter(map(_shown, engine.run(path)))


def _shown(alert: Alert) -> str:
    return f"{alert.rule} {alert.event_id} {alert.message}"


def test_the_genuine_log_gives_the_same_alerts(
    rules: Ruleset, policy: Policy, genuine: list[dict[str, Any]], tmp_path: Path
) -> None:
    for matching in ("all", "first"):
        engine = Engine(rules, source="k8s_audit", matching=matching)
        before = alerts(engine, genuine, tmp_path / "all")
        left = [reduce(policy, event) for event in genuine]
        assert alerts(engine, left, tmp_path / "left") == before
        assert before
    kept = [event for event in left if event is not None]
    assert len(kept) < len(genuine) / 2


def test_no_level_can_be_lowered(
    rules: Ruleset, policy: Policy, genuine: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Without any part of a level some rule loses fields; in the log, those that occur there."""
    chosen = enabled(rules)
    assert starved(chosen, policy) == []
    engine = Engine(rules, source="k8s_audit", matching="all")
    before = alerts(engine, genuine, tmp_path / "all")
    occurring = {id(decide(policy, _request(event)).rule) for event in genuine}
    seen = lost = 0
    for i, rule in enumerate(policy.rules):
        if rule.level == NONE:
            continue
        lower = _with(policy, i, replace(rule, level=rule.level - 1, line=i + 1))
        wanting = [one for one in chosen if one.name in rule.why][-4:]
        gaps = [gap for one in starved(wanting, lower) for gap in one.gaps]
        assert any(gap.line == i + 1 for gap in gaps), rule
        if id(rule) in occurring:
            seen += 1
            left = [reduce(lower, event) for event in genuine]
            lost += alerts(engine, left, tmp_path / "left") != before
    assert seen
    assert lost >= seen * 2 / 3  # the others occur without what the rules look for


def test_no_stage_is_too_much(rules: Ruleset, policy: Policy) -> None:
    chosen = enabled(rules)
    for i, rule in enumerate(policy.rules):
        if rule.level:
            stage = sorted(set(STAGES) - policy.omit_stages - rule.omit_stages)[0]
            omitted = replace(rule, omit_stages=rule.omit_stages | {stage})
            wanting = [one for one in chosen if one.name in rule.why][-4:]
            assert starved(wanting, _with(policy, i, omitted)), (rule, stage)


def _with(policy: Policy, index: int, rule: PolicyRule) -> Policy:
    return replace(policy, rules=(*policy.rules[:index], rule, *policy.rules[index + 1 :]))


def _request(event: dict[str, Any]) -> Request:
    from rulekit.kubernetes.audit.policy import request_of

    return request_of(event)


@pytest.mark.parametrize(
    ("condition", "output", "expected"),
    [
        ("ka.verb = delete", "x", [{"level": "Metadata", "verbs": ["delete"]}]),
        (
            "ka.verb = delete and ka.user.name = bob",
            "x",
            [{"level": "Metadata", "users": ["bob"], "verbs": ["delete"]}],
        ),
        (
            "ka.verb = delete and not ka.user.name in (bob, eve)",
            "x",
            [
                {"level": "None", "users": ["bob", "eve"]},
                {"level": "Metadata", "verbs": ["delete"]},
            ],
        ),
        (
            'ka.verb = list and not ka.user.name startswith "system:"',
            "x",
            [
                {
                    "level": "None",
                    "users": [
                        "system:anonymous",
                        "system:apiserver",
                        "system:kube-controller-manager",
                        "system:kube-proxy",
                        "system:kube-scheduler",
                    ],
                },
                {"level": "Metadata", "verbs": ["list"]},
            ],
        ),
        (
            "ka.target.resource = secrets and ka.verb in (get, create)",
            "%ka.req.configmap.obj",
            # A GET sends no object.
            [
                {
                    "level": "Request",
                    "verbs": ["create"],
                    "resources": [{"group": "", "resources": ["secrets/*"]}],
                },
                {
                    "level": "Metadata",
                    "verbs": ["get"],
                    "resources": [{"group": "", "resources": ["secrets/*"]}],
                },
            ],
        ),
        (
            "ka.verb = get and ka.target.resource = pods and ka.target.subresource = log",
            "%ka.resp.name",
            [
                {
                    "level": "RequestResponse",
                    "verbs": ["get"],
                    "resources": [{"group": "", "resources": ["pods/log"]}],
                }
            ],
        ),
        (
            "ka.target.subresource = exec",
            "x",
            [{"level": "Metadata", "resources": [{"group": "", "resources": ["pods/exec"]}]}],
        ),
        (
            "ka.target.namespace = prod and ka.verb = delete",
            "x",
            [{"level": "Metadata", "verbs": ["delete"], "namespaces": ["prod"]}],
        ),
        (
            "ka.uri = /version",
            "x",
            [{"level": "Metadata", "nonResourceURLs": ["/version"]}],
        ),
        (
            "ka.user.name = system:anonymous and not ka.uri = /healthz"
            " and not ka.uri startswith /healthz?",
            "x",
            [
                {"level": "None", "nonResourceURLs": ["/healthz"]},
                {"level": "Metadata", "users": ["system:anonymous"]},
            ],
        ),
        # One thing of the path is unknown: what follows the question mark.
        (
            "ka.user.name = eve and not ka.uri = /healthz",
            "x",
            [{"level": "Metadata", "users": ["eve"]}],
        ),
        ("jevt.rawtime = 0", "%jevt.obj", [{"level": "None"}]),
        ("not jevt.rawtime exists", "%jevt.obj", [{"level": "None"}]),
        ("ka.verb = a and ka.verb = b", "x", [{"level": "None"}]),
        (
            "ka.verb = delete",
            "%jevt.obj",
            [
                {"level": "RequestResponse", "verbs": ["delete"], "omitManagedFields": False},
            ],
        ),
        (
            "ka.verb = delete and json.value[/objectRef/apiGroup] = apps"
            " and ka.target.resource = deployments",
            "x",
            [
                {
                    "level": "Metadata",
                    "verbs": ["delete"],
                    "resources": [{"group": "apps", "resources": ["deployments/*"]}],
                }
            ],
        ),
        (
            "ka.uri.param[dryRun] = All",
            "x",
            [{"level": "Metadata"}],
        ),
    ],
)
def test_policies_for_single_rules(
    tmp_path: Path, condition: str, output: str, expected: list[dict[str, Any]]
) -> None:
    rules = written(tmp_path, f"({condition}) and ka.stage = ResponseComplete", output)
    policy = smallest_policy(rules)
    made = as_manifest(policy)["rules"]
    if output == "%jevt.obj" and len(made) > 1:
        # Requests about no resource have no objects.
        made = [rule for rule in made if rule["level"] == "RequestResponse"]
    assert made == expected
    if made != [{"level": "None"}]:
        assert in_order(policy.omit_stages) == ["RequestReceived", "ResponseStarted", "Panic"]
    assert starved(rules, policy) == []


def test_stages(tmp_path: Path) -> None:
    (everything,) = smallest_policy(written(tmp_path, "ka.verb = get")).rules
    assert everything.omit_stages == frozenset()
    policy = smallest_policy(written(tmp_path, "ka.verb = get and ka.response.code = 200"))
    assert policy.omit_stages == {"RequestReceived"}
    policy = smallest_policy(written(tmp_path, "ka.verb = watch and ka.stage = ResponseStarted"))
    assert in_order(set(STAGES) - policy.omit_stages) == ["ResponseStarted"]


def test_resources_of_unknown_groups(tmp_path: Path) -> None:
    rules = written(tmp_path, "ka.target.resource = widgets and ka.verb = create")
    assert unknown_resources(rules) == ["widgets"]
    (rule,) = [rule for rule in smallest_policy(rules).rules if rule.level]
    assert rule.resources == ()  # they may be anywhere
    assert unknown_resources(rules, {"widgets": ["example.com"]}) == []
    (rule,) = smallest_policy(rules, {"widgets": ["example.com"]}).rules
    assert rule.resources == (GroupResources("example.com", ("widgets/*",)),)


VALUES = {
    "ka.verb": ("get", "create", "patch", "zap"),
    "ka.user.name": ("bob", "eve", "system:apiserver", "system:node:a"),
    "ka.target.resource": ("pods", "secrets", "deployments"),
    "ka.target.subresource": ("exec", "status"),
    "ka.target.namespace": ("a", "kube-system"),
    "ka.stage": STAGES[:3],
    "ka.req.pod.host_pid": ("true",),
    "ka.resp.name": ("x",),
}


@st.composite
def conditions(draw: st.DrawFn, depth: int = 0) -> str:
    if depth < 2 and draw(st.booleans()):
        parts = draw(st.lists(conditions(depth + 1), min_size=1, max_size=3))
        joined = f" {draw(st.sampled_from(['and', 'or']))} ".join(parts)
        return f"{draw(st.sampled_from(['', 'not ']))}({joined})"
    name = draw(st.sampled_from(sorted(VALUES)))
    op = draw(st.sampled_from(["=", "!=", "in", "exists", "startswith"]))
    value = draw(st.sampled_from(VALUES[name]))
    shown = {"in": f'("{value}")', "exists": "", "startswith": f'"{value[:4]}"'}
    return f"{name} {op} {shown.get(op, chr(34) + value + chr(34))}"


@settings(max_examples=max(10, settings().max_examples // 5))
@given(conditions(), st.sampled_from(["x", "%ka.resp.name", "%ka.req.pod.host_pid"]))
def test_no_alert_is_lost(
    tmp_path_factory: pytest.TempPathFactory, condition: str, output: str
) -> None:
    """Of every combination of parts of a request, under the policy of one random rule."""
    folder = tmp_path_factory.mktemp("policy")
    rules = written(folder, condition, output)
    policy = smallest_policy(rules)
    assert starved(rules, policy) == []
    events = list(_all_events())
    engine = Engine(ruleset(folder / "rules.yaml"), source="k8s_audit")
    left = [reduce(policy, event) for event in events]
    before = alerts(engine, events, folder / "all")
    assert alerts(engine, left, folder / "left") == before


def _all_events() -> Iterable[dict[str, Any]]:
    number = 0
    for user in ("bob", "zoe", "system:apiserver", "system:node:a"):
        for verb in ("get", "create", "patch", "delete", "post"):
            for resource in ("pods", "secrets", "deployments", "widgets", None):
                if verb == ("create" if resource is None else "post"):
                    continue  # the former is of resources, the latter of paths
                for sub in ("", "exec", "status") if resource else ("",):
                    if sub == "exec" and resource != "pods":
                        continue
                    for space in ("", "a", "b") if resource else ("",):
                        for stage in STAGES[:3]:
                            number += 1
                            yield _event(number, user, verb, resource, sub, space, stage)


def _event(
    number: int, user: str, verb: str, resource: str | None, sub: str, space: str, stage: str
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": str(number),
        "stage": stage,
        "stageTimestamp": "2026-11-24T10:00:00.000000Z",
        "requestURI": "/api/v1/x" if resource else "/version",
        "verb": verb,
        "user": {"username": user},
    }
    if resource:
        target = {"resource": resource, "subresource": sub, "namespace": space}
        if resource == "deployments":
            target["apiGroup"] = "apps"
        event["objectRef"] = {k: v for k, v in target.items() if v}
    if stage != "RequestReceived":
        event["responseStatus"] = {"code": 200}
        if resource:
            event["responseObject"] = {"metadata": {"name": "x"}}
            if verb != "get":
                event["requestObject"] = {"spec": {"hostPID": True}}
    return event


# ---- what rules lack ----------------------------------------------------------------------------


def test_groups_of_users_imply_names(tmp_path: Path) -> None:
    policy = Policy((PolicyRule(0, user_groups=("system:nodes",)), PolicyRule(1)))
    rules = written(tmp_path, 'ka.verb = get and not ka.user.name startswith "system:"')
    assert starved(rules, policy) == []
    (found,) = starved(written(tmp_path, "ka.verb = get"), policy)
    assert not found.blind
    assert [gap.users for gap in found.gaps] == [{"system:nodes"}]
    policy = Policy((PolicyRule(0, user_groups=("devs",)), PolicyRule(1)))
    assert starved(rules, policy)
    policy = Policy((PolicyRule(0, user_groups=("system:authenticated",)), PolicyRule(1)))
    assert starved(written(tmp_path, "ka.user.name = system:anonymous"), policy) == []
    assert starved(written(tmp_path, "ka.user.name = bob"), policy)[0].blind


def test_names_and_paths_of_a_policy(tmp_path: Path) -> None:
    named = GroupResources("", ("pods",), ("web",))
    policy = Policy((PolicyRule(0, resources=(named,)), PolicyRule(1)))
    (found,) = starved(written(tmp_path, "ka.target.resource = pods"), policy)
    assert not found.blind
    policy = Policy((PolicyRule(0, urls=("/healthz*",)), PolicyRule(1)))
    assert starved(written(tmp_path, "ka.uri = /version"), policy) == []
    assert starved(written(tmp_path, "ka.uri = /healthz"), policy)[0].blind
    assert starved(written(tmp_path, "ka.uri startswith /version"), policy) == []


def test_managed_fields(tmp_path: Path) -> None:
    policy = Policy((PolicyRule(3),), omit_managed=True)
    reading = "json.value[/requestObject/metadata/managedFields/0/manager] = kubectl"
    (found,) = starved(written(tmp_path, reading), policy)
    assert found.gaps[0].why == "omitManagedFields"
    assert starved(written(tmp_path, "ka.req.pod.host_pid = true"), policy) == []


# ---- files --------------------------------------------------------------------------------------


@settings(max_examples=max(10, settings().max_examples // 4))
@given(
    st.builds(
        Policy,
        st.lists(
            st.builds(
                PolicyRule,
                level=st.integers(0, 3),
                users=st.lists(st.text(max_size=5), max_size=2).map(tuple),
                verbs=st.lists(st.sampled_from(["get", "y", "null", "1"]), max_size=2).map(tuple),
                resources=st.lists(
                    st.builds(GroupResources, st.sampled_from(["", "apps"]), st.just(("pods",))),
                    max_size=2,
                ).map(tuple),
                omit_stages=st.frozensets(st.sampled_from(STAGES)),
                omit_managed=st.sampled_from([None, True, False]),
            ),
            min_size=1,
            max_size=3,
        ).map(tuple),
        st.frozensets(st.sampled_from(STAGES)),
        st.booleans(),
    )
)
def test_what_is_written_can_be_read(policy: Policy) -> None:
    read, problems = read_policy(policy_text(policy).encode("utf-8", "replace"), "p")
    assert problems == []
    assert read is not None
    assert as_manifest(read) == as_manifest(policy)
    assert yaml.safe_load(policy_text(policy)) == as_manifest(policy)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "0 documents"),
        ("[", 1, ""),
        ("a: b\n---\na: b", 1, "2 documents"),
        ("- 1", 1, "a policy is no map"),
        ("kind: Policy\napiVersion: audit.k8s.io/v1beta1\nrules: [{level: None}]", 2, "v1beta1"),
        ("apiVersion: audit.k8s.io/v1\nkind: Pod\nrules: [{level: None}]", 2, "`Pod`, not Policy"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy", 1, "without rules"),
        ("HEAD\n  - level: Everything", 4, "no level `Everything`"),
        ("HEAD\n  - {}", 4, "no level ``"),
        ("HEAD\n  - level: None\n    verb: [get]", 5, "no `verb`; it has level, users"),
        ("HEAD\n  - level: None\n    verbs: get", 5, "`verbs` is no list"),
        ("HEAD\n  - level: None\n    users: [[a]]", 5, "an item of `users` is no text"),
        ("HEAD\n  - level: None\n    omitStages: [Done]", 5, "no stage `Done`"),
        ("HEAD\n  - level: None\n    omitManagedFields: maybe", 5, "neither true nor false"),
        ("HEAD\n  - level: None\n    level: None", 5, "`level` is there twice"),
        ("HEAD\n  - level: None\n    nonResourceURLs: [healthz]", 4, "does not begin with a slash"),
        ("HEAD\n  - level: None\n    nonResourceURLs: [/a*b]", 4, "a star inside"),
        (
            "HEAD\n  - level: None\n    nonResourceURLs: [/a]\n    namespaces: [x]",
            4,
            "not both",
        ),
        ("HEAD\n  - level: None\n    resources: [{group: apps/v1}]", 5, "no API group"),
        ("HEAD\n  - level: None\n    resources: [{resourceNames: [a]}]", 5, "need resources"),
        ("HEAD\n  - 7", 4, "a rule is no map"),
    ],
)
def test_policies_that_are_wrong(text: str, line: int, message: str) -> None:
    text = text.replace("HEAD", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:")
    _, problems = read_policy(text.encode(), "p.yaml")
    assert problems
    assert problems[0][0] == line, problems
    assert message in problems[0][1]


def test_bytes_that_are_no_text() -> None:
    policy, problems = read_policy(b"kind: \xff", "p.yaml")
    assert policy is None
    assert "not UTF-8" in problems[0][1]


POD = """
apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver}
spec:
  containers:
    - name: kube-apiserver
      command: [kube-apiserver, --secure-port=6443]
      volumeMounts: [{name: ca, mountPath: /etc/ssl/certs}]
  volumes: [{name: ca, hostPath: {path: /etc/ssl/certs}}]
"""


def test_the_patch_of_the_api_server() -> None:
    setup = Setup(
        url="https://10.0.0.1:9765/k8s-audit",
        ca="/etc/kubernetes/pki/rulekit.crt",
        client_cert="/etc/kubernetes/pki/audit.crt",
        client_key="/etc/kubernetes/pki/audit.key",
        token_file="/run/secrets/token",
        log="/var/log/kubernetes/audit.log",
    )
    pod = yaml.safe_load(POD)
    for operation in yaml.safe_load(pod_patch(setup)):
        assert operation["op"] == "add"
        at: Any = pod
        *steps, last = operation["path"].split("/")[1:]
        assert last == "-"
        for step in steps:
            at = at[int(step)] if isinstance(at, list) else at[step]
        at.append(operation["value"])
    container = pod["spec"]["containers"][0]
    assert container["command"][2:] == flags(setup)
    assert "--audit-policy-file=/etc/kubernetes/audit/policy.yaml" in container["command"]
    assert "--audit-webhook-config-file=/etc/kubernetes/audit/webhook.yaml" in container["command"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    folders = {v["name"]: v["hostPath"]["path"] for v in pod["spec"]["volumes"]}
    assert mounts.keys() == folders.keys()
    assert {folder: mounts[name].get("readOnly") for name, folder in folders.items()} == {
        "/etc/ssl/certs": None,
        "/etc/kubernetes/audit": True,
        "/var/log/kubernetes": False,
        "/etc/kubernetes/pki": True,
        "/run/secrets": True,
    }
    config = yaml.safe_load(kubeconfig_text(setup))
    (cluster,) = config["clusters"]
    assert cluster["cluster"] == {
        "server": "https://10.0.0.1:9765/k8s-audit",
        "certificate-authority": "/etc/kubernetes/pki/rulekit.crt",
    }
    (context,) = config["contexts"]
    assert config["current-context"] == context["name"]
    assert context["context"] == {"cluster": cluster["name"], "user": config["users"][0]["name"]}
    assert config["users"][0]["user"]["tokenFile"] == "/run/secrets/token"
    assert LEVELS[0] == "None"

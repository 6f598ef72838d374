"""Every upstream rule over audit events fires on an event and stays silent on a near miss.

The events are made here: one for each rule, from what its condition asks for, and what is changed
in it for the near miss, by JSON pointer; None removes.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from rulekit.engine.pipeline import Engine
from rulekit.rules.loader import load_files
from tests.conformance.test_k8s_audit import upstream

# What the files leave off for users to switch on.
SWITCHED_ON = """\
- macro: allowed_k8s_containers
  condition: (ka.req.pod.containers.image.repository in (nginx))
- macro: consider_all_events
  condition: (jevt.rawtime exists)
- macro: allowed_full_admin_users
  condition: (jevt.rawtime = 0)
- macro: allow_all_k8s_nodes
  condition: (jevt.rawtime = 0)
"""


def event(verb: str, resource: str, **members: Any) -> dict[str, Any]:
    """Return an audit event; `sub`, `namespace`, `name`, `code` and `user` say more of it."""
    target = {"resource": resource, "name": members.pop("name", "x"), "apiVersion": "v1"}
    if "sub" in members:
        target["subresource"] = members.pop("sub")
    target["namespace"] = members.pop("namespace", "prod")
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "5b7b4f3c-0b41-4a0f-9d2c-3a6d0d6a5b11",
        "stage": members.pop("stage", "ResponseComplete"),
        "requestURI": members.pop("uri", f"/api/v1/{resource}"),
        "verb": verb,
        "user": {"username": members.pop("user", "kubernetes-admin"), "groups": ["a"]},
        "objectRef": target,
        "responseStatus": {"code": members.pop("code", 201)},
        "stageTimestamp": "2026-11-24T10:00:00.000000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
        **members,
    }


def pod(containers: Any = None, **spec: Any) -> dict[str, Any]:
    """Return the creation of a pod."""
    found = [{"name": "c", "image": "nginx:1"}] if containers is None else containers
    return event("create", "pods", requestObject={"spec": {"containers": found, **spec}})


def role(resource: str = "roles", **rule: Any) -> dict[str, Any]:
    """Return the creation of a role with one rule."""
    given = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], **rule}
    return event("create", resource, requestObject={"rules": [given]})


PRIVILEGED = [{"name": "c", "image": "x:1", "securityContext": {"privileged": True}}]
PRIVILEGE = "/requestObject/spec/containers/0/securityContext/privileged"
IMAGE = "/requestObject/spec/containers/0/image"
CODE, NAME, SPACE = "/responseStatus/code", "/objectRef/name", "/objectRef/namespace"
VERB, RESOURCE, SUB = "/verb", "/objectRef/resource", "/objectRef/subresource"
STAGE, USER = "/stage", "/user/username"

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Disallowed K8s User": (event("get", "pods", user="mallory"), {USER: "kubelet"}),
    "Create Disallowed Pod": (pod([{"image": "evil:1"}]), {IMAGE: "nginx:2"}),
    "Create Privileged Pod": (pod(PRIVILEGED), {PRIVILEGE: False}),
    "Create Sensitive Mount Pod": (
        pod(volumes=[{"name": "v", "hostPath": {"path": "/etc"}}]),
        {"/requestObject/spec/volumes/0/hostPath/path": "/etc/foo"},
    ),
    "Create HostNetwork Pod": (pod(hostNetwork=True), {"/requestObject/spec/hostNetwork": False}),
    "Create HostPid Pod": (pod(hostPID=True), {"/requestObject/spec/hostPID": None}),
    "Create HostIPC Pod": (pod(hostIPC=True), {SUB: "status"}),
    "Create NodePort Service": (
        event("create", "services", requestObject={"spec": {"type": "NodePort"}}),
        {"/requestObject/spec/type": "ClusterIP"},
    ),
    "Create/Modify Configmap With Private Credentials": (
        event("patch", "configmaps", requestObject={"data": {"k": "aws_access_key_id=1"}}),
        {"/requestObject/data": {"k": "aws_access_key"}},
    ),
    "Anonymous Request Allowed": (
        event("get", "pods", user="system:anonymous", uri="/api/v1/pods"),
        {"/requestURI": "/healthz?verbose"},
    ),
    "Attach/Exec Pod": (
        event("get", "pods", sub="exec", stage="ResponseStarted", code=101),
        {SUB: "log"},
    ),
    "port-forward": (event("create", "pods", sub="portforward"), {SUB: "proxy"}),
    "EphemeralContainers Created": (
        event("patch", "pods", sub="ephemeralcontainers"),
        {VERB: "get"},
    ),
    "Create Disallowed Namespace": (event("create", "namespaces", name="evil"), {NAME: "default"}),
    "Pod Created in Kube Namespace": (
        {**pod(), "objectRef": {"resource": "pods", "namespace": "kube-system"}},
        {SPACE: "kube-systems"},
    ),
    "Service Account Created in Kube Namespace": (
        event("create", "serviceaccounts", namespace="kube-public"),
        {NAME: "coredns"},
    ),
    "System ClusterRole Modified/Deleted": (
        event("delete", "clusterroles", name="system:node"),
        {NAME: "system:coredns"},
    ),
    "Attach to cluster-admin Role": (
        event(
            "create", "clusterrolebindings", requestObject={"roleRef": {"name": "cluster-admin"}}
        ),
        {"/requestObject/roleRef/name": "admin"},
    ),
    "ClusterRole With Wildcard Created": (
        role("clusterroles", verbs=["get", "*"]),
        {"/requestObject/rules/0/verbs/1": "list"},
    ),
    "ClusterRole With Write Privileges Created": (
        role(verbs=["deletecollection"]),
        {"/requestObject/rules/0/verbs/0": "watch"},
    ),
    "ClusterRole With Pod Exec Created": (
        role(resources=["pods", "pods/exec"]),
        {"/requestObject/rules/0/resources/1": "pods/log"},
    ),
    "K8s Secret Created": (event("create", "secrets", user="bob"), {SPACE: "kube-system"}),
    "K8s Secret Deleted": (event("delete", "secrets", user="bob"), {USER: "system:admin"}),
    "K8s Secret Get Successfully": (event("get", "secrets", code=200), {CODE: 403}),
    "K8s Secret Get Unsuccessfully Tried": (event("get", "secrets", code=403), {CODE: 200}),
    "K8s Namespace Deleted": (event("delete", "namespaces", user="bob"), {USER: "system:bob"}),
    "All K8s Audit Events": (event("get", "pods"), {STAGE: "RequestReceived"}),
    "Full K8s Administrative Access": (event("get", "pods", user="admin"), {USER: "admins"}),
    "Ingress Object without TLS Certificate Created": (
        event("create", "ingresses", requestObject={"spec": {}}),
        {"/requestObject/spec/tls": [{"hosts": []}]},
    ),
    "Untrusted Node Successfully Joined the Cluster": (event("create", "nodes"), {CODE: 409}),
    "Untrusted Node Unsuccessfully Tried to Join the Cluster": (
        event("create", "nodes", code=403),
        {VERB: "update"},
    ),
}
# Those about any change of one kind of object: nearly so is what was refused.
for kind, resource in (
    ("Deployment", "deployments"), ("Service", "services"), ("ConfigMap", "configmaps"),
    ("Namespace", "namespaces"), ("Serviceaccount", "serviceaccounts"), ("Role", "roles"),
    ("ClusterRole", "clusterroles"), ("RoleBinding", "rolebindings"),
    ("ClusterRoleBinding", "clusterrolebindings"),
):  # fmt: skip
    for verb, done in (("create", "Created"), ("delete", "Deleted")):
        refused = (event(verb, resource, user="bob"), {CODE: 403})
        CASES.setdefault(f"K8s {kind} {done}", refused)


@pytest.fixture(scope="module")
def engine(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    extra = tmp_path_factory.mktemp("rules") / "on.yaml"
    extra.write_text(SWITCHED_ON)
    files = [upstream(shared), extra]
    ruleset = load_files(files, sources=("k8s_audit",)).require()
    return Engine(ruleset, source="k8s_audit", matching="all")


def changed(original: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return an event with other values at some pointers."""
    made = copy.deepcopy(original)
    for pointer, value in changes.items():
        *steps, last = pointer.split("/")[1:]
        at: Any = made
        for step in steps:
            at = at[int(step)] if isinstance(at, list) else at[step]
        key: Any = int(last) if isinstance(at, list) else last
        if value is None:
            del at[key]
        else:
            at[key] = value
    return made


def test_every_rule_has_a_case(engine: Engine) -> None:
    assert {rule.name for rule in engine.rules} == CASES.keys()
    assert len(CASES) == 48


@pytest.mark.parametrize("rule", CASES)
def test_rule(engine: Engine, rule: str) -> None:
    fires, changes = CASES[rule]
    near = changed(fires, changes)
    assert near != fires
    assert rule in [alert.rule for alert in engine.evaluate(json.dumps(fires).encode()).alerts]
    assert rule not in [alert.rule for alert in engine.evaluate(json.dumps(near).encode()).alerts]

"""What each pod.* field is for values that are absent, null, of another type, or several."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import json
from typing import Any

import pytest

from rulekit.schema.fields import field_table
from rulekit.state._fields import extractable
from tests.state.documents import audit_event, value_of, values_of

FIELDS = [name for name in field_table() if name.startswith("pod.")]
LISTS = [name for name in FIELDS if field_table()[name].is_list]


def pod(spec: Any, **more: Any) -> dict[str, Any]:
    return audit_event(verb="create", requestObject={"kind": "Pod", **more, "spec": spec})


def container(**members: Any) -> dict[str, Any]:
    return pod({"containers": [members]})


def security(**members: Any) -> dict[str, Any]:
    return pod({"securityContext": members, "containers": [{}]})


def inner(**members: Any) -> dict[str, Any]:
    return pod({"containers": [{"securityContext": members}]})


def test_every_field_can_be_extracted() -> None:
    assert set(FIELDS) <= set(extractable())
    assert len(FIELDS) == 45


def test_a_pod_that_says_nothing() -> None:
    found = dict(zip(FIELDS, values_of(pod({"containers": [{}, {}]}), *FIELDS), strict=True))
    for name, value in found.items():
        if name == "pod.kind":
            assert value == "Pod"
        elif name == "pod.containers.type":
            assert value == ["container", "container"]
        elif name == "pod.containers.drops_all_capabilities":
            assert value == ["false", "false"]
        elif name.startswith("pod.containers."):
            assert value == ["unset", "unset"], name
        elif name in LISTS:
            assert value is None, name
        else:
            assert value == "unset", name


@pytest.mark.parametrize(
    "document",
    [
        audit_event(),
        audit_event(verb="create"),
        audit_event(verb="create", requestObject=None),
        audit_event(verb="create", requestObject="Pod"),
        audit_event(verb="create", requestObject=[{"kind": "Pod", "spec": {"containers": []}}]),
        audit_event(verb="create", requestObject={"kind": "Service", "spec": {"hostPID": True}}),
        audit_event(verb="create", requestObject={"kind": "Pod"}),
        audit_event(verb="create", requestObject={"kind": "Pod", "spec": []}),
        audit_event(verb="create", requestObject={"kind": "Deployment", "spec": {"template": {}}}),
        audit_event(
            verb="create",
            requestObject={
                "kind": "Deployment",
                "spec": {"template": {"spec": {"containers": {}}}},
            },
        ),
        audit_event(verb="create", responseObject={"kind": "Pod", "spec": {"containers": [{}]}}),
        audit_event(verb="patch", requestObject={"kind": "Pod", "spec": {"containers": [{}]}}),
    ],
    ids=range(12),
)
def test_no_pod_no_values(document: dict[str, Any]) -> None:
    assert values_of(document, *FIELDS) == [None] * len(FIELDS)


@pytest.mark.parametrize(
    "odd", [0, 1.5, "x", True, [], {}, [[]], [None], [1], ["x"], [{}], {"a": {}}, None]
)
def test_odd_types_anywhere_make_no_trouble(odd: Any) -> None:
    whole = {
        "metadata": {"name": "n", "annotations": {"container.apparmor.security.beta.kubernetes.io/a": "x"}},
        "spec": {
            "os": {"name": "linux"}, "hostPID": True, "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
            "securityContext": {"sysctls": [{"name": "a"}], "windowsOptions": {"hostProcess": True}, "seLinuxOptions": {"type": "t"}, "supplementalGroups": [1], "appArmorProfile": {"type": "x"}},
            "containers": [{"name": "a", "ports": [{"hostPort": 1}], "livenessProbe": {"httpGet": {"host": "h"}}, "lifecycle": {"preStop": {"tcpSocket": {"host": "h"}}},
                            "securityContext": {"capabilities": {"add": ["A"], "drop": ["ALL"]}, "seccompProfile": {"type": "x"}}}],
            "initContainers": [{}], "ephemeralContainers": [{}],
        },
    }  # fmt: skip

    def paths(node: Any, path: tuple[Any, ...] = ()) -> Any:
        yield path
        items = (
            node.items()
            if isinstance(node, dict)
            else enumerate(node)
            if isinstance(node, list)
            else ()
        )
        for key, value in items:
            yield from paths(value, (*path, key))

    for path in paths(whole):
        copy = json.loads(json.dumps(whole))
        if not path:
            copy = odd
        else:
            place = copy
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = odd
        values = values_of(audit_event(verb="create", requestObject=copy), *FIELDS)
        for name, value in zip(FIELDS, values, strict=True):
            assert value is None or isinstance(value, list if name in LISTS else str), (path, name)
            assert value != [], (path, name)


@pytest.mark.parametrize(
    ("field", "document", "value"),
    [
        ("pod.name", pod({"containers": []}, metadata={"name": "web"}), "web"),
        ("pod.name", pod({"containers": []}, metadata={"generateName": "web-"}), "web-"),
        ("pod.name", {**pod({"containers": []}, metadata={"generateName": "web-"}), "objectRef": {"name": "web-1"}}, "web-1"),
        ("pod.name", pod({"containers": []}, metadata={"name": None}), "unset"),
        ("pod.namespace", pod({"containers": []}, metadata={"namespace": "shop"}), "shop"),
        ("pod.namespace", {**pod({"containers": []}), "objectRef": {"namespace": "shop"}}, "shop"),
        ("pod.os", pod({"os": {"name": "windows"}, "containers": []}), "windows"),
        ("pod.host_network", pod({"hostNetwork": True}), "true"),
        ("pod.host_network", pod({"hostNetwork": None}), "unset"),
        ("pod.host_network", pod({"hostNetwork": "true"}), "true"),
        ("pod.host_pid", pod({"hostPID": False}), "false"),
        ("pod.host_ipc", pod({"hostIPC": True}), "true"),
        ("pod.host_users", pod({"hostUsers": False}), "false"),
        ("pod.service_account", pod({"serviceAccountName": "robot"}), "robot"),
        ("pod.automount_token", pod({"automountServiceAccountToken": False}), "false"),
        ("pod.fs_group", security(fsGroup=0), "0"),
        ("pod.supplemental_groups", security(supplementalGroups=[0, 7]), ["0", "7"]),
        ("pod.supplemental_groups", security(supplementalGroups=[]), None),
        ("pod.sysctls", security(sysctls=[{"name": "a"}, {"value": "1"}, "x"]), ["a", "unset", "unset"]),
        ("pod.sysctls", security(sysctls={"name": "a"}), None),
        ("pod.run_as_user", security(runAsUser=0), "0"),
        ("pod.run_as_user", security(runAsUser=1000), "1000"),
        ("pod.seccomp", security(seccompProfile={"type": "Localhost", "localhostProfile": "x"}), "Localhost"),
        ("pod.seccomp", security(seccompProfile={"type": ""}), "unset"),
        ("pod.apparmor", security(appArmorProfile={"type": "Unconfined"}), "Unconfined"),
        ("pod.selinux.type", security(seLinuxOptions={"type": "spc_t"}), "spc_t"),
        ("pod.selinux.user", security(seLinuxOptions={"user": ""}), "unset"),
        ("pod.selinux.role", security(seLinuxOptions={"role": "r"}), "r"),
        ("pod.host_process", security(windowsOptions={"hostProcess": True}), "true"),
        ("pod.volumes.type", pod({"volumes": [{"name": "a"}, {"name": "b", "secret": {}}, {"hostPath": None}, 7]}), ["unset", "secret", "unset", "unset"]),
        ("pod.volumes.type", pod({"volumes": [{"secret": {}, "nfs": {}}]}), ["secret", "nfs"]),
        ("pod.volumes.type[1]", pod({"volumes": [{"secret": {}}, {"nfs": {}}]}), ["nfs"]),
        ("pod.volumes.type[2]", pod({"volumes": [{"secret": {}}]}), None),
        ("pod.volumes.host_path", pod({"volumes": [{"secret": {}}, {"hostPath": {"path": "/etc"}}, {"hostPath": {}}]}), ["unset", "/etc", "unset"]),
        ("pod.volumes.host_path[1]", pod({"volumes": [{"secret": {}}, {"hostPath": {"path": "/etc"}}]}), ["/etc"]),
        ("pod.containers.type", pod({"containers": [{}], "initContainers": [{}, {}], "ephemeralContainers": [{}]}), ["container", "init", "init", "ephemeral"]),
        ("pod.containers.name", pod({"containers": [{"name": "a"}, {}], "initContainers": [{"name": "b"}]}), ["a", "unset", "b"]),
        ("pod.containers.name[2]", pod({"containers": [{"name": "a"}, {}], "initContainers": [{"name": "b"}]}), ["b"]),
        ("pod.containers.name[3]", pod({"containers": [{"name": "a"}, {}], "initContainers": [{"name": "b"}]}), None),
        ("pod.containers.name", pod({"containers": []}), None),
        ("pod.containers.image", container(image="reg:5000/a@sha256:1"), ["reg:5000/a@sha256:1"]),
        ("pod.containers.privileged", inner(privileged=True), ["true"]),
        ("pod.containers.privileged", security(privileged=True), ["unset"]),
        ("pod.containers.allow_privilege_escalation", inner(allowPrivilegeEscalation=False), ["false"]),
        ("pod.containers.read_only_root_filesystem", inner(readOnlyRootFilesystem=True), ["true"]),
        ("pod.containers.proc_mount", inner(procMount="Unmasked"), ["Unmasked"]),
        ("pod.containers.run_as_non_root", security(runAsNonRoot=True), ["true"]),
        ("pod.containers.run_as_non_root", inner(runAsNonRoot=False), ["false"]),
        ("pod.containers.run_as_user", pod({"securityContext": {"runAsUser": 7}, "containers": [{}, {"securityContext": {"runAsUser": 8}}, {"securityContext": {"runAsUser": None}}]}), ["7", "8", "7"]),
        ("pod.containers.run_as_group", security(runAsGroup=0), ["0"]),
        ("pod.containers.seccomp", security(seccompProfile={"type": "RuntimeDefault"}), ["RuntimeDefault"]),
        ("pod.containers.seccomp", pod({"securityContext": {"seccompProfile": {"type": "A"}}, "containers": [{"securityContext": {"seccompProfile": {"type": "B"}}}, {"securityContext": {"seccompProfile": {}}}]}), ["B", "A"]),
        # SELinux options are inherited as a whole, Windows options one by one.
        ("pod.containers.selinux.type", pod({"securityContext": {"seLinuxOptions": {"type": "t"}}, "containers": [{"securityContext": {"seLinuxOptions": {"level": "s0"}}}, {}]}), ["unset", "t"]),
        ("pod.containers.selinux.user", security(seLinuxOptions={"user": "u"}), ["u"]),
        ("pod.containers.selinux.role", inner(seLinuxOptions={"role": "r"}), ["r"]),
        ("pod.containers.host_process", pod({"securityContext": {"windowsOptions": {"hostProcess": True}}, "containers": [{"securityContext": {"windowsOptions": {"runAsUserName": "u"}}}]}), ["true"]),
        ("pod.containers.drops_all_capabilities", inner(capabilities={"drop": ["A", "ALL"]}), ["true"]),
        ("pod.containers.drops_all_capabilities", inner(capabilities={"drop": ["all"]}), ["false"]),
        ("pod.containers.drops_all_capabilities", inner(capabilities={"drop": "ALL"}), ["false"]),
        ("pod.containers.add_capabilities", pod({"containers": [{"securityContext": {"capabilities": {"add": ["A", "B"]}}}, {}, {"securityContext": {"capabilities": {"add": []}}}]}), ["A", "B", "unset", "unset"]),
        ("pod.containers.add_capabilities[0]", pod({"containers": [{"securityContext": {"capabilities": {"add": ["A", "B"]}}}, {}]}), ["A", "B"]),
        ("pod.containers.host_ports", pod({"containers": [{"ports": [{"containerPort": 1}, {"hostPort": 80}, {"hostPort": 0}]}, {"ports": [{}]}, {}]}), ["80", "0", "unset", "unset"]),
        ("pod.containers.handler_hosts", container(livenessProbe={"httpGet": {"host": "a"}, "tcpSocket": {"host": "b"}}, readinessProbe={"httpGet": {"host": "c"}}, startupProbe={"tcpSocket": {"host": "d"}}, lifecycle={"postStart": {"httpGet": {"host": "e"}}, "preStop": {"tcpSocket": {"host": "f"}}}), list("abcdef")),
        ("pod.containers.handler_hosts", container(livenessProbe={"httpGet": {"host": ""}}), ["unset"]),
        ("pod.containers.handler_hosts", container(livenessProbe={"exec": {"host": "x"}, "httpGet": {"httpHeaders": [{"name": "host", "value": "x"}]}}), ["unset"]),
    ],
)  # fmt: skip
def test_values(field: str, document: dict[str, Any], value: Any) -> None:
    assert value_of(document, field) == value


APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


@pytest.mark.parametrize(
    ("annotations", "security", "all_of_them", "effective"),
    [
        ({}, {}, None, ["unset", "unset"]),
        ({APPARMOR + "a": "runtime/default"}, {}, ["RuntimeDefault"], ["RuntimeDefault", "unset"]),
        ({APPARMOR + "b": "localhost/x"}, {}, ["Localhost"], ["unset", "Localhost"]),
        ({APPARMOR + "a": "unconfined", "x": "y"}, {}, ["Unconfined"], ["Unconfined", "unset"]),
        ({APPARMOR + "a": "", APPARMOR + "c": "other"}, {}, ["unset", "other"], ["unset", "unset"]),
        ({APPARMOR + "a": "unconfined"}, {"appArmorProfile": {"type": "P"}}, ["Unconfined"], ["Unconfined", "P"]),
        ({}, {"appArmorProfile": {"type": "P"}}, None, ["P", "P"]),
        ("odd", {}, None, ["unset", "unset"]),
        ({APPARMOR + "a": 7}, {}, ["7"], ["7", "unset"]),
    ],
)  # fmt: skip
def test_apparmor(annotations: Any, security: Any, all_of_them: Any, effective: Any) -> None:
    spec = {"securityContext": security, "containers": [{"name": "a"}, {"name": "b"}]}
    document = pod(spec, metadata={"annotations": annotations})
    fields = ("pod.apparmor_annotations", "pod.containers.apparmor")
    assert values_of(document, *fields) == [all_of_them, effective]


def test_the_profile_of_a_container_beats_its_annotation() -> None:
    spec = {"containers": [{"name": "a", "securityContext": {"appArmorProfile": {"type": "P"}}}]}
    document = pod(spec, metadata={"annotations": {APPARMOR + "a": "unconfined"}})
    assert value_of(document, "pod.containers.apparmor") == ["P"]


@pytest.mark.parametrize("text", ["0", "-0", "0.0", "0e0", "0E5", "-0.00e-7"])
def test_zero_is_zero_however_it_is_written(text: str) -> None:
    whole = json.dumps(inner(runAsUser="@")).replace('"@"', text).encode()
    assert value_of(whole, "pod.containers.run_as_user") == ["0"]


@pytest.mark.parametrize("text", ["1", "10", "-1", "0.5", "0.5e1"])
def test_what_is_not_zero_stays(text: str) -> None:
    whole = json.dumps(inner(runAsUser="@")).replace('"@"', text).encode()
    assert value_of(whole, "pod.containers.run_as_user") == [text]


def test_of_repeated_keys_the_last_one_counts() -> None:
    whole = json.dumps(inner(privileged=False)).encode()
    twice = whole.replace(b'"privileged": false', b'"privileged": false, "privileged": true')
    assert value_of(twice, "pod.containers.privileged") == ["true"]
    gone = whole.replace(b'"privileged": false', b'"privileged": true, "privileged": null')
    assert value_of(gone, "pod.containers.privileged") == ["unset"]


def test_keys_with_escapes() -> None:
    whole = json.dumps(inner(privileged=True)).encode()
    hidden = whole.replace(b"privileged", b"\\u0070rivileged").replace(
        b"containers", b"c\\u006fntainers"
    )
    assert value_of(hidden, "pod.containers.privileged") == ["true"]


@pytest.mark.parametrize(
    ("kind", "outer"),
    [
        ("Deployment", lambda inner: {"template": inner}),
        ("ReplicationController", lambda inner: {"template": inner}),
        ("CronJob", lambda inner: {"jobTemplate": {"spec": {"template": inner}}}),
        ("Rollout", lambda inner: {"template": inner}),  # of a resource that nobody has heard of
    ],
)
def test_templates(kind: str, outer: Any) -> None:
    template = {
        "metadata": {"name": "inner", "annotations": {APPARMOR + "a": "unconfined"}},
        "spec": {"hostPID": True, "containers": [{"name": "a"}]},
    }
    whole = audit_event(
        verb="update",
        requestObject={"kind": kind, "metadata": {"name": "outer"}, "spec": outer(template)},
    )
    fields = (
        "pod.kind",
        "pod.name",
        "pod.host_pid",
        "pod.apparmor_annotations",
        "pod.containers.name",
    )
    assert values_of(whole, *fields) == [kind, "outer", "true", ["Unconfined"], ["a"]]
    patched = {
        **whole,
        "verb": "patch",
        "responseObject": whole["requestObject"],
        "requestObject": {"spec": {}},
    }
    assert values_of(patched, *fields) == [kind, "outer", "true", ["Unconfined"], ["a"]]


def test_a_pod_template_and_templates_without_end() -> None:
    spec = {"hostIPC": True, "containers": [{}]}
    whole = audit_event(requestObject={"kind": "PodTemplate", "template": {"spec": spec}})
    assert value_of(whole, "pod.host_ipc") == "true"
    deep: dict[str, Any] = {"spec": spec}
    for _ in range(50):
        deep = {"spec": {"template": deep}}
    assert value_of(audit_event(requestObject={"kind": "X", **deep}), "pod.host_ipc") is None


def test_thousands_of_containers() -> None:
    many = [{"name": str(i)} for i in range(20_000)]
    many[-1]["securityContext"] = {"privileged": True}  # type: ignore[assignment]
    found = value_of(pod({"containers": many}), "pod.containers.privileged")
    assert (len(found), found[-1]) == (20_000, "true")

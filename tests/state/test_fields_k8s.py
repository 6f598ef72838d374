"""What each ka.* field is for values that are absent, null, of another type, or several.

The expectations are facts of the k8saudit plugin (plugins commit 0b3cbd8, extract.go), including
those that surprise; `null` in a document is a value with the text "null".
"""

from __future__ import annotations

from typing import Any

import pytest

from rulekit.schema.fields import field_table
from rulekit.state._fields import extractable
from tests.state.documents import audit_event, value_of

# Field → path of its one value.
TEXTS = {
    "ka.auditid": "auditID",
    "ka.stage": "stage",
    "ka.auth.decision": "annotations authorization.k8s.io/decision",
    "ka.auth.reason": "annotations authorization.k8s.io/reason",
    "ka.auth.openshift.decision": "annotations authentication.openshift.io/decision",
    "ka.auth.openshift.username": "annotations authentication.openshift.io/username",
    "ka.validations.admission.policy.failure": (
        "annotations validation.policy.admission.k8s.io/validation_failure"
    ),
    "ka.security.pod.violations": "annotations pod-security.kubernetes.io/audit-violations",
    "ka.user.name": "user username",
    "ka.impuser.name": "impersonatedUser username",
    "ka.verb": "verb",
    "ka.uri": "requestURI",
    "ka.target.name": "objectRef name",
    "ka.target.namespace": "objectRef namespace",
    "ka.target.resource": "objectRef resource",
    "ka.target.subresource": "objectRef subresource",
    "ka.req.binding.role": "requestObject roleRef name",
    "ka.req.configmap.name": "objectRef name",
    "ka.req.configmap.obj": "requestObject data",
    "ka.req.pod.host_ipc": "requestObject spec hostIPC",
    "ka.req.pod.host_network": "requestObject spec hostNetwork",
    "ka.req.container.host_network": "requestObject spec hostNetwork",
    "ka.req.pod.host_pid": "requestObject spec hostPID",
    "ka.req.pod.run_as_user": "requestObject spec securityContext runAsUser",
    "ka.req.pod.run_as_group": "requestObject spec securityContext runAsGroup",
    "ka.req.pod.fs_group": "requestObject spec securityContext fsGroup",
    "ka.req.service.type": "requestObject spec type",
    "ka.resp.name": "responseObject metadata name",
    "ka.response.code": "responseStatus code",
    "ka.response.reason": "responseStatus reason",
    "ka.useragent": "userAgent",
    "ka.cluster.name": "annotations cluster_name",
}
LISTS = {
    "ka.user.groups": "user groups",
    "ka.req.binding.subjects": "requestObject subjects",
    "ka.req.role.rules": "requestObject rules",
    "ka.req.pod.supplemental_groups": "requestObject spec securityContext supplementalGroups",
}


def at(path: str, value: Any) -> dict[str, Any]:
    """Return an audit event with a value at a path of keys separated by blanks."""
    for key in reversed(path.split()):
        value = {key: value}
    return audit_event(**value)


def pod(*containers: Any, **spec: Any) -> dict[str, Any]:
    """Return the audit event of a request with a pod."""
    return audit_event(requestObject={"spec": {"containers": list(containers), **spec}})


def test_every_field_has_an_extractor() -> None:
    missing = [
        f.name
        for f in field_table().values()
        if f.source in ("k8s_audit", "any") and not f.removed and f.name not in extractable()
    ]
    assert missing == []


@pytest.mark.parametrize(("field", "path"), TEXTS.items(), ids=TEXTS)
def test_text(field: str, path: str) -> None:
    assert value_of(at(path, "some"), field) == "some"
    assert value_of(at(path, ""), field) == ""
    assert value_of(at(path, None), field) == "null"
    assert value_of(at(path, 201), field) == "201"
    assert value_of(at(path, True), field) == "true"
    assert value_of(at(path, {"a": [1, "b c"]}), field) == '{"a":[1,"b c"]}'
    assert value_of(at(path, ["a", "b"]), field) == '["a","b"]'


@pytest.mark.parametrize(
    ("field", "path"), [(f, p) for f, p in TEXTS.items() if f != "ka.auditid"], ids=lambda x: x
)
def test_text_is_null_when_it_or_its_parent_is_missing(field: str, path: str) -> None:
    assert value_of(audit_event(), field) is None
    keys = path.split()
    for n in range(1, len(keys)):
        parent = " ".join(keys[:n])
        for wrong in ({}, None, "text", 1, [], [{keys[n]: "some"}]):
            assert value_of(at(parent, wrong), field) is None, (parent, wrong)


@pytest.mark.parametrize(("field", "path"), LISTS.items(), ids=LISTS)
def test_list(field: str, path: str) -> None:
    assert value_of(at(path, ["a", 1, None, {"b": 2}]), field) == ["a", "1", "null", '{"b":2}']
    for missing in ([], None, "a", {"a": 1}, 1):
        assert value_of(at(path, missing), field) is None, missing
    assert value_of(audit_event(), field) is None


def test_nothing_is_known_of_documents_without_an_audit_id() -> None:
    document = at("verb", "get")
    del document["auditID"]
    assert value_of(document, "ka.verb") is None
    document["auditID"] = None
    assert value_of(document, "ka.verb") == "get"


@pytest.mark.parametrize(
    ("resource", "subresource", "expected"),
    [
        ("pods", None, "p"),
        ("pods", "", "p"),
        ("pods", "exec", None),
        ("pods", 7, "p"),
        ("jobs", None, None),
        (["pods"], None, None),
    ],
)
def test_target_pod(resource: Any, subresource: Any, expected: str | None) -> None:
    target = {"resource": resource}
    if subresource is not None:
        target["subresource"] = subresource
    event = audit_event(objectRef=target, responseObject={"metadata": {"name": "p"}})
    assert value_of(event, "ka.target.pod.name") == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/x?command=id&command=ls", "id"),
        ("/x?a=1&command=a%20b+c", "a b c"),
        ("/x?comm%61nd=id", "id"),
        ("/x?command", ""),
        ("/x?command=a=b", "a=b"),
        ("/x?&&command=id&", "id"),
        ("/x?command=id#command=no", "id"),
        ("/x#?command=id", None),
        ("/x?Command=id", None),
        ("/x", None),
        ("/x?", None),
        # One malformed part makes the rest unreadable.
        ("/x?command=id&a=%zz", None),
        ("/x?command=id&a=%4", None),
        ("/x?command=id&a;b", None),
        ("/%zz?command=id", None),
        ("/x\t?command=id", None),
        (None, None),
        (17, None),
    ],
)
def test_uri_parameter(uri: Any, expected: str | None) -> None:
    event = audit_event(requestURI=uri)
    assert value_of(event, "ka.uri.param[command]") == expected


# ---- containers ---------------------------------------------------------------------------------

CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
# Field → path in the container, what a second container that lacks it makes of the list.
SOME = {
    "privileged": "securityContext privileged",
    "allow_privilege_escalation": "securityContext allowPrivilegeEscalation",
    "read_only_fs": "securityContext readOnlyRootFilesystem",
    "run_as_user": "securityContext runAsUser",
    "run_as_group": "securityContext runAsGroup",
    "proc_mount": "securityContext procMount",
    "add_capabilities": "securityContext capabilities add",
}
ALL = {"name": "name", "image": "image"}


def container(path: str, value: Any) -> Any:
    for key in reversed(path.split()):
        value = {key: value}
    return value


def in_list(name: str, containers: Any) -> dict[str, Any]:
    return audit_event(requestObject={"spec": {name: containers}})


@pytest.mark.parametrize("name", CONTAINER_LISTS)
@pytest.mark.parametrize(("field", "path"), {**SOME, **ALL}.items(), ids={**SOME, **ALL})
def test_container(name: str, field: str, path: str) -> None:
    field = f"ka.req.pod.{name}.{field}"
    one, two = container(path, "one"), container(path, 2)
    assert value_of(in_list(name, [one, two]), field) == ["one", "2"]
    assert value_of(in_list(name, [container(path, None)]), field) == ["null"]
    assert value_of(in_list(name, [container(path, ["A", "B"])]), field) == ['["A","B"]']
    assert value_of(in_list(name, [one, two]), f"{field}[1]") == ["2"]
    assert value_of(in_list(name, [one, two]), f"{field}[2]") is None
    # An object in place of the list stands for itself; lists in lists are one list.
    assert value_of(in_list(name, one), field) == ["one"]
    assert value_of(in_list(name, [[one], two]), field) == ["one", "2"]
    for missing in ([], None, "text", 1):
        assert value_of(in_list(name, missing), field) is None, missing
    # The three lists have nothing to do with each other.
    other = CONTAINER_LISTS[(CONTAINER_LISTS.index(name) + 1) % 3]
    assert value_of(in_list(other, [one]), field) is None
    assert value_of(audit_event(requestObject=[{"spec": {name: [one]}}]), field) == ["one"]
    assert value_of(audit_event(), field) is None


@pytest.mark.parametrize(("field", "path"), SOME.items(), ids=SOME)
def test_missing_values_of_containers_are_left_out(field: str, path: str) -> None:
    field = f"ka.req.pod.containers.{field}"
    assert value_of(pod({}, container(path, "two"), "text", None), field) == ["two"]
    assert value_of(pod({}, {}), field) is None
    assert value_of(pod({}, container(path, "two")), f"{field}[0]") is None


@pytest.mark.parametrize(("field", "path"), ALL.items(), ids=ALL)
def test_one_missing_name_or_image_makes_all_null(field: str, path: str) -> None:
    event = pod({}, container(path, "two"))
    assert value_of(event, f"ka.req.pod.containers.{field}") is None
    assert value_of(event, f"ka.req.pod.containers.{field}[1]") == ["two"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", "nginx"),
        ("nginx:1.2", "nginx"),
        ("a/b@sha256:00", "a/b"),
        ("a/b:1@sha256:00", "a/b"),
        ("localhost:5000/a:1", "localhost"),
        ("", ""),
        (7, "7"),
    ],
)
def test_repository(image: Any, expected: str) -> None:
    event = pod({"image": image}, {"image": "other:2"})
    assert value_of(event, "ka.req.pod.containers.image.repository") == [expected, "other"]
    assert value_of(event, "ka.req.container.image.repository") == expected
    assert value_of(event, "ka.req.container.image") == str(image)


@pytest.mark.parametrize("field", ["ka.req.container.image", "ka.req.container.image.repository"])
def test_first_image(field: str) -> None:
    assert value_of(pod({}, {"image": "b"}), field) is None
    assert value_of(pod(), field) is None
    assert value_of(pod("text"), field) is None
    assert value_of(audit_event(), field) is None


@pytest.mark.parametrize(
    ("contexts", "expected"),
    [
        ([{"privileged": True}], "true"),
        ([{"privileged": False}, {"privileged": True}], "true"),
        ([None, {"privileged": True}], "true"),
        ([{"privileged": False}, None], "false"),
        ([None], "false"),
        ([{"privileged": "true"}], "false"),
        ([], "false"),
    ],
)
def test_privileged_is_one_answer_for_all_containers(contexts: Any, expected: str) -> None:
    containers = [{} if c is None else {"securityContext": c} for c in contexts]
    assert value_of(pod(*containers), "ka.req.container.privileged") == expected


def test_privileged_is_null_without_containers() -> None:
    assert value_of(audit_event(requestObject={"spec": {}}), "ka.req.container.privileged") is None


@pytest.mark.parametrize("field", ["command", "args"])
def test_words_of_containers_are_joined(field: str) -> None:
    name = f"ka.req.pod.containers.{field}"
    event = pod({field: ["sh", "-c", "a  b"]}, {}, {field: [""]}, {field: ["", "x"]})
    assert value_of(event, name) == ["sh -c a  b", "", " x"]
    assert value_of(event, f"{name}[0]") == ["sh -c a  b"]
    assert value_of(event, f"{name}[1]") is None
    assert value_of(pod({field: []}), name) == [""]
    for wrong in ("sh", [1], ["a", None], {"a": "b"}, None):
        assert value_of(pod({field: ["a"]}, {field: wrong}), name) is None, wrong
    assert value_of(pod({}, {}), name) is None


def test_host_ports() -> None:
    field = "ka.req.pod.containers.host_port"
    ports = [{"hostPort": 80, "containerPort": 8080}, {"containerPort": 90}, {}, 5, "x"]
    event = pod({"ports": ports}, {}, {"ports": [{"hostPort": None}]})
    assert value_of(event, field) == ["80", "90", "null"]
    assert value_of(event, f"{field}[2]") == ["null"]
    assert value_of(pod({"ports": []}), field) is None
    assert value_of(pod({"ports": [{"hostPort": 1}]}, {"ports": {}}), field) is None


@pytest.mark.parametrize("which", ["User", "Group"])
def test_effective_ids_do_not_look_into_security_contexts(which: str) -> None:
    field = f"ka.req.pod.containers.eff_run_as_{which.lower()}"
    key = f"runAs{which}"
    inside = {"securityContext": {key: 1000}}
    assert value_of(pod(inside, {key: 7}), field) == ["0", "7"]
    assert value_of(pod(inside, {key: 7}, securityContext={key: 5}), field) == ["0", "7"]
    assert value_of(pod(inside, {key: 7}, **{key: 5}), field) == ["5", "7"]
    assert value_of(pod(), field) is None


# ---- other lists --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("ka.req.role.rules.apiGroups", "apiGroups"),
        ("ka.req.role.rules.nonResourceURLs", "nonResourceURLs"),
        ("ka.req.role.rules.verbs", "verbs"),
        ("ka.req.role.rules.resources", "resources"),
        ("ka.sourceips", "sourceIPs"),
    ],
)
def test_rules_of_roles(field: str, key: str) -> None:
    def role(*rules: Any) -> dict[str, Any]:
        return audit_event(requestObject={"rules": list(rules)})

    assert value_of(role({key: ["a", 1]}, {}, {key: []}, {key: ["b"]}), field) == ["a", "1", "b"]
    assert value_of(role({key: ["a"]}, {key: ["b"]}), f"{field}[1]") == ["b"]
    assert value_of(role({key: "a"}, {key: {"b": 1}}, {key: ["c"]}), field) == ["c"]
    assert value_of(role({key: []}), field) is None
    assert value_of(role({key: ["a"]}), f"{field}[1]") is None
    assert value_of(audit_event(), field) is None


def test_addresses_at_the_top_are_not_seen() -> None:
    assert value_of(audit_event(sourceIPs=["10.0.0.1"]), "ka.sourceips") is None


def test_volumes() -> None:
    volumes = [
        {"name": "a", "hostPath": {"path": "/etc"}},
        {"name": "b", "emptyDir": {}},
        {"flexVolume": {"driver": "d"}, "extra": 1},
        "text",
    ]
    event = pod(volumes=volumes)
    assert value_of(event, "ka.req.pod.volumes.hostpath") == ["/etc"]
    assert value_of(event, "ka.req.pod.volumes.hostpath[0]") == ["/etc"]
    assert value_of(event, "ka.req.pod.volumes.hostpath[1]") is None
    assert value_of(event, "ka.req.pod.volumes.flexvolume_driver") == ["d"]
    types = ["hostPath", "emptyDir", "flexVolume", "extra"]
    assert value_of(event, "ka.req.pod.volumes.volume_type") == types
    assert value_of(event, "ka.req.pod.volumes.volume_type[1]") == ["emptyDir"]
    assert value_of(event, "ka.req.pod.volumes.volume_type[9]") is None
    assert value_of(pod(volumes=[]), "ka.req.pod.volumes.volume_type") is None
    assert value_of(pod(volumes={"name": "a", "nfs": {}}), "ka.req.pod.volumes.volume_type") == [
        "nfs"
    ]


def test_volume_types_that_are_written_with_escapes() -> None:
    text = (
        b'{"kind":"Event","auditID":"a","stageTimestamp":"2024-05-01T10:00:00Z","requestObject":'
        b'{"spec":{"volumes":[{"n\\u0061me":"a","host\\u0050ath":{"p\\u0061th":"\\/e"}}]}}}'
    )
    assert value_of(text, "ka.req.pod.volumes.volume_type") == ["hostPath"]
    assert value_of(text, "ka.req.pod.volumes.hostpath") == ["/e"]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("/etc", "true"), ("/etc*", "true"), ("/e*", "true"), ("*", "true"), ("/", "false")],
)
def test_host_path_of_the_first_volume(argument: str, expected: str) -> None:
    field = f"ka.req.volume.hostpath[{argument}]"
    assert value_of(pod(volumes=[{"hostPath": {"path": "/etc"}}]), field) == expected
    later = [{"emptyDir": {}}, {"hostPath": {"path": "/etc"}}]
    assert value_of(pod(volumes=later), field) is None
    assert value_of(pod(), field) is None


def test_service_ports_are_one_text() -> None:
    ports = [{"port": 80, "nodePort": 30000}]
    event = audit_event(requestObject={"spec": {"ports": ports}})
    assert value_of(event, "ka.req.service.ports") == ['[{"port":80,"nodePort":30000}]']


def test_subjects() -> None:
    subjects = [
        {"kind": "User", "name": "u"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
        {"kind": "ServiceAccount", "name": "t"},
        {"kind": "Group", "name": 5},
        {"kind": "Group"},
        {"name": "x"},
        "text",
        None,
    ]
    event = audit_event(requestObject={"subjects": subjects})
    prefix = "ka.req.binding.subjects."
    assert value_of(event, f"{prefix}user_names") == ["u"]
    assert value_of(event, f"{prefix}serviceaccount_names") == ["s", "t"]
    assert value_of(event, f"{prefix}serviceaccount_ns_names") == ["n:s"]
    assert value_of(event, f"{prefix}group_names") == ["5"]
    for wrong in (None, "text", {}, []):
        event = audit_event(requestObject={"subjects": wrong})
        assert value_of(event, f"{prefix}user_names") is None
    # The plugin answers this obsolete question always in the same way.
    assert value_of(audit_event(), "ka.req.binding.subject.has_name[x*]") == "true"

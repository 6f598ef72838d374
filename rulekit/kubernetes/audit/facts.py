"""What is always so in the audit events of an API server, whatever its policy.

Facts of Kubernetes 1.36: who has reserved names, which verbs carry an object, which parts resources
have, what is known in which stage of a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rulekit.schema.kubernetes import KINDS

OWN_USERS = (
    "system:apiserver", "system:kube-controller-manager", "system:kube-scheduler",
    "system:kube-proxy", "system:anonymous",
)  # fmt: skip
"""Names that Kubernetes itself uses; nobody else has them."""

GROUP_MEMBERS = {
    "system:nodes": "system:node:",
    "system:serviceaccounts": "system:serviceaccount:",
    "system:unauthenticated": "system:anonymous",
}
"""How the names of the members of a group begin."""

RESOURCE_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
PATH_VERBS = ("get", "head", "options", "post", "put", "patch", "delete")
READING = frozenset({"get", "list", "watch", "head", "options"})

PARTS = {
    **dict.fromkeys(
        ("exec", "attach", "portforward", "log", "ephemeralcontainers", "resize", "eviction"),
        ("pods",),
    ),
    "binding": ("pods",),
    "token": ("serviceaccounts",),
    "approval": ("certificatesigningrequests",),
    "finalize": ("namespaces",),
}
"""Parts of resources that only these have, by name; every resource may have others."""

_MORE = {
    "events": ("", "events.k8s.io"),
    "bindings": ("",),
    "podtemplates": ("",),
    "endpointslices": ("discovery.k8s.io",),
    "flowschemas": ("flowcontrol.apiserver.k8s.io",),
    "prioritylevelconfigurations": ("flowcontrol.apiserver.k8s.io",),
    "tokenreviews": ("authentication.k8s.io",),
    "selfsubjectreviews": ("authentication.k8s.io",),
    "subjectaccessreviews": ("authorization.k8s.io",),
    "localsubjectaccessreviews": ("authorization.k8s.io",),
    "selfsubjectaccessreviews": ("authorization.k8s.io",),
    "selfsubjectrulesreviews": ("authorization.k8s.io",),
    "mutatingadmissionpolicies": ("admissionregistration.k8s.io",),
    "mutatingadmissionpolicybindings": ("admissionregistration.k8s.io",),
    "volumeattachments": ("storage.k8s.io",),
    "csinodes": ("storage.k8s.io",),
    "csistoragecapacities": ("storage.k8s.io",),
    "ipaddresses": ("networking.k8s.io",),
    "servicecidrs": ("networking.k8s.io",),
    "resourceclaims": ("resource.k8s.io",),
    "resourceclaimtemplates": ("resource.k8s.io",),
    "deviceclasses": ("resource.k8s.io",),
    "resourceslices": ("resource.k8s.io",),
    "componentstatuses": ("",),
    "controllerrevisions": ("apps",),
}


def _known() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {name: list(groups) for name, groups in _MORE.items()}
    for resource, group in KINDS.values():
        groups = found.setdefault(resource, [])
        if group not in groups:
            groups.append(group)
    return {name: tuple(groups) for name, groups in found.items()}


API_GROUPS = _known()
"""Groups in which a resource of this name exists."""

_WITH_PODS = frozenset({
    "pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs",
    "replicationcontrollers", "podtemplates",
})  # fmt: skip


def is_without_pods(group: str | None, resource: str | None) -> bool:
    """Return whether objects of a resource are known neither to be pods nor to make any."""
    if resource is None or resource in _WITH_PODS:
        return False
    return resource == "" or group in API_GROUPS.get(resource, ())


def absent(pointer: str, verb: str | None, stage: str, *, is_path: bool) -> bool:
    """Return whether no event of such a request has something at a JSON pointer.

    Args:
        verb: None is any other than those named by a rule or known.
        is_path: The request is about no resource.
    """
    top = pointer.split("/", 2)[1] if pointer else ""
    if top in ("requestObject", "responseObject"):
        if is_path or stage == "RequestReceived":
            return True
        return top == "requestObject" and verb in READING
    if top == "responseStatus":
        return stage == "RequestReceived"
    if top == "objectRef":
        return is_path
    if top == "annotations":
        # Set when the request is authorized, which comes after the first stage.
        return stage == "RequestReceived" and pointer.startswith(
            ("/annotations/authorization.k8s.io", "/annotations/pod-security.kubernetes.io")
        )
    return False


Groups = Mapping[str, Sequence[str]]


def groups_of(resource: str, more: Groups | None) -> tuple[str, ...]:
    """Return the API groups that have a resource.

    Args:
        more: Groups besides those of Kubernetes itself, by name of the resource.
    """
    return tuple(dict.fromkeys((*API_GROUPS.get(resource, ()), *(more or {}).get(resource, ()))))

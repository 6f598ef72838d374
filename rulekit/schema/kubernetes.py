"""Kinds of objects of the Kubernetes API and what requests call them.

Facts of the API of Kubernetes 1.36: groups, plurals, and which objects belong to no namespace.
"""

from __future__ import annotations

from functools import lru_cache

# API group → kinds in it.
_GROUPS = {
    "": (
        "Pod Service ConfigMap Secret Namespace Node ServiceAccount PersistentVolume Endpoints"
        " PersistentVolumeClaim ReplicationController LimitRange ResourceQuota Event PodTemplate"
    ),
    "apps": "Deployment DaemonSet StatefulSet ReplicaSet",
    "batch": "Job CronJob",
    "autoscaling": "HorizontalPodAutoscaler",
    "rbac.authorization.k8s.io": "Role RoleBinding ClusterRole ClusterRoleBinding",
    "networking.k8s.io": "NetworkPolicy Ingress IngressClass",
    "admissionregistration.k8s.io": (
        "ValidatingWebhookConfiguration MutatingWebhookConfiguration ValidatingAdmissionPolicy"
        " ValidatingAdmissionPolicyBinding"
    ),
    "certificates.k8s.io": "CertificateSigningRequest",
    "storage.k8s.io": "StorageClass CSIDriver",
    "node.k8s.io": "RuntimeClass",
    "policy": "PodDisruptionBudget",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "scheduling.k8s.io": "PriorityClass",
    "coordination.k8s.io": "Lease",
}
_SAME = frozenset({"Endpoints"})  # plurals already

UNNAMESPACED = frozenset({
    "namespaces", "nodes", "persistentvolumes", "clusterroles", "clusterrolebindings",
    "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "ingressclasses",
    "validatingadmissionpolicies", "validatingadmissionpolicybindings", "csidrivers",
    "certificatesigningrequests", "storageclasses", "customresourcedefinitions", "priorityclasses",
    "runtimeclasses", "apiservices",
})  # fmt: skip
"""Resources whose objects belong to no namespace, of those that are known here."""


@lru_cache(maxsize=256)
def plural(kind: str) -> str:
    """Return what the API calls the objects of a kind: ``Deployment`` are ``deployments``."""
    name = kind.lower()
    if kind in _SAME:
        return name
    if name.endswith("y") and not name.endswith(("ay", "ey", "oy", "uy")):
        return name[:-1] + "ies"
    return name + ("es" if name.endswith("s") else "s")


KINDS = {kind: (plural(kind), group) for group, kinds in _GROUPS.items() for kind in kinds.split()}
"""Kind → resource, API group."""

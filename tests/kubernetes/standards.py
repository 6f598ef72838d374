"""The table of the Pod Security Standards as objects of every kind that has a pod."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "rulesets" / "pod_security" / "rules.yaml"
TABLE = ROOT / "tests" / "data" / "pod_security_standards.yaml"

LISTS = ("containers", "initContainers", "ephemeralContainers")
KINDS = (
    "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job",
    "CronJob",
)  # fmt: skip
_API = {"Pod": "v1", "ReplicationController": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}


@dataclass(frozen=True)
class Case:
    """An object, and whether the rule of a control may fire on it."""

    control: str
    level: str
    rule: str
    what: str
    kind: str
    object: dict[str, Any]
    ok: bool

    def __str__(self) -> str:
        return f"{self.control}: {self.kind} {self.what}"


def pod() -> dict[str, Any]:
    """Return metadata and spec of a pod that keeps to everything."""
    container = {
        "image": "registry.example/web:1.2",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    names = {
        "containers": ("main", "side"),
        "initContainers": ("first",),
        "ephemeralContainers": ("debug",),
    }
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            **{
                where: [{"name": name, **copy.deepcopy(container)} for name in names[where]]
                for where in LISTS
            },
        },
    }  # fmt: skip


def wrap(kind: str, inner: dict[str, Any], name: str = "web") -> dict[str, Any]:
    """Return an object of this kind that has, or makes, a pod."""
    metadata = {"name": name, "namespace": "shop"}
    found: dict[str, Any] = {"apiVersion": _API.get(kind, "apps/v1"), "kind": kind}
    if kind == "Pod":
        return {**found, "metadata": {**metadata, **inner["metadata"]}, "spec": inner["spec"]}
    spec: dict[str, Any] = {"template": inner}
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    return {**found, "metadata": metadata, "spec": spec}


def _places(inner: dict[str, Any], path: str) -> Iterator[tuple[Any, list[str]]]:
    """Yield the objects that a path begins in, and the rest of it."""
    steps = path.split(".")
    if steps[0] == "metadata":
        yield inner["metadata"], steps[1:]
    elif steps[0] in LISTS:
        for container in inner["spec"][steps[0]]:
            yield container, steps[1:]
    else:
        yield inner["spec"], steps


def _put(inner: dict[str, Any], path: str, value: Any) -> None:
    for place, steps in _places(inner, path):
        for step in steps[:-1]:
            place = place.setdefault(step, {})
        if value == "unset":
            place.pop(steps[-1], None)
        else:
            place[steps[-1]] = copy.deepcopy(value)


def _expand(path: str) -> list[str]:
    return [path.replace("*", where) for where in LISTS] if path.startswith("*") else [path]


def _variants(control: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    for ok, values in ((True, control["allowed"]), (False, control["forbidden"])):
        for field in control["fields"]:
            for path in _expand(field):
                for value in values:
                    yield f"{path}={value!r}", {path: value}, ok
    for case in control.get("cases", ()):
        changes = {path: value for key, value in case["set"].items() for path in _expand(key)}
        yield str(case["set"]), changes, case["ok"]


def cases() -> Iterator[Case]:
    """Yield every case of the table for every kind."""
    for control in yaml.safe_load(TABLE.read_text()):
        for what, changes, ok in _variants(control):
            inner = pod()
            for path, value in changes.items():
                _put(inner, path, value)
            for kind in KINDS:
                yield Case(
                    control["control"], control["level"], control["rule"], what, kind,
                    wrap(kind, inner), ok,
                )  # fmt: skip
            if control.get("linux_only") and not ok:
                inner = copy.deepcopy(inner)
                inner["spec"]["os"] = {"name": "windows"}
                yield Case(
                    control["control"], control["level"], control["rule"], f"{what} on windows",
                    "Pod", wrap("Pod", inner), True,
                )  # fmt: skip

"""What an API server needs to write audit events and to send them to a webhook.

Facts: flags of kube-apiserver 1.36, kubeconfig files, patches of kubeadm (JSON patches of the
static pod ``kube-apiserver``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import dirname, join
from typing import Any

import yaml

from rulekit.kubernetes.audit.policy import Policy, in_order, rule_manifest

FOLDER = "/etc/kubernetes/audit"
DEFAULT_URL = "http://127.0.0.1:9765/k8s-audit"
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Setup:
    """Where things are, as the API server sees it.

    Attributes:
        url: Of the webhook; empty: the API server writes a log.
        ca: Certificate that signed the webhook's; empty for plain HTTP.
        client_cert, client_key: What the API server shows; empty: nothing.
        token_file: What the kubeconfig has the token from; empty: none.
        log: The log to write; empty: none.
    """

    url: str = DEFAULT_URL
    ca: str = ""
    client_cert: str = ""
    client_key: str = ""
    token_file: str = ""
    log: str = ""
    folder: str = FOLDER

    @property
    def policy_file(self) -> str:
        """Where the policy is to be put."""
        return join(self.folder, "policy.yaml")

    @property
    def kubeconfig_file(self) -> str:
        """Where the kubeconfig of the webhook is to be put."""
        return join(self.folder, "webhook.yaml")


def policy_text(policy: Policy) -> str:
    """Return a policy as YAML, each rule with the rules of detection that want it."""
    lines = ["apiVersion: audit.k8s.io/v1", "kind: Policy"]
    if policy.omit_stages:
        lines.append(f"omitStages: [{', '.join(in_order(policy.omit_stages))}]")
    if policy.omit_managed:
        lines.append("omitManagedFields: true")
    lines.append("rules:")
    for rule in policy.rules:
        if rule.why:
            lines.append(f"  # {_some(rule.why)}")
        text = yaml.safe_dump(
            [rule_manifest(rule)], sort_keys=False, default_flow_style=None, width=_WIDTH
        )
        lines += [f"  {line}" for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def _some(names: Sequence[str]) -> str:
    shown = [" ".join(name.split()) for name in names[:3]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def kubeconfig_text(setup: Setup) -> str:
    """Return the kubeconfig with which the API server finds the webhook."""
    cluster: dict[str, Any] = {"server": setup.url}
    if setup.ca:
        cluster["certificate-authority"] = setup.ca
    user: dict[str, Any] = {}
    if setup.client_cert:
        user = {"client-certificate": setup.client_cert, "client-key": setup.client_key}
    if setup.token_file:
        user["tokenFile"] = setup.token_file
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "rulekit", "cluster": cluster}],
        "users": [{"name": "kube-apiserver", "user": user}],
        "contexts": [
            {"name": "audit", "context": {"cluster": "rulekit", "user": "kube-apiserver"}}
        ],
        "current-context": "audit",
    }
    return yaml.safe_dump(config, sort_keys=False, width=_WIDTH)


def flags(setup: Setup) -> list[str]:
    """Return the flags of the API server."""
    found = [f"--audit-policy-file={setup.policy_file}"]
    if setup.url:
        found += [
            f"--audit-webhook-config-file={setup.kubeconfig_file}",
            # Alerts come soon, and a receiver that is away for a while loses nothing.
            "--audit-webhook-batch-max-wait=2s",
            "--audit-webhook-initial-backoff=1s",
        ]
    if setup.log:
        found += [
            f"--audit-log-path={setup.log}",
            "--audit-log-maxsize=100",
            "--audit-log-maxbackup=5",
        ]
    return found


def pod_patch(setup: Setup) -> str:
    """Return the JSON patch, as YAML, of the static pod of the API server, as kubeadm takes it."""
    operations: list[dict[str, Any]] = [
        _add("/spec/containers/0/command/-", flag) for flag in flags(setup)
    ]
    folders = {setup.folder: True}
    if setup.log:
        folders[dirname(setup.log)] = False
    for path in (setup.ca, setup.client_cert, setup.client_key, setup.token_file):
        if path:
            folders.setdefault(dirname(path), True)
    for number, (folder, read_only) in enumerate(folders.items()):
        name = f"rulekit-audit-{number}"
        mount = {"name": name, "mountPath": folder, "readOnly": read_only}
        host = {"path": folder, "type": "DirectoryOrCreate"}
        operations.append(_add("/spec/containers/0/volumeMounts/-", mount))
        operations.append(_add("/spec/volumes/-", {"name": name, "hostPath": host}))
    return yaml.safe_dump(operations, sort_keys=False, width=_WIDTH)


def _add(path: str, value: object) -> dict[str, object]:
    return {"op": "add", "path": path, "value": value}

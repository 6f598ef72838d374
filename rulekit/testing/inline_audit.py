"""Inline requests to a Kubernetes API server → audit events, as the server would have written them.

    {"k8s_audit": {"user": "mallory", "object": {"kind": "Pod", "metadata": {"name": "breaker"}}}}

A request is said in the words of ``kubectl``; what follows from it (the URI, the resource of an
object, the answer, the decision) is filled in. A whole audit event (``kind: Event``) is taken as it
is. What a server writes was read off the log of one, version 1.36, and off `audit.k8s.io/v1`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from rulekit.rules.names import close_to
from rulekit.schema.kubernetes import KINDS, UNNAMESPACED, plural
from rulekit.testing.inline_values import InlineError, Path, keys_of, number, text, unknown

AUDIT_KEYS = (
    "user", "groups", "impersonate", "verb", "resource", "namespace", "name", "object", "response",
    "code", "reason", "stage", "uri", "params", "decision", "source", "agent", "annotations",
)  # fmt: skip
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
VERBS = (
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection",
    "post", "put", "head", "options",
)  # fmt: skip

_STREAMS = frozenset({"exec", "attach", "portforward", "proxy"})
_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound",
    405: "MethodNotAllowed", 409: "AlreadyExists", 422: "Invalid", 429: "TooManyRequests",
    500: "InternalError",
}  # fmt: skip
_MANY = frozenset({"list", "watch", "deletecollection"})
_GROUP_OF = dict(KINDS.values())


def is_audit(events: object) -> bool:
    """Tell whether inline events are requests to an API server: whether the first one is."""
    if not isinstance(events, Sequence) or isinstance(events, (str, bytes)) or not events:
        return False
    return isinstance(events[0], Mapping) and "k8s_audit" in events[0]


def audit_events(given: Any, path: Path, now_ns: int, n_before: int) -> list[dict[str, Any]]:
    """Return the audit events of one request: one, or one for each stage that is named.

    Args:
        given: What stands behind ``k8s_audit``.
        path: Way to it, for mistakes.
        now_ns: Time of the request, ns since the Unix epoch.
        n_before: Requests before, so that no two have the same id.

    Raises:
        InlineError: Something of it means nothing.
    """
    when = datetime.fromtimestamp(now_ns // 10**9, timezone.utc)
    stamp = f"{when:%Y-%m-%dT%H:%M:%S}.{now_ns % 10**9 // 1000:06d}Z"
    if isinstance(given, Mapping) and given.get("kind") == "Event":
        return [{"apiVersion": "audit.k8s.io/v1", "stageTimestamp": stamp, **given}]
    keys = keys_of(given, AUDIT_KEYS, path, "a request")
    request = _Request(keys, path)
    stages = request.stages()
    about = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": str(uuid.UUID(int=n_before + 1)),
        **request.asked(),
        "requestReceivedTimestamp": stamp,
        "stageTimestamp": stamp,
    }
    return [{**about, "stage": stage, **request.answered(stage)} for stage in stages]


@dataclass
class _Target:
    """What a request is about; `resource` is empty for a URI that leads to no object."""

    resource: str = ""
    subresource: str = ""
    group: str = ""
    version: str = "v1"
    namespace: str = ""
    name: str = ""


class _Request:
    def __init__(self, keys: Mapping[str, Any], path: Path) -> None:
        self.given = keys
        self.path = path
        self.object = self.mapping("object")
        self.target = self._target()
        self.verb = self._verb()
        if self.target.resource not in UNNAMESPACED and self.verb not in _MANY:
            self.target.namespace = self.target.namespace or "default" * bool(self.target.resource)
        self.code = self._code()

    def at(self, key: str) -> Path:
        return (*self.path, key)

    def text(self, key: str) -> str:
        value = self.given.get(key)
        return "" if value is None else text(value, self.at(key), f"`{key}`")

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.given.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise InlineError(self.at(key), f"`{key}` is a map")
        return deepcopy(dict(value))

    # ---- what is asked for ----

    def _target(self) -> _Target:
        found = _Target()
        kind = self.object.get("kind")
        written = self.text("resource")
        if written:
            whole, _, found.subresource = written.partition("/")
            found.resource, _, group = whole.partition(".")
            found.group = group or _GROUP_OF.get(found.resource, "")
        elif kind is not None:
            found.resource, found.group = self._resource_of(kind)
        elif "uri" not in self.given:
            raise InlineError(
                self.path, "what does the request ask for?", "say `resource`, `object` or `uri`"
            )
        about = self.object.get("metadata")
        about = about if isinstance(about, Mapping) else {}
        found.namespace = self.text("namespace") or str(about.get("namespace") or "")
        made = about.get("generateName")
        found.name = self.text("name") or str(about.get("name") or (f"{made}x7k2p" if made else ""))
        version = str(self.object.get("apiVersion") or "v1")
        found.version = version.rpartition("/")[2]
        return found

    def _resource_of(self, kind: Any) -> tuple[str, str]:
        """Return resource and group of an object, by its kind, or by its own group for others."""
        kind = text(kind, (*self.at("object"), "kind"), "`kind`")
        if kind in KINDS:
            return KINDS[kind]
        group, slash, _ = str(self.object.get("apiVersion", "")).partition("/")
        if slash:
            return plural(kind), group
        close = close_to(kind, list(KINDS))
        raise InlineError(
            (*self.at("object"), "kind"),
            f"no resource is known for the kind `{kind}`",
            f"did you mean `{close}`?"
            if close
            else "say `resource`, or `apiVersion: GROUP/VERSION`",
        )

    def _verb(self) -> str:
        verb = self.text("verb").lower()
        if verb and verb not in VERBS:
            raise unknown(verb, VERBS, self.at("verb"), "a server knows no verb")
        if verb:
            return verb
        if self.object:
            return "create"
        target = self.target
        return "list" if target.resource and not (target.name or target.subresource) else "get"

    def _code(self) -> int:
        if self.given.get("code") is not None:
            code = number(self.given["code"], self.at("code"), "`code`")
            if not 100 <= code <= 599:
                raise InlineError(self.at("code"), "a status code is a number from 100 to 599")
            return code
        if self.text("decision") == "forbid":
            return 403
        if self.target.subresource in _STREAMS:
            return 101
        return 201 if self.verb == "create" else 200

    def uri(self) -> str:
        found = self.text("uri") or self._usual_uri()
        params = self.mapping("params")
        pairs = [
            f"{quote(str(key), safe='')}={quote(str(item), safe='')}"
            for key, value in params.items()
            for item in (value if isinstance(value, list) else [value])
        ]
        return found + ("&" if "?" in found else "?") * bool(pairs) + "&".join(pairs)

    def _usual_uri(self) -> str:
        target = self.target
        parts = ["apis", target.group] if target.group else ["api"]
        parts.append(target.version)
        if target.namespace and target.resource not in UNNAMESPACED:
            parts += ["namespaces", target.namespace]
        parts.append(target.resource)
        if target.name and (self.verb != "create" or target.subresource):
            parts.append(target.name)
        if target.subresource:
            parts.append(target.subresource)
        return "/" + "/".join(parts)

    def asked(self) -> dict[str, Any]:
        """Return what every stage of the request says."""
        found: dict[str, Any] = {
            "requestURI": self.uri(), "verb": self.verb, "user": self._user("user"),
            "sourceIPs": self._texts("source") or ["192.0.2.10"],
            "userAgent": self.text("agent") or "kubectl/v1.32.4 (linux/amd64) kubernetes/59526cd",
        }  # fmt: skip
        if self.given.get("impersonate") is not None:
            found["impersonatedUser"] = self._user("impersonate")
        return found

    def _user(self, key: str) -> dict[str, Any]:
        name = self.text(key) or "alice"
        groups = self._texts("groups") if key == "user" else []
        if not groups:
            groups = ["system:authenticated"]
            parts = name.split(":")
            if name == "system:anonymous":
                groups = ["system:unauthenticated"]
            elif parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
                kind = "system:serviceaccounts"
                groups = [kind, f"{kind}:{parts[2]}", *groups]
        return {"username": name, "groups": groups}

    def _texts(self, key: str) -> list[str]:
        value = self.given.get(key)
        if value is None:
            return []
        items = value if isinstance(value, list) else [value]
        return [text(item, (*self.at(key), i), f"`{key}`") for i, item in enumerate(items)]

    # ---- what comes of it ----

    def stages(self) -> list[str]:
        stages = self._texts("stage") or ["ResponseComplete"]
        for i, stage in enumerate(stages):
            if stage not in STAGES:
                where = self.at("stage")
                where = (*where, i) if isinstance(self.given["stage"], list) else where
                raise unknown(stage, STAGES, where, "a request has no stage")
        return stages

    def answered(self, stage: str) -> dict[str, Any]:
        """Return what one stage says: when a request has just come in, there is no answer."""
        received = stage == "RequestReceived"
        found: dict[str, Any] = {}
        target = self.target
        if target.resource:
            named = target.name and not (received and self.verb == "create")
            about = {
                "resource": target.resource,
                "namespace": target.namespace,
                "name": target.name if named or target.subresource else "",
                "apiGroup": target.group,
                "apiVersion": target.version,
                "subresource": target.subresource,
            }
            found["objectRef"] = {key: value for key, value in about.items() if value}
        if received:
            return found
        found["responseStatus"] = self._status()
        if self.object:
            found["requestObject"] = self.object
        response = self.mapping("response") if "response" in self.given else self._usual_response()
        if response and stage == "ResponseComplete":
            found["responseObject"] = response
        decision = self.text("decision") or ("forbid" if self.code == 403 else "allow")
        if decision not in ("allow", "forbid"):
            raise InlineError(self.at("decision"), "a decision is allow or forbid")
        marks = {
            "authorization.k8s.io/decision": decision,
            "authorization.k8s.io/reason": self.text("reason"),
        }
        found["annotations"] = {**marks, **self.mapping("annotations")}
        return found

    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = {"metadata": {}, "code": self.code}
        if self.code >= 400:
            reason = _REASONS.get(self.code, "Unknown")
            status |= {"status": "Failure", "reason": reason}
        return status

    def _usual_response(self) -> dict[str, Any]:
        """Return the object as it was stored, or nothing where that does not follow."""
        if self.code // 100 != 2 or self.verb not in ("create", "update") or not self.object:
            return {}
        stored = deepcopy(self.object)
        about = stored.get("metadata")
        stored["metadata"] = about = dict(about) if isinstance(about, Mapping) else {}
        for key, value in (("name", self.target.name), ("namespace", self.target.namespace)):
            if value:
                about.setdefault(key, value)
        return stored


def encode(events: Sequence[Mapping[str, Any]]) -> bytes:
    """Return audit events as lines of a log."""
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(f"{encoder.encode(event)}\n" for event in events).encode()

"""Objects and AdmissionReviews of Kubernetes as the audit events that they would become.

So one set of rules serves audit logs, admission and manifests. Facts: the types AdmissionReview of
admission.k8s.io/v1 and Event of audit.k8s.io/v1.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from rulekit.schema.kubernetes import UNNAMESPACED, plural

_TIMESTAMP = "%Y-%m-%dT%H:%M:%S"
_is_plain = re.compile(r"[A-Za-z0-9_.~/-]*").fullmatch
_VERBS = {"CREATE": "create", "UPDATE": "update", "DELETE": "delete", "CONNECT": "create"}


class _Gvr(msgspec.Struct, gc=False):
    group: str = ""
    version: str = ""
    resource: str = ""


class _Request(msgspec.Struct, gc=False, rename="camel"):
    uid: str = ""
    resource: _Gvr = msgspec.field(default_factory=_Gvr)
    sub_resource: str = ""
    name: str = ""
    namespace: str = ""
    operation: str = ""
    user_info: msgspec.Raw = msgspec.Raw(b"{}")
    object: msgspec.Raw = msgspec.Raw(b"null")
    old_object: msgspec.Raw = msgspec.Raw(b"null")
    dry_run: bool | None = None


class _Review(msgspec.Struct, gc=False, rename="camel"):
    kind: str = ""
    api_version: str = ""
    request: _Request | None = None


class _Metadata(msgspec.Struct, gc=False, rename="camel"):
    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None


class _Head(msgspec.Struct, gc=False, rename="camel"):
    kind: str = ""
    api_version: str = ""
    metadata: _Metadata | None = None


_decode_review = msgspec.json.Decoder(_Review).decode
_decode_head = msgspec.json.Decoder(_Head).decode


@dataclass(frozen=True, slots=True)
class Review:
    """A request that the API server asks about.

    Attributes:
        uid: To be said in the answer.
        event: The audit event it would become, as JSON.
        operation: ``CREATE``, ``UPDATE``, ``DELETE`` or ``CONNECT``.
        target: ``resource namespace/name``, for messages.
        dry_run: Nothing may happen because of it.
    """

    uid: str
    event: bytes
    operation: str
    target: str
    dry_run: bool


def read_review(body: bytes) -> Review:
    """Return what an AdmissionReview asks.

    Raises:
        ValueError: It is none; says why.
    """
    try:
        review = _decode_review(body)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"no AdmissionReview: {error}") from None
    if review.kind != "AdmissionReview":
        raise ValueError(f"no AdmissionReview: the kind is {review.kind!r}")
    if review.api_version != "admission.k8s.io/v1":
        raise ValueError(f"only admission.k8s.io/v1 is understood, not {review.api_version!r}")
    request = review.request
    if request is None or not request.uid:
        raise ValueError("no AdmissionReview: it has no request with a uid")
    if request.operation not in _VERBS:
        raise ValueError(f"the operation {request.operation!r} is not known")
    path = _path(request)
    if request.operation == "CONNECT":
        path += _options(request.object)
    event = _event(
        request.uid,
        _VERBS[request.operation],
        path,
        request.resource,
        request.sub_resource,
        request.namespace,
        request.name,
        bytes(request.user_info),
        b"null" if request.operation == "DELETE" else bytes(request.object),
    )
    where = f"{request.namespace}/{request.name}" if request.namespace else request.name
    resource = "/".join(filter(None, (request.resource.resource, request.sub_resource)))
    return Review(
        request.uid, event, request.operation, f"{resource} {where}", bool(request.dry_run)
    )


def object_event(data: bytes, *, namespace: str = "", time_ns: int | None = None) -> bytes:
    """Return the audit event of creating an object, as JSON.

    Args:
        data: The object as JSON, with ``kind`` and ``apiVersion``.
        namespace: Where it goes when it does not say so itself.
        time_ns: When; None is now.

    Raises:
        ValueError: It is no object of the API; says why.
    """
    try:
        head = _decode_head(data)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"no object of Kubernetes: {error}") from None
    return _object_event(data, head, namespace, time_ns)


def _object_event(data: bytes, head: _Head, namespace: str, time_ns: int | None) -> bytes:
    if not head.kind or not head.api_version:
        missing = "kind" if not head.kind else "apiVersion"
        raise ValueError(f"no object of Kubernetes: it has no {missing}")
    metadata = head.metadata or _Metadata()
    group, _, version = head.api_version.rpartition("/")
    resource = _Gvr(group, version, plural(head.kind))
    unnamespaced = resource.resource in UNNAMESPACED
    namespace = "" if unnamespaced else metadata.namespace or namespace
    name = metadata.name or ""
    request = _Request(resource=resource, namespace=namespace)
    return _event(
        "", "create", _path(request), resource, "", namespace, name, b"", data, time_ns=time_ns
    )


def event_if_object(data: bytes) -> bytes | None:
    """Return what `event_of` does; None for what may be audit events, or cannot be read.

    Raises:
        ValueError: It is an object that cannot be one of Kubernetes; says why.
    """
    try:
        head = _decode_head(data)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError):
        return None
    if head.kind in ("", "Event", "EventList"):
        return None
    if head.kind == "AdmissionReview":
        return read_review(data).event
    return _object_event(data, head, "", None)


def event_of(data: bytes) -> bytes:
    """Return the audit event of an AdmissionReview or of creating an object, as JSON.

    Raises:
        ValueError: It is neither; says why.
    """
    try:
        head = _decode_head(data)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"no object of Kubernetes: {error}") from None
    if head.kind == "AdmissionReview":
        return read_review(data).event
    return _object_event(data, head, "", None)


def _event(
    audit_id: str,
    verb: str,
    path: str,
    resource: _Gvr,
    subresource: str,
    namespace: str,
    name: str,
    user: bytes,
    obj: bytes,
    *,
    time_ns: int | None = None,
) -> bytes:
    # In the order and with the members that the API server writes, as far as they are known.
    now_ns = time.time_ns() if time_ns is None else time_ns
    seconds, rest_ns = divmod(now_ns, 10**9)
    stamp = f"{_second(seconds)}.{rest_ns // 1000:06d}Z"
    head = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request",
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": path,
        "verb": verb,
    }
    parts = [_json(head)[:-1]]
    if user:
        parts += [b',"user":', user]
    parts += [
        b',"objectRef":',
        _reference(resource, subresource, namespace, name),
        b',"responseStatus":{"metadata":{},"code":200}',
    ]
    if obj != b"null":
        parts += [b',"requestObject":', obj]
    if name:
        parts += [b',"responseObject":{"metadata":{"name":', _json(name), b"}}"]
    parts.append(f',"requestReceivedTimestamp":"{stamp}","stageTimestamp":"{stamp}"}}'.encode())
    return b"".join(parts)


def _reference(resource: _Gvr, subresource: str, namespace: str, name: str) -> bytes:
    members = {"resource": resource.resource}
    if namespace:
        members["namespace"] = namespace
    if name:
        members["name"] = name
    if resource.group:
        members["apiGroup"] = resource.group
    if resource.version:
        members["apiVersion"] = resource.version
    if subresource:
        members["subresource"] = subresource
    return _json(members)


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime(_TIMESTAMP, time.gmtime(seconds))


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value).encode()


def _path(request: _Request) -> str:
    """Return the path of a request to the API server."""
    resource = request.resource
    parts = ["apis", resource.group] if resource.group else ["api"]
    parts.append(resource.version)
    if request.namespace:
        parts += ["namespaces", request.namespace]
    parts.append(resource.resource)
    if request.name:
        parts.append(request.name)
    if request.sub_resource:
        parts.append(request.sub_resource)
    path = "/" + "/".join(parts)
    # Nearly always so; to quote part by part takes as long as everything else together.
    return path if _is_plain(path) else quote(path, errors="replace")


def _options(options: msgspec.Raw) -> str:
    """Return the options of a connection (exec, attach, ...) as the query they came in."""
    try:
        found: Any = msgspec.json.decode(options)
    except (msgspec.DecodeError, RecursionError):
        return ""
    if not isinstance(found, Mapping):
        return ""
    pairs = []
    for key, value in found.items():
        if key in ("kind", "apiVersion"):
            continue
        values: Iterable[Any] = value if isinstance(value, list) else (value,)
        for each in values:
            text = str(each).lower() if isinstance(each, bool) else str(each)
            pairs.append((key, text))
    return f"?{urlencode(pairs, errors='replace')}" if pairs else ""

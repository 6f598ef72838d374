"""containerd, CRI-O and other runtimes by the Container Runtime Interface of Kubernetes.

On grpcio and protobuf (extra ``containers``).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import grpc

from rulekit.sources.containers.cri_messages import message
from rulekit.sources.containers.engine import TIMEOUT_S, ContainerEngine, EngineUnavailable
from rulekit.sources.containers.metadata import (
    MAX_ITEMS,
    TYPES,
    Container,
    Mount,
    kept_labels,
    split_image,
)

_SERVICE = "/runtime.v1.RuntimeService/"
_MAX_CNI = 4096
_PROPAGATION = ("private", "rslave", "rshared")
_NODE = 2
_CREATED, _STARTED, _DELETED = 0, 1, 3
# Where runtimes keep the name of an image that is otherwise known by its digest.
_IMAGE_NAMES = (
    "io.kubernetes.cri.image-name",
    "io.kubernetes.cri-o.Image",
    "io.kubernetes.cri-o.ImageName",
)


class CriEngine(ContainerEngine):
    """Asks a runtime by its CRI socket."""

    def __init__(self, socket: str) -> None:
        super().__init__("cri", socket)
        self._lock = threading.Lock()
        self._channel: Any = None
        self._events: Any = None
        self._type = ""
        self._closed = False

    def find(self, id: str) -> Container | None:
        try:
            if not self._type:
                name = self._call("Version", "VersionRequest", "VersionResponse").runtime_name
                self._type = name if name in TYPES else "cri"
            status = self._asked(
                "ContainerStatus", "ContainerStatusRequest", "ContainerStatusResponse",
                container_id=id, verbose=True,
            )  # fmt: skip
            if status is None:
                sandbox = self._sandbox(id)
                return None if sandbox is None else sandbox_of(sandbox, self._type)
            sandbox_id = _info(status.info).get("sandboxID")
            if not isinstance(sandbox_id, str) or not sandbox_id:
                sandbox_id = self._sandbox_id(status.status.id)
            sandbox = self._sandbox(sandbox_id) if sandbox_id else None
            return container_of(status, sandbox, self._type)
        except grpc.RpcError as error:
            raise EngineUnavailable(_reason(error)) from error
        except ValueError as error:  # closed
            raise EngineUnavailable(str(error)) from error

    def watch(self, on_sight: Callable[[str], None], on_end: Callable[[str], None]) -> None:
        try:
            with self._lock:
                if self._closed:
                    return
            method = self._connected().unary_stream(
                _SERVICE + "GetContainerEvents",
                request_serializer=message("GetEventsRequest").SerializeToString,
                response_deserializer=message("ContainerEventResponse").FromString,
            )
            self._events = method(message("GetEventsRequest")())
            for event in self._events:
                if event.container_event_type in (_CREATED, _STARTED):
                    on_sight(event.container_id)
                elif event.container_event_type == _DELETED:
                    on_end(event.container_id)
        except grpc.RpcError as error:
            # containerd tells since 1.7.
            if self._closed or error.code() == grpc.StatusCode.UNIMPLEMENTED:
                return
            raise EngineUnavailable(_reason(error)) from error
        except ValueError as error:
            if not self._closed:
                raise EngineUnavailable(str(error)) from error

    def close(self) -> None:
        with self._lock:
            self._closed = True
            channel, events = self._channel, self._events
            self._channel = None
        if events is not None:
            events.cancel()
        if channel is not None:
            channel.close()

    def _connected(self) -> Any:
        with self._lock:
            if self._closed:
                raise ValueError("closed")
            if self._channel is None:
                options = (
                    ("grpc.default_authority", "localhost"),
                    ("grpc.enable_http_proxy", 0),
                    ("grpc.max_receive_message_length", 16 << 20),
                )
                self._channel = grpc.insecure_channel(f"unix:{self.socket}", options)
            return self._channel

    def _call(self, method: str, request: str, response: str, **values: Any) -> Any:
        call = self._connected().unary_unary(
            _SERVICE + method,
            request_serializer=message(request).SerializeToString,
            response_deserializer=message(response).FromString,
        )
        return call(message(request)(**values), timeout=TIMEOUT_S)

    def _asked(self, method: str, request: str, response: str, **values: Any) -> Any:
        """Return the answer, None when the runtime does not know what is asked for."""
        try:
            return self._call(method, request, response, **values)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return None
            raise

    def _sandbox(self, id: str) -> Any:
        return self._asked(
            "PodSandboxStatus", "PodSandboxStatusRequest", "PodSandboxStatusResponse",
            pod_sandbox_id=id, verbose=True,
        )  # fmt: skip

    def _sandbox_id(self, id: str) -> str:
        listed = self._call(
            "ListContainers", "ListContainersRequest", "ListContainersResponse",
            filter=message("ContainerFilter")(id=id),
        )  # fmt: skip
        return listed.containers[0].pod_sandbox_id if listed.containers else ""


def _reason(error: grpc.RpcError) -> str:
    details = error.details() if hasattr(error, "details") else ""
    return f"{error.code().name.lower()}: {details}" if hasattr(error, "code") else str(error)


def _info(info: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what a runtime tells besides the interface; nothing when it is no JSON."""
    try:
        found = json.loads(info.get("info", ""))
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _at(source: Any, *path: str) -> Any:
    """Return what stands at a path of keys, None where there is nothing."""
    for key in path:
        if not isinstance(source, Mapping):
            return None
        source = source.get(key)
    return source


def _cni(info: Mapping[str, Any]) -> str:
    """Return the interfaces of a sandbox, as its network plug-in told them."""
    interfaces = _at(info, "cniResult", "Interfaces") or _at(info, "cniResult", "interfaces")
    if interfaces:
        return json.dumps(interfaces)[:_MAX_CNI]
    told = _at(info, "runtimeSpec", "annotations", "io.kubernetes.cri-o.CNIResult")
    return told[:_MAX_CNI] if isinstance(told, str) else ""


def _namespaces(sandbox: Any) -> dict[str, Any]:
    options = sandbox.status.linux.namespaces.options
    return {
        "host_pid": options.pid == _NODE,
        "host_network": options.network == _NODE,
        "host_ipc": options.ipc == _NODE,
    }


def _pod_labels(labels: Mapping[str, str], sandbox: Any) -> dict[str, str]:
    """Add what names the pod, which kubelet writes into labels and others may not."""
    metadata = sandbox.status.metadata
    named = {
        "io.kubernetes.sandbox.id": sandbox.status.id,
        "io.kubernetes.pod.uid": metadata.uid,
        "io.kubernetes.pod.name": metadata.name,
        "io.kubernetes.pod.namespace": metadata.namespace,
    }
    return kept_labels(labels) | {key: value for key, value in named.items() if value}


def sandbox_of(answer: Any, type: str) -> Container:
    """Return what a runtime tells of the sandbox of a pod (PodSandboxStatusResponse)."""
    status = answer.status
    info = _info(answer.info)
    image = _at(info, "image")
    name = image if isinstance(image, str) else ""
    repository, tag, digest = split_image(name)
    return Container(
        id=status.id,
        type=type,
        name=status.metadata.name,
        image=name,
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        ip=status.network.ip,
        cni_json=_cni(info),
        privileged=_at(info, "config", "linux", "security_context", "privileged") is True,
        labels=_pod_labels(status.labels, answer),
        sandbox_id=status.id,
        sandbox_labels=kept_labels(status.labels),
        is_sandbox=True,
        **_namespaces(answer),
    )


def container_of(answer: Any, sandbox: Any, type: str) -> Container:
    """Return what a runtime tells of a container.

    Args:
        answer: ContainerStatusResponse; `sandbox`: PodSandboxStatusResponse of its pod, or None.
    """
    status = answer.status
    info = _info(answer.info)
    if sandbox is None:
        sandbox = message("PodSandboxStatusResponse")()
    name, tag, digest, repository = _image(status, info)
    image_id = _at(info, "config", "image", "image")
    if not isinstance(image_id, str) or not image_id.startswith("sha256:"):
        # An image that came from no registry is referred to by its id.
        bare = status.image_ref if status.image_ref.startswith("sha256:") else ""
        image_id = status.image_id or bare
    return Container(
        id=status.id,
        type=type,
        name=status.metadata.name,
        image=name,
        image_id=image_id.removeprefix("sha256:"),
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        user=str(status.user.linux.uid) if status.user.HasField("linux") else "",
        ip=sandbox.status.network.ip,
        cni_json=_cni(_info(sandbox.info)),
        privileged=_privileged(info),
        labels=_pod_labels(status.labels, sandbox),
        mounts=tuple(
            Mount(
                mount.host_path,
                mount.container_path,
                "",
                not mount.readonly,
                _PROPAGATION[mount.propagation]
                if 0 <= mount.propagation < len(_PROPAGATION)
                else "unknown",
            )
            for mount in status.mounts[:MAX_ITEMS]
        ),
        sandbox_id=sandbox.status.id,
        sandbox_labels=kept_labels(sandbox.status.labels),
        **_namespaces(sandbox),
    )


def _privileged(info: Mapping[str, Any]) -> bool:
    for path in (
        ("config", "linux", "security_context", "privileged"),
        ("runtimeSpec", "linux", "security_context", "privileged"),
        ("privileged",),
    ):
        value = _at(info, *path)
        if isinstance(value, bool):
            return value
    return False


def _image(status: Any, info: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return name, tag, digest and repository of the image.

    The reference that was resolved is a digest, alone or behind the repository; what the user wrote
    is the name, unless the runtime knows only the digest of that too.
    """
    name: str = status.image.image
    resolved, _, digest = status.image_ref.partition("@")
    if not digest:
        digest = resolved if resolved.startswith("sha256:") else ""
        resolved = ""
    if not name or name.startswith("sha256:"):
        annotations = _at(info, "runtimeSpec", "annotations")
        told = [_at(annotations, key) for key in _IMAGE_NAMES]
        name = next((each for each in told if isinstance(each, str) and each), resolved or name)
    repository, tag, own_digest = split_image(name)
    if resolved:
        repository = resolved
        name = f"{resolved}:{tag}" if tag else resolved
    return name, tag, digest or own_digest, repository

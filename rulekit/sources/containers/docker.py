"""Docker, and Podman by the interface of Docker that it has besides its own.

On the library docker (extra ``containers``).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, NotFound

from rulekit.sources.containers.engine import TIMEOUT_S, ContainerEngine, EngineUnavailable, NotNow
from rulekit.sources.containers.metadata import (
    MAX_ITEMS,
    Container,
    Mount,
    first_digest,
    kept_labels,
    split_image,
)

# What the library raises when the other side is not there, silent or odd.
_TROUBLE = (DockerException, requests.RequestException, OSError, ValueError)
_SIGHTS = frozenset({"create", "start"})
_ENDS = frozenset({"destroy", "remove"})


class DockerEngine(ContainerEngine):
    """Asks Docker or Podman.

    Args:
        kind: ``docker`` or ``podman``.
    """

    knows_first = True

    def __init__(self, socket: str, kind: str = "docker") -> None:
        super().__init__(kind, socket)
        self._kind = kind
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._stream: Any = None
        self._closed = False

    def find(self, id: str) -> Container | None:
        try:
            client = self._connected()
            found = client.inspect_container(id)
            image: Mapping[str, Any] = {}
            if isinstance(found, dict) and isinstance(found.get("Image"), str):
                # It may have been removed while the container runs.
                with contextlib.suppress(NotFound):
                    image = client.inspect_image(found["Image"])
        except NotFound:
            return None
        except APIError as error:
            raise NotNow(str(error)) from error
        except _TROUBLE as error:
            raise EngineUnavailable(_reason(error)) from error
        return container_of(found, image, self._kind)

    def watch(self, on_sight: Callable[[str], None], on_end: Callable[[str], None]) -> None:
        try:
            client = self._connected()
            with self._lock:
                if self._closed:
                    return
                # Of its own: reading it has no time limit.
                self._stream = client.events(decode=True, filters={"type": ["container"]})
            for event in self._stream:
                told = read_event(event)
                if told is None:
                    continue
                action, id = told
                if action in _SIGHTS:
                    on_sight(id)
                elif action in _ENDS:
                    on_end(id)
        except _TROUBLE as error:
            if not self._closed:
                raise EngineUnavailable(_reason(error)) from error
            return
        if not self._closed:
            raise EngineUnavailable("it tells no more events")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            client, stream = self._client, self._stream
            self._client = self._stream = None
        for each in (stream, client):
            if each is not None:
                try:
                    each.close()
                except Exception:  # it is given up in any case
                    continue

    def _connected(self) -> docker.APIClient:
        with self._lock:
            if self._closed:
                raise OSError("closed")
            if self._client is None:
                client = docker.APIClient(
                    base_url=f"unix://{self.socket}", version="auto", timeout=TIMEOUT_S
                )
                client.trust_env = False  # no proxy stands before a socket of this machine
                self._client = client
            return self._client


def _reason(error: BaseException) -> str:
    """Return the innermost cause, which says what happened."""
    seen: BaseException = error
    while True:
        inner = seen.__cause__ or seen.__context__
        if inner is None:
            break
        seen = inner
    return getattr(seen, "strerror", None) or str(seen) or type(seen).__name__


def read_event(event: object) -> tuple[str, str] | None:
    """Return action and id of an event about a container, None for any other."""
    if not isinstance(event, dict) or event.get("Type") != "container":
        return None
    action, actor = event.get("Action"), event.get("Actor")
    id = actor.get("ID") if isinstance(actor, dict) else None
    if not isinstance(action, str) or not isinstance(id, str) or not id:
        return None
    return action, id


def container_of(
    found: object, image: Mapping[str, Any] | None = None, kind: str = "docker"
) -> Container | None:
    """Return what ``docker inspect`` tells of a container; None when it tells of none.

    Args:
        found: As the engine answers. Whatever is missing or of another type is left out.
        image: The same of its image.
    """
    if not isinstance(found, Mapping) or not _text(found, "Id"):
        return None
    config, host = _map(found, "Config"), _map(found, "HostConfig")
    network = _map(found, "NetworkSettings")
    name = _text(config, "Image") or _text(found, "ImageName")
    repository, tag, digest = split_image(name)
    image = image or {}
    image_id = _text(found, "Image") or _text(image, "Id")
    digests = image.get("RepoDigests")
    tags = image.get("RepoTags")
    if not repository and isinstance(tags, list) and tags and isinstance(tags[0], str):
        repository, tag, _ = split_image(tags[0])
    if not digest and isinstance(digests, list):
        digest = first_digest(digests, repository)
    labels = kept_labels(config.get("Labels"))
    own_name = _text(found, "Name").removeprefix("/")
    return Container(
        id=_text(found, "Id"),
        type=kind,
        name=own_name,
        image=name,
        image_id=image_id.removeprefix("sha256:"),
        image_repository=repository,
        image_tag=tag,
        image_digest=digest,
        user=_text(config, "User"),
        ip=_address(network),
        privileged=host.get("Privileged") is True,
        host_pid=host.get("PidMode") == "host",
        host_network=host.get("NetworkMode") == "host",
        host_ipc=host.get("IpcMode") == "host",
        labels=labels,
        mounts=_mounts(found.get("Mounts")),
        sandbox_id=labels.get("io.kubernetes.sandbox.id", ""),
        # The infrastructure container of a pod, as kubelet named it with dockershim, and Podman.
        is_sandbox="k8s_POD" in own_name or found.get("IsInfra") is True,
    )


def _map(source: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = source.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(source: Mapping[str, Any], key: str) -> str:
    value = source.get(key)
    return value if isinstance(value, str) else ""


def _address(network: Mapping[str, Any]) -> str:
    if own := _text(network, "IPAddress"):
        return own
    for each in _map(network, "Networks").values():
        if isinstance(each, Mapping) and (own := _text(each, "IPAddress")):
            return own
    return ""


def _mounts(source: object) -> tuple[Mount, ...]:
    if not isinstance(source, list):
        return ()
    return tuple(
        Mount(
            _text(each, "Source"),
            _text(each, "Destination"),
            _text(each, "Mode"),
            each.get("RW") is True,
            _text(each, "Propagation"),
        )
        for each in source[:MAX_ITEMS]
        if isinstance(each, Mapping)
    )

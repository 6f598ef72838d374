"""What is known of a container, in the form in which captures carry it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rulekit.capture.writer import encode_event

# Event types by the numbers of the event table.
_ADDED = 324
_ASYNC = 402
_NOBODY = -1  # thread of an event that none caused
STATE_ONLY = 1  # block flag: tells readers, is not shown to rules

MAX_LABEL = 100  # characters of a label's value; longer ones are left out, as in Falco
MAX_ITEMS = 256  # labels or mounts
MAX_TEXT = 4096

TYPES = {"docker": 0, "cri": 6, "containerd": 7, "cri-o": 8, "podman": 11}
"""Numbers of `container.type` in captures."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount of a container; `mode` as its engine writes it."""

    source: str
    destination: str
    mode: str = ""
    writable: bool = True
    propagation: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """A container as its engine describes it.

    Attributes:
        id: The whole one; captures and fields know its first twelve characters.
        type: Key of `TYPES`.
        image: As the user named it; `image_id` without the kind of digest before it.
        ip: In its own network; empty when it has none, or that of the host.
        sandbox_id: Of the pod's sandbox; the own id for a sandbox itself.
    """

    id: str
    type: str
    name: str = ""
    image: str = ""
    image_id: str = ""
    image_repository: str = ""
    image_tag: str = ""
    image_digest: str = ""
    user: str = ""
    ip: str = ""
    cni_json: str = ""
    privileged: bool = False
    host_pid: bool = False
    host_network: bool = False
    host_ipc: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    sandbox_id: str = ""
    sandbox_labels: Mapping[str, str] | None = None
    is_sandbox: bool = False

    @property
    def short_id(self) -> str:
        """The first characters of the id, by which captures know it."""
        return self.id[:12]

    def as_json(self) -> bytes:
        """Return the text that captures carry."""
        inner = {
            "id": self.short_id,
            "full_id": self.id,
            "type": TYPES[self.type],
            "name": self.name[:MAX_TEXT],
            "image": self.image[:MAX_TEXT],
            "imageid": self.image_id[:MAX_TEXT],
            "imagerepo": self.image_repository[:MAX_TEXT],
            "imagetag": self.image_tag[:MAX_TEXT],
            "imagedigest": self.image_digest[:MAX_TEXT],
            "User": self.user[:MAX_TEXT],
            "ip": self.ip[:MAX_TEXT],
            "cni_json": self.cni_json[:MAX_TEXT],
            "privileged": self.privileged,
            "host_pid": self.host_pid,
            "host_network": self.host_network,
            "host_ipc": self.host_ipc,
            "labels": dict(sorted(self.labels.items())),
            "Mounts": [
                {
                    "Source": mount.source[:MAX_TEXT],
                    "Destination": mount.destination[:MAX_TEXT],
                    "Mode": mount.mode[:MAX_TEXT],
                    "RW": mount.writable,
                    "Propagation": mount.propagation[:MAX_TEXT],
                }
                for mount in self.mounts[:MAX_ITEMS]
            ],
            "pod_sandbox_id": self.sandbox_id,
            "pod_sandbox_labels": self.sandbox_labels and dict(sorted(self.sandbox_labels.items())),
            "is_pod_sandbox": self.is_sandbox,
        }
        text = json.dumps({"container": inner}, ensure_ascii=False)
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold, as an escape
            return text.encode("utf-8", "backslashreplace")


def added(container: Container, ts_ns: int, *, again: bool = False) -> bytes:
    """Return the event that tells of a container.

    Args:
        again: It was told before, and rules do not see it once more.
    """
    text = container.as_json() + b"\0"
    return encode_event(_ADDED, [text], ts_ns=ts_ns, tid=_NOBODY, flags=STATE_ONLY if again else 0)


def removed(short_id: str, ts_ns: int, *, hidden: bool = False) -> bytes:
    """Return the event that tells the end of a container.

    Args:
        hidden: It did not end, it is only forgotten: rules do not see it.
    """
    text = json.dumps({"container": {"id": short_id}}).encode() + b"\0"
    params = [bytes(4), b"container_removed\0", text]
    return encode_event(_ASYNC, params, ts_ns=ts_ns, tid=_NOBODY, flags=STATE_ONLY if hidden else 0)


def kept_labels(labels: object) -> dict[str, str]:
    """Return the labels that captures carry: texts, not too long, not too many."""
    if not isinstance(labels, Mapping):
        return {}
    kept: dict[str, str] = {}
    for key, value in labels.items():
        if isinstance(key, str) and isinstance(value, str) and len(value) <= MAX_LABEL:
            kept[key[:MAX_TEXT]] = value
            if len(kept) == MAX_ITEMS:
                break
    return kept


def split_image(reference: str) -> tuple[str, str, str]:
    """Return repository, tag and digest of an image reference; what it does not say is empty.

    A colon belongs to a tag only behind the last slash: before, it is the port of a registry.
    """
    name, _, digest = reference.partition("@")
    if name.startswith("sha256:"):
        return "", "", name
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return head + slash + last, tag, digest


def first_digest(references: Iterable[Any], repository: str) -> str:
    """Return the digest of the reference to a repository among several, else the only one."""
    digests: dict[str, str] = {}
    for reference in references:
        if isinstance(reference, str) and "@" in reference:
            name, _, digest = reference.partition("@")
            digests[name] = digest
    if repository in digests:
        return digests[repository]
    return next(iter(digests.values())) if len(set(digests.values())) == 1 else ""

"""What all container engines have in common, and where they usually listen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rulekit.errors import RulekitError
from rulekit.sources.containers.metadata import Container

EngineKind = Literal["docker", "podman", "cri"]

USUAL_SOCKETS: dict[str, str] = {
    "docker": "/run/docker.sock",
    "podman": "/run/podman/podman.sock",
    "cri": "/run/containerd/containerd.sock",
}
TIMEOUT_S = 5.0  # of one question


class EngineUnavailable(Exception):
    """The engine does not answer; the text says why."""


class NotNow(Exception):
    """The engine answers, but cannot tell of this container at the moment."""


class ContainerEngine(ABC):
    """Asks one engine; `find` may be called by several threads at once.

    Attributes:
        name: What messages call it, with its socket.
        knows_first: It knows a container before the first process of it runs: what it does not know
            then it will never know.
    """

    knows_first = False

    def __init__(self, kind: str, socket: str) -> None:
        self.name = f"{kind}:{socket}"
        self.socket = socket

    @abstractmethod
    def find(self, id: str) -> Container | None:
        """Return a container, None when the engine does not know it (yet).

        Args:
            id: The whole id, or its first characters.

        Raises:
            EngineUnavailable: No answer.
            NotNow: No useful one.
        """

    @abstractmethod
    def watch(self, on_sight: Callable[[str], None], on_end: Callable[[str], None]) -> None:
        """Tell ids of containers as they are created or started, and when they are removed.

        Blocks until `close`; returns at once when the engine does not tell.

        Raises:
            EngineUnavailable: The engine went away.
        """

    @abstractmethod
    def close(self) -> None:
        """End everything that waits for the engine. Idempotent."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine to be asked."""

    kind: EngineKind
    socket: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.socket}"


def parse_engine(text: str) -> EngineSpec:
    """Return the engine that ``KIND`` or ``KIND:SOCKET`` names.

    Raises:
        ValueError: It names none.
    """
    kind, colon, socket = text.partition(":")
    if kind not in USUAL_SOCKETS:
        raise ValueError(f"no container engine is called `{kind}`: say docker, podman or cri")
    if colon and not socket.startswith("/"):
        raise ValueError(f"`{socket}` is no socket: say {kind}:/path/of/its/socket")
    return EngineSpec(kind, socket or USUAL_SOCKETS[kind])  # type: ignore[arg-type]


def make_engine(spec: EngineSpec) -> ContainerEngine:
    """Return what asks an engine; nothing is connected yet.

    Raises:
        RulekitError: The library for it is not installed.
    """
    try:
        if spec.kind == "cri":
            from rulekit.sources.containers.cri import CriEngine

            return CriEngine(spec.socket)
        from rulekit.sources.containers.docker import DockerEngine

        return DockerEngine(spec.socket, spec.kind)
    except ImportError as error:
        raise RulekitError(
            f"{spec}: the library {error.name} is missing: pip install rulekit[containers]"
        ) from error

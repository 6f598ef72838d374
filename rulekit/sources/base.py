"""What a source is, and how one is found by name."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, BinaryIO

from rulekit.errors import SourceError

if TYPE_CHECKING:
    from rulekit.capture._reader import CaptureReader
    from rulekit.compiler.tables import Program

PLUGIN_GROUP = "rulekit.sources"


class Source(ABC):
    """Where events come from; opened once, read once, by one thread.

    Every source of system calls delivers capture-encoded events, so that there is one decoder.

    Attributes:
        path: What the user named.
        event_source: What a rule says in ``source:`` to get these events.
    """

    event_source = "syscall"

    def __init__(self, path: str) -> None:
        self.path = path
        self._reader: CaptureReader | None = None

    @abstractmethod
    def connect(self) -> CaptureReader:
        """Return a reader at the first event.

        Raises:
            SourceError: The source cannot be opened.
        """

    def open(self) -> CaptureReader:
        """Return the reader, opening it on the first call.

        Raises:
            SourceError: The source cannot be opened.
        """
        if self._reader is None:
            self._reader = self.connect()
        return self._reader

    def stop(self) -> None:  # noqa: B027 - what ends by itself need not be told
        """End a live source after what has happened by now. Safe in signal handlers."""

    def prepare(self, program: Program) -> None:  # noqa: B027 - most deliver everything
        """Deliver from now on what a program needs; to be called before the program is run."""

    def stats(self) -> dict[str, int]:
        """Return counters by name: what was read, skipped and lost so far."""
        return {} if self._reader is None else self._reader.stats()

    def close(self) -> None:
        """Give back what was opened. Idempotent."""
        if self._reader is not None:
            self._reader.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_source(spec: str | os.PathLike[str] | BinaryIO) -> Source:
    """Return the source that `spec` names: a capture, a log of Linux audit, or ``NAME:REST``.

    A path, ``-`` for standard input, or an open binary file, which is taken for a capture.

    ``NAME`` is an entry point of the group `rulekit.sources`: a callable that takes ``REST`` and
    returns a `Source`. A file of that very name wins.

    Raises:
        SourceError: A plug-in of that name exists and fails.
    """
    from rulekit.sources.detect import LINUX_AUDIT, detect_source
    from rulekit.sources.linux_audit.log import AuditSource
    from rulekit.sources.scap import ScapSource

    if isinstance(spec, str):
        name, colon, rest = spec.partition(":")
        if colon and not os.path.exists(spec):
            from importlib.metadata import entry_points

            for plugin in entry_points(group=PLUGIN_GROUP, name=name):
                try:
                    source = plugin.load()(rest)
                except SourceError:
                    raise
                except Exception as error:
                    raise SourceError(f"source plug-in {name} failed: {error}", spec) from error
                if not isinstance(source, Source):
                    raise SourceError(f"plug-in {name} did not return a source", spec)
                return source
    kind, opened = detect_source(spec)
    return AuditSource(opened) if kind == LINUX_AUDIT else ScapSource(opened)

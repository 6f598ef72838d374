"""Opens whatever has events of system calls: captures, logs of Linux audit, sources."""

from __future__ import annotations

import os
from typing import BinaryIO

from rulekit.capture._reader import CaptureReader
from rulekit.sources.base import Source
from rulekit.sources.detect import LINUX_AUDIT, detect_source
from rulekit.sources.documents import DocumentSource

SyscallSource = str | os.PathLike[str] | BinaryIO | Source | CaptureReader

# Sources that are no event sources of rules: what rules say in `source:` to get their events.
_EVENT_SOURCES = {LINUX_AUDIT: "syscall"}


def event_source_of(source: str) -> str:
    """Return the event source of the rules that a source is for."""
    return _EVENT_SOURCES.get(source, source)


def as_source(kind: str, spec: DocumentSource) -> Source | DocumentSource:
    """Return `spec` as what an engine can run: a `Source` for logs of Linux audit."""
    return _audit_source(spec) if kind == LINUX_AUDIT else spec


def open_reader(source: SyscallSource) -> CaptureReader:
    """Return a reader at the first event; the first bytes of a file tell what it is.

    Raises:
        SourceError: It cannot be opened, or is neither a capture nor an audit log.
    """
    if isinstance(source, CaptureReader):
        return source
    if isinstance(source, Source):
        return source.open()
    kind, opened = detect_source(source)
    if kind == LINUX_AUDIT:
        return _audit_source(opened).open()
    return CaptureReader(opened)


def _audit_source(spec: DocumentSource) -> Source:
    # Not at the top: its tables take a while to read, and captures need none of them.
    from rulekit.sources.linux_audit.log import AuditSource

    return AuditSource(spec)

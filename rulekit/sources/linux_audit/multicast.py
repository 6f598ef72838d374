"""Linux audit as it happens: the kernel's multicast group, beside auditd or without it."""

from __future__ import annotations

import os
import queue
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

from rulekit.capture._reader import CaptureReader
from rulekit.errors import SourceError, reason
from rulekit.sources.base import Source
from rulekit.sources.linux_audit._netlink import drain
from rulekit.sources.linux_audit._stream import AuditDecoder
from rulekit.sources.linux_audit.log import QUIET_S

DEFAULT_BUFFER_BYTES = 32 << 20
"""Room in the kernel for messages that were not read yet."""

MAX_BUFFER_BYTES = 1 << 30

BATCH_BYTES = 1 << 20
BATCHES = 16
NAP_S = 0.002  # between two looks at the socket: messages come one by one
ANSWER_S = 0.1  # how long the reader waits before it is told that there is nothing yet
SETTLE_S = 1.0  # between two looks at what is missing

# linux/netlink.h, linux/audit.h
NETLINK_AUDIT = 9
_READLOG = 1  # AUDIT_NLGRP_READLOG, the same as a mask of groups
_SOL_NETLINK = 270
_DROP_MEMBERSHIP = 2
_SO_RCVBUFFORCE = 33
_NLMSG_ERROR = 2
_AUDIT_GET = 1000
_HEADER = struct.Struct("=IHHII")
_REQUEST = 1
# struct audit_status: mask, enabled, failure, pid, rate_limit, backlog_limit, lost, backlog
_STATUS = struct.Struct("=8I")


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """What the kernel says of its audit.

    Attributes:
        enabled: 0 off, 1 on, 2 on and locked.
        pid: Of the daemon; 0: none.
        lost: Records that were lost before anybody could read them, modulo 2 ** 32.
    """

    enabled: int
    pid: int
    lost: int


class StatusSocket:
    """Asks the kernel for the state of its audit; for one thread.

    Nothing but a process with CAP_AUDIT_CONTROL is told.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT)
        self._socket.settimeout(1.0)

    def ask(self) -> AuditStatus | None:
        """Return the state, None where that is not told."""
        try:
            self._socket.send(_HEADER.pack(_HEADER.size, _AUDIT_GET, _REQUEST, 0, 0))
            while True:
                data = self._socket.recv(8192)
                if len(data) < _HEADER.size:
                    return None
                kind = _HEADER.unpack_from(data)[1]
                if kind == _NLMSG_ERROR:
                    return None
                if kind == _AUDIT_GET and len(data) >= _HEADER.size + _STATUS.size:
                    status = _STATUS.unpack_from(data, _HEADER.size)
                    return AuditStatus(enabled=status[1], pid=status[3], lost=status[6])
        except OSError:
            return None

    def close(self) -> None:
        """Close it. Idempotent."""
        self._socket.close()


def open_group(buffer_bytes: int = DEFAULT_BUFFER_BYTES) -> socket.socket:
    """Return a socket that gets every record of the kernel's audit, as any number of others do.

    Args:
        buffer_bytes: Room in the kernel; less where neither CAP_NET_ADMIN nor the limit
            net.core.rmem_max grants it.

    Raises:
        SourceError: The kernel or its rights do not allow it; says what to do.
    """
    try:
        group = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_AUDIT
        )
    except OSError as error:
        raise SourceError(f"the kernel has no audit: {reason(error)}", "linux_audit") from error
    try:
        try:
            group.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
        except PermissionError:
            group.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        group.bind((0, _READLOG))
    except PermissionError as error:
        group.close()
        raise SourceError(
            "reading the kernel's audit needs root or CAP_AUDIT_READ, in the first user and network"
            " namespace",
            "linux_audit",
        ) from error
    except OSError as error:
        group.close()
        raise SourceError(f"the kernel's audit: {reason(error)}", "linux_audit") from error
    return group


class MulticastStream:
    """A stream of chunks: what comes out of the group, read ahead by a thread of its own.

    `next_chunk` returns an empty chunk when nothing came for a while, so that its caller can look
    at other things. The thread drains even when nobody reads, until all buffers are full; only then
    does the room in the kernel fill up, and what is lost is known by the numbers that are missing.

    Args:
        group: See `open_group`; closed with the stream.
        host: Name of this machine.

    Attributes:
        path: What the source is called.
        buffer_bytes: Room that the kernel granted.
    """

    cut = False

    def __init__(self, group: socket.socket, host: str = "") -> None:
        self.path = "linux_audit"
        self.buffer_bytes = group.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self._group = group
        self._decoder = AuditDecoder(host)
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[tuple[bytearray, int] | None] = queue.SimpleQueue()
        for _ in range(BATCHES):
            self._free.put(bytearray(BATCH_BYTES))
        self._overruns = 0
        self._lost_before: int | None = None
        self._lost_in_kernel = 0
        self._error: OSError | None = None
        self._stopping = threading.Event()
        self._ended = False
        self._heard_s = self._settled_s = time.monotonic()
        self._status = StatusSocket()
        self._ask()
        self._thread = threading.Thread(target=self._run, name="rulekit-audit", daemon=True)
        self._thread.start()

    @property
    def n_lost(self) -> int:
        """Events that happened and were not taken in, as of some seconds ago."""
        return self._decoder.n_lost + self._lost_in_kernel

    def next_chunk(self) -> bytes | None:
        if self._ended:
            return None
        try:
            item = self._full.get(timeout=ANSWER_S)
        except queue.Empty:
            item = bytearray(), 0
        now_s = time.monotonic()
        if item is None:
            self._ended = True
            if self._error is not None:
                text = f"the kernel's audit cannot be read on: {reason(self._error)}"
                raise SourceError(text, self.path)
            return self._decoder.finish()
        buffer, size = item
        made = b""
        if size:
            made = self._decoder.feed_messages(memoryview(buffer)[:size])
            self._free.put(buffer)
            self._heard_s = now_s
        elif now_s - self._heard_s >= QUIET_S:
            made = self._decoder.pause()
        if now_s - self._settled_s >= SETTLE_S and not self._full.qsize():
            self._settled_s = now_s
            self._decoder.settle()
        return made

    def stats(self) -> dict[str, int]:
        """Return counters by name."""
        return self._decoder.stats() | {
            "audit_events_lost": self._decoder.n_lost,
            "audit_receive_buffer_overruns": self._overruns,
            "audit_records_lost_in_kernel": self._lost_in_kernel,
        }

    def stop(self) -> None:
        """Let the stream end after what is in the kernel now. Safe in signal handlers."""
        self._stopping.set()

    def close(self) -> None:
        """Stop the thread. Idempotent."""
        self._stopping.set()
        while self._thread.is_alive():
            self._free.put(bytearray(BATCH_BYTES))  # it may wait for room
            self._thread.join(0.1)
        self._group.close()
        self._status.close()

    def _run(self) -> None:
        asked_s = time.monotonic()
        poll = select.poll()
        poll.register(self._group, select.POLLIN)
        stopping = False
        try:
            while True:
                if not stopping and self._stopping.is_set():
                    stopping = True
                    self._group.setsockopt(_SOL_NETLINK, _DROP_MEMBERSHIP, _READLOG)
                buffer = self._free.get()
                n, overruns, more = drain(self._group.fileno(), buffer)
                self._overruns += overruns
                if n:
                    self._full.put((buffer, n))
                else:
                    self._free.put(buffer)
                if more:
                    continue
                if stopping:
                    break
                if time.monotonic() - asked_s >= SETTLE_S:
                    asked_s = time.monotonic()
                    self._ask()
                poll.poll(ANSWER_S * 1000)
                self._stopping.wait(NAP_S)
        except OSError as error:
            self._error = error
        self._ask()
        self._full.put(None)

    def _ask(self) -> None:
        """Ask what the kernel could not even hand over; not everybody is told."""
        status = self._status.ask()
        if status is None:
            return
        if self._lost_before is not None and status.lost != self._lost_before:
            # Somebody may have set it back.
            since = (status.lost - self._lost_before) & 0xFFFFFFFF
            self._lost_in_kernel += since if since < 1 << 31 else status.lost
        self._lost_before = status.lost


class MulticastSource(Source):
    """What the kernel's audit reports from now on.

    Args:
        buffer_bytes: See `open_group`.
    """

    def __init__(self, *, buffer_bytes: int = DEFAULT_BUFFER_BYTES) -> None:
        super().__init__("linux_audit")
        self._buffer_bytes = buffer_bytes
        self._stream: MulticastStream | None = None
        self._stopped = False

    def connect(self) -> CaptureReader:
        self._stream = MulticastStream(open_group(self._buffer_bytes), os.uname().nodename)
        if self._stopped:
            self._stream.stop()
        return CaptureReader(self._stream)

    def stop(self) -> None:
        """End after what has been reported by now. Safe in signal handlers."""
        self._stopped = True
        if self._stream is not None:
            self._stream.stop()

    def notice(self) -> str:
        """Return why nothing may come, or nothing; only a process with CAP_AUDIT_CONTROL knows."""
        status = StatusSocket()
        try:
            told = status.ask()
        finally:
            status.close()
        if told is not None and not told.enabled:
            return "the kernel's audit is switched off: nothing comes before `auditctl -e 1`"
        return ""

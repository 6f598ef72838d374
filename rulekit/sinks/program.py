"""Alerts into the standard input of a program, which is started again when it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from rulekit.errors import SinkError, reason
from rulekit.sinks._stream import Recent
from rulekit.sinks.base import Options, Receipt, Record, Sink
from rulekit.sinks.values import Duration

_POLL_S = 0.002
_STOP_S = 2.0


class ProgramOptions(Options, kw_only=True):
    """What to run."""

    command: Annotated[
        str | list[str], Meta(description="words of a command, or a line for the shell")
    ]
    ack: Annotated[
        bool,
        Meta(
            description="the program prints the id of each alert it has dealt with, one a line;"
            " alerts need a format with ids"
        ),
    ] = False
    keep_alive: Annotated[bool, Meta(description="false starts a program per batch")] = True
    timeout: Annotated[
        Duration, Meta(description="longest wait for the program to read or confirm")
    ] = Duration(30)


class ProgramSink(Sink):
    """Writes alerts to the standard input of a program, one a line.

    An alert is delivered when the program has read it; with ``ack`` when it says so, and without
    ``keep_alive`` when the program has ended well.
    """

    Options = ProgramOptions
    default_format = "json"
    acknowledges = False

    def __init__(self, options: ProgramOptions) -> None:
        if not options.command:
            raise SinkError("`command` says nothing to run")
        self._options = options
        self.acknowledges = options.ack
        self._process: subprocess.Popen[bytes] | None = None
        self._answers = b""
        self._starts = 0
        self._recent = Recent()

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Have the program read a batch, and confirm it if it does so."""
        if self._process is not None and self._process.poll() is None:
            self._recent.alive()
        if self._process is None:
            self._start()
        ids: dict[bytes, int] = {record.id.encode(): i for i, record in enumerate(batch)}
        try:
            self._write(b"".join(record.body for record in batch), ids)
            if self._options.ack:
                while ids:
                    self._read_answers(ids, self._options.timeout)
            elif not self._options.keep_alive:
                self._wait_for_end(len(batch))
        except SinkError as error:
            self._recent.broke()
            self._stop(0.0)
            confirmed = len(batch) - len(ids)
            if not self._options.ack or not confirmed:
                raise
            return Receipt(again=sorted(ids.values()), reason=str(error))
        if not self._options.keep_alive:
            self.close()
        elif not self._options.ack:
            self._recent.sent(len(batch))
        return None

    def close(self) -> None:
        """Close the program's input and give it time to end."""
        self._stop(_STOP_S)

    def reopen(self) -> None:
        """Start the program anew."""
        self.close()

    def counters(self) -> dict[str, int]:
        """Return how often the program was started, and what it may have lost."""
        return {"starts": self._starts, "possibly_lost": self._recent.possibly_lost}

    def _start(self) -> None:
        command = self._options.command
        try:
            self._process = subprocess.Popen(
                command,
                shell=isinstance(command, str),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if self._options.ack else None,
                bufsize=0,
                # Ctrl-C is for us: we still empty the spool into the program.
                start_new_session=True,
            )
        except OSError as error:
            name = command if isinstance(command, str) else command[0]
            raise SinkError(f"{name}: {reason(error)}") from error
        self._answers = b""
        self._starts += 1
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)

    def _write(self, data: bytes, ids: dict[bytes, int]) -> None:
        """Write everything and wait until the program has read it."""
        assert self._process is not None
        assert self._process.stdin is not None
        descriptor = self._process.stdin.fileno()
        view = memoryview(data)
        quiet_since_s = time.monotonic()
        while view or self._unread(descriptor):
            if self._process.poll() is not None:
                raise self._ended()
            if self._options.ack:
                self._read_answers(ids, 0.0)
            if view:
                _, writable, _ = select.select([], [descriptor], [], 0.1)
                if writable:
                    try:
                        view = view[os.write(descriptor, view) :]
                    except BlockingIOError:
                        continue
                    except OSError as error:
                        raise self._ended() from error
                    quiet_since_s = time.monotonic()
                    continue
            else:
                if self._options.ack:
                    return
                time.sleep(_POLL_S)
            if time.monotonic() - quiet_since_s > self._options.timeout:
                raise SinkError("the program does not read its input")

    def _unread(self, descriptor: int) -> int:
        answer = fcntl.ioctl(descriptor, termios.FIONREAD, b"\0\0\0\0")
        found: int = struct.unpack("i", answer)[0]
        return found

    def _read_answers(self, ids: dict[bytes, int], timeout_s: float) -> None:
        """Take the ids that the program prints off `ids`; wait for some when there is time."""
        assert self._process is not None
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not readable:
            if timeout_s:
                raise SinkError("the program confirms nothing")
            return
        try:
            data = os.read(self._process.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return
        if not data:
            raise self._ended()
        *lines, self._answers = (self._answers + data).split(b"\n")
        self._answers = self._answers[-4096:]
        for line in lines:
            ids.pop(line.strip(), None)

    def _wait_for_end(self, n_records: int) -> None:
        """Close the input and wait for the program; a failure means that nothing is known."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(self._options.timeout)
        except subprocess.TimeoutExpired:
            raise SinkError("the program does not end") from None
        if code:
            raise self._ended()

    def _ended(self) -> SinkError:
        assert self._process is not None
        try:
            code = self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            return SinkError("the program closed its input or output")
        if code < 0:
            return SinkError(f"the program was ended by {_signal_name(-code)}")
        return SinkError(f"the program ended with exit code {code}")

    def _stop(self, patience_s: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            # With all that it started: a shell alone would leave its child behind.
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals
        return f"signal {number}"


SINK = ProgramSink

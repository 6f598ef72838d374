"""What happens now in the place of a capture: `record`, `run --source` ebpf or linux_audit."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from rulekit.cli.console import say
from rulekit.errors import RulekitError, reason

if TYPE_CHECKING:
    from types import FrameType

    from rulekit.sources.base import Source
    from rulekit.sources.containers.engine import EngineSpec
    from rulekit.sources.containers.lookup import Lookup
    from rulekit.sources.ebpf.routes import EventSet
    from rulekit.sources.ebpf.scope import Scope
    from rulekit.sources.ebpf.source import EbpfSource
    from rulekit.sources.linux_audit.multicast import MulticastSource

LIVE = "ebpf"
LIVE_AUDIT = "linux_audit"
_GRACE_S = 2.0  # for a command to end when it is told to
LAUNCH_COMMANDS = ("run", "record")  # what follows -- is a command to be watched

SCOPE_HELP = """\
--scope says which processes are watched; all others are left out by the kernel. In the place of a
scope, a command behind -- is started and watched with all that it starts, until it ends; when the
watching ends first, so does the command."""


def add_scope(parser: argparse._ActionsContainer) -> None:
    """Add ``--scope``, ``--whole-host``, ``--snaplen``, ``--buffer`` and those of containers."""
    parser.add_argument(
        "--scope",
        metavar="SCOPE",
        help="processes to watch: tree:PID (a process and all that it starts), pidns:PID (its pid"
        " namespace), cgroup:PID or cgroup:/PATH (its control group, v2)",
    )
    parser.add_argument("--whole-host", action="store_true", help="watch every process")
    parser.add_argument(
        "-s",
        "--snaplen",
        metavar="BYTES",
        type=_snaplen,
        default=80,
        help="keep so many bytes of what is read and written, 80 by default",
    )
    parser.add_argument(
        "--buffer",
        metavar="SIZE",
        type=_buffer,
        default="8MiB",
        help="room for events that were not read yet, 8MiB by default, up to a power of two",
    )
    parser.add_argument(
        "--containers",
        metavar="ENGINE",
        action="append",
        type=_engine,
        help="ask a container engine for names, images, labels and pods: docker, podman or cri, or"
        " with its socket, docker:/run/docker.sock; may be given several times",
    )
    parser.add_argument(
        "--container-wait",
        metavar="TIME",
        type=_duration,
        default=1.0,
        help="how long the first process of a container waits until engines have told of it (1s)",
    )


def _buffer(text: str) -> int:
    from rulekit.sinks.values import Size

    try:
        return buffer_bytes(Size.parse(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def buffer_bytes(size: int) -> int:
    """Return the room for events that comes next to a size; raises `ValueError`."""
    from rulekit.sources.ebpf.loader import MAX_RING_BYTES, MIN_RING_BYTES

    if not 0 < size <= MAX_RING_BYTES:
        raise ValueError(f"up to {MAX_RING_BYTES >> 20} MiB are possible")
    return max(MIN_RING_BYTES, 1 << (size - 1).bit_length())


def _snaplen(text: str) -> int:
    from rulekit.sources.ebpf.loader import MAX_SNAPLEN

    if not text.isdecimal() or not 0 <= (value := int(text)) <= MAX_SNAPLEN:
        raise argparse.ArgumentTypeError(f"from 0 to {MAX_SNAPLEN} bytes can be kept")
    return value


def _duration(text: str) -> float:
    from rulekit.sinks.values import Duration

    try:
        return Duration.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _engine(text: str) -> EngineSpec:
    from rulekit.sources.containers.engine import parse_engine

    try:
        return parse_engine(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def split_launch(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments of `rulekit` and those of the command behind ``--``."""
    if argv and argv[0] in LAUNCH_COMMANDS and "--" in argv:
        at = list(argv).index("--")
        return list(argv[:at]), list(argv[at + 1 :])
    return list(argv), []


@contextlib.contextmanager
def live(
    args: argparse.Namespace,
    events: EventSet,
    *,
    on_loaded: Callable[[], None] = lambda: None,
) -> Generator[EbpfSource, None, None]:
    """Open the live source that the arguments ask for; it ends at SIGINT, SIGTERM, with a command.

    Args:
        args: With `scope`, `whole_host`, `snaplen`, `buffer` and `launch`.
        on_loaded: See `EbpfSource`.

    Raises:
        RulekitError: No scope, or one that is none.
        SourceError: The kernel, its rights or the installation do not allow it.
    """
    from rulekit.sources.ebpf.scope import Scope
    from rulekit.sources.ebpf.source import EbpfSource

    if args.launch and (args.scope is not None or args.whole_host):
        raise RulekitError("a command behind -- is its own scope: leave --scope out")
    scope = None if args.launch else _scope_of(args)
    containers = _lookup(args.containers or ())
    with _Launched(args.launch) as launched:
        source = EbpfSource(
            scope or Scope("tree", launched.pid),
            events,
            snaplen=args.snaplen,
            ring_bytes=args.buffer,
            containers=containers,
            container_wait_s=args.container_wait,
            on_loaded=on_loaded,
        )
        _end_by_signals(source)
        with source:
            source.open()
            if scope is not None:
                say(f"watching {scope}")
            launched.go(source)
            yield source


@contextlib.contextmanager
def live_audit(args: argparse.Namespace) -> Generator[MulticastSource, None, None]:
    """Open the kernel's audit; it ends at SIGINT and SIGTERM.

    Raises:
        RulekitError: A scope was asked for.
        SourceError: The kernel or its rights do not allow it.
    """
    from rulekit.sources.linux_audit.multicast import MAX_BUFFER_BYTES, MulticastSource

    if args.launch or args.whole_host or args.scope is not None:
        raise RulekitError(
            "the rules of audit say which processes it reports: leave --scope, --whole-host and a"
            " command behind -- out"
        )
    # The kernel counts a message with all that it keeps beside it: several times its text.
    source = MulticastSource(buffer_bytes=min(4 * args.buffer, MAX_BUFFER_BYTES))
    _end_by_signals(source)
    with source:
        source.open()
        told = source.notice()
        say("watching what the kernel's audit reports" + (f"; {told}" if told else ""))
        yield source


def _end_by_signals(source: Source) -> None:
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:  # somebody at a terminal will not wait
            raise KeyboardInterrupt
        asked = True
        source.stop()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _scope_of(args: argparse.Namespace) -> Scope:
    from rulekit.sources.ebpf.scope import HOST, parse_scope

    if args.whole_host == (args.scope is not None):
        raise RulekitError(
            "say which processes to watch: --scope, --whole-host, or a command behind --"
        )
    if args.whole_host:
        return HOST
    try:
        return parse_scope(args.scope)
    except ValueError as error:
        raise RulekitError(f"--scope: {error}") from None


def _lookup(specs: Sequence[EngineSpec]) -> Lookup | None:
    """Return what asks engines of containers; None when none is to be asked."""
    if not specs:
        return None
    from rulekit.sources.containers.engine import make_engine
    from rulekit.sources.containers.lookup import Lookup

    return Lookup([make_engine(spec) for spec in specs], on_problem=say)


class _Launched:
    """A command that is held until it is watched.

    Attributes:
        pid: Of it; 0: there is none.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.pid = 0
        self._command = command

    def __enter__(self) -> _Launched:
        if self._command:
            if shutil.which(self._command[0]) is None:
                raise RulekitError(f"{self._command[0]!r}: there is no such program")
            wait, self._go = os.pipe()
            self._failed, failed = os.pipe()  # closed when the command takes over
            sys.stdout.flush()
            self.pid = os.fork()
            if self.pid == 0:
                os.close(self._go)
                self._become(wait, failed)
            os.close(wait)
            os.close(failed)
        return self

    def _become(self, wait: int, failed: int) -> None:
        """Turn this process into the command, or end it."""
        # Python ignores the last two, and so would the command: `yes | head` complains then.
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if os.read(wait, 1):
            try:
                os.execvp(self._command[0], list(self._command))
            except (OSError, ValueError) as error:
                os.write(failed, _why(self._command[0], error).encode("utf-8", "replace"))
        os._exit(127)

    def go(self, source: EbpfSource) -> None:
        """Let it run; the source ends with it.

        Raises:
            RulekitError: It cannot be started.
        """
        if not self.pid:
            return
        os.write(self._go, b"\n")
        os.close(self._go)
        self._go = -1
        with open(self._failed, "rb") as failed:
            why = failed.read().decode()
        if why:
            os.waitpid(self.pid, 0)
            self.pid = 0
            raise RulekitError(f"{self._command[0]!r} cannot be started: {why}")

        def wait() -> None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            source.stop()

        self._waiter = threading.Thread(target=wait, daemon=True)
        self._waiter.start()

    def __exit__(self, *exc: object) -> None:
        if not self.pid:
            return
        if self._go >= 0:
            os.close(self._go)  # it ends by itself
            os.close(self._failed)
            os.waitpid(self.pid, 0)
            return
        # Nobody looks at it any more: it was started to be watched.
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._waiter.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)
                self._waiter.join(_GRACE_S)


def _why(program: str, error: OSError | ValueError) -> str:
    """Return why a program that is there cannot be started."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno != errno.ENOENT:
        return reason(error)
    try:
        with open(shutil.which(program) or program, "rb") as file:
            first = file.readline(256)
    except OSError:
        return reason(error)
    words = first[2:].split() if first.startswith(b"#!") else []
    named = f" {words[0].decode('utf-8', 'replace')}" if words else ""
    return f"its interpreter{named} is missing"

"""``--source ebpf``: running processes in the place of a capture."""

from __future__ import annotations

import argparse
import signal
from typing import TYPE_CHECKING

from rulekit.cli.console import say
from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from types import FrameType

    from rulekit.compiler.program import Program
    from rulekit.sources.ebpf.scope import Scope
    from rulekit.sources.ebpf.source import EbpfSource

LIVE = "ebpf"


def add_scope(parser: argparse._ActionsContainer) -> None:
    """Add ``--scope`` and ``--whole-host``."""
    parser.add_argument(
        "--scope",
        metavar="SCOPE",
        help="processes to watch: tree:PID (a process and all that it starts), pidns:PID (its pid"
        " namespace), cgroup:PID or cgroup:/PATH (its control group, v2)",
    )
    parser.add_argument("--whole-host", action="store_true", help="watch every process")


def scope_of(args: argparse.Namespace) -> Scope:
    """Return the scope that the arguments ask for.

    Raises:
        RulekitError: None, or two, or one that is none.
    """
    from rulekit.sources.ebpf.scope import HOST, parse_scope

    if args.whole_host == (args.scope is not None):
        raise RulekitError("say which processes to watch: either --scope or --whole-host")
    if args.whole_host:
        return HOST
    try:
        return parse_scope(args.scope)
    except ValueError as error:
        raise RulekitError(f"--scope: {error}") from None


def open_live(scope: Scope, program: Program, args: argparse.Namespace) -> EbpfSource:
    """Return the live source for a program, opened; it ends at SIGINT and SIGTERM.

    Raises:
        SourceError: The kernel, its rights or the installation do not allow it.
    """
    from rulekit.sources.ebpf.routes import EventSet
    from rulekit.sources.ebpf.source import EbpfSource

    source = EbpfSource(scope, EventSet(program.slots()))

    def stop(number: int, frame: FrameType | None) -> None:
        source.stop()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    source.open()
    say(f"watching {scope}")
    return source

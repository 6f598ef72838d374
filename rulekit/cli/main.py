"""The command `rulekit`: finds the subcommand, turns every error into one line and an exit code.

Exit codes: 0 all well; 1 findings (bad rules, failed case, ``--fail-on``); 2 could not do it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn, Protocol

from rulekit import __version__
from rulekit.cli.console import say
from rulekit.cli.live import split_launch
from rulekit.errors import RulekitError, reason

COMMANDS = (
    "run",
    "test",
    "explain",
    "profile",
    "bench",
    "check",
    "compile",
    "fmt",
    "show",
    "fields",
    "events",
    "k8s scan",
    "k8s admission",
    "k8s webhook",
    "k8s audit-policy",
    "linux audit-rules",
    "sink",
    "config",
    "record",
)

# What commands of several words have in common.
GROUPS = {
    "k8s": "scan and admit objects of Kubernetes, receive its audit events, set up its audit",
    "linux": "set up the audit of the Linux kernel for rules",
}

EPILOG = """\
data goes to stdout, everything else to stderr
exit codes: 0 all well, 1 findings (bad rules, failed case, --fail-on), 2 could not do it

`rulekit COMMAND --help` shows examples.
"""


class Command(Protocol):
    """What a module of a command offers."""

    HELP: str
    DESCRIPTION: str
    EXAMPLES: tuple[tuple[str, str], ...]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work and return the exit code."""


def command(name: str) -> Command:
    """Return the module of a command; modules import what they need only when they run."""
    module: Command = import_module(f"rulekit.cli.{name.replace(' ', '_').replace('-', '_')}")
    return module


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\ntry `{self.prog} --help`\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        # As the library does it, but a full disk is told.
        (file or sys.stderr).write(message)
        (file or sys.stderr).flush()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Take files and names behind options as well: `check a.yaml --format json b.yaml`."""
        found, left = super().parse_known_args(args, namespace)
        last = next((a for a in reversed(self._actions) if not a.option_strings), None)
        if last is None or any(word.startswith("-") for word in left):
            return found, left
        given = getattr(found, last.dest, None)
        if left and last.nargs in ("*", "+"):
            setattr(found, last.dest, [*(given or ()), *self._get_values(last, left)])
            left = []
        elif len(left) == 1 and last.nargs == "?" and given == last.default:
            setattr(found, last.dest, self._get_values(last, left))
            left = []
        return found, left


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser with every command.

    Args:
        only: Leave out all commands but this one (or all of this group): the modules of the others
            need not be imported.
    """
    parser = _Parser(
        prog="rulekit",
        description="Runs, tests and checks Falco rules over system calls and audit logs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rulekit {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    groups: dict[str, argparse._SubParsersAction[_Parser]] = {}
    for name in COMMANDS:
        if only is not None and name.split()[0] != only:
            continue
        module = command(name)
        group, _, last = name.rpartition(" ")
        if group and group not in groups:
            above = subparsers.add_parser(
                group, help=GROUPS[group], description=f"What it does: {GROUPS[group]}."
            )
            groups[group] = above.add_subparsers(
                metavar="COMMAND", dest="subcommand", required=True
            )
        examples = "\n".join(f"  # {why}\n  {line}" for line, why in module.EXAMPLES)
        sub = groups.get(group, subparsers).add_parser(
            last,
            help=module.HELP,
            description=module.DESCRIPTION,
            epilog=f"examples:\n{examples}\n",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    _use_streams()
    own, launch = split_launch(sys.argv[1:] if argv is None else argv)
    known = {name.split()[0] for name in COMMANDS}
    try:
        args = build_parser(own[0] if own and own[0] in known else None).parse_args(own)
        args.launch = launch
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _abandon_stdout()  # the reader has seen enough
        return 0
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except RulekitError as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{error.filename}: {reason(error)}" if error.filename else reason(error))
        _abandon_stdout()
        return 2
    except Exception as error:
        if os.environ.get("RULEKIT_TRACEBACK") == "1":
            raise
        what = " ".join(str(error).split())
        say(f"internal error: {type(error).__name__}: {what} (RULEKIT_TRACEBACK=1 shows where)")
        return 2


def _use_streams() -> None:
    """Make standard streams what the commands take them for."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        # Open but not writable: files that are opened must not take its number, and whoever
        # prints is told.
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files and texts of rules are shown whatever the terminal can write; escaped like
        # that they also stay JSON.
        sys.stdout.reconfigure(errors="backslashreplace")


def _abandon_stdout() -> None:
    """Give stdout another end: Python flushes it once more on exit, and that must not fail."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""Where servers listen and whom they listen to: options that several commands share."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rulekit.cli.arguments import amount
from rulekit.cli.console import count, say
from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rulekit.server.plan import ServerPlan

_SIZE = re.compile(r"(\d+)(?:\s*([KMG])i?B?)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"`{text}` is no size: say 12MiB")
    return int(found[1]) * _UNITS[(found[2] or "").upper()]


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"`{text}` is no HOST:PORT")
    return host or "0.0.0.0", int(port)


def add_listen(parser: argparse.ArgumentParser, port: int, path: str) -> None:
    """Declare the arguments."""
    where = parser.add_argument_group("where to listen")
    where.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=_address,
        default=("127.0.0.1", port),
        help=f"address (127.0.0.1:{port}); `:{port}` is every address of this machine",
    )
    where.add_argument(
        "--path",
        metavar="PATH",
        default=path,
        help=f"path that is posted to ({path}), with whatever query",
    )
    where.add_argument(
        "--stop-after", metavar="SECONDS", type=amount, help="end by itself, as a signal would"
    )
    whom = parser.add_argument_group("whom to listen to")
    whom.add_argument("--tls-cert", metavar="FILE", type=Path, help="certificate, PEM: TLS only")
    whom.add_argument("--tls-key", metavar="FILE", type=Path, help="its key, PEM")
    whom.add_argument(
        "--client-ca",
        metavar="FILE",
        type=Path,
        help="only clients with a certificate of this authority, PEM",
    )
    whom.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="only clients that send the token in FILE as `Authorization: Bearer`",
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--max-body", metavar="SIZE", type=_size, default=12 << 20, help="of a request (12MiB)"
    )
    limits.add_argument(
        "--max-inflated",
        metavar="SIZE",
        type=_size,
        help="of a request that comes as gzip, inflated (four times --max-body)",
    )
    limits.add_argument(
        "--max-waiting",
        metavar="SIZE",
        type=_size,
        help="of all requests being worked on; more are answered with 429 (eight times --max-body)",
    )


def plan_of(args: argparse.Namespace) -> ServerPlan:
    """Return how to listen.

    Raises:
        RulekitError: The options contradict each other, or a file cannot be read.
    """
    from rulekit.server.plan import ServerPlan, TlsPlan, read_token

    if (args.tls_cert is None) != (args.tls_key is None):
        raise RulekitError("--tls-cert and --tls-key go together")
    if args.client_ca is not None and args.tls_cert is None:
        raise RulekitError("--client-ca needs --tls-cert and --tls-key")
    if not args.path.startswith("/"):
        raise RulekitError(f"--path: `{args.path}` does not begin with a slash")
    host, port = args.listen
    tls = None
    if args.tls_cert is not None:
        tls = TlsPlan(args.tls_cert, args.tls_key, args.client_ca)
    return ServerPlan(
        host=host,
        port=port,
        path=args.path,
        token=b"" if args.token_file is None else read_token(args.token_file),
        tls=tls,
        max_body_bytes=args.max_body,
        max_inflated_bytes=args.max_inflated or 4 * args.max_body,
        max_waiting_bytes=args.max_waiting or 8 * args.max_body,
    )


def ready(plan: ServerPlan, what: str) -> Callable[[int], None]:
    """Return a function that tells where the server listens."""
    scheme = "http" if plan.tls is None else "https"
    host = f"[{plan.host}]" if ":" in plan.host else plan.host

    def tell(port: int) -> None:
        say(f"listening for {what} on {scheme}://{host}:{port}{plan.path}")

    return tell


def print_counters(counters: Counter[str]) -> None:
    """Write what a server saw to stderr."""
    requests = counters.pop("requests", 0)
    lines = [count(requests, "request")]
    lines += [f"  {name}: {number}" for name, number in sorted(counters.items())]
    print("\n".join(lines), file=sys.stderr)

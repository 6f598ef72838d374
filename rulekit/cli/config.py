"""``rulekit config``: is a configuration right, and what does it mean?"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rulekit.cli.console import say
from rulekit.cli.rules import config_or_explain
from rulekit.errors import RulekitError, SinkError

if TYPE_CHECKING:
    from rulekit.config.read import Config

HELP = "check a rulekit.yaml, or print its JSON Schema"
DESCRIPTION = """\
check   reads a configuration with everything in it, secrets and conditions included, and says what
        it means; nothing is connected or sent. Variables RULEKIT__... of the environment count.
schema  prints the JSON Schema of configurations, for editors."""
EXAMPLES = (
    (
        "rulekit config check examples/rulekit.yaml",
        "every mistake with its place, or what it means",
    ),
    ("rulekit config schema", "for the editor"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", choices=("check", "schema"), help="what to do")
    parser.add_argument("file", metavar="FILE", nargs="?", help="the configuration, for check")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="text (default) or json"
    )


def run(args: argparse.Namespace) -> int:
    """Do it; 1 when the configuration cannot be used."""
    if args.action == "schema":
        from rulekit.config.schema import schema_text

        print(schema_text(), end="")
        return 0
    if args.file is None:
        raise RulekitError("name the configuration to check")
    config = config_or_explain(args.file)
    if config is None:
        return 1
    about = describe(config)
    unusable = [sink for sink in about["sinks"] if sink["error"]]
    for sink in unusable:
        say(f"{args.file}: sink {sink['name']}: {sink['error']}")
    if args.format == "json":
        print(json.dumps(about))
        return int(bool(unusable))
    if unusable:
        return 1
    print(f"{args.file}: ok")
    print(f"  rules: {', '.join(about['rules']) or 'none'}")
    for sink in about["sinks"]:
        print(f"  sink {sink['name']}: {sink['type']}, {sink['format']}, spool {sink['spool']}")
    for route in about["routes"]:
        print(f"  route {route['number']}: to {', '.join(route['to']) or 'nobody'}")
    return 0


def describe(config: Config) -> dict[str, Any]:
    """Return what a configuration means as plain data; secrets are left out.

    Sinks are made, not opened: ``error`` says what one cannot work with, as a certificate that is
    not there or a library that is not installed.
    """
    from rulekit.config.build import spool_plan

    sinks = []
    for sink in config.sinks:
        spool = spool_plan(sink.name, sink.options.spool, config.options.spool)
        acknowledges, error = sink.kind.acknowledges, ""
        try:
            made = sink.kind(sink.own)
        except SinkError as problem:
            error = str(problem)
        else:
            acknowledges = made.acknowledges
            made.close()
        sinks.append(
            {
                "name": sink.name,
                "type": sink.options.type,
                "format": type(sink.formatter).__module__.rpartition(".")[2],
                "acknowledges": acknowledges,
                "error": error,
                "spool": "in memory" if spool.folder is None else str(spool.folder),
                "max_bytes": int(spool.max_bytes),
                "full": spool.full,
            }
        )
    routes = [
        {"number": i, "to": list(route.sinks), "go_on": route.go_on}
        for i, route in enumerate(config.routes, 1)
    ]
    rules = [str(path) for path in config.options.rules]
    return {"file": config.path, "rules": rules, "sinks": sinks, "routes": routes}

"""``rulekit sink``: what sinks there are, does one work, prepare a receiver."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from rulekit.cli.console import say
from rulekit.cli.rules import config_or_explain
from rulekit.errors import RulekitError, SinkError

if TYPE_CHECKING:
    from rulekit.config.read import Config, ConfiguredSink
    from rulekit.sinks.base import Sink

HELP = "list kinds of sinks, try a sink, prepare its receiver"
DESCRIPTION = """\
list   names the kinds of sinks and formats, plug-ins included.
test   sends one alert to each sink of a configuration, past its spool, and says what came of it.
setup  prepares the receivers that need it: index templates, lifecycle policies. Doing it again
       changes nothing. --print shows what would be sent."""
EXAMPLES = (
    ("rulekit sink list", "kinds of sinks and formats"),
    ("rulekit sink test -c examples/rulekit.yaml", "one alert to every sink"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", choices=("list", "test", "setup"), help="what to do")
    parser.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        default=[],
        help="sinks of the configuration; without any, all",
    )
    parser.add_argument("-c", "--config", metavar="FILE", help="a rulekit.yaml")
    parser.add_argument(
        "--print", action="store_true", dest="dry", help="for setup: only print the requests"
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="text (default) or json"
    )


def run(args: argparse.Namespace) -> int:
    """Do it; 1 when a sink does not work."""
    if args.action == "list":
        return _list(args.format)
    if args.config is None:
        raise RulekitError("name the configuration with -c")
    config = config_or_explain(args.config)
    if config is None:
        return 2
    unknown = set(args.names) - {sink.name for sink in config.sinks}
    if unknown:
        raise RulekitError(f"{args.config} has no sink {', '.join(sorted(unknown))}")
    chosen = [sink for sink in config.sinks if not args.names or sink.name in args.names]
    results = [_try(sink, config, args) for sink in chosen]
    results = [result for result in results if result]
    if args.format == "json":
        print(json.dumps(results))
    else:
        for result in results:
            print(f"{result['sink']}: {result['error'] or result['done']}")
    return int(any(result["error"] for result in results))


def _try(sink: ConfiguredSink, config: Config, args: argparse.Namespace) -> dict[str, Any]:
    result = {"sink": sink.name, "type": sink.options.type, "done": "", "error": ""}
    made = None
    try:
        made = sink.kind(sink.own)
        if args.action == "test":
            result["done"] = _send_one(sink, made, config.options.host)
        else:
            steps = made.setup(dry=args.dry)
            if not steps:
                return {}
            result["done"] = "\n  ".join(["done", *steps])
    except SinkError as error:
        result["error"] = str(error)
    except OSError as error:
        result["error"] = error.strerror or str(error)
    finally:
        if made is not None:
            made.close()
    return result


def _send_one(sink: ConfiguredSink, made: Sink, host: str | None) -> str:
    from rulekit.alert import internal_alert, priority_number
    from rulekit.engine.pipeline import host_name
    from rulekit.sinks.base import Record

    alert = internal_alert(
        "rulekit internal: test",
        "Informational",
        "rulekit internal: test of a sink",
        {"sink": sink.name},
        time_ns=time.time_ns(),
        hostname=host or host_name(),
    )
    body = sink.formatter.format(alert)
    number = priority_number(alert.priority)
    record = Record(alert.id, alert.time_ns, number, alert.rule, alert.source, alert.hostname, body)
    receipt = made.send([record])
    if receipt is not None and (receipt.refused or receipt.again):
        raise SinkError(receipt.refused.get(0) or receipt.reason)
    how = "delivered" if made.acknowledges else "sent; this sink gets no answer"
    return f"{how} (alert {alert.id})"


def _list(form: str) -> int:
    from rulekit.delivery.kinds import FORMATS, SINKS, format_kind, kinds, plugins, sink_kind

    foreign = {(group, name): target for group, name, target in plugins()}
    rows = []
    for group, load in ((SINKS, sink_kind), (FORMATS, format_kind)):
        for name in kinds(group):
            row: dict[str, Any] = {
                "group": group.partition(".")[2],
                "name": name,
                "from": foreign.get((group, name), "rulekit"),
            }
            try:
                kind = load(name)
            except RulekitError as error:
                say(str(error))
                continue
            row["about"] = (kind.__doc__ or "").strip().splitlines()[0]
            rows.append(row)
    if form == "json":
        print(json.dumps(rows))
        return 0
    for group in ("sinks", "formats"):
        print(group)
        for row in rows:
            if row["group"] == group:
                origin = "" if row["from"] == "rulekit" else f" ({row['from']})"
                print(f"  {row['name']:<14} {row['about']}{origin}")
    return 0

"""``rulekit events``: events of a capture, printed, counted, or asked many questions at once."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from rulekit.cli.arguments import read_conditions, read_json_lines
from rulekit.cli.limits import add_limits, limits_of, tell_refused
from rulekit.cli.slice import EXAMPLES as SLICE_EXAMPLES
from rulekit.cli.slice import WRITE_HELP, add_write, write_events
from rulekit.cli.window import WINDOW_HELP, add_window, window_of
from rulekit.errors import RulekitError
from rulekit.formats.base import escape_controls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rulekit.engine.stats import Stats

HELP = "print the events of a capture, or what they add up to"
DESCRIPTION = f"""\
Prints the events of a capture, one per line: all of them, or those for which CONDITION holds.

FORMAT is text with fields, as in the output of a rule: '%evt.num %proc.name %fd.name'. Events
for which one of the fields is null are left out, unless FORMAT begins with an asterisk: then
nulls print as <NA>. -pc (-pcontainer) and -pk (-pkubernetes) name formats with the container
and the pod; with -c and --tree they tell containers apart.

-c NAME [ARGUMENT...] prints a summary instead: the processes that wrote most, the files that
were slowest, the sockets that were open; -cl lists them, -i NAME describes one. What follows
the arguments of NAME is CONDITION. --tree prints the processes that run at an event.

{WINDOW_HELP}

{WRITE_HELP}

--conditions and --outputs answer many questions in one pass; they read one JSON value per line
and print one JSON object per line, in the same order. Positions count all event headers of the
file from 1, also those that no rule sees."""
EXAMPLES = (
    (
        "rulekit events -e rulesets/captures/tiny-host.scap.gz"
        " 'evt.type = execve and proc.name = cat'",
        "every start of a program called cat",
    ),
    (
        "rulekit events -e rulesets/captures/tiny-host.scap.gz -p '%evt.time %proc.name %fd.name'"
        " 'evt.is_open_write = true'",
        "chosen fields only",
    ),
    (
        "rulekit events -e rulesets/captures/tiny-host.scap.gz -c topfiles_bytes proc.name = cat",
        "the files of cat by bytes",
    ),
    (
        "rulekit events -e rulesets/captures/tiny-host.scap.gz --tree 'evt.type = execve'",
        "the processes at the first start of a program",
    ),
    (
        "rulekit events -e rulesets/captures/tiny-host.scap.gz -X -n 2 'evt.type = read'",
        "two reads with their data",
    ),
    *SLICE_EXAMPLES,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "-e", "-r", "--capture", metavar="CAPTURE", help="capture to read: .scap, plain or gzip"
    )
    parser.add_argument("condition", nargs="*", metavar="CONDITION", help="as in a rule")
    add_window(parser)
    add_limits(parser)
    add_write(parser)
    _add_lines(parser)
    _add_summaries(parser)
    _add_lists(parser)
    _add_many(parser)


def _add_lines(parser: argparse.ArgumentParser) -> None:
    from_sysdig = parser.add_argument_group("how events are printed")
    from_sysdig.add_argument(
        "-p", "--print", dest="template", metavar="FORMAT", help="what to print"
    )
    from_sysdig.add_argument(
        "-t",
        "--time",
        choices=("h", "a", "r", "d", "D"),
        default="h",
        help="%%evt.outputtime: h time of day (default), a seconds since the epoch, r since the"
        " first event, d spent in the call, D since the event printed before",
    )
    from_sysdig.add_argument("-n", "--number", type=_whole, metavar="N", help="stop after N lines")
    buffers = from_sysdig.add_mutually_exclusive_group()
    for flag, name, text in (
        ("-A", "text", "byte buffers as text, with their line feeds"),
        ("-x", "hex", "byte buffers in hex"),
        ("-X", "hex-ascii", "byte buffers in hex and as text"),
        ("-b", "base64", "byte buffers in base64"),
    ):
        buffers.add_argument(flag, dest="buffers", action="store_const", const=name, help=text)
    from_sysdig.add_argument(
        "-F",
        "--format",
        choices=("text", "json"),
        default="text",
        help="text (default), or json: an object per line",
    )
    from_sysdig.add_argument(
        "-j", dest="format", action="store_const", const="json", help="the same as -F json"
    )


def _add_summaries(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what events add up to")
    group.add_argument(
        "-c", "--summary", nargs="+", metavar=("NAME", "ARGUMENT"), help="a summary; -cl lists them"
    )
    group.add_argument(
        "-S", "--event-counts", action="store_true", help="how many events of each type there are"
    )
    group.add_argument(
        "--tree",
        action="store_true",
        help="the processes after the first event that is looked at, or, without --at, --from and"
        " CONDITION, at the end",
    )
    group.add_argument(
        "--at", type=_whole, metavar="EVENT", help="the same as --from EVENT, its evt.num"
    )


def _add_lists(parser: argparse.ArgumentParser) -> None:
    lists = parser.add_argument_group("lists, without a capture").add_mutually_exclusive_group()
    lists.add_argument("-l", "--list", action="store_true", help="the fields, see `rulekit fields`")
    lists.add_argument("-L", "--list-events", action="store_true", help="the types of events")
    lists.add_argument("-i", "--describe", metavar="NAME", help="one summary and its arguments")


def _add_many(parser: argparse.ArgumentParser) -> None:
    many = parser.add_argument_group("many questions").add_mutually_exclusive_group()
    many.add_argument(
        "--conditions",
        metavar="FILE",
        help='one JSON string per line in; {"condition", "matches" or "error"} per line out',
    )
    many.add_argument(
        "--outputs",
        metavar="FILE",
        help='{"event", "format"} per line in; {"text", "fields"} or {"error"} per line out',
    )


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"`{text}` is no whole number")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Print events, what they add up to, lists, or answers."""
    if args.list or args.list_events or args.describe or _names_list(args.summary):
        return _run_list(args)
    if args.capture is None:
        raise RulekitError("which capture? say -e CAPTURE")
    args.condition = " ".join(args.condition) or None
    _refuse_contradictions(args)
    if args.write:
        return write_events(args)
    from rulekit.engine.stats import Stats

    stats = Stats()
    try:
        return _look(args, stats)
    finally:
        tell_refused(stats.counters)


def _look(args: argparse.Namespace, stats: Stats) -> int:
    if args.conditions:
        from rulekit.engine.questions import match_conditions

        asked = read_conditions(args.conditions)
        return _answers(match_conditions(args.capture, asked, limits=limits_of(args), stats=stats))
    if args.outputs:
        from rulekit.engine.questions import render_outputs

        wanted = _wanted(args.outputs)
        return _answers(render_outputs(args.capture, wanted, limits=limits_of(args), stats=stats))
    if args.tree:
        return _run_tree(args, stats)
    if args.summary or args.event_counts:
        return _run_summary(args, stats)
    return _run_lines(args, stats)


def _names_list(summary: list[str] | None) -> bool:
    return summary is not None and summary[0] in ("l", "list")


def _refuse_contradictions(args: argparse.Namespace) -> None:
    if (args.conditions or args.outputs) and (args.condition or args.template):
        raise RulekitError("--conditions and --outputs go with neither CONDITION nor -p")
    ways = {
        "--conditions": args.conditions,
        "--outputs": args.outputs,
        "--tree": args.tree,
        "-c": args.summary,
        "-S": args.event_counts,
        "--write": args.write,
    }
    given = [name for name, value in ways.items() if value]
    if len(given) > 1:
        raise RulekitError(f"{given[0]} and {given[1]} do not go together")
    if args.write and args.template:
        raise RulekitError("--write and -p do not go together")
    if args.at is not None and not (args.tree or args.summary):
        raise RulekitError("--at goes with --tree and -c; --from and --to choose events")
    if args.at is not None and (args.from_ is not None or args.to is not None):
        raise RulekitError("--at and --from or --to do not go together")
    if given and args.number is not None and given != ["-c"]:
        raise RulekitError(f"-n goes with events and -c, not with {given[0]}")


def _run_lines(args: argparse.Namespace, stats: Stats) -> int:
    from rulekit.tools.lines import LineForm, event_lines

    form = LineForm(
        template=args.template,
        time=args.time,
        buffers=args.buffers or "dots",
        json=args.format == "json",
    )
    write, terminal = sys.stdout.buffer.write, sys.stdout.isatty()
    lines = event_lines(
        args.capture,
        form,
        args.condition,
        window=window_of(args),
        most=args.number,
        limits=limits_of(args),
        stats=stats,
    )
    for line in lines:
        # File names and arguments are bytes in no particular encoding: they come out as they are,
        # but for a terminal, which would obey some of them.
        write((visible(line) if terminal else line) + b"\n")
    return 0


def _run_summary(args: argparse.Namespace, stats: Stats) -> int:
    from rulekit.cli.summaries import place_of, print_report, request_of

    if args.event_counts:
        from rulekit.tools.summaries.base import Request
        from rulekit.tools.summaries.counts import event_counts

        report = event_counts(
            Request(
                args.capture,
                args.condition,
                place_of(args),
                limits=limits_of(args),
                stats=stats,
            )
        )
    else:
        summary, request = request_of(args, stats)
        report = summary.run(request)
    return print_report(report, as_json=args.format == "json", most=args.number)


def _run_tree(args: argparse.Namespace, stats: Stats) -> int:
    from rulekit.cli.summaries import print_tree

    return print_tree(args, stats)


def _run_list(args: argparse.Namespace) -> int:
    from rulekit.cli import fields, listings

    if args.list:
        return fields.run(
            argparse.Namespace(prefix="", source="syscall", format=args.format, field_map=[])
        )
    if args.list_events:
        return listings.event_types(args.format)
    if args.describe:
        return listings.describe(args.describe, args.format)
    return listings.summaries(args.format)


def visible(line: bytes) -> bytes:
    """Return a line with control characters escaped, as valid UTF-8."""
    return escape_controls(line.decode("utf-8", "replace")).encode("utf-8")


def _answers(items: Iterable[dict[str, Any]]) -> int:
    for item in items:
        sys.stdout.write(json.dumps(item) + "\n")
    return 0


def _wanted(path: str) -> list[tuple[int, str]]:
    wanted = []
    for number, value in read_json_lines(path):
        event = value.get("event") if isinstance(value, dict) else None
        text = value.get("format") if isinstance(value, dict) else None
        if isinstance(event, bool) or not isinstance(event, int) or not isinstance(text, str):
            raise RulekitError(f'{path}:{number}: say {{"event": POSITION, "format": TEXT}}')
        wanted.append((event, text))
    return wanted

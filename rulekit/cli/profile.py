"""``rulekit profile``: where the time of a ruleset goes."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rulekit.cli.arguments import add_capture, add_format, add_matching, add_rules
from rulekit.cli.console import Progress, say, size_of
from rulekit.cli.files import write_file

HELP = "show where the time of a ruleset goes"
DESCRIPTION = """\
Runs rules over a capture and measures each rule and each comparison: CPU time (that of measuring
taken off), how often it was evaluated, how often it was true, and how often what was known about
processes and paths spared evaluating at all. Time is counted where a comparison is evaluated
first; rules that share it later get it for nothing.

--speedscope writes a file for https://www.speedscope.app, --flame-graph a picture (SVG)."""
EXAMPLES = (
    (
        "rulekit profile -r rulesets/persistence/rules.yaml"
        " -e rulesets/captures/attack-host.scap.gz",
        "tables and advice",
    ),
    (
        "rulekit profile -r rulesets/persistence/rules.yaml"
        " -e rulesets/captures/attack-host.scap.gz --flame-graph profile.svg",
        "also a picture",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_rules(parser)
    add_capture(parser)
    parser.add_argument(
        "--all-rules", action="store_true", help="also run rules marked `enabled: false`"
    )
    add_matching(parser)
    parser.add_argument(
        "--top", metavar="N", type=_positive, default=20, help="rows per table (default: 20)"
    )
    parser.add_argument("--speedscope", metavar="FILE", type=Path, help="write a speedscope file")
    parser.add_argument("--flame-graph", metavar="FILE", type=Path, help="write an SVG picture")
    add_format(parser)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Profile; 2 when the rules or the capture cannot be used."""
    from rulekit.cli.rules import load_or_explain

    ruleset = load_or_explain(args.rules)
    if ruleset is None:
        return 2
    from rulekit.engine.pipeline import Engine
    from rulekit.tools.profile import profile
    from rulekit.tools.profile_write import flame_graph, speedscope, text

    engine = Engine(ruleset, matching=args.matching, all_rules=args.all_rules)
    if not engine.rules:
        say("no rule is left to run: all are disabled or for another source")
    bar = Progress(size_of(args.capture))
    try:
        found = profile(engine, args.capture, bar.update)
    finally:
        bar.clear()
    name = "standard input" if args.capture == "-" else Path(args.capture).name
    title = f"{', '.join(path.name for path in args.rules)} on {name}"
    if args.speedscope is not None:
        write_file(args.speedscope, json.dumps(speedscope(found, title)) + "\n")
    if args.flame_graph is not None:
        write_file(args.flame_graph, flame_graph(found, title))
    if args.format == "json":
        print(json.dumps(found.as_data(), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(text(found, args.top))
    return 0

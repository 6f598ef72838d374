"""``rulekit bench``: how fast rules run, and whether they became slower."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rulekit.cli.arguments import add_format, add_matching, add_rules
from rulekit.cli.console import count, say
from rulekit.cli.files import write_file
from rulekit.errors import RulekitError, reason
from rulekit.text.whole import read_text

if TYPE_CHECKING:
    from rulekit.engine.pipeline import Engine
    from rulekit.tools.bench import Comparison, Measured

HELP = "measure how fast rules run over a capture"
DESCRIPTION = """\
Runs rules over a capture again and again, and prints events per second and what each stage costs
in CPU time: read (inflate, find events), state (processes, files, containers), rules, alerts. One
thread does everything but inflating. The smallest of all times counts, since whatever else runs on
the machine only adds; still, figures of a busy machine differ from run to run.

--against measures another ruleset in the same run; --save keeps the result, --compare holds it
against a kept one and exits with 1 when an event takes longer than --tolerance allows. `rulekit
profile` tells which rule the time is spent on."""
EXAMPLES = (
    (
        "rulekit bench -r rulesets/persistence/rules.yaml -e rulesets/captures/attack-host.scap.gz"
        " --save /tmp/before.json",
        "measure, and keep the result",
    ),
    (
        "rulekit bench -r rulesets/persistence/rules.yaml -e rulesets/captures/attack-host.scap.gz"
        " --against rulesets/execution/rules.yaml",
        "beside another ruleset",
    ),
)

_MEANING = {
    "read": "inflate, find events",
    "state": "processes, files, containers",
    "rules": "ask the rules",
    "alerts": "make alerts",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_rules(parser)
    parser.add_argument(
        "-e",
        "--capture",
        metavar="CAPTURE",
        required=True,
        help="capture to read, many times: .scap, plain or gzip",
    )
    parser.add_argument(
        "--against",
        metavar="RULES",
        action="append",
        type=Path,
        help="rules file of another ruleset to measure in the same run; may be repeated as -r",
    )
    parser.add_argument(
        "--all-rules", action="store_true", help="also run rules marked `enabled: false`"
    )
    add_matching(parser)
    parser.add_argument(
        "--runs", metavar="N", type=_number, default=5, help="passes of each kind (default: 5)"
    )
    parser.add_argument("--save", metavar="FILE", type=Path, help="keep the result in a file")
    parser.add_argument(
        "--compare", metavar="FILE", type=Path, help="hold the result against a kept one"
    )
    parser.add_argument(
        "--tolerance",
        metavar="PERCENT",
        type=_percent,
        default=10.0,
        help="how much slower than the kept result is no regression (default: 10)",
    )
    add_format(parser)


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of passes")
    return int(text)


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage")
    return value


def run(args: argparse.Namespace) -> int:
    """Measure; 1 when it became slower than is tolerated, 2 when it cannot be measured."""
    kept = None if args.compare is None else _read(args.compare)
    engines = []
    for paths in filter(None, (args.rules, args.against)):
        engine = _engine(args, paths)
        if engine is None:
            return 2
        engines.append((", ".join(map(str, paths)), engine))
    from rulekit.tools.bench import compare, measure, saved

    found = measure(engines, args.capture, args.runs)
    compared = None
    if kept is not None:
        try:
            compared = compare(found[0], args.capture, kept)
        except RulekitError as error:
            raise RulekitError(f"{args.compare}: {error}") from None
    if args.save is not None:
        write_file(args.save, json.dumps(saved(found[0], args.capture), indent=2) + "\n")
    slower = compared is not None and compared.change * 100 > args.tolerance
    if args.format == "json":
        print(json.dumps(_data(found, compared, slower), indent=2))
    else:
        sys.stdout.write(_text(found, compared))
    if slower:
        say(f"slower than {args.compare} by more than {args.tolerance:g} %")
    return int(slower)


def _engine(args: argparse.Namespace, paths: list[Path]) -> Engine | None:
    from rulekit.cli.programs import runnable_or_explain

    choice = {"source": "syscall", "all_rules": args.all_rules}
    runnable = runnable_or_explain(paths, choice)
    if runnable is None:
        return None
    from rulekit.engine.pipeline import Engine

    engine = Engine(
        runnable.rules, source="syscall", all_rules=args.all_rules, matching=args.matching
    )
    runnable.keep(engine)
    if not engine.rules:
        say("no rule is left to run: all are disabled or for another source")
    return engine


def _text(found: list[Measured], compared: Comparison | None) -> str:
    lines = []
    for each in found:
        lines += [
            f"{each.name}: {count(each.rules, 'rule')}, {count(each.events, 'event')},"
            f" {count(each.alerts, 'alert')}",
            f"  {each.events_per_s:,.0f} events/s, {each.ns_per_event:.1f} ns of CPU per event,"
            f" peak memory {each.peak_rss_mb:.0f} MB",
        ]
        for stage, spent in each.stages().items():
            share = spent / each.ns_per_event if each.ns_per_event else 0.0
            lines.append(f"  {stage:<8}{spent:>9.1f} ns {share:>5.0%}  {_MEANING[stage]}")
    if len(found) == 2 and found[0].ns_per_event:
        ratio = found[1].ns_per_event / found[0].ns_per_event
        lines.append(f"the second takes {ratio:.2f} times as long as the first")
    if compared is not None:
        lines.append(
            f"kept: {compared.before_ns:.1f} ns per event, now {compared.now_ns:.1f}"
            f" ({compared.change:+.1%})"
        )
        for stage, (before, now) in compared.stages.items():
            lines.append(f"  {stage:<8}{before:>9.1f} ns -> {now:.1f} ns")
        lines += [f"  note: {note}" for note in compared.notes]
    return "\n".join(lines) + "\n"


def _data(found: list[Measured], compared: Comparison | None, slower: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"rulesets": [each.as_data() for each in found]}
    if compared is not None:
        data["compared"] = {
            "before_ns_per_event": compared.before_ns,
            "now_ns_per_event": compared.now_ns,
            "change": compared.change,
            "slower": slower,
            "stages_ns_per_event": {
                stage: {"before": before, "now": now}
                for stage, (before, now) in compared.stages.items()
            },
            "notes": list(compared.notes),
        }
    return data


def _read(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except OSError as error:
        raise RulekitError(f"{path}: {reason(error)}") from None
    except ValueError:
        raise RulekitError(f"{path}: no result of `rulekit bench --save`") from None

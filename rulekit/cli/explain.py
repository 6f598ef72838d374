"""``rulekit explain``: why a rule did or did not match an event."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rulekit.cli.arguments import add_format
from rulekit.cli.console import say
from rulekit.errors import RulekitError, reason

_MAX_STREAM_BYTES = 1 << 30

HELP = "explain why a rule did or did not match an event"
DESCRIPTION = """\
Shows the whole condition of a rule on one event: every comparison with the value it saw and whether
it holds, where it was written and through which macro or exception it came into the rule, and the
smallest set of comparisons that would have to be different for the other outcome. --event takes the
position of the event, as `rulekit events` counts; --nearest finds the event that came closest to a
match without matching. The exit code is 0 whatever the outcome."""
EXAMPLES = (
    (
        "rulekit explain -r rulesets/persistence/rules.yaml -e rulesets/captures/tiny-host.scap.gz"
        " --rule 'Login key added' --nearest",
        "what came closest to a rule that stayed silent",
    ),
    (
        "rulekit explain -r rulesets/containers/rules.yaml -e rulesets/captures/attack-host.scap.gz"
        " --rule 'Package tool run in a container' --nearest --format json",
        "as data",
    ),
    (
        "rulekit explain -r rulesets/kubernetes/rules.yaml -e rulesets/captures/attack-audit.jsonl"
        " --rule 'Secrets listed by a person' --nearest",
        "a rule over audit events of Kubernetes",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "-r", "--rules", metavar="RULES", action="append", type=Path, required=True,
        help="rules file; more of them are loaded in the order given",
    )  # fmt: skip
    parser.add_argument(
        "-e", "--capture", metavar="CAPTURE", required=True,
        help="capture to read, or audit events of Kubernetes as JSON; - is standard input",
    )  # fmt: skip
    parser.add_argument("--rule", metavar="NAME", required=True, help="the rule to explain")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--event", metavar="N", type=int, help="position of the event, from 1")
    which.add_argument(
        "--nearest", action="store_true", help="the event that came closest to a match"
    )
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Explain; 1 when --nearest finds nothing, 2 when it cannot be done."""
    from rulekit.cli.rules import load_or_explain
    from rulekit.explain.event import RuleExplainer, source_of
    from rulekit.explain.render import explanation_json, render_explanation

    events = _events(args.capture)
    ruleset = load_or_explain(args.rules, sources={"syscall", source_of(events)})
    if ruleset is None:
        return 2
    explainer = RuleExplainer(ruleset, args.rule)
    if args.nearest:
        found = explainer.nearest(events)
        if found is None:
            say("there is no event on which the rule did not match")
            return 1
    else:
        found = explainer.explain(events, args.event)
    if args.format == "json":
        print(json.dumps(explanation_json(found), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(render_explanation(found, colour=sys.stdout.isatty()))
    return 0


def _events(capture: str) -> str | bytes:
    """Return what to look at; a stream as a whole: its source decides how rules are loaded."""
    from rulekit.text.whole import read_given

    if capture != "-":
        return capture
    try:
        return read_given(capture, _MAX_STREAM_BYTES)
    except OSError as error:
        raise RulekitError(f"<stdin>: {reason(error)}: write it to a file") from None

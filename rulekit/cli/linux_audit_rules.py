"""``rulekit linux audit-rules``: what the kernel's audit has to report for rules."""

from __future__ import annotations

import argparse
import json
import platform
from typing import TYPE_CHECKING

from rulekit.cli.arguments import add_format
from rulekit.cli.chosen import add_chosen, chosen_or_explain
from rulekit.cli.console import say
from rulekit.errors import RulekitError, reason
from rulekit.text.whole import read_given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rulekit.tools.linux_audit.needs import Needs
    from rulekit.tools.linux_audit.starved import Starved

HELP = "print the audit rules that rules need, or check which rules some starve"
DESCRIPTION = """\
Prints the fewest audit rules, as auditctl reads them, under which Linux audit reports what the
given rules look at, with keys: for `auditctl -R FILE` or a file in /etc/audit/rules.d. They name
the system calls of the rules, and those by which processes, parents, open files and connections
become known; calls that fail, or opens that only read, are left out where no rule wants them. Rules
that can never match on audit are left out (see `rulekit check --source linux_audit`).

With --check FILE nothing is printed for the kernel: the audit rules in FILE are read, and the rules
that they starve are listed with what is missing; the exit code is 1 when there are any."""
EXAMPLES = (
    (
        "rulekit linux audit-rules -r rulesets/credential_access/rules.yaml",
        "for auditctl -R",
    ),
    (
        "rulekit linux audit-rules -r rulesets/persistence/rules.yaml --no-32bit --arch aarch64",
        "for another machine",
    ),
    (
        "rulekit linux audit-rules -r rulesets/persistence/rules.yaml > /tmp/rulekit.rules;"
        " rulekit linux audit-rules -r rulesets/persistence/rules.yaml --check /tmp/rulekit.rules",
        "what is printed is enough",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_chosen(parser)
    audit = parser.add_argument_group("audit")
    audit.add_argument(
        "--check", metavar="FILE", help="say which rules the audit rules in FILE starve; - is stdin"
    )
    audit.add_argument(
        "--arch",
        choices=("x86_64", "aarch64"),
        help="machine that audits; this one, unless it is of another kind: then x86_64",
    )
    audit.add_argument(
        "--no-32bit",
        action="store_true",
        help="leave out the calls of 32-bit programs; they are a way round the rules",
    )
    add_format(audit)


def run(args: argparse.Namespace) -> int:
    """Print or check; 1 when rules are starved, 2 when something cannot be read."""
    from rulekit.tools.linux_audit.needs import all_needs

    chosen = chosen_or_explain(args)
    if chosen is None:
        return 2
    needs = all_needs(chosen)
    if args.check is not None:
        return _check(args, needs)
    return _print(args, needs)


def _print(args: argparse.Namespace, needs: Sequence[Needs]) -> int:
    from rulekit.tools.linux_audit.lines import ARCHES, lines_for, write

    machine = args.arch or (platform.machine() if platform.machine() in ARCHES else ARCHES[0])
    lines = lines_for(needs, machine, narrow=not args.no_32bit)
    if args.format == "json":
        for line in lines:
            print(
                json.dumps(
                    {
                        "arch": line.arch,
                        "calls": list(line.calls),
                        "filters": list(line.filters),
                        "key": line.key,
                        "purpose": line.purpose,
                        "line": str(line),
                    }
                )
            )
    else:
        for text in write(lines):
            print(text)
    _say_lost(needs)
    return 0


def _check(args: argparse.Namespace, needs: Sequence[Needs]) -> int:
    from rulekit.tools.linux_audit.parse import parse
    from rulekit.tools.linux_audit.starved import starved

    try:
        text = read_given(args.check).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "not UTF-8"
        raise RulekitError(f"{args.check}: {why}") from None
    rules = parse(text)
    for number, problem in rules.problems:
        say(f"{args.check}:{number}: not understood, left out: {problem}")
    narrow = not args.no_32bit and args.arch != "aarch64"
    found = starved(needs, rules, narrow=narrow)
    for one in found:
        print(_json(one) if args.format == "json" else _text(one))
    kept = sum(not one.lost for one in needs)
    if args.format == "text":
        blind = sum(one.blind for one in found)
        print(
            f"{kept - len(found)} of {kept} rules get all that they need, {blind} see nothing,"
            f" {len(found) - blind} lack something"
        )
    _say_lost(needs)
    return 2 if rules.problems else int(bool(found))


def _say_lost(needs: Sequence[Needs]) -> None:
    lost = [one.rule.name for one in needs if one.lost]
    if lost:
        say(f"{len(lost)} rules can never match on Linux audit and were left out")


def _text(one: Starved) -> str:
    head = f"{one.needs.rule.name}: {'sees nothing' if one.blind else 'lacks something'}"
    return "\n".join([head, *(f"  {gap}" for gap in one.gaps)])


def _json(one: Starved) -> str:
    return json.dumps(
        {
            "rule": one.needs.rule.name,
            "blind": one.blind,
            "gaps": [{"calls": list(g.calls), "how": g.how, "why": g.why} for g in one.gaps],
        }
    )

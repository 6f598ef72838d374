"""``rulekit check``: what is wrong with rules, and where."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rulekit.cli.arguments import add_format, read_conditions
from rulekit.errors import RulekitError

HELP = "check rules and show every mistake with its place"
DESCRIPTION = """\
Loads rules files in the order given and shows what is wrong with them. Warnings alone do not
make a file bad. The JSON form is the one that Falco prints for the same files."""
EXAMPLES = (
    ("rulekit check rulesets/credential_access/rules.yaml", "one file"),
    ("rulekit check --format json rulesets/persistence/rules.yaml", "for programs"),
)

UNREADABLE = "LOAD_ERR_FILE_READ"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("rules", nargs="*", metavar="RULES", type=Path, help="rules file")
    parser.add_argument(
        "--conditions",
        metavar="FILE",
        help="check conditions, not rules: one JSON string per line; prints an object for each",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 for warnings as well as for errors"
    )
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Check; 1 when something is wrong, 2 when a file cannot be read."""
    if (args.conditions is None) == (not args.rules):
        raise RulekitError("say which RULES to check, or --conditions FILE")
    if args.conditions is not None:
        return _check_conditions(args)
    from rulekit.cli.rules import counts, explain
    from rulekit.rules.loader import load_files
    from rulekit.rules.report import load_json

    result = load_files(args.rules)
    found = result.diagnostics
    if args.format == "json":
        print(json.dumps(load_json(result), indent=2))
    else:
        explain(found, sys.stdout)
        for file in result.files:
            state = "bad" if file.errors else "good, with warnings" if file.warnings else "good"
            print(f"{file.name}: {state}")
        rules = f"{len(result.ruleset)} rules, " if result.ruleset is not None else ""
        print(f"{rules}{counts(found)}")
    if any(finding.diagnostic.falco == UNREADABLE for f in result.files for finding in f.errors):
        return 2
    return int(not result.ok or (args.strict and bool(found)))


def _check_conditions(args: argparse.Namespace) -> int:
    from rulekit.rules.check import check_one

    bad = False
    for condition in read_conditions(args.conditions):
        answer = check_one(condition)
        bad = bad or not answer["ok"]
        if args.format == "json":
            sys.stdout.write(json.dumps(answer) + "\n")
        else:
            verdict = "ok" if answer["ok"] else answer["class"]
            notes = "".join(f"  {code}" for code in [*answer["errors"], *answer["warnings"]])
            sys.stdout.write(f"{verdict}: {condition!r}{notes}\n")
    return int(bad)

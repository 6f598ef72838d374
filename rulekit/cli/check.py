"""``rulekit check``: what is wrong with rules, and where."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rulekit import __version__
from rulekit.cli.arguments import add_field_map, read_conditions, use_field_map
from rulekit.cli.console import count, say
from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from rulekit.rules.loader import LoadResult
    from rulekit.text.diagnostic import Diagnostic
    from rulekit.tools.lint.selection import Selection

HELP = "check rules and show every mistake with its place"
DESCRIPTION = """\
Loads rules files in the order given and shows what is wrong with them, and what is suspicious:
the reference of lint checks says what is looked for. Warnings alone do not make a file bad.
`[lint]` in rulekit.toml or `[tool.rulekit.lint]` in pyproject.toml choose among the checks, a
comment `# rulekit: ignore[RK450]` silences one place. With --compat falco, fields that only rulekit
has are errors.

With --source linux_audit it says instead which rules mean less when their events come from Linux
audit, and why: those that can never match there, that match less, and that match more because an
exclusion names something that audit does not know."""
EXAMPLES = (
    ("rulekit check rulesets/credential_access/rules.yaml", "one file"),
    ("rulekit check --format json rulesets/persistence/rules.yaml", "for programs"),
    ("rulekit check --ignore missing-tags,RK48 rulesets/containers/rules.yaml", "less of it"),
    (
        "rulekit check --field-map examples/agent/fields.yaml examples/agent/rules.yaml",
        "rules over JSON documents with fields of their own",
    ),
    (
        "rulekit check --source linux_audit rulesets/credential_access/rules.yaml",
        "what is left of rules on Linux audit",
    ),
)

# Diagnostics shown as text; programs get all of them.
MOST_SHOWN = 100
COMPAT_CHECK = "not-in-falco"
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
    parser.add_argument(
        "--compat",
        choices=("falco",),
        help="also report, as errors, what this program would not understand",
    )
    parser.add_argument(
        "--source",
        choices=("linux_audit",),
        help="say which rules lose meaning on this source of events, and nothing else",
    )
    add_field_map(parser)
    lint = parser.add_argument_group("lint")
    lint.add_argument(
        "--select",
        metavar="CODES",
        help="codes to report, separated by commas: beginnings (RK4) or names (dead-list)",
    )
    lint.add_argument(
        "--ignore", metavar="CODES", help="codes not to report; adds to what is configured"
    )
    lint.add_argument("--fix", action="store_true", help="change the files where a fix is known")
    parser.add_argument(
        "--format",
        choices=("text", "json", "sarif", "github"),
        default="text",
        help="text (default), json as Falco prints it, SARIF 2.1.0, or GitHub annotations",
    )


def run(args: argparse.Namespace) -> int:
    """Check; 1 when something is wrong, 2 when a file cannot be read."""
    if (args.conditions is None) == (not args.rules):
        raise RulekitError("say which RULES to check, or --conditions FILE")
    if args.conditions is not None:
        if args.format not in ("text", "json"):
            raise RulekitError("conditions are printed as text or json")
        return _check_conditions(args)
    from rulekit.rules.loader import load_files
    from rulekit.tools.lint.config import find_config
    from rulekit.tools.lint.engine import diagnose
    from rulekit.tools.lint.selection import Selection

    use_field_map(args)
    config = find_config(Path.cwd())
    selection = _selection(args, config.selection)
    if args.compat == "falco":
        selection = Selection((*(selection.select or ("RK",)), COMPAT_CHECK), selection.ignore)
    result = _fix(args.rules, selection) if args.fix else load_files(args.rules)
    further: list[Diagnostic] = []
    if args.source is not None and result.ruleset is not None:
        from rulekit.tools.linux_audit.remarks import remarks, summary

        further = remarks(result.ruleset)
        selection = Selection(
            ("RK8",) if args.select is None else selection.select, selection.ignore
        )
    found = [d for d in diagnose(result, selection, further) if not config.silences(d)]
    _print(args.format, result, found)
    if result.ruleset is not None and args.source is not None and args.format == "text":
        print(summary(result.ruleset))
    if any(finding.diagnostic.falco == UNREADABLE for f in result.files for finding in f.errors):
        return 2
    warned = any(d.severity == "warning" for d in found)
    wrong = not result.ok or any(d.severity == "error" for d in found)
    return int(wrong or (args.strict and warned))


def _selection(args: argparse.Namespace, configured: Selection) -> Selection:
    from rulekit.tools.lint.selection import Selection, parse_codes

    select = configured.select if args.select is None else parse_codes(args.select)
    return Selection(select, (*configured.ignore, *parse_codes(args.ignore or "")))


def _fix(paths: list[Path], selection: Selection) -> LoadResult:
    from rulekit.cli.files import replace_file
    from rulekit.tools.lint.fixes import fix_files

    result, changed, number = fix_files(paths, selection)
    for name, text in changed.items():
        replace_file(Path(name), text)
    say(f"{number} {'fix' if number == 1 else 'fixes'} in {count(len(changed), 'file')}")
    return result


def _print(form: str, result: LoadResult, found: list[Diagnostic]) -> None:
    from rulekit.cli.rules import counts, explain
    from rulekit.rules.report import load_json
    from rulekit.text.render import github_annotations
    from rulekit.text.sarif import sarif

    if form == "json":
        print(json.dumps(load_json(result, found), indent=2))
    elif form == "sarif":
        print(json.dumps(sarif(found, __version__), indent=2))
    elif form == "github":
        if found:
            print(github_annotations(found))
    else:
        explain(found[:MOST_SHOWN], sys.stdout)
        if len(found) > MOST_SHOWN:
            print(f"... and {len(found) - MOST_SHOWN} more\n")
        for file in result.files:
            state = "bad" if file.errors else "good, with warnings" if file.warnings else "good"
            print(f"{file.name}: {state}")
        rules = f"{len(result.ruleset)} rules, " if result.ruleset is not None else ""
        print(f"{rules}{counts(found)}")


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

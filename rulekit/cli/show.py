"""``rulekit show``: what rules come down to, and where each part comes from."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rulekit.cli.arguments import add_format
from rulekit.cli.console import say

if TYPE_CHECKING:
    from rulekit.rules.loader import LoadResult

HELP = "show rules as they are after loading"
DESCRIPTION = """\
Loads rules files and prints the rules, or one of them: as written, or with --resolved the condition
with macros, lists and exceptions put in; --provenance says where each part was written. The JSON
form holds the whole ruleset as data, syntax trees included."""
EXAMPLES = (
    ("rulekit show rulesets/containers/rules.yaml --resolved --provenance", "all rules of a file"),
    ("rulekit show --format json rulesets/persistence/rules.yaml", "the ruleset as data"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "rules",
        nargs="+",
        metavar="RULES",
        help="rules files or folders in the order given; the name of a rule may follow",
    )
    parser.add_argument(
        "--resolved", action="store_true", help="put macros, lists and exceptions into conditions"
    )
    parser.add_argument(
        "--provenance", action="store_true", help="say where each part of a rule was written"
    )
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Show; 1 when the rules do not load, 2 when there is no rule of the name."""
    from rulekit.rules.loader import load_files
    from rulekit.tools.show import describe

    paths, name = _split(args.rules)
    result = load_files(paths)
    known = result.ruleset is None or name is None or any(r.name == name for r in result.ruleset)
    if not known:
        _unknown(result, name or "")
        return 2
    if args.format == "json":
        print(json.dumps(describe(result, name, args.provenance), indent=2, ensure_ascii=False))
        return int(not result.ok)
    if result.ruleset is None or not result.ok:
        from rulekit.cli.rules import counts, explain

        errors = [d for d in result.diagnostics if d.severity == "error"] or list(result.fatal)
        explain(errors, sys.stderr)
        say(f"the rules cannot be shown: {counts(errors)}")
        return 1
    _print(args, result, name)
    return 0


def _split(words: list[str]) -> tuple[list[Path], str | None]:
    """Tell the files from the name of a rule, which comes last and is no file."""
    if len(words) > 1 and not Path(words[-1]).exists():
        return [Path(word) for word in words[:-1]], words[-1]
    return [Path(word) for word in words], None


def _unknown(result: LoadResult, name: str) -> None:
    from rulekit.rules.names import close_to

    assert result.ruleset is not None
    close = close_to(name, [rule.name for rule in result.ruleset])
    say(f"no rule `{name}`" + (f"; did you mean `{close}`?" if close else ""))


def _print(args: argparse.Namespace, result: LoadResult, name: str | None) -> None:
    from rulekit.tools.lint.check import LintContext
    from rulekit.tools.show import render_rule

    assert result.ruleset is not None
    context = LintContext(result.ruleset)
    blocks = (
        render_rule(rule, context, final=args.resolved, provenance=args.provenance)
        for rule in result.ruleset
        if name in (None, rule.name)
    )
    for i, block in enumerate(blocks):
        print(f"\n{block}" if i else block)

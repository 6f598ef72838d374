"""``rulekit fmt``: rule files in one form."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from rulekit.cli.console import count, say
from rulekit.cli.files import replace_file
from rulekit.errors import RuleError, RulekitError, reason
from rulekit.text.whole import read_given, read_whole

HELP = "format rules files"
DESCRIPTION = """\
Writes rules files in one form: indentation, blank lines, conditions broken at `and` and `or`.
Comments stay and no rule changes its meaning; a file for which that cannot be told is refused.
Without --check or --diff the files are changed in place."""
EXAMPLES = (
    ("rulekit fmt - < rulesets/persistence/rules.yaml", "print a file in its form"),
    ("rulekit fmt --check rulesets && echo formatted", "every rules file below a folder"),
)

_SUFFIXES = (".yaml", ".yml")
# Folders also hold YAML that is not rules: cases, configuration.
_IS_CASES = re.compile(rb"^\s*-\s+case\s*:", re.MULTILINE)
_IS_RULES = re.compile(rb"^\s*-\s+(rule|macro|list|required_\w+_versions?)\s*:", re.MULTILINE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="rules file, folder, or `-` for standard input (written to standard output)",
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit with 1 when a file would change"
    )
    parser.add_argument(
        "--diff", action="store_true", help="change nothing; print the changes, exit with 1 if any"
    )


def run(args: argparse.Namespace) -> int:
    """Format; 1 when --check or --diff found something to change, 2 when a file was refused."""
    paths = _spread(args.paths)
    changed = failed = 0
    for path in paths:
        try:
            changed += _format(path, args)
        except RuleError as error:
            _show(error)
            failed += 1
        except RulekitError as error:
            say(str(error))
            failed += 1
    if not args.diff and args.paths != ["-"]:
        same = len(paths) - changed - failed
        would = "would change" if args.check else "changed"
        say(f"{count(changed, 'file')} {would}, {same} left as they were")
    if failed:
        return 2
    return int(changed > 0 and (args.check or args.diff))


def _spread(paths: list[str]) -> list[str]:
    """Replace folders by the rules files below them."""
    found: list[str] = []
    for path in paths:
        if path != "-" and os.path.isdir(path):
            found += sorted(str(p) for p in Path(path).rglob("*") if _is_rules(p))
        else:
            found.append(path)
    return found


def _is_rules(path: Path) -> bool:
    if path.suffix not in _SUFFIXES or not path.is_file():
        return False
    try:
        data = read_whole(path)
    except OSError:
        return True  # reading it again says why not
    return _IS_RULES.search(data) is not None and _IS_CASES.search(data) is None


def _format(path: str, args: argparse.Namespace) -> bool:
    """Format one file; returns whether it differs from its form."""
    from rulekit.tools.fmt import diff, format_text

    name = "<stdin>" if path == "-" else path
    try:
        content = read_given(path)
        before = content.decode("utf-8")
    except OSError as error:
        raise RulekitError(f"{name}: {reason(error)}") from None
    except UnicodeDecodeError as error:
        raise RulekitError(f"{name}: byte {error.start} is not UTF-8") from None
    result = format_text(before, name)
    if result.left_alone:
        say(f"{name}: left as it is: it holds {result.left_alone}")
    changed = result.text != before
    if args.diff:
        sys.stdout.write(diff(before, result.text, name) if changed else "")
    elif args.check:
        sys.stdout.write(f"{name}\n" if changed else "")
    elif path == "-":
        sys.stdout.write(result.text)
    elif changed:
        replace_file(Path(path), result.text)
    return changed


def _show(error: RuleError) -> None:
    from rulekit.text.render import render

    print(render(error.diagnostics, colour=sys.stderr.isatty()), file=sys.stderr)

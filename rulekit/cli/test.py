"""``rulekit test``: rules held against captures with known alerts."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rulekit.cli.arguments import add_format

HELP = "run the cases of tests.yaml files: captures with the alerts they must give"
DESCRIPTION = """\
Runs every case of the given files, or of every tests.yaml below the given folders. Without a
path the rulesets that come with rulekit are tested."""
EXAMPLES = (
    ("rulekit test", "the bundled rulesets"),
    ("rulekit test rulesets/credential_access", "every case below a folder"),
    ("rulekit test -k hashes rulesets", "only cases whose name contains a text"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="file or folder")
    parser.add_argument("-k", metavar="TEXT", help="only cases whose name contains TEXT")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Run the cases; 1 when one failed, 2 when one could not be run."""
    from rulekit.testing.bundled import bundled_rulesets
    from rulekit.testing.case import CaseError, find_files, load_cases
    from rulekit.testing.report import json_report, text_report
    from rulekit.testing.runner import Result, run_cases

    started_s = time.monotonic()
    files = find_files(args.paths or [bundled_rulesets()])
    cases = [case for file in files for case in load_cases(file)]
    if args.k:
        cases = [case for case in cases if args.k.lower() in case.name.lower()]
        if not cases:
            raise CaseError(f"no case has `{args.k}` in its name")
    results: list[Result] = []

    def watched() -> Iterator[Result]:
        for result in run_cases(cases):
            results.append(result)
            yield result

    if args.format == "json":
        pieces = json_report(watched())
    else:
        elapsed_s = (time.monotonic() - started_s for _ in range(1))
        pieces = text_report(watched(), len(cases), elapsed_s)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    if any(result.error for result in results):
        return 2
    return 0 if all(result.passed for result in results) else 1

"""``rulekit test``: rules held against events with known alerts."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rulekit.cli.arguments import add_format
from rulekit.cli.console import say
from rulekit.cli.files import write_file

if TYPE_CHECKING:
    from rulekit.testing.case import Case
    from rulekit.testing.judge import Result
    from rulekit.testing.report import Style

HELP = "run the cases of test files: events with the alerts they must give"
DESCRIPTION = """\
Runs every case of the given files, or of every test file below the given folders: files called
tests.yaml, NAME.tests.yaml or NAME_tests.yaml, and rules with a key `tests`. Without a path that is
the current folder, or the rulesets that come with rulekit when it holds no case. A case that failed
makes the exit code 1, a test file or rules that cannot be used 2."""
EXAMPLES = (
    ("rulekit test", "the current folder, or the bundled rulesets"),
    ("rulekit test rulesets/credential_access", "every case below a folder"),
    ("rulekit test -k 'hashes and not container' rulesets", "only cases with these words"),
    ("rulekit test --rule 'Setuid bit set' -x rulesets", "cases of one rule; stop when one fails"),
    (
        "rulekit test -j 2 --junit junit.xml --sarif results.sarif rulesets",
        "reports for a CI server",
    ),
    ("rulekit test --mutate --fail-under 90 rulesets/exfiltration", "how good the cases are"),
    (
        "cp rulesets/persistence/rules.yaml mine.yaml && rulekit test --init mine.yaml"
        " -e rulesets/captures/attack-host.scap.gz",
        "a first test file",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="file or folder")
    which = parser.add_argument_group("which cases")
    which.add_argument(
        "-k",
        metavar="EXPR",
        help="cases with these words in name, rules, tags or path; and, or, not and ( ) join them",
    )
    which.add_argument(
        "--rule", metavar="NAME", action="append", default=[], help="cases that speak of a rule"
    )
    which.add_argument("--lf", action="store_true", help="cases that failed the last time")
    which.add_argument(
        "--list", "--collect-only", action="store_true", help="print the cases, run nothing"
    )
    how = parser.add_argument_group("how they run")
    how.add_argument(
        "-x", "--exitfirst", dest="maxfail", action="store_const", const=1,
        help="stop when a case fails",
    )  # fmt: skip
    how.add_argument(
        "--maxfail", metavar="N", type=int, default=0, help="stop when so many cases failed"
    )
    how.add_argument(
        "-j", "--jobs", metavar="N", type=int, default=1, help="worker processes (default 1)"
    )
    how.add_argument(
        "--in-process",
        action="store_true",
        help="run without worker processes and time limits, for a debugger",
    )
    how.add_argument(
        "--save-capture",
        metavar="DIR",
        type=Path,
        help="write the inline events of the cases as captures or audit logs, run nothing",
    )
    quality = parser.add_argument_group("how good the cases are")
    quality.add_argument(
        "--coverage",
        action="store_true",
        help="tell which comparisons were seen true and false, and which decided",
    )
    quality.add_argument("--coverage-html", metavar="FILE", type=Path, help="the same as a page")
    quality.add_argument("--lcov", metavar="FILE", type=Path, help="the same for coverage tools")
    quality.add_argument(
        "--mutate",
        action="store_true",
        help="change conditions in small ways and tell which changes no case notices",
    )
    quality.add_argument("--mutation-html", metavar="FILE", type=Path, help="the same as a page")
    quality.add_argument(
        "--fail-under",
        metavar="PERCENT",
        type=float,
        help="exit with 1 when coverage, or the mutation score, is below",
    )
    first = parser.add_argument_group("first cases")
    first.add_argument(
        "--init",
        action="store_true",
        help="print a test file for the rules in PATH of which no case speaks, as far as their"
        " conditions tell",
    )
    first.add_argument(
        "-e", "--capture", metavar="CAPTURE", type=Path, help="take what rules find in CAPTURE"
    )
    out = parser.add_argument_group("reports")
    loudness = out.add_mutually_exclusive_group()
    loudness.add_argument("-v", "--verbose", action="store_true", help="a line for each case")
    loudness.add_argument(
        "-q", "--quiet", action="store_true", help="failures and the verdict only"
    )
    out.add_argument(
        "--durations", metavar="N", type=int, default=0, help="name the N slowest cases"
    )
    add_format(out)
    out.add_argument("--junit", metavar="FILE", type=Path, help="write a JUnit report")
    out.add_argument("--sarif", metavar="FILE", type=Path, help="write failures as SARIF 2.1.0")
    out.add_argument("--html", metavar="FILE", type=Path, help="write a page to look at")
    out.add_argument(
        "--github", action="store_true", help="print annotations for pull requests on GitHub"
    )
    out.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of test files for editors"
    )


def run(args: argparse.Namespace) -> int:
    """Run the cases; 1 when one failed, 2 when one could not be run."""
    from rulekit.errors import RulekitError
    from rulekit.testing.case import CaseError
    from rulekit.testing.read import find_files, load_all
    from rulekit.testing.select import last_failed, select

    measured = (args.coverage, args.coverage_html, args.lcov, args.mutate, args.mutation_html)
    if args.fail_under is not None and not any(measured):
        raise RulekitError("--fail-under says of what: --coverage or --mutate")
    if args.schema:
        from rulekit.testing.schema import schema_text

        sys.stdout.write(schema_text())
        return 0
    if args.init:
        return _init(args)
    try:
        cases = load_all(find_files(args.paths) if args.paths else _usual_files())
    except CaseError as error:
        from rulekit.cli.rules import counts, explain

        explain(error.diagnostics, sys.stderr)
        say(f"the test files cannot be used: {counts(error.diagnostics)}; nothing was run")
        return 2
    chosen = select(cases, args.k, args.rule)
    if args.lf:
        chosen = last_failed(chosen)
    if args.list:
        return _list(chosen, args.format)
    if args.save_capture is not None:
        return _save(chosen, args.save_capture)
    return _run(args, chosen, len(cases) - len(chosen))


def _list(cases: list[Case], form: str) -> int:
    import json

    for case in cases:
        if form == "json":
            print(json.dumps({"file": str(case.file), "line": case.line, "case": case.name}))
        else:
            print(f"{case.file}:{case.line}: {case.name}")
    return 0


def _usual_files() -> list[Path]:
    """Return the test files below the current folder, or the bundled ones."""
    from rulekit.testing.bundled import bundled_rulesets
    from rulekit.testing.read import files_below, find_files

    found = files_below(Path())
    if found:
        return found
    say("no case below the current folder: testing the bundled rulesets")
    return find_files([bundled_rulesets()])


def _init(args: argparse.Namespace) -> int:
    """Print the skeleton of a test file; nothing when every rule has cases."""
    from rulekit.cli.rules import load_or_explain
    from rulekit.errors import RulekitError
    from rulekit.testing.init import skeleton

    if not args.paths:
        raise RulekitError("--init needs the rule files")
    ruleset = load_or_explain(args.paths, sources=("syscall", "k8s_audit"))
    if ruleset is None:
        return 2
    target = args.paths[0] if args.paths[0].is_dir() else args.paths[0].parent
    text = skeleton(ruleset, args.paths, target, args.capture)
    if not text:
        say("every rule has a case")
    sys.stdout.write(text)
    return 0


def _run(args: argparse.Namespace, cases: list[Case], deselected: int) -> int:
    import datetime

    from rulekit.testing.report import exit_code, json_report, text_report
    from rulekit.testing.runner import Options, run_cases
    from rulekit.testing.select import remember

    started_s = time.monotonic()
    started = datetime.datetime.now(datetime.timezone.utc)
    results: list[Result] = []
    options = Options(max(1, args.jobs), args.maxfail, not args.in_process)

    def watched() -> Iterator[Result]:
        for result in run_cases(cases, options):
            results.append(result)
            yield result

    if args.format == "json":
        pieces = json_report(watched())
    else:
        pieces = text_report(
            watched(),
            len(cases),
            lambda: time.monotonic() - started_s,
            deselected=deselected,
            style=_style(args),
        )
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    remember(results)
    _write_reports(args, results, started)
    code = exit_code(results)
    bad = sum(not result.good for result in results)
    if bad and (args.mutate or args.mutation_html is not None):
        what = (
            "1 case is not good and notices" if bad == 1 else f"{bad} cases are not good and notice"
        )
        say(f"{what} no change")
    stopped = {id(result.case) for result in results if result.stopped}
    cases = [case for case in cases if id(case) not in stopped]
    if args.coverage or args.coverage_html is not None or args.lcov is not None:
        code = max(code, _cover(args, cases))
    if args.mutate or args.mutation_html is not None:
        code = max(code, _mutate(args, cases))
    return code


def _style(args: argparse.Namespace) -> Style:
    import shutil

    from rulekit.testing.report import Style

    terminal = sys.stdout.isatty()
    return Style(
        verbosity=args.verbose - args.quiet,
        colour=terminal and not os.environ.get("NO_COLOR"),
        width=shutil.get_terminal_size().columns if terminal else 80,
        slowest=args.durations,
    )


def _mutate(args: argparse.Namespace, cases: list[Case]) -> int:
    """Try mutants; 1 when too few are noticed."""
    import json

    from rulekit.cli.console import Progress
    from rulekit.testing import mutation_report
    from rulekit.testing.mutation import mutate, score
    from rulekit.text.render import printable

    progress = Progress()
    found = mutate(cases, max(1, args.jobs), progress=lambda n, of: progress.count(n, of, "rules"))
    progress.clear()
    if args.format == "json":
        data = {"mutation": mutation_report.mutation_json(found)}
        print(json.dumps(data, ensure_ascii=False))
    elif args.mutate:
        print("\n".join(["", *map(printable, mutation_report.mutation_text(found))]))
    if args.mutation_html is not None:
        write_file(args.mutation_html, mutation_report.mutation_page(found))
    if any(rule.problem for rule in found):
        return 1
    if args.fail_under is not None and score(found) * 100 < args.fail_under:
        say(f"the mutation score is {score(found):.1%}, below {args.fail_under:g} %")
        return 1
    return 0


def _cover(args: argparse.Namespace, cases: list[Case]) -> int:
    """Measure and report coverage; 1 when there is too little."""
    import json

    from rulekit.testing import coverage_report
    from rulekit.testing.coverage import measure
    from rulekit.text.render import printable

    found = measure(cases)
    if args.format == "json":
        print(json.dumps({"coverage": coverage_report.coverage_json(found)}, ensure_ascii=False))
    elif args.coverage:
        print("\n".join(["", *map(printable, coverage_report.coverage_text(found))]))
    if args.coverage_html is not None:
        write_file(args.coverage_html, coverage_report.coverage_page(found))
    if args.lcov is not None:
        write_file(args.lcov, coverage_report.lcov(found))
    if args.fail_under is not None and found.share * 100 < args.fail_under:
        say(f"coverage is {found.share:.1%}, below {args.fail_under:g} %")
        return 1
    return 0


def _write_reports(args: argparse.Namespace, results: list[Result], started: object) -> None:
    import json

    from rulekit import __version__
    from rulekit.testing.report import diagnostics
    from rulekit.text.render import github_annotations
    from rulekit.text.sarif import sarif

    if args.junit is not None:
        from rulekit.testing.junit import junit

        write_file(args.junit, junit(results, started))  # type: ignore[arg-type]
    if args.sarif is not None:
        log = sarif(diagnostics(results), __version__)
        write_file(args.sarif, json.dumps(log, indent=2, ensure_ascii=False) + "\n")
    if args.html is not None:
        from rulekit.testing.html import results_page

        write_file(args.html, results_page(results))
    if args.github:
        found = github_annotations(diagnostics(results))
        if found:
            print(found)


def _save(cases: list[Case], folder: Path) -> int:
    """Write inline events as captures or audit logs, one per case that has them."""
    import re

    from rulekit.testing.inline import scenario

    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for case in cases:
        if case.events is None:
            continue
        stem = re.sub(r"[^A-Za-z0-9]+", "-", case.name).strip("-").lower() or "case"
        name, n = stem, 1
        while name in taken:
            n += 1
            name = f"{stem}-{n}"
        taken.add(name)
        made = scenario(case.events)
        path = folder / f"{name}{made.suffix}"
        made.save(path)
        print(path)
    if not taken:
        say("none of the cases has inline events; nothing was written")
    return 0

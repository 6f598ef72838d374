"""``rulekit k8s scan``: rules over manifests."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from rulekit.alert import priority_number
from rulekit.cli.arguments import priority
from rulekit.cli.console import say
from rulekit.cli.falco import add_selection
from rulekit.cli.pods import add_verdicts, pod_engine

if TYPE_CHECKING:
    from rulekit.engine.pipeline import Engine
    from rulekit.kubernetes.scan import Finding, Scan

HELP = "run rules over manifests of Kubernetes, before they are applied"
DESCRIPTION = """\
Runs rules over the objects in manifests as if they were created: YAML or JSON files, folders, or -
for standard input. Without --rules the bundled ruleset pod_security is used: the Pod Security
Standards and read-only root file systems; --tag baseline, restricted or immutability chooses a
part.

Exit code 1 means findings, 2 that something could not be read; everything else was scanned."""
EXAMPLES = (
    (
        "rulekit k8s scan --fail-on emergency examples/manifests",
        "the files of a folder; to look at, whatever is found",
    ),
    (
        "rulekit k8s scan --tag baseline --format sarif examples/manifests/web.yaml",
        "one level of the Standards, for code scanning",
    ),
    (
        "cat examples/manifests/batch.yaml | rulekit k8s scan --format json --deny critical"
        " --fail-on critical -",
        "what a pipe delivers, a line for each finding",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "manifests", nargs="+", metavar="MANIFESTS", help="file, folder, or - for standard input"
    )
    what = parser.add_argument_group("what to run")
    add_verdicts(what)
    add_selection(what)
    what.add_argument(
        "--namespace",
        metavar="NAME",
        default="default",
        help="namespace of objects that do not say theirs (default)",
    )
    how = parser.add_argument_group("how to print")
    how.add_argument(
        "--format",
        choices=("text", "json", "sarif"),
        default="text",
        help="text (default), a line of json for each finding, or SARIF 2.1.0",
    )
    how.add_argument("-q", "--quiet", action="store_true", help="no summary")
    how.add_argument(
        "--fail-on",
        metavar="P",
        type=priority,
        default="Debug",
        help="exit with 1 only for findings of priority P or more urgent",
    )


def run(args: argparse.Namespace) -> int:
    """Scan; 1 for findings, 2 when something could not be read."""
    from rulekit.kubernetes.manifests import Problem
    from rulekit.kubernetes.scan import Scan
    from rulekit.kubernetes.scan_write import TextWriter, finding_json, problem_json, summary

    engine = pod_engine(args)
    if engine is None:
        return 2
    scan = Scan(engine, namespace=args.namespace)
    if args.format == "sarif":
        return _sarif(args, engine, scan)
    writer = TextWriter(sys.stdout, colour=sys.stdout.isatty())
    failed = False
    for found in scan.run(args.manifests):
        if isinstance(found, Problem):
            say(str(found))
            if args.format == "json":
                print(problem_json(found))
            continue
        failed |= _fails(args, found)
        if args.format == "json":
            print(finding_json(found))
        else:
            writer.finding(found)
    if not args.quiet:
        print(summary(scan.stats), file=sys.stderr)
    return 2 if scan.stats.problems else int(failed)


def _sarif(args: argparse.Namespace, engine: Engine, scan: Scan) -> int:
    from rulekit import __version__
    from rulekit.kubernetes.manifests import Problem
    from rulekit.kubernetes.scan_write import scan_sarif, summary

    problems: list[Problem] = []
    findings: list[Finding] = []
    for found in scan.run(args.manifests):
        if isinstance(found, Problem):
            say(str(found))
            problems.append(found)
        else:
            findings.append(found)
    print(json.dumps(scan_sarif(findings, problems, engine.rules, __version__), indent=2))
    if not args.quiet:
        print(summary(scan.stats), file=sys.stderr)
    return 2 if problems else int(any(_fails(args, found) for found in findings))


def _fails(args: argparse.Namespace, found: Finding) -> bool:
    return priority_number(found.alert.priority) <= priority_number(args.fail_on)

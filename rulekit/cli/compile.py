"""``rulekit compile``: rules into a file that loads fast; what compiling does, as text."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rulekit.cli.arguments import priority
from rulekit.cli.console import say
from rulekit.cli.falco import add_selection, falco_config
from rulekit.errors import RulekitError, reason

if TYPE_CHECKING:
    from rulekit.engine.pipeline import Engine

HELP = "compile rules into a file, or show what compiling makes of them"
DESCRIPTION = """\
Compiles rules into one file that `rulekit run -r FILE` loads in milliseconds: checked, macros and
lists put in, outputs included. The file has a version and a checksum; one of another version of
rulekit, or a damaged one, is refused. Which rules run is chosen here, not when the file is used.

`rulekit run` keeps what it compiled by itself, in $RULEKIT_CACHE, or else rulekit/programs in
$XDG_CACHE_HOME (~/.cache): this command is for rules that travel. RULEKIT_CACHE= keeps nothing.

--dump shows a stage instead: `ast` the conditions after macros, lists and exceptions; `ir` the
graph that all rules share, in which equal parts are one node; `program` what the matcher runs."""
EXAMPLES = (
    (
        "rulekit compile rulesets/persistence/rules.yaml -o program.rkc",
        "then `rulekit run -r program.rkc -e CAPTURE`",
    ),
    ("rulekit compile rulesets/persistence/rules.yaml --dump=program", "what the matcher runs"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "rules", nargs="+", metavar="RULES", type=Path, help="rules files, loaded in this order"
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where the program goes")
    parser.add_argument(
        "--dump", choices=("ast", "ir", "program"), help="print this stage to standard output"
    )
    which = parser.add_argument_group("which rules")
    which.add_argument(
        "--source", metavar="SOURCE", default="syscall", help="event source (default: syscall)"
    )
    which.add_argument(
        "--all-rules", action="store_true", help="also rules marked `enabled: false`"
    )
    which.add_argument(
        "--min-priority",
        metavar="P",
        type=priority,
        help="leave out rules less urgent than P (emergency ... debug)",
    )
    add_selection(which)


def run(args: argparse.Namespace) -> int:
    """Compile; 1 when the rules have errors."""
    from rulekit.cli.rules import load_or_explain

    if args.output is None and args.dump is None:
        raise RulekitError("say where the program goes (-o FILE), or what to show (--dump)")
    config = falco_config(args.falco_config, ())
    ruleset = load_or_explain(
        args.rules,
        append_output=config.append_output,
        static_fields=config.static_fields,
        sources={"syscall", args.source},
    )
    if ruleset is None:
        return 1
    from rulekit.engine.pipeline import Engine

    engine = Engine(
        ruleset,
        source=args.source,
        min_priority=args.min_priority or config.priority,
        all_rules=args.all_rules,
        selectors=(*config.selectors, *(args.selectors or ())),
        append_output=config.append_output,
    )
    if not engine.rules:
        say(
            "no rule is left to compile: all are disabled, for another source or below the priority"
        )
    if args.dump is not None:
        sys.stdout.write(_dump(engine, args.dump))
    if args.output is not None:
        try:
            engine.compiled().save(args.output)
        except OSError as error:
            raise RulekitError(f"{args.output}: {reason(error)}") from None
        size = args.output.stat().st_size
        say(f"{len(engine.rules)} rules compiled into {args.output}, {size} bytes")
    return 0


def _dump(engine: Engine, stage: str) -> str:
    if stage == "ast":
        from rulekit.rules.unparse import to_sexpr

        return "".join(f"rule {rule.name!r}: {to_sexpr(rule.node)}\n" for rule in engine.rules)
    from rulekit.compiler.dump import dump_graph, dump_program

    if stage == "program":
        return dump_program(engine.program)
    from rulekit.compiler.lower import lower

    return dump_graph(lower([(rule.name, rule.bound, None) for rule in engine.rules]))

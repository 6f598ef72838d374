"""What servers put behind their address: an engine for audit events, and a target of alerts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rulekit.cli.arguments import priority
from rulekit.cli.console import say
from rulekit.cli.falco import add_selection, falco_config, split_overrides
from rulekit.cli.listen import print_counters, ready
from rulekit.cli.printing import add_printing, formatter_of, open_writer
from rulekit.cli.rules import config_or_explain, load_or_explain
from rulekit.cli.targets import DeliveryTarget, LineTarget, Target
from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from rulekit.engine.pipeline import Engine
    from rulekit.engine.verdict import VerdictPolicy
    from rulekit.server.plan import ServerPlan
    from rulekit.server.receiver import Receiver

SOURCE = "k8s_audit"


def add_rules(group: argparse._ActionsContainer, *, rules: str) -> None:
    """Declare the arguments that choose rules, and ``--config``.

    Args:
        rules: Help of ``--rules``, as far as it differs.
    """
    group.add_argument(
        "-r",
        "--rules",
        metavar="RULES",
        action="append",
        type=Path,
        help=f"rules file; more of them are loaded in the order given{rules}",
    )
    group.add_argument(
        "--all-rules", action="store_true", help="also run rules marked `enabled: false`"
    )
    group.add_argument(
        "--min-priority",
        metavar="P",
        type=priority,
        help="leave out rules less urgent than P (emergency ... debug)",
    )
    add_selection(group)
    group.add_argument(
        "-c", "--config", metavar="FILE", help="a rulekit.yaml: rules, sinks and the ways to them"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Declare how alerts are printed."""
    how = parser.add_argument_group("how to print")
    add_printing(how, output="add alerts to FILE; without it they go to stdout")
    how.add_argument("-q", "--quiet", action="store_true", help="no summary")


def receive(
    args: argparse.Namespace, plan: ServerPlan, receiver: Receiver, target: Target, what: str
) -> int:
    """Answer until a signal ends it; return the exit code, 2 when alerts are left over."""
    from rulekit.server.serve import serve

    try:
        serve(receiver, plan, ready(plan, what), tell=say, stop_after_s=args.stop_after)
    finally:
        receiver.close()
        left = target.finish()
    if left is not None:
        say(left)
    if not args.quiet:
        print_counters(receiver.counters)
    return 0 if left is None else 2


def open_receiver(
    args: argparse.Namespace,
    *,
    matching: str | None = None,
    default_rules: Sequence[Path] = (),
    verdicts: VerdictPolicy | None = None,
) -> tuple[Engine, Target] | None:
    """Return engine and target for the arguments, or None after saying what is wrong.

    Args:
        matching: None is what a configuration says.
        default_rules: Where neither arguments nor a configuration name any.

    Raises:
        RulekitError: Arguments contradict each other.
        SinkError: Alerts cannot go where they are to.
    """
    from rulekit.engine.pipeline import Engine

    path, overrides = split_overrides(args.output, args.falco_config is not None)
    config = falco_config(args.falco_config, overrides)
    sinks = None
    if args.config is not None:
        if args.output or args.format or args.json_extra or args.falco_config:
            raise RulekitError(
                "-o, --format, --json-extra and --falco-config do not go with --config"
            )
        sinks = config_or_explain(args.config)
        if sinks is None:
            return None
        config = sinks.falco()
    formatter = formatter_of(args, config)
    rules = args.rules or config.rules_files or default_rules
    if not rules:
        raise RulekitError("no rules: name files with -r or in a configuration")
    ruleset = load_or_explain(
        rules,
        append_output=config.append_output,
        static_fields=config.static_fields,
        sources={"syscall", SOURCE},
    )
    if ruleset is None:
        return None
    engine = Engine(
        ruleset,
        source=SOURCE,
        matching=matching or config.rule_matching,
        min_priority=args.min_priority or config.priority,
        all_rules=args.all_rules,
        selectors=(*config.selectors, *(args.selectors or ())),
        append_output=config.append_output,
        hostname=sinks.options.host if sinks else None,
        context=sinks.context if sinks else formatter.context,
        verdicts=verdicts,
    )
    if not engine.rules:
        raise RulekitError("no rule for k8s_audit is left to run")
    if sinks is not None:
        return engine, DeliveryTarget(sinks, engine.hostname, True, say)
    return engine, LineTarget(open_writer(path, append=True), formatter)

"""What commands share that judge objects of Kubernetes: rules, and what matches lead to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rulekit.cli.arguments import priority
from rulekit.cli.falco import falco_config
from rulekit.cli.rules import load_or_explain
from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from rulekit.engine.pipeline import Engine


def add_verdicts(group: argparse._ActionsContainer) -> None:
    """Declare the arguments."""
    group.add_argument(
        "-r",
        "--rules",
        metavar="RULES",
        action="append",
        type=Path,
        help="rules file; more of them are loaded in the order given; without one, the bundled"
        " ruleset pod_security",
    )
    group.add_argument(
        "--deny",
        metavar="P",
        type=priority,
        default="Error",
        help="rules of priority P or more urgent deny, all others warn (error); a rule with a tag"
        " action_deny, action_warn or action_allow says so itself",
    )
    group.add_argument(
        "--min-priority", metavar="P", type=priority, help="leave out rules less urgent than P"
    )


def pod_engine(args: argparse.Namespace, on_error: str = "deny") -> Engine | None:
    """Return the engine that the arguments ask for, or None after saying what is wrong.

    Raises:
        RulekitError: No rule is left to run.
    """
    from rulekit.engine.pipeline import Engine
    from rulekit.engine.verdict import VerdictPolicy
    from rulekit.testing.bundled import bundled_rulesets

    config = falco_config(args.falco_config, [])
    rules = args.rules or config.rules_files
    if not rules:
        rules = [bundled_rulesets() / "pod_security" / "rules.yaml"]
    ruleset = load_or_explain(
        rules,
        append_output=config.append_output,
        static_fields=config.static_fields,
        sources={"syscall", "k8s_audit"},
    )
    if ruleset is None:
        return None
    engine = Engine(
        ruleset,
        source="k8s_audit",
        matching="all",
        min_priority=args.min_priority or config.priority,
        selectors=(*config.selectors, *(args.selectors or ())),
        append_output=config.append_output,
        verdicts=VerdictPolicy(deny=args.deny, on_error=on_error),  # type: ignore[arg-type]
    )
    if not engine.rules:
        raise RulekitError("no rule for k8s_audit is left to run")
    return engine

"""Rules that a command looks at without running them: which ones, and where from."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rulekit.cli.arguments import add_rules
from rulekit.cli.falco import add_selection, falco_config
from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from rulekit.rules.ruleset import Rule


def add_chosen(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    group = parser.add_argument_group("rules")
    add_rules(group, required=False)
    group.add_argument(
        "--all-rules", action="store_true", help="also count rules marked `enabled: false`"
    )
    add_selection(group)


def chosen_or_explain(
    args: argparse.Namespace, sources: Iterable[str] = ("syscall",)
) -> tuple[Rule, ...] | None:
    """Return the rules that would run, or None after saying why there are none.

    Raises:
        RulekitError: No file is named, or the configuration of Falco cannot be used.
    """
    from rulekit.alert import priority_number
    from rulekit.cli.rules import load_or_explain
    from rulekit.rules.priority import Priority
    from rulekit.rules.selection import select_rules

    config = falco_config(args.falco_config, ())
    paths = args.rules or config.rules_files
    if not paths:
        raise RulekitError("no rules: name files with -r or in a falco.yaml")
    ruleset = load_or_explain(paths, config.append_output, config.static_fields, sources)
    if ruleset is None:
        return None
    return select_rules(
        ruleset,
        selectors=(*config.selectors, *(args.selectors or ())),
        min_priority=Priority(priority_number(config.priority or "debug")),
        all_rules=args.all_rules,
    )

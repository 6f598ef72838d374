"""Loads rules for commands that need them; what is wrong is explained on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rulekit.cli.console import say
from rulekit.errors import RuleError, RulekitError

if TYPE_CHECKING:
    from rulekit.config.read import Config
    from rulekit.rules.falco_config import AppendOutput
    from rulekit.rules.ruleset import Ruleset
    from rulekit.text.diagnostic import Diagnostic


def load_or_explain(
    paths: Sequence[Path],
    append_output: Sequence[AppendOutput] = (),
    static_fields: Mapping[str, str] | None = None,
    sources: Iterable[str] = ("syscall",),
) -> Ruleset | None:
    """Return the rules of some files, or None after saying why there are none.

    Warnings are counted; what they say is left to `rulekit check`.

    Raises:
        RulekitError: A file holds compiled rules, whose text is gone.
    """
    from rulekit.engine.compiled import is_compiled
    from rulekit.rules.loader import load_files

    for path in paths:
        if is_compiled(path):
            raise RulekitError(f"{path}: compiled rules: this needs the text they were made from")

    result = load_files(
        paths, append_output=append_output, static_fields=static_fields, sources=sources
    )
    errors = [found for found in result.diagnostics if found.severity == "error"]
    if not result.ok or result.ruleset is None:
        explain(errors or result.fatal, sys.stderr)
        say(f"the rules cannot be used: {counts(errors or result.fatal)}; nothing was run")
        return None
    say_warnings(result.ruleset.warnings)
    return result.ruleset


def say_warnings(count: int) -> None:
    """Say how many warnings the rules have, when they have any."""
    if count:
        shown = "1 warning" if count == 1 else f"{count} warnings"
        say(f"the rules have {shown}: see `rulekit check`")


def config_or_explain(path: str) -> Config | None:
    """Return a configuration, or None after saying why it cannot be used."""
    from rulekit.config.read import read_config

    try:
        return read_config(path)
    except RuleError as error:
        explain(error.diagnostics, sys.stderr)
        say(f"{path} cannot be used: {counts(error.diagnostics)}")
        return None


def explain(diagnostics: Sequence[Diagnostic], stream: TextIO) -> None:
    """Write diagnostics with the lines they are about."""
    from rulekit.text.render import render

    if diagnostics:
        stream.write(render(diagnostics, colour=stream.isatty()) + "\n\n")


def counts(diagnostics: Sequence[Diagnostic]) -> str:
    """Return how many errors and warnings there are."""
    from rulekit.text.render import render_counts

    return render_counts(diagnostics)

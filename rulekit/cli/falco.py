"""What Falco's users choose rules with: names, tags, and a ``falco.yaml`` with overrides."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from rulekit.rules.falco_config import FalcoConfig, Selector

_OVERRIDE = re.compile(r"[A-Za-z_][\w.\[\]]*=")


class _Select(argparse.Action):
    """Collects selectors of all options in the order of the command line: the last one decides."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        # Only now: reading configurations needs libraries that most commands do without.
        from rulekit.rules.falco_config import Selector

        chosen: list[Selector] = list(getattr(namespace, self.dest) or ())
        text = str(values)
        if option_string == "--tag" and not getattr(namespace, "only_tags", False):
            # As `-t` of Falco: naming a tag leaves out every rule without one of the named tags.
            chosen.append(Selector(False, rule="*"))
            namespace.only_tags = True
        name = {} if option_string in ("--tag", "--disable-tag") else {"rule": text}
        tag = {"tag": text} if not name else {}
        chosen.append(Selector(option_string in ("--enable", "--tag"), **name, **tag))
        setattr(namespace, self.dest, chosen)


def add_selection(parser: argparse._ActionsContainer) -> None:
    """Add the options that choose rules; they end up in ``args.selectors`` and so on."""
    for option, metavar, text in (
        ("--enable", "NAME", "enable the rules with this name; `*` stands for any text"),
        ("--disable", "NAME", "disable the rules with this name; `*` stands for any text"),
        ("--tag", "TAG", "run only rules with this tag, or another one named so"),
        ("--disable-tag", "TAG", "disable the rules with this tag"),
    ):
        parser.add_argument(option, metavar=metavar, dest="selectors", action=_Select, help=text)
    parser.add_argument(
        "--falco-config",
        metavar="FILE",
        help="a falco.yaml: its rule files, selections, priority, matching, appended outputs and"
        " forms of alerts count; other options go before it; -o key=value changes a key of it",
    )


def split_overrides(values: Sequence[str], has_config: bool) -> tuple[str | None, list[str]]:
    """Tell the two meanings of ``-o`` apart: the file for alerts, and ``key=value`` of Falco."""
    overrides = [v for v in values if has_config and _OVERRIDE.match(v)]
    files = [v for v in values if v not in overrides]
    if len(files) > 1:
        raise RulekitError(f"-o names more than one file: {', '.join(files)}")
    return (files[0] if files else None), overrides


def falco_config(path: str | None, overrides: Sequence[str]) -> FalcoConfig:
    """Return the configuration; where none is named, one that changes nothing."""
    from rulekit.rules.falco_config import FalcoConfig, read_falco_config

    return FalcoConfig() if path is None else read_falco_config(path, overrides)

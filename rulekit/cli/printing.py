"""The forms that alerts are printed in, and where to: options that several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from rulekit.formats.base import Formatter
    from rulekit.rules.falco_config import FalcoConfig
    from rulekit.sinks.lines import LineWriter


def add_printing(group: argparse._ActionsContainer, *, output: str) -> None:
    """Declare the arguments.

    Args:
        output: Help of ``-o``.
    """
    group.add_argument(
        "--format",
        choices=("text", "json", "ecs", "ocsf", "cef", "cim", "rfc5424"),
        help="text (default), json: both as Falco's; fields of Elastic (ecs), OCSF, ArcSight (cef)"
        " or Splunk (cim); syslog messages (rfc5424)",
    )
    group.add_argument(
        "--json-extra",
        action="store_true",
        help="json with one key more, `rulekit`: id, hash of the rule, position, completeness",
    )
    group.add_argument("-o", "--output", metavar="FILE", action="append", default=[], help=output)
    group.add_argument(
        "--iso8601", action="store_true", help="print times with date and in UTC, not local"
    )


def formatter_of(args: argparse.Namespace, config: FalcoConfig) -> Formatter:
    """Return the formatter that arguments and configuration ask for.

    Raises:
        RulekitError: They contradict each other.
    """
    iso8601 = args.iso8601 or config.time_format_iso_8601
    name = args.format or ("json" if config.json_output or args.json_extra else "text")
    if args.json_extra and name != "json":
        raise RulekitError("--json-extra is for --format json")
    if name == "json":
        from rulekit.formats.json import JsonFormatter

        return JsonFormatter(
            iso8601=iso8601,
            message=config.json_include_message,
            output=config.json_include_output,
            output_fields=config.json_include_output_fields,
            tags=config.json_include_tags,
            extra=args.json_extra,
        )
    if name == "text":
        from rulekit.formats.text import TextFormatter

        return TextFormatter(iso8601=iso8601)
    from rulekit.delivery.kinds import format_kind

    return format_kind(name)()


def open_writer(path: str | None, *, append: bool) -> LineWriter:
    """Return a writer to a file, or to standard output.

    Raises:
        SinkError: The file cannot be opened.
    """
    if path is None:
        from rulekit.sinks.stdout import open_stdout

        return open_stdout()
    from rulekit.sinks.lines import open_file

    return open_file(path, append=append)

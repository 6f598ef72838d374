"""Makes the pages of docs/reference that come from tables and from the command line.

python docs/_generate.py            write the pages
python docs/_generate.py --check    exit with 1 when a page is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rulekit.cli.fields import CLASSES  # noqa: E402
from rulekit.cli.main import COMMANDS, command  # noqa: E402
from rulekit.schema.events import event_types  # noqa: E402
from rulekit.schema.fields import current_fields  # noqa: E402

REFERENCE = ROOT / "docs" / "reference"
NOTE = "<!-- Made by docs/_generate.py; do not edit. -->\n\n"


def cell(text: str) -> str:
    """Return text that is safe inside a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def fields_page() -> str:
    """Return the page of all fields, one table per class."""
    out = [NOTE, "# Fields\n\n"]
    out.append("What conditions and outputs can name; `rulekit fields` prints the same.\n")
    last = None
    for field in current_fields():
        if "hidden" in field.restrictions:
            continue
        if (field.cls, field.source) != last:
            last = (field.cls, field.source)
            where = "every source" if field.source == "any" else f"source `{field.source}`"
            out.append(f"\n## {field.cls} ({where})\n\n{CLASSES[field.cls].capitalize()}.\n\n")
            out.append("| field | type | argument | meaning |\n| --- | --- | --- | --- |\n")
        kind = ("list of " if field.is_list else "") + field.kind.value
        argument = "" if field.arg == "none" else f"{field.arg}: {field.arg_form}"
        meaning = field.desc + (" (deprecated)" if field.deprecated else "")
        out.append(f"| `{field.name}` | {kind} | {cell(argument)} | {cell(meaning)} |\n")
    return "".join(out)


def events_page() -> str:
    """Return the page of event types with their parameters, newest form of each."""
    out = [NOTE, "# Event types\n\n"]
    out.append(
        "The names that `evt.type` takes, with the parameters that `evt.arg.NAME` can ask for."
        " Outdated forms of events in old captures are converted to these.\n\n"
    )
    out.append("| event type | category | parameters |\n| --- | --- | --- |\n")
    rows: dict[str, tuple[str, str]] = {}
    for event in event_types():
        if not event.is_exit and not event.params:
            continue
        if "EF_OLD_VERSION" in event.flags or event.name == "NA":
            continue
        names = ", ".join(f"`{param.name}`" for param in event.params)
        category = event.category.removeprefix("EC_").lower()
        rows[event.name] = (category, names)
    for name, (category, names) in sorted(rows.items()):
        out.append(f"| `{name}` | {cell(category)} | {names} |\n")
    return "".join(out)


def cli_page() -> str:
    """Return the page of the command line: every command with arguments and examples."""
    out = [NOTE, "# Command line\n\n"]
    out.append("Data goes to stdout, everything else to stderr.\n\n")
    out.append("| exit code | means |\n| --- | --- |\n| 0 | all well |\n")
    out.append("| 1 | findings: bad rules, a failed case, an alert that `--fail-on` names |\n")
    out.append("| 2 | could not do it; what was found before is kept |\n")
    for name in COMMANDS:
        module = command(name)
        parser = argparse.ArgumentParser(add_help=False)
        module.add_arguments(parser)
        out.append(f"\n## rulekit {name}\n\n{module.DESCRIPTION}\n\n")
        out.append("| argument | meaning |\n| --- | --- |\n")
        for action in parser._actions:
            value = action.metavar or ("|".join(action.choices) if action.choices else action.dest)
            names = ", ".join(action.option_strings)
            takes = action.nargs != 0
            shown = f"{names} {value}" if names and takes else names or str(value)
            out.append(f"| `{cell(shown)}` | {cell(action.help or '')} |\n")
        out.append("\n```sh\n")
        out += [f"{line}  # {why}\n" for line, why in module.EXAMPLES]
        out.append("```\n")
    return "".join(out)


PAGES: dict[str, Callable[[], str]] = {
    "fields.md": fields_page,
    "events.md": events_page,
    "cli.md": cli_page,
}


def main() -> int:
    """Write or check every page."""
    check = "--check" in sys.argv[1:]
    stale = []
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        path = REFERENCE / name
        text = make()
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, "utf-8")
    if check and stale:
        print(f"run python docs/_generate.py: {', '.join(stale)} would change", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Lists that ``rulekit events`` prints without a capture: event types and summaries."""

from __future__ import annotations

import json
import textwrap
from typing import Any


def event_types(form: str) -> int:
    """Print the types of events in their newest form, with parameters."""
    from rulekit.schema.events import event_types as every

    for kind in every():
        # Enter events of system calls are no longer shown, and old forms become the new ones.
        gone = kind.source == "SYSCALL" and not kind.is_exit
        if gone or kind.name == "NA" or kind.flags & {"OLD_VERSION", "UNUSED"}:
            continue
        direction = "<" if kind.is_exit else ">"
        if form == "json":
            params = [{"name": p.name, "type": p.type.removeprefix("PT_")} for p in kind.params]
            print(json.dumps({"name": kind.name, "dir": direction, "params": params}))
        else:
            params_text = ", ".join(f"{p.type.removeprefix('PT_')} {p.name}" for p in kind.params)
            print(f"{direction} {kind.name}({params_text})")
    return 0


def summaries(form: str) -> int:
    """Print the names of the summaries by category."""
    from rulekit.tools.summaries.index import summaries as every

    last = None
    for one in every().values():
        if form == "json":
            print(json.dumps(_as_json(one)))
            continue
        if one.category != last:
            last = one.category
            print(f"\n{last}\n{'-' * len(last)}")
        print(f"{one.name:<20}{one.help}")
    return 0


def describe(name: str, form: str) -> int:
    """Print what a summary shows and its arguments."""
    from rulekit.tools.summaries.index import summary

    one = summary(name)
    if form == "json":
        print(json.dumps(_as_json(one)))
        return 0
    call = " ".join(a.name.upper() if a.required else f"[{a.name.upper()}]" for a in one.arguments)
    print(f"-c {one.name} {call}".rstrip())
    doc = (one.run.__doc__ or "").strip().partition("\n")[2]
    print(f"    {one.help}")
    if doc:
        print(textwrap.indent(textwrap.dedent(doc).strip(), "    "))
    for argument in one.arguments:
        print(f"    {argument.name.upper()} ({argument.kind}): {argument.help}")
    return 0


def _as_json(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "category": one.category,
        "help": one.help,
        "arguments": [
            {"name": a.name, "type": a.kind, "required": a.required, "help": a.help}
            for a in one.arguments
        ],
    }

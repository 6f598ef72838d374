"""Chains of conversions of outdated event forms, each followed to its end.

The rules of ``tables/event_converter.json`` are steps, up to a dozen one after the other for one
event. Which steps apply depends on type and parameter count alone.
"""

from __future__ import annotations

from typing import Any

# Where the bytes of a parameter come from: (kind, index, fill length, fill with ones, cut).
Part = tuple[str, int, int, bool, int | None]

WIDTHS = {
    "INT8": 1,
    "INT16": 2,
    "INT32": 4,
    "INT64": 8,
    "UINT8": 1,
    "UINT16": 2,
    "UINT32": 4,
    "UINT64": 8,
    "ERRNO": 8,
    "FD": 8,
    "PID": 8,
    "SYSCALLID": 2,
    "SIGTYPE": 1,
    "RELTIME": 8,
    "ABSTIME": 8,
    "PORT": 2,
    "L4PROTO": 1,
    "SOCKFAMILY": 1,
    "BOOL": 4,
    "IPV4ADDR": 4,
    "FLAGS8": 1,
    "FLAGS16": 2,
    "FLAGS32": 4,
    "UID": 4,
    "GID": 4,
    "DOUBLE": 8,
    "SIGSET": 4,
    "IPV6ADDR": 16,
    "MODE": 4,
    "ENUMFLAGS8": 1,
    "ENUMFLAGS16": 2,
    "ENUMFLAGS32": 4,
    "FD32": 4,
    "PID32": 4,
}  # types that are not here have no fixed width


def _static(type_name: str, what: str) -> tuple[int, bool]:
    """Return the fill of a parameter: (length, ones)."""
    if what == "empty":
        return 0, False
    return WIDTHS.get(type_name, 0), type_name in ("UID", "GID")


def follow(
    type_id: int,
    n: int,
    events: list[dict[str, Any]],
    rules: dict[tuple[int, int], dict[str, Any]],
    max_rounds: int,
) -> tuple[str, int, list[Part], int | None]:
    """Follow the chain of conversions of one form to its end.

    Returns:
        (terminal, final type, sources, enter type or None); a source is (kind, index, fill length,
        fill with ones, cut).
    """
    sources: list[Part] = [("old", i, 0, False, None) for i in range(n)]
    enter_type = None
    for _ in range(max_rounds):
        event = events[type_id]
        flags = event["flags"]
        is_exit = event["dir"] == "<"
        if "UNUSED" in flags:
            return "drop", type_id, sources, enter_type
        if "CONVERTER_MANAGED" not in flags:
            dropped = "OLD_VERSION" in flags and not is_exit
            return "drop" if dropped else "deliver", type_id, sources, enter_type
        if is_exit:
            if n > len(event["params"]):
                return "too_many", type_id, sources, enter_type
            if n == len(event["params"]) and "OLD_VERSION" not in flags:
                return "deliver", type_id, sources, enter_type
        rule = rules.get((type_id, n))
        if rule is None:
            return "no_rule", type_id, sources, enter_type
        action = rule["action"]
        if action == "pass":
            return "deliver", type_id, sources, enter_type
        if action in ("store", "store_and_pass"):
            return action, type_id, sources, enter_type
        target = rule["to"] if action == "change_type" else type_id
        made: list[Part] = [] if action == "change_type" else list(sources)
        # A rule that used the enter event forgets it: a later round of the chain sees none.
        enter_gone = enter_type is not None
        for param in rule["params"]:
            name = events[target]["params"][len(made)]["type"].removeprefix("PT_")
            width = WIDTHS.get(name)
            origin = param["from"]
            if origin == "old":
                kind, index, fill, ones, cut = sources[param["index"]]
                if width is not None:
                    fill = min(fill, width)
                    cut = width if cut is None else min(cut, width)
                made.append((kind, index, fill, ones, cut))
            elif origin == "enter" and not enter_gone:
                enter_type = type_id - 1
                made.append(("enter", param["index"], *_static(name, param["missing"]), width))
            elif origin == "callback":
                made.append(("callback", 0, 0, False, None))
            else:
                what = param["missing"] if origin == "enter" else origin
                made.append(("static", 0, *_static(name, what), None))
        sources, type_id, n = made, target, len(made)
    raise ValueError(f"conversion of event type {type_id} does not end")

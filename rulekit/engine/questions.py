"""Conditions and outputs asked of one capture, without rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rulekit._fastmatch import Matcher
from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.engine.limits import StateLimits
from rulekit.engine.pipeline import CapturePath, bind
from rulekit.engine.stats import Stats
from rulekit.errors import RuleError
from rulekit.sources.opening import open_reader
from rulekit.state._outputs import OutputProgram

if TYPE_CHECKING:
    from rulekit.rules.bound import Bound


def match_conditions(
    source: CapturePath,
    conditions: Sequence[str],
    *,
    limits: StateLimits | None = None,
    stats: Stats | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield ``{"condition", "matches"}`` or ``{"condition", "error"}`` for each one, in order.

    Positions are 1-based among all event headers of the capture. One pass serves all conditions.
    `limits` bounds what it remembers, `stats` is filled when it ends.
    """
    from rulekit.compiler.program import compile_ruleset

    errors: dict[int, str] = {}
    bound: dict[int, Bound] = {}
    for i, condition in enumerate(conditions):
        try:
            bound[i] = bind(condition)
        except RuleError as e:
            errors[i] = str(e)
    matches: list[list[int]] = [[] for _ in bound]
    program = compile_ruleset([(str(i), condition, None) for i, condition in bound.items()])
    loop = EventLoop(open_reader(source), Matcher(program), limits=limits, stats=stats)
    try:
        while (found := loop.next()) is not None:
            if found:
                position = loop.raw
                for rule in loop.matched():
                    matches[rule].append(position)
    finally:
        loop.close()
    answers = iter(matches)
    for i, condition in enumerate(conditions):
        if i in errors:
            yield {"condition": condition, "error": errors[i]}
        else:
            yield {"condition": condition, "matches": next(answers)}


def render_outputs(
    source: CapturePath,
    wanted: Sequence[tuple[int, str]],
    *,
    limits: StateLimits | None = None,
    stats: Stats | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield ``{"text", "fields"}`` or ``{"error"}`` for each (position, format) pair, in order.

    `limits` and `stats` are as in `match_conditions`.
    """
    by_event: dict[int, list[int]] = {}
    outputs: dict[str, OutputProgram] = {}
    answers: list[dict[str, Any]] = []
    for i, (event, text) in enumerate(wanted):
        answers.append({"error": f"no event at position {event} is shown to rules"})
        try:
            if text not in outputs:
                outputs[text] = compile_output(text)
        except RuleError as e:
            answers[i] = {"error": str(e)}
            continue
        by_event.setdefault(event, []).append(i)
    loop = EventLoop(open_reader(source), limits=limits, stats=stats)
    try:
        while (found := loop.next()) is not None:
            for i in by_event.get(loop.raw, ()) if found else ():
                message, fields = loop.render(outputs[wanted[i][1]])
                answers[i] = {"text": message, "fields": fields or None}
    finally:
        loop.close()
    yield from answers

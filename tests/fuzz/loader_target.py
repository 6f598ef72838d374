"""What must hold for any bytes given to the loader and to the condition parser.

`examine` takes one input and returns quietly, or raises `Defect` (or whatever escaped). An input
that begins with ``?`` is a condition on its own, anything else is one or more rule files, parted
by lines of `NEXT_FILE`. The folder of this file must be on ``sys.path``.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable
from typing import Any

from rule_seeds import NEXT_FILE

from rulekit.engine.pipeline import Engine
from rulekit.errors import RuleError
from rulekit.rules.ast import ListItems, LiteralNode, Node
from rulekit.rules.check import check_condition
from rulekit.rules.loader import LoadResult, load_files
from rulekit.rules.parser import ConditionSyntaxError, parse_condition
from rulekit.rules.report import load_json, load_summary
from rulekit.rules.unparse import to_sexpr, unparse
from rulekit.rules.yaml import decode_text
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.render import render
from rulekit.text.source import SourceText, Span
from rulekit.tools.fmt import format_text

# A second per 100 kB, and what any input may take whatever its size. What is larger than that has
# no more to say per byte: with the same measure for all 50 MB of it nothing could ever be too slow.
SECONDS_PER_BYTE = 1.0 / 100_000
SECONDS_ALWAYS = 0.25
LARGE_BYTES = 2_000_000
SECONDS_PER_LARGE_BYTE = 0.1 / 1_000_000


MOST_WRITTEN = 5


class Defect(Exception):
    """Something that must never happen, happened."""


def examine(data: bytes, *, slowness: float = 1.0, more: bool = False) -> str:
    """Load one input and hold what comes out to the promises.

    Args:
        slowness: Factor on the time allowed: instrumented code is slower.
        more: Also compile the rules that load, and format the files.

    Returns:
        How it ended: ``ok``, or ``refused`` and the code of the first error.

    Raises:
        Defect: A promise is broken. Any other exception escaped from the loader.
    """
    clock = Clock(seconds_allowed(len(data)) * slowness)
    return _condition(data[1:], clock) if data[:1] == b"?" else _files(data, more, clock)


def seconds_allowed(n_bytes: int) -> float:
    """Return the CPU time that an input of a size may take."""
    large = max(0, n_bytes - LARGE_BYTES)
    return SECONDS_ALWAYS + (n_bytes - large) * SECONDS_PER_BYTE + large * SECONDS_PER_LARGE_BYTE


class Clock:
    """Seconds of CPU that loading may take; what the checks themselves take does not count."""

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self.started = time.process_time()
        self.used = 0.0

    def stop(self) -> None:
        """Take the time.

        Raises:
            Defect: It was too long.
        """
        self.used = time.process_time() - self.started
        if self.used > self.allowed:
            raise Defect(f"slow: {self.used:.2f} s instead of {self.allowed:.2f} s at most")


def _condition(data: bytes, clock: Clock) -> str:
    text = SourceText("condition", data.decode("utf-8", "replace"))
    try:
        node = parse_condition(text)
    except ConditionSyntaxError as error:
        return _refused(error.diagnostics)
    clock.stop()
    same_after_writing(node)
    to_sexpr(node)
    try:
        parse_condition(text, max_depth=100)
    except ConditionSyntaxError as error:
        if error.error_class != "depth":
            raise Defect(f"a smaller depth gives {error.error_class}") from None
    result = check_condition(node, "syscall", stand_alone=True)
    _spans(result.diagnostics)
    render(result.diagnostics)
    if result.bound is None:
        return _refused(result.diagnostics)
    return "ok"


def _files(data: bytes, more: bool, clock: Clock) -> str:
    texts = []
    for i, part in enumerate(data.split(NEXT_FILE)):
        try:
            texts.append(decode_text(f"{i}.yaml", part))
        except RuleError as error:
            return _refused(error.diagnostics)
    result = load_files(texts)
    clock.stop()
    _shown(result)
    if more:
        for text in texts:
            _formatted(text.text)
    if result.ruleset is None:
        return _refused(result.diagnostics)
    # Rules by the thousand are as good as some: writing them all takes minutes.
    for rule in result.ruleset.rules[:MOST_WRITTEN]:
        same_after_writing(rule.written)
        same_after_writing(rule.node)
    for macro in result.ruleset.macros.values():
        same_after_writing(macro.written)
    if more:
        Engine(result.ruleset)
    return "ok"


def _shown(result: LoadResult) -> None:
    _spans(result.diagnostics)
    render(result.diagnostics).encode("utf-8", "replace")
    load_summary(result)
    json.dumps(load_json(result))
    for file in result.files:
        if len(file.errors) > 1:
            raise Defect("more than one error of a file in the peer's form")
    if any(file.errors for file in result.files) != (result.ruleset is None):
        raise Defect("the files and the ruleset disagree")
    if result.ruleset is not None and any(d.severity == "error" for d in result.diagnostics):
        fatal = {id(d) for d in result.fatal}
        if any(d.severity == "error" and id(d) not in fatal for d in result.diagnostics):
            raise Defect("an error is shown for rules that load")


def _formatted(text: str) -> None:
    try:
        once = format_text(text).text
    except RuleError as error:
        _refused(error.diagnostics)
        if "formatt" in str(error):
            raise Defect(f"not formatted: {error}") from None
        return
    if format_text(once).text != once:
        raise Defect("formatting twice gives another text")


def _refused(diagnostics: Iterable[Diagnostic]) -> str:
    found = list(diagnostics)
    codes = [d.code for d in found if d.severity == "error"]
    if not codes:
        raise Defect("refused without an error")
    _spans(found)
    return f"refused {codes[0]}"


def _spans(diagnostics: Iterable[Diagnostic]) -> None:
    for found in diagnostics:
        if not found.message or not found.code:
            raise Defect("a diagnostic without words")
        spans = [found.span, *(label.span for label in found.labels)]
        if found.fix:
            spans.append(found.fix.span)
        for span in spans:
            _inside(span, found)
            _inside(span.outermost(), found)


def _inside(span: Span, found: Diagnostic) -> None:
    if not 0 <= span.start <= span.end <= len(span.source.text) + 1:
        raise Defect(f"{found.code} points outside of its text")


def same_after_writing(node: Node) -> None:
    """Hold ``parse ∘ unparse`` to be the identity, spans aside."""
    text = unparse(node)
    try:
        again = parse_condition(SourceText("unparsed", text), max_depth=1_000_000)
    except ConditionSyntaxError as error:
        raise Defect(f"what was written does not read: {error}") from None
    if shape(again) != shape(node):
        raise Defect("what was written reads as another tree")


def shape(node: Any) -> Any:
    """Return a tree without its spans."""
    if isinstance(node, (tuple, ListItems)):
        return tuple(shape(item) for item in node)
    if not dataclasses.is_dataclass(node):
        return node
    values = (getattr(node, f.name) for f in dataclasses.fields(node) if f.name != "span")
    if isinstance(node, LiteralNode) and (
        node.text in ("oneof", "anyof", "allof") or any(c < " " for c in node.text)
    ):
        # Written in quotes, lest it be read as a modifier, or not be seen.
        return ("LiteralNode", node.text)
    return (type(node).__name__, *(shape(value) for value in values))

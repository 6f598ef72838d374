"""Verdicts about single documents, for any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from rulekit.alert import Alert
from rulekit.compiler.tables import Program
from rulekit.engine._documents import DocumentLoop
from rulekit.engine.evaluate import Evaluators
from rulekit.engine.verdict import ACTIONS, Verdict, VerdictPolicy
from rulekit.errors import RulekitError
from rulekit.sources.kubernetes import event_if_object, event_of

if TYPE_CHECKING:
    from rulekit.rules.ruleset import Rule

_ALLOWED = Verdict("allow")


class Judge:
    """Answers about documents; thread-safe.

    Args:
        rules: In the order of the program.
        build: Makes an alert of a loop's current event and the index of a rule.
    """

    def __init__(
        self,
        program: Program,
        rules: Sequence[Rule],
        source: str,
        policy: VerdictPolicy,
        build: Callable[[DocumentLoop, int], Alert],
    ) -> None:
        self._evaluators = Evaluators(program, source, first_match=False)
        self._names = [rule.name for rule in rules]
        # Nobody asks about system calls.
        asked = () if source == "syscall" else rules
        self._actions = [ACTIONS.index(policy.action_of(rule)) for rule in asked]
        self._on_error = ACTIONS.index(policy.on_error)
        self._source = source
        self._build = build

    def decide(self, document: bytes | str | object, alerts: bool) -> Verdict:
        """Return the verdict about a document, see `rulekit.engine.pipeline.Engine.decide`."""
        if self._source == "syscall":
            raise RulekitError("verdicts are about documents, not about system calls")
        try:
            if isinstance(document, str):
                text = document.encode("utf-8", "surrogatepass")
            elif isinstance(document, bytes):
                text = document
            elif isinstance(document, (bytearray, memoryview)):
                text = bytes(document)
            else:
                text = msgspec.json.encode(document)
        except Exception as error:
            return self._refusal(f"cannot be made JSON: {error or type(error).__name__}")
        try:
            return self._judge(text, alerts)
        except Exception as error:  # a verdict is owed whatever happens
            return self._refusal(f"{type(error).__name__}: {error}")

    def _judge(self, text: bytes, alerts: bool) -> Verdict:
        build = self._alert if alerts else None
        try:
            event = event_if_object(text) if self._source == "k8s_audit" else None
            found, _, _, problem, foreign = self._evaluators.evaluate(
                text if event is None else event, build
            )
            if foreign:
                found, _, _, problem, _ = self._evaluators.evaluate(event_of(text), build)
        except ValueError as error:
            return self._refusal(str(error))
        if not found and problem is None:
            return _ALLOWED
        indices = [each[0] for each in found] if alerts else found
        worst = max((self._actions[index] for index in indices), default=0)
        if problem is not None:
            worst = max(worst, self._on_error)
        return Verdict(
            ACTIONS[worst],
            tuple(self._names[index] for index in sorted(set(indices))),
            problem or "",
            tuple(each[1] for each in found) if alerts else (),
        )

    def _alert(self, loop: DocumentLoop, index: int) -> tuple[int, Alert]:
        return index, self._build(loop, index)

    def _refusal(self, problem: str) -> Verdict:
        return Verdict(ACTIONS[self._on_error], (), problem)

"""The admission webhook: allow, warn or deny what is to be created or changed."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rulekit.alert import Alert
from rulekit.engine.pipeline import Engine
from rulekit.engine.verdict import Verdict
from rulekit.errors import SinkError
from rulekit.server.exchange import Refusal
from rulekit.server.plan import ServerPlan
from rulekit.server.receiver import Deliver, Receiver
from rulekit.sources.kubernetes import Review, read_review

# A review of this size takes some hundred microseconds: less than to hand it to another thread.
_AT_ONCE_BYTES = 256 * 1024

# Requests whose alerts wait, in memory, for the sinks to take them.
_MAX_UNDELIVERED = 1000

# The API server cuts longer ones.
_WARNING_CHARS = 256
_WARNINGS_CHARS = 4096
_MESSAGE_CHARS = 4096


class AdmissionWebhook(Receiver):
    """Answers AdmissionReviews of ``admission.k8s.io/v1``.

    A body that is no review is answered with 400: the API server then does what its
    ``failurePolicy`` says. What a review asks about and cannot be evaluated gets the answer that
    the engine's `on_error` says.

    The alerts of the rules that matched are delivered, but for dry runs; what is answered does not
    depend on that. Args and attributes: see `Receiver`.
    """

    def __init__(
        self,
        engine: Engine,
        plan: ServerPlan,
        deliver: Deliver = lambda alerts: None,
        **more: Any,
    ) -> None:
        super().__init__(engine, plan, deliver, **more)
        self._actions = {rule.name: engine.verdicts.action_of(rule) for rule in engine.rules}
        workers = min(4, os.cpu_count() or 1)
        self._workers = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="admission")
        self._alerts = ThreadPoolExecutor(max_workers=1, thread_name_prefix="admission alerts")
        self._places = threading.Semaphore(_MAX_UNDELIVERED)

    def close(self) -> None:
        """Finish what is being worked on."""
        self._workers.shutdown()
        self._alerts.shutdown()

    async def _answer(self, body: bytes) -> dict[str, Any]:
        if len(body) <= _AT_ONCE_BYTES:
            return self.review(body)
        work = asyncio.get_running_loop().run_in_executor(self._workers, self.review, body)
        return await work

    async def _refused(self, refusal: Refusal) -> None:
        if refusal.status != 429:
            self._tell(f"a request was refused: {refusal}")

    def review(self, body: bytes) -> dict[str, Any]:
        """Return the answer to an AdmissionReview, both as JSON.

        Raises:
            Refusal: It is none.
        """
        try:
            asked = read_review(body)
        except ValueError as error:
            raise Refusal(400, str(error)) from None
        verdict = self._engine.decide(asked.event, alerts=True)
        self.counters[f"answers {verdict.action}"] += 1
        if verdict.problem:
            self.counters["not evaluated"] += 1
            self._tell(
                f"{asked.operation} {asked.target} could not be evaluated: {verdict.problem}"
            )
        if verdict.alerts and not asked.dry_run:
            self._pass_on(verdict.alerts)
        return {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": self._response(asked, verdict),
        }

    def _response(self, asked: Review, verdict: Verdict) -> dict[str, Any]:
        response: dict[str, Any] = {"uid": asked.uid, "allowed": verdict.action != "deny"}
        warnings = self._messages(verdict, "warn")
        if verdict.action == "deny":
            reasons = self._messages(verdict, "deny")
            if verdict.problem:
                reasons.append(f"the request could not be evaluated: {verdict.problem}")
            response["status"] = {
                "code": 403,
                "reason": "Forbidden",
                "message": _cut(f"rulekit: {'; '.join(reasons)}", _MESSAGE_CHARS),
            }
        elif verdict.problem:
            warnings.append(f"the request could not be evaluated: {verdict.problem}")
        if warnings:
            response["warnings"] = _fitting(warnings)
        annotations: dict[str, str] = {"verdict": verdict.action}
        if verdict.rules:
            annotations["rules"] = ", ".join(verdict.rules)
        if verdict.problem:
            annotations["problem"] = verdict.problem
        response["auditAnnotations"] = annotations
        return response

    def _messages(self, verdict: Verdict, action: str) -> list[str]:
        return [a.message for a in verdict.alerts if self._actions[a.rule] == action]

    def _pass_on(self, alerts: Sequence[Alert]) -> None:
        """Have alerts delivered; answers do not wait for that, and no more alerts than so many."""
        if self._places.acquire(blocking=False):
            self._alerts.submit(self._send_alerts, alerts)
        else:
            self._lost(alerts, "too many alerts wait to be delivered")

    def _send_alerts(self, alerts: Sequence[Alert]) -> None:
        try:
            self._deliver(alerts)
        except (SinkError, OSError) as error:
            self._lost(alerts, str(error))
        finally:
            self._places.release()

    def _lost(self, alerts: Sequence[Alert], why: str) -> None:
        if not self.counters["alerts lost"]:
            self._tell(f"alerts are lost: {why}")
        self.counters["alerts lost"] += len(alerts)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _fitting(warnings: Sequence[str]) -> list[str]:
    """Return as many warnings as the API server passes on, the last one telling of the rest."""
    found: list[str] = []
    room = _WARNINGS_CHARS - _WARNING_CHARS
    for i, warning in enumerate(warnings):
        text = _cut(f"rulekit: {warning}", _WARNING_CHARS)
        room -= len(text.encode())
        if room < 0:
            found.append(f"rulekit: {len(warnings) - i} more warnings")
            break
        found.append(text)
    return found

"""The admission webhook: allow, warn or deny what is to be created or changed."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rulekit.alert import Alert
from rulekit.engine.pipeline import Engine
from rulekit.engine.verdict import Verdict
from rulekit.errors import SinkError
from rulekit.server.exchange import Exchange, Gone, Receive, Refusal, Scope, Send
from rulekit.server.plan import ServerPlan
from rulekit.sources.kubernetes import Review, read_review

# A review of this size takes some hundred microseconds: less than to hand it to another thread.
_AT_ONCE_BYTES = 256 * 1024

# The API server cuts longer ones.
_WARNING_CHARS = 256
_WARNINGS_CHARS = 4096
_MESSAGE_CHARS = 4096


class AdmissionWebhook:
    """An ASGI application that answers AdmissionReviews of ``admission.k8s.io/v1``.

    A body that is no review is answered with 400: the API server then does what its
    ``failurePolicy`` says. What a review asks about and cannot be evaluated gets the answer that
    the engine's `on_error` says.

    Args:
        engine: For ``k8s_audit``.
        deliver: Takes the alerts of the rules that matched; not called for a dry run. What is
            answered does not depend on it.
        tell: Called with a message when something goes wrong.

    Attributes:
        counters: What was seen so far, by name.
    """

    def __init__(
        self,
        engine: Engine,
        plan: ServerPlan,
        deliver: Callable[[Sequence[Alert]], None] = lambda alerts: None,
        *,
        tell: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._engine = engine
        self._plan = plan
        self._deliver = deliver
        self._tell = tell
        self._waiting_bytes = 0
        self._actions = {rule.name: engine.verdicts.action_of(rule) for rule in engine.rules}
        workers = min(4, os.cpu_count() or 1)
        self._workers = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="admission")
        self._alerts = ThreadPoolExecutor(max_workers=1, thread_name_prefix="admission alerts")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send, self._plan)
        if exchange.path == "/healthz":
            await exchange.answer(200, {"status": "ok"})
            return
        self.counters["requests"] += 1
        try:
            exchange.check()
            answer = await self._take(exchange)
        except Refusal as refusal:
            self.counters[f"answers {refusal.status}"] += 1
            if refusal.status != 429:
                self._tell(f"a request was refused: {refusal}")
            if refusal.status == 413:
                await exchange.discard()
            await exchange.refuse(refusal)
        except Gone:
            self.counters["clients gone"] += 1
        else:
            await exchange.answer(200, answer)

    def close(self) -> None:
        """Finish what is being worked on."""
        self._workers.shutdown()
        self._alerts.shutdown()

    async def _take(self, exchange: Exchange) -> dict[str, Any]:
        expected = exchange.length()
        expected = self._plan.max_body_bytes if expected is None else expected
        if self._waiting_bytes + expected > self._plan.max_waiting_bytes:
            raise Refusal(429, "too much is waiting", retry_after="1")
        self._waiting_bytes += expected
        try:
            body = await exchange.body()
            if len(body) <= _AT_ONCE_BYTES:
                return self.review(body)
            work = asyncio.get_running_loop().run_in_executor(self._workers, self.review, body)
            return await work
        finally:
            self._waiting_bytes -= expected

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
            self._alerts.submit(self._send_alerts, verdict.alerts)
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

    def _send_alerts(self, alerts: Sequence[Alert]) -> None:
        try:
            self._deliver(alerts)
        except SinkError as error:
            self.counters["alerts lost"] += len(alerts)
            self._tell(str(error))


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

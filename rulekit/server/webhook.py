"""The receiver of audit events: what a Kubernetes API server posts, evaluated before the answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from rulekit.alert import Alert, internal_alert
from rulekit.engine.pipeline import Engine
from rulekit.errors import SinkError
from rulekit.server.exchange import Exchange, Gone, Receive, Refusal, Scope, Send
from rulekit.server.plan import ServerPlan

LOST_RULE = "rulekit internal: audit events lost"
_ALERT_EVERY_S = 10.0
_RETRY_AFTER_S = 1

Deliver = Callable[[Sequence[Alert]], None]
"""Makes alerts safe; raises `SinkError` when they are not. Called by one thread at a time."""


class AuditReceiver:
    """An ASGI application that takes batches of audit events.

    A batch is answered with 200 when every event in it was evaluated and all alerts are safe. What
    cannot be dealt with now is answered with 429, and the API server sends it again. What it will
    not send again (too large, no JSON) is counted, and an alert tells of it.

    Args:
        engine: For ``k8s_audit``.
        deliver: Takes the alerts of a batch.
        room: Whether `deliver` may be asked for more; False sends clients away.
        tell: Called with a message when something is lost.

    Attributes:
        counters: What was seen so far, by name.
    """

    def __init__(
        self,
        engine: Engine,
        plan: ServerPlan,
        deliver: Deliver,
        *,
        room: Callable[[], bool] = lambda: True,
        tell: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._engine = engine
        self._plan = plan
        self._deliver = deliver
        self._room = room
        self._tell = tell
        self._waiting_bytes = 0
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit events")
        self._untold: Counter[str] = Counter()
        self._told_s = -_ALERT_EVERY_S

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
            if refusal.status in (400, 413):
                await self._lost(str(refusal))
            if refusal.status == 413:
                await exchange.discard()
            await exchange.refuse(refusal)
        except Gone:
            self.counters["clients gone"] += 1
        else:
            self.counters["answers 200"] += 1
            await exchange.answer(200, answer)

    def close(self) -> None:
        """Finish what is being worked on."""
        self._worker.shutdown()
        self._tell_lost()

    async def _take(self, exchange: Exchange) -> dict[str, int]:
        expected = exchange.length()
        expected = self._plan.max_body_bytes if expected is None else expected
        if self._waiting_bytes + expected > self._plan.max_waiting_bytes or not self._room():
            raise _later("too much is waiting")
        self._waiting_bytes += expected
        try:
            body = await exchange.body()
            more = max(0, len(body) - expected)
            self._waiting_bytes += more
            expected += more
            work = asyncio.get_running_loop().run_in_executor(self._worker, self._work, body)
            # Work that has begun by then goes on: its alerts may come twice.
            return await asyncio.wait_for(work, self._plan.answer_s)
        except asyncio.TimeoutError:
            raise _later("the batch took too long") from None
        finally:
            self._waiting_bytes -= expected

    def _work(self, body: bytes) -> dict[str, int]:
        found = self._engine.evaluate(body)
        if not found.events and not found.left_out:
            if found.problem:
                raise Refusal(400, found.problem)
            return {"events": 0, "alerts": 0}
        try:
            self._deliver(found.alerts)
        except (SinkError, OSError) as error:
            self.counters["batches with alerts that were not safe"] += 1
            self._tell(str(error))
            raise _later("the alerts cannot be kept now") from None
        self.counters["events"] += found.events
        self.counters["alerts"] += len(found.alerts)
        answer = {"events": found.events, "alerts": len(found.alerts)}
        if found.left_out:
            self.counters["unknown documents"] += found.left_out
            self._tell(f"{found.left_out} of a batch left out: {found.problem}")
            answer["left_out"] = found.left_out
        return answer

    async def _lost(self, why: str) -> None:
        """Tell that a client will not send again what was refused; not more often than so."""
        self._untold[why] += 1
        if time.monotonic() - self._told_s >= _ALERT_EVERY_S:
            self._told_s = time.monotonic()
            await asyncio.get_running_loop().run_in_executor(self._worker, self._tell_lost)

    def _tell_lost(self) -> None:
        untold, self._untold = self._untold, Counter()
        if not untold:
            return
        total = sum(untold.values())
        why = "; ".join(untold)
        text = f"{LOST_RULE}: {total} {'batch' if total == 1 else 'batches'} refused: {why}"
        self._tell(text.removeprefix("rulekit internal: "))
        alert = internal_alert(
            LOST_RULE,
            "Critical",
            text,
            {"n_batches": total, "reason": why},
            time_ns=time.time_ns(),
            hostname=self._engine.hostname,
            occasion=f"{time.time_ns()}",
        )
        try:
            self._deliver((alert,))
        except SinkError as error:
            self._tell(str(error))


def _later(text: str) -> Refusal:
    return Refusal(429, text, retry_after=str(_RETRY_AFTER_S))

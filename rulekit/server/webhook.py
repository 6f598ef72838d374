"""The receiver of audit events: what a Kubernetes API server posts, evaluated before the answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rulekit.alert import internal_alert
from rulekit.engine.pipeline import Engine
from rulekit.errors import SinkError
from rulekit.server.exchange import Refusal
from rulekit.server.plan import ServerPlan
from rulekit.server.receiver import Deliver, Receiver, later
from rulekit.sinks.base import SinkRefused

LOST_RULE = "rulekit internal: audit events lost"
_ALERT_EVERY_S = 10.0
_MAX_REASONS = 20  # named in one alert


class AuditReceiver(Receiver):
    """Takes batches of audit events.

    A batch is answered with 200 when every event in it was evaluated and all alerts are safe. What
    cannot be dealt with now is answered with 429, and the API server sends it again. What it will
    not send again (too large, also for a spool; no JSON) is counted, and an alert tells of it.

    Args and attributes: see `Receiver`.
    """

    def __init__(self, engine: Engine, plan: ServerPlan, deliver: Deliver, **more: Any) -> None:
        super().__init__(engine, plan, deliver, **more)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit events")
        self._untold: Counter[str] = Counter()
        self._told_s = -_ALERT_EVERY_S

    def close(self) -> None:
        """Finish what is being worked on."""
        self._worker.shutdown()
        self._tell_lost()

    async def _answer(self, body: bytes) -> dict[str, int]:
        work = asyncio.get_running_loop().run_in_executor(self._worker, self._work, body)
        try:
            # Work that has begun by then goes on: its alerts may come twice.
            answer = await asyncio.wait_for(work, self._plan.answer_s)
        except asyncio.TimeoutError:
            raise later("the batch took too long") from None
        self.counters["answers 200"] += 1
        return answer

    async def _refused(self, refusal: Refusal) -> None:
        if refusal.status in (400, 413):
            await self._lost(str(refusal))

    def _work(self, body: bytes) -> dict[str, int]:
        found = self._engine.evaluate(body)
        if not found.events and not found.left_out:
            if found.problem:
                raise Refusal(400, found.problem)
            return {"events": 0, "alerts": 0}
        try:
            self._deliver(found.alerts)
        except SinkRefused as error:
            self.counters["batches with more alerts than a spool holds"] += 1
            raise Refusal(413, str(error)) from None
        except (SinkError, OSError) as error:
            self.counters["batches with alerts that were not safe"] += 1
            self._tell(str(error))
            raise later("the alerts cannot be kept now") from None
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
        if len(self._untold) >= _MAX_REASONS and why not in self._untold:
            why = "other reasons"
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

"""One sink at work: batches out of its spool, sent until the receiver has them."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    wait_exponential,
    wait_random,
)

from rulekit.delivery.spool import Spool, SpoolPlan
from rulekit.errors import SinkError, reason
from rulekit.formats.base import Formatter
from rulekit.sinks.base import Receipt, Record, Sink, SinkRefused

_IDLE_S = 1.0
_REFUSED_BYTES = 16 << 20  # of the file of refused alerts; the one before it is kept as well


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """How a sink is tried again.

    Attributes:
        first_s, most_s: Pause after the first failure, and the longest one; each pause is about
            twice the one before.
        jitter_s: Up to so much is added at random, so that many hosts do not come at once.
        failures: So many failures in a row open the circuit.
        cooldown_s: How long an open circuit leaves the receiver alone; after that one alert is
            sent, and the rest only when it arrives.
    """

    first_s: float = 0.2
    most_s: float = 30.0
    jitter_s: float = 0.5
    failures: int = 5
    cooldown_s: float = 30.0


@dataclass(frozen=True, slots=True)
class SinkPlan:
    """A sink with everything around it.

    Attributes:
        name: What the configuration calls it.
        sink: Delivers; belongs to the worker.
        formatter: Makes the bytes.
        max_records, max_bytes, linger_s: Of a batch: it is sent when it is full, or so long after
            its first alert.
    """

    name: str
    sink: Sink
    formatter: Formatter
    spool: SpoolPlan = field(default_factory=SpoolPlan)
    retry: RetryPlan = field(default_factory=RetryPlan)
    max_records: int = 500
    max_bytes: int = 1 << 20
    linger_s: float = 0.1


State = Literal["ok", "retrying", "open"]


@dataclass(slots=True)
class SinkStats:
    """What a sink did; valid at any time.

    Attributes:
        accepted: Alerts put into the spool.
        delivered: Alerts that the receiver has.
        refused: Alerts that the receiver will never take; they are kept in ``refused.jsonl``.
        repeated: Alerts that were sent again, because nothing was known of an earlier attempt.
        batches, failures: Attempts that went well and that did not.
        state: ``ok``; ``retrying`` after a failure; ``open`` while the receiver is left alone.
        error: What went wrong last, empty after a success.
    """

    accepted: int = 0
    delivered: int = 0
    refused: int = 0
    repeated: int = 0
    batches: int = 0
    failures: int = 0
    state: State = "ok"
    error: str = ""


class SinkWorker:
    """Runs one sink in a thread of its own.

    Args:
        plan: What to run.
        on_problem: Called with a message when the sink begins to fail and when it is well again.

    Raises:
        SinkError: The spool cannot be used.
    """

    def __init__(self, plan: SinkPlan, on_problem: Callable[[str], None]) -> None:
        self.plan = plan
        self.name = plan.name
        self.spool = Spool(plan.spool)
        self.stats = SinkStats()
        self.told: dict[str, int] = {}
        """Losses by cause that an alert has told of; `said`: the log; `told_full`: full disk."""
        self.said: dict[str, int] = {}
        self.told_full = False
        self._tell = on_problem
        self._in_a_row = 0
        self._give_up = threading.Event()
        self._reopen = threading.Event()
        self._refused_file = plan.spool.folder and plan.spool.folder / "refused.jsonl"
        self._thread = threading.Thread(target=self._run, name=f"sink {plan.name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver, with what an earlier process left."""
        self._thread.start()

    def put(self, record: Record, *, wait_s: float | None = None, counted: bool = True) -> bool:
        """Give the sink an alert; False when it was dropped. See `Spool.put`."""
        taken = self.spool.put(record, wait_s=wait_s, counted=counted)
        self.stats.accepted += taken
        return taken

    def reopen(self) -> None:
        """Have the target opened anew before the next batch."""
        self._reopen.set()
        self.spool.wake()

    def halt(self, timeout_s: float | None) -> bool:
        """Let the thread end after its present attempt; what waits stays, and more is taken.

        Returns:
            False when the attempt lasts longer; the worker still ends after it.
        """
        self._give_up.set()
        self.spool.wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def finish(self) -> None:
        """Let the worker end once its spool is empty."""
        self.spool.stop()

    def join(self, deadline_s: float) -> bool:
        """Wait for the end until a time (monotonic clock); False when alerts are left.

        Those wait in the spool for the next process.
        """
        if self._thread.is_alive():
            self._thread.join(max(0.0, deadline_s - time.monotonic()))
        self._give_up.set()
        self.spool.wake()
        if self._thread.is_alive():
            # One attempt may be under way; the sink's own time limit ends it.
            self._thread.join(1.0)
        if self._thread.is_alive():
            return False
        self.spool.close()
        return not self.spool.unsettled

    def release(self) -> bool:
        """Give back the spool of a worker that has ended; False while it works or alerts wait."""
        if self._thread.is_alive() or self.spool.unsettled:
            return False
        self.spool.close()
        return True

    def _run(self) -> None:
        plan = self.plan
        try:
            self._prepare(plan.sink.start)
            while not self._give_up.is_set():
                batch = self.spool.take(
                    plan.max_records,
                    plan.max_bytes,
                    linger_s=plan.linger_s,
                    timeout_s=_IDLE_S,
                    wanted=self._undisturbed,
                )
                if self._reopen.is_set():
                    self._reopen.clear()
                    self._prepare(plan.sink.reopen)
                if not batch:
                    if self.spool.stopped:
                        return
                    continue
                if not self._deliver(batch):
                    return
                self.spool.settle()
        finally:
            plan.sink.close()

    def _prepare(self, step: Callable[[], None]) -> None:
        """Do what comes before a batch; a mistake in it is told, and `send` will show it again."""
        try:
            step()
        except Exception as error:
            self._tell(f"sink {self.name}: {_words(error)}")

    def _undisturbed(self) -> bool:
        return not (self._reopen.is_set() or self._give_up.is_set())

    def _deliver(self, batch: list[Record]) -> bool:
        """Send a batch until nothing of it is left; False when it must wait for another process."""
        todo = [batch]  # a refused batch is halved; the parts keep their order
        retrying = Retrying(
            wait=self._pause,
            sleep=sleep_using_event(self._give_up),
            retry=retry_if_exception(_may_go_well_later),
            stop=lambda _: self._give_up.is_set(),
            after=self._failed,
            reraise=True,
        )
        while todo:
            part = todo.pop(0)
            try:
                rest = retrying(self._attempt, part)
            except SinkRefused as error:
                if len(part) == 1:
                    self._keep_refused(part[0], str(error))
                else:
                    middle = len(part) // 2
                    todo[:0] = [part[:middle], part[middle:]]
            except SinkError:
                return False
            else:
                if rest:
                    todo.insert(0, rest)
        return True

    def _attempt(self, part: list[Record]) -> list[Record]:
        """Send records once; return those that are to be sent once more."""
        rest: list[Record] = []
        if self.stats.state == "open":
            part, rest = part[:1], part[1:]
        if self._in_a_row:
            self.stats.repeated += len(part)
        try:
            receipt = self.plan.sink.send(part) or Receipt()
        except SinkError:
            raise
        except Exception as error:  # a sink's own mistake must not end the delivery
            raise SinkError(_words(error)) from error
        for index, why in receipt.refused.items():
            self._keep_refused(part[index], why)
        arrived = len(part) - len(receipt.refused) - len(receipt.again)
        self.stats.delivered += arrived
        if receipt.again:
            if not arrived and not receipt.refused:
                raise SinkError(receipt.reason or "the receiver is busy", pause_s=receipt.pause_s)
            self.stats.repeated += len(receipt.again)
            self._give_up.wait(receipt.pause_s or self.plan.retry.first_s)
        self.stats.batches += 1
        self._succeeded()
        return [part[index] for index in receipt.again] + rest

    def _pause(self, state: RetryCallState) -> float:
        retry = self.plan.retry
        error = state.outcome.exception() if state.outcome is not None else None
        asked_s = error.pause_s if isinstance(error, SinkError) else 0.0
        if self.stats.state == "open":
            return max(retry.cooldown_s, asked_s)
        backoff = wait_exponential(retry.first_s, retry.most_s) + wait_random(0, retry.jitter_s)
        return max(backoff(state), asked_s)

    def _failed(self, state: RetryCallState) -> None:
        stats, retry = self.stats, self.plan.retry
        error = state.outcome.exception() if state.outcome is not None else None
        stats.error = str(error)
        stats.failures += 1
        self._in_a_row += 1
        if self._in_a_row == 1:
            self._tell(f"sink {self.name}: {error}; alerts wait in its spool")
        if self._in_a_row >= retry.failures:
            if stats.state != "open":
                self._tell(
                    f"sink {self.name}: {self._in_a_row} failures in a row:"
                    f" tried again every {retry.cooldown_s:g} s"
                )
            stats.state = "open"
        else:
            stats.state = "retrying"

    def _succeeded(self) -> None:
        if self._in_a_row:
            self._tell(f"sink {self.name}: delivers again")
        self._in_a_row = 0
        self.stats.state = "ok"
        self.stats.error = ""

    def _keep_refused(self, record: Record, why: str) -> None:
        """Put an alert that no attempt can deliver where somebody finds it."""
        self.stats.refused += 1
        if self.stats.refused == 1:
            self._tell(f"sink {self.name}: refused for good: {why}")
        path = self._refused_file
        if path is None:
            return
        entry = {"reason": why, "id": record.id, "rule": record.rule, "time_ns": record.time_ns}
        entry["alert"] = record.line.decode("utf-8", "replace")
        try:
            if path.exists() and path.stat().st_size > _REFUSED_BYTES:
                os.replace(path, path.with_suffix(".old.jsonl"))
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        except OSError as error:
            self._tell(f"sink {self.name}: {path}: {reason(error)}")


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return reason(error)
    return str(error) if isinstance(error, SinkError) else f"{type(error).__name__}: {error}"


def _may_go_well_later(error: BaseException) -> bool:
    return isinstance(error, SinkError) and not isinstance(error, SinkRefused)

"""Fewer alerts without losing sight: what is held back is always told as "N suppressed".

Time is that of the events, so that a capture gives the same alerts on every run. The first alert of
its kind always passes at once; nothing that is held back is needed to know that something happened.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rulekit.alert import INTERNAL, Alert, internal_alert, priority_number
from rulekit.delivery.condition import Test

SUPPRESSED_RULE = "rulekit internal: alerts suppressed"
_NS = 1_000_000_000
_IDS = 10  # of suppressed alerts that a record names
_ITEMS = 50  # of a group that its record shows

Get = Callable[[Alert], Any]


@dataclass(frozen=True, slots=True)
class NoisePlan:
    """What to do with the alerts that fit; the first plan that fits decides.

    Attributes:
        name: For the records.
        kind: ``window``: after an alert, equal ones are held back for so long; ``group``: the same,
            and the record shows each of them; ``rate``: so many in a time pass.
        span_s: Length of the window; for ``rate`` how long suppressing goes on before it is told.
        test: Which alerts; None is every one.
        by: What makes alerts equal: name and getter of fields.
        rate_per_s, burst: Of ``rate``: tokens per second, and how many can be saved up.
        max_keys: Different keys at a time; beyond that the oldest is told and forgotten.
    """

    name: str
    kind: Literal["window", "group", "rate"]
    span_s: float
    test: Test | None = None
    by: tuple[tuple[str, Get], ...] = ()
    rate_per_s: float = 0.0
    burst: float = 1.0
    max_keys: int = 10_000


@dataclass(slots=True)
class _Held:
    """What was held back of one key since `since_ns`."""

    since_ns: int
    first: Alert
    n: int = 0
    last: Alert | None = None
    priority: str = "Debug"
    ids: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    tokens: float = 0.0
    filled_ns: int = 0


@dataclass(frozen=True, slots=True)
class Passed:
    """An alert to deliver.

    Attributes:
        like: The alert whose way it goes: a record of what was held back goes where that would.
    """

    alert: Alert
    like: Alert


class Noise:
    """Decides what passes; for one thread at a time.

    Attributes:
        suppressed: Alerts held back so far.
        idle: Whether there is no plan, so that everything passes.
    """

    def __init__(self, plans: Sequence[NoisePlan], hostname: str = "") -> None:
        self._limits = [_Limit(plan, hostname) for plan in plans]
        self.suppressed = 0
        self.idle = not self._limits

    def take(self, alert: Alert) -> list[Passed]:
        """Return what is to be delivered now that an alert came: records that fell due, itself."""
        passed = list(self.advance(alert.time_ns))
        if alert.source != INTERNAL:
            for limit in self._limits:
                if limit.plan.test is None or limit.plan.test(alert):
                    records, passes = limit.take(alert)
                    passed += records
                    if not passes:
                        self.suppressed += 1
                        return passed
                    break
        passed.append(Passed(alert, alert))
        return passed

    def advance(self, now_ns: int) -> Iterator[Passed]:
        """Yield the records that are due at a time."""
        for limit in self._limits:
            yield from limit.advance(now_ns)

    def flush(self) -> Iterator[Passed]:
        """Yield the records of everything that is still held back."""
        for limit in self._limits:
            yield from limit.flush()


class _Limit:
    """One plan at work."""

    def __init__(self, plan: NoisePlan, hostname: str) -> None:
        self.plan = plan
        self._hostname = hostname
        self._span_ns = int(plan.span_s * _NS)
        # In the order in which they fall due.
        self._held: OrderedDict[tuple[Any, ...], _Held] = OrderedDict()

    def take(self, alert: Alert) -> tuple[list[Passed], bool]:
        """Return the records that are due, and whether the alert passes."""
        key = tuple(_hashable(get(alert)) for _, get in self.plan.by)
        held = self._held.get(key)
        records: list[Passed] = []
        if self.plan.kind == "rate":
            return self._take_token(key, held, alert)
        if held is None:
            if len(self._held) >= self.plan.max_keys:
                records += self._tell(self._held.popitem(last=False)[1])
            self._held[key] = _Held(alert.time_ns, alert)
            return records, True
        self._hold(held, alert)
        return records, False

    def _take_token(
        self, key: tuple[Any, ...], held: _Held | None, alert: Alert
    ) -> tuple[list[Passed], bool]:
        records: list[Passed] = []
        plan = self.plan
        if held is None:
            if len(self._held) >= plan.max_keys:
                records += self._tell(self._held.popitem(last=False)[1])
            held = self._held[key] = _Held(alert.time_ns, alert, tokens=plan.burst)
            held.filled_ns = alert.time_ns
        passed_s = max(0, alert.time_ns - held.filled_ns) / _NS
        held.tokens = min(plan.burst, held.tokens + passed_s * plan.rate_per_s)
        held.filled_ns = max(held.filled_ns, alert.time_ns)
        # A little less than one is one: sums of fractions fall short of it.
        if held.tokens < 1 - 1e-9:
            self._hold(held, alert)
            return records, False
        held.tokens -= 1
        if held.n:
            records += self._tell(held)
            self._begin_again(key, held, alert)
        return records, True

    def _hold(self, held: _Held, alert: Alert) -> None:
        held.n += 1
        held.last = alert
        if held.n == 1 or priority_number(alert.priority) < priority_number(held.priority):
            held.priority = alert.priority
        if len(held.ids) < _IDS:
            held.ids.append(alert.id)
        if self.plan.kind == "group" and len(held.items) < _ITEMS:
            held.items.append(alert.message)

    def advance(self, now_ns: int) -> Iterator[Passed]:
        """Yield what is due; windows are closed, rates go on."""
        while self._held:
            key, held = next(iter(self._held.items()))
            if now_ns - held.since_ns < self._span_ns:
                return
            yield from self._tell(held)
            full = held.tokens + (now_ns - held.filled_ns) / _NS * self.plan.rate_per_s
            if self.plan.kind == "rate" and full < self.plan.burst:
                self._begin_again(key, held, held.last or held.first, now_ns)
            else:
                del self._held[key]

    def flush(self) -> Iterator[Passed]:
        """Yield a record for each key of which something is held back."""
        while self._held:
            yield from self._tell(self._held.popitem(last=False)[1])

    def _begin_again(
        self, key: tuple[Any, ...], held: _Held, alert: Alert, now_ns: int | None = None
    ) -> None:
        held.since_ns = alert.time_ns if now_ns is None else now_ns
        held.n, held.last, held.ids, held.items = 0, None, [], []
        self._held.move_to_end(key)

    def _tell(self, held: _Held) -> Iterator[Passed]:
        """Yield the record of what was held back, if anything was."""
        last = held.last
        if not held.n or last is None:
            return
        noun = "alert" if held.n == 1 else "alerts"
        key = {name: get(last) for name, get in self.plan.by}
        shown = ", ".join(f"{name}={value}" for name, value in key.items())
        fields: dict[str, Any] = {
            "n_suppressed": held.n,
            "rule": last.rule,
            "noise": self.plan.name,
            "by": shown,
            "first_id": held.first.id,
            "first_time": held.first.time_ns,
            "last_time": last.time_ns,
            "ids": held.ids,
        }
        if self.plan.kind == "group":
            fields["messages"] = held.items
        text = f"{SUPPRESSED_RULE}: {held.n} {noun} suppressed ({shown})"
        record = internal_alert(
            SUPPRESSED_RULE,
            held.priority,
            text,
            fields,
            time_ns=last.time_ns,
            hostname=last.hostname or self._hostname,
            event=last.event,
            occasion=f"{self.plan.name} {held.first.id} {held.ids[0]} {held.n}",
        )
        yield Passed(record, last)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

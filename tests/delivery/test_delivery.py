"""From `submit` to the receiver: retries, refusals, circuits, losses told, order of shutdown."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rulekit.alert import Alert
from rulekit.delivery.noise import Noise, NoisePlan
from rulekit.delivery.pipeline import DISK_RULE, LOST_RULE, Delivery
from rulekit.delivery.spool import SpoolPlan
from rulekit.delivery.worker import RetryPlan, SinkPlan
from rulekit.errors import SinkError
from rulekit.formats.json import JsonFormatter
from rulekit.sinks.base import Receipt, Record, Sink, SinkRefused
from tests.waiting import PATIENCE_S, wait_until

FAST = RetryPlan(first_s=0.01, most_s=0.05, jitter_s=0.01, failures=3, cooldown_s=0.05)


class ScriptedSink(Sink):
    """Does with each batch what a function says; remembers what it has."""

    def __init__(self, script: Callable[[int, Sequence[Record]], Receipt | None]) -> None:
        self.script = script
        self.attempts: list[int] = []
        self.received: list[str] = []
        self.closed = 0

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        self.attempts.append(len(batch))
        receipt = self.script(len(self.attempts), batch)
        gone = set() if receipt is None else {*receipt.refused, *receipt.again}
        self.received += [one.id for i, one in enumerate(batch) if i not in gone]
        return receipt

    def close(self) -> None:
        self.closed += 1


def take_all(attempt: int, batch: Sequence[Record]) -> None:
    return None


def alert(number: int, priority: str = "Warning") -> Alert:
    return Alert(number, f"rule {number}", priority, "m", id=f"{number:032x}")


def ids(*numbers: int) -> list[str]:
    return [f"{number:032x}" for number in numbers]


def plan(name: str, sink: Sink, folder: Path | None = None, **more: object) -> SinkPlan:
    options = {"spool": SpoolPlan(folder), "retry": FAST, "linger_s": 0.01, **more}
    return SinkPlan(name, sink, JsonFormatter(), **options)  # type: ignore[arg-type]


def started(*plans: SinkPlan, tell: Callable[[str], None] = lambda message: None) -> Delivery:
    delivery = Delivery(plans, hostname="here", on_problem=tell)
    delivery.start()
    return delivery


def test_every_sink_gets_every_alert_in_order(tmp_path: Path) -> None:
    a, b = ScriptedSink(take_all), ScriptedSink(take_all)
    delivery = started(plan("a", a, tmp_path / "a"), plan("b", b, tmp_path / "b"))
    for i in range(1000):
        delivery.submit(alert(i))
    assert delivery.close() == {}
    assert a.received == b.received == ids(*range(1000))
    assert a.closed == 1


def test_a_batch_is_sent_again_until_it_arrives(tmp_path: Path) -> None:
    def script(attempt: int, batch: Sequence[Record]) -> None:
        if attempt <= 2:
            raise OSError(111, "Connection refused")

    sink = ScriptedSink(script)
    said: list[str] = []
    delivery = started(plan("a", sink, tmp_path), tell=said.append)
    for i in range(10):
        delivery.submit(alert(i))
    assert delivery.close() == {}
    assert sink.received == ids(*range(10))
    (status,) = delivery.status()
    assert (status.stats.failures, status.stats.delivered) == (2, 10)
    assert status.stats.state == "ok"
    assert said == [
        "sink a: connection refused; alerts wait in its spool",
        "sink a: delivers again",
    ]


def test_an_open_circuit_lets_one_alert_probe(tmp_path: Path) -> None:
    def script(attempt: int, batch: Sequence[Record]) -> None:
        if attempt <= 4:
            raise SinkError("down")

    sink = ScriptedSink(script)
    said: list[str] = []
    delivery = Delivery([plan("a", sink, tmp_path)], on_problem=said.append)
    for i in range(20):
        delivery.submit(alert(i))
    delivery.start()
    assert delivery.close() == {}
    assert sink.attempts == [20, 20, 20, 1, 1, 19]
    assert sink.received == ids(*range(20))
    assert said[1] == "sink a: 3 failures in a row: tried again every 0.05 s"


def test_a_refused_batch_is_halved_until_the_bad_alert_stands_alone(tmp_path: Path) -> None:
    bad = ids(7)[0]

    def script(attempt: int, batch: Sequence[Record]) -> None:
        if any(one.id == bad for one in batch):
            raise SinkRefused("HTTP 400: no such field")

    sink = ScriptedSink(script)
    delivery = started(plan("a", sink, tmp_path))
    for i in range(16):
        delivery.submit(alert(i))
    assert delivery.close() == {}
    assert [one for one in sink.received if not one.startswith("0" * 30)] != []  # the announcement
    assert sink.received[:15] == ids(*[i for i in range(16) if i != 7])
    kept = json.loads((tmp_path / "refused.jsonl").read_text().splitlines()[0])
    assert kept["id"] == bad
    assert kept["reason"] == "HTTP 400: no such field"
    assert json.loads(kept["alert"])["rule"] == "rule 7"


def test_items_are_told_apart_within_a_batch(tmp_path: Path) -> None:
    def script(attempt: int, batch: Sequence[Record]) -> Receipt | None:
        if attempt == 1:
            return Receipt(refused={1: "bad"}, again=[0, 3], reason="busy")
        return None

    sink = ScriptedSink(script)
    delivery = Delivery([plan("a", sink, tmp_path)])
    for i in range(4):
        delivery.submit(alert(i))
    delivery.start()
    delivery.close()
    assert sink.received[:3] == ids(2, 0, 3)
    (status,) = delivery.status()
    assert status.stats.refused == 1


def test_a_busy_receiver_is_left_alone_as_long_as_it_asks(tmp_path: Path) -> None:
    times: list[float] = []

    def script(attempt: int, batch: Sequence[Record]) -> None:
        times.append(time.monotonic())
        if attempt == 1:
            raise SinkError("HTTP 429", pause_s=0.5)

    delivery = started(plan("a", ScriptedSink(script), tmp_path))
    delivery.submit(alert(1))
    delivery.close()
    assert times[1] - times[0] >= 0.5


def test_a_mistake_in_a_sink_is_a_failure_like_any_other(tmp_path: Path) -> None:
    def script(attempt: int, batch: Sequence[Record]) -> None:
        if attempt == 1:
            raise KeyError("oops")

    sink = ScriptedSink(script)
    said: list[str] = []
    delivery = started(plan("a", sink, tmp_path), tell=said.append)
    delivery.submit(alert(1))
    assert delivery.close() == {}
    assert sink.received == ids(1)
    assert "KeyError" in said[0]


def test_a_dead_sink_does_not_hold_up_the_others_and_its_alerts_wait(tmp_path: Path) -> None:
    def refuse(attempt: int, batch: Sequence[Record]) -> None:
        raise SinkError("down")

    dead, well = ScriptedSink(refuse), ScriptedSink(take_all)
    delivery = started(plan("dead", dead, tmp_path / "d"), plan("well", well, tmp_path / "w"))
    for i in range(100):
        delivery.submit(alert(i))
    wait_until(lambda: well.received == ids(*range(100)), "the other has them")
    assert delivery.close(drain_s=0.1) == {"dead": 100}
    # The next process delivers them.
    again = ScriptedSink(take_all)
    delivery = started(plan("dead", again, tmp_path / "d"))
    assert delivery.close() == {}
    assert again.received == ids(*range(100))


def test_a_sink_that_hangs_is_left_behind(tmp_path: Path) -> None:
    release = threading.Event()

    def hang(attempt: int, batch: Sequence[Record]) -> None:
        assert release.wait(PATIENCE_S), "nobody waited for this"

    delivery = started(plan("a", ScriptedSink(hang), tmp_path))
    delivery.submit(alert(1))
    started_s = time.monotonic()
    assert delivery.close(drain_s=0.2) != {}
    assert time.monotonic() - started_s < PATIENCE_S / 2
    release.set()


def test_losses_are_told_by_an_internal_alert(tmp_path: Path) -> None:
    def refuse(attempt: int, batch: Sequence[Record]) -> None:
        raise SinkError("down")

    well = ScriptedSink(take_all)
    bodies: list[dict[str, object]] = []
    well.script = lambda attempt, batch: bodies.extend(json.loads(one.body) for one in batch)
    small = plan("dead", ScriptedSink(refuse), spool=SpoolPlan(tmp_path / "d", 1 << 16))
    delivery = started(small, plan("well", well, tmp_path / "w"))
    for i in range(2000):
        delivery.submit(alert(i))
    # Each announcement pushes more out, so that there is always one more to come.
    wait_until(lambda: any(body["rule"] == LOST_RULE for body in bodies), "an announcement")
    wait_until(lambda: sum(body["rule"] != LOST_RULE for body in bodies) == 2000, "all alerts")
    delivery.close(drain_s=0.1)
    told = [body for body in bodies if body["rule"] == LOST_RULE]
    assert told
    assert all(body["source"] == "internal" for body in told)
    assert all(body["priority"] == "Critical" for body in told)
    lost = sum(body["output_fields"]["n_full"] for body in told)  # type: ignore[index]
    dead = delivery.status()[0]
    # What was pushed out by the last announcement itself comes with the next one.
    assert 0 < lost <= dead.dropped["full"]
    assert dead.stats.accepted >= 2000 - lost
    assert len(bodies) - len(told) == 2000


def test_a_full_disk_is_told_and_forgotten_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    dead_now = [True]

    def dead(attempt: int, batch: Sequence[Record]) -> None:
        if dead_now[0]:
            raise SinkError("down")

    other, well = ScriptedSink(dead), ScriptedSink(take_all)
    bodies: list[dict[str, object]] = []
    well.script = lambda attempt, batch: bodies.extend(json.loads(one.body) for one in batch)
    said: list[str] = []
    delivery = started(
        plan("full", other, small_disk / "s"), plan("well", well, tmp_path / "w"), tell=said.append
    )
    for i in range(100):
        assert delivery.submit(alert(i))  # memory takes them
    assert not delivery.has_room()
    wait_until(lambda: len(bodies) == 101, "the alert about the disk")
    (told,) = [body for body in bodies if body["rule"] == DISK_RULE]
    assert told["source"] == "internal"
    assert told["output_fields"]["sink"] == "full"  # type: ignore[index]
    filler.unlink()
    assert delivery.has_room()
    wait_until(lambda: any("room in" in line for line in said), "the end of it")
    dead_now[0] = False
    assert delivery.close() == {}
    assert other.received[:100] == ids(*range(100))
    assert delivery.status()[0].dropped == {}


def test_more_than_disk_and_memory_hold_is_counted_and_told(
    small_disk: Path, tmp_path: Path
) -> None:
    def dead(attempt: int, batch: Sequence[Record]) -> None:
        raise SinkError("down")

    well = ScriptedSink(take_all)
    bodies: list[dict[str, object]] = []
    well.script = lambda attempt, batch: bodies.extend(json.loads(one.body) for one in batch)
    delivery = started(
        plan("dead", ScriptedSink(dead), small_disk / "s"), plan("well", well, tmp_path / "w")
    )
    n = 6000
    for i in range(n):
        delivery.submit(Alert(i, "r", "Warning", "m" * 1000, id=f"{i:032x}"))
    wait_until(lambda: sum(body["rule"] == "r" for body in bodies) == n, "all alerts")
    left = delivery.close(drain_s=0.5)["dead"]
    told = [body for body in bodies if body["rule"] == LOST_RULE]
    dropped = sum(delivery.status()[0].dropped.values())
    n_internal = len(bodies) - n
    assert dropped > 0
    assert told
    # Every alert waits or is counted; announcements that found no room there are not.
    assert n <= left + dropped <= n + n_internal
    assert {one.stats.accepted for one in delivery.status()[1:]} == {n + n_internal}


def test_the_end_does_not_wait_for_a_full_spool_that_blocks(tmp_path: Path) -> None:
    def dead(attempt: int, batch: Sequence[Record]) -> None:
        raise SinkError("down")

    spool = SpoolPlan(tmp_path, 1 << 16, "block")
    delivery = started(plan("dead", ScriptedSink(dead), spool=spool))
    done: list[bool] = []

    def fill() -> None:
        while not done or done[-1]:
            done.append(delivery.submit(alert(len(done))))

    thread = threading.Thread(target=fill)
    thread.start()
    n = -1
    while n != len(done):  # until the thread waits
        n = len(done)
        time.sleep(0.3)
    left = delivery.close(drain_s=0.5)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert done[-1] is False
    assert left == {"dead": len(done) - 1}


def test_what_noise_held_back_is_counted_when_there_is_no_room_for_its_record(
    tmp_path: Path,
) -> None:
    def dead(attempt: int, batch: Sequence[Record]) -> None:
        raise SinkError("down")

    by_rule = (("alert.rule", lambda alert: alert.rule),)
    noise = Noise([NoisePlan("n", "window", 1000, by=by_rule)])
    spool = SpoolPlan(tmp_path, 1 << 16, "block")
    delivery = Delivery([plan("dead", ScriptedSink(dead), spool=spool)], noise=noise)
    delivery.start()
    filled = 0
    while delivery.status()[0].waiting_bytes < (1 << 16) - 700:
        delivery.submit(alert(filled))
        filled += 1
    delivery.submit(Alert(1, "rule 1", "Warning", "x" * 300, id="twice"))
    assert delivery.noise.suppressed == 1
    assert delivery.close(drain_s=0.5)["dead"] == filled
    assert delivery.status()[0].dropped == {"full": 1}


def test_a_format_that_fails_loses_one_alert_and_not_the_delivery(tmp_path: Path) -> None:
    class Odd(JsonFormatter):
        def format(self, alert: Alert) -> bytes:
            if alert.rule == "rule 3":
                raise KeyError("no such thing")
            return super().format(alert)

    bodies: list[dict[str, object]] = []
    sink, other = ScriptedSink(take_all), ScriptedSink(take_all)
    other.script = lambda attempt, batch: bodies.extend(json.loads(one.body) for one in batch)
    said: list[str] = []
    odd = SinkPlan("odd", sink, Odd(), spool=SpoolPlan(tmp_path / "a"), retry=FAST, linger_s=0.01)
    delivery = started(odd, plan("well", other, tmp_path / "b"), tell=said.append)
    for i in range(6):
        delivery.submit(alert(i))
    assert delivery.close() == {}
    assert set(ids(0, 1, 2, 4, 5)) <= set(sink.received)
    assert ids(3)[0] not in sink.received
    assert delivery.status()[0].dropped == {"format": 1}
    assert "sink odd: Odd: KeyError: 'no such thing'" in said
    assert any("1 that its format cannot write" in str(body["output"]) for body in bodies)


def test_reopening_happens_before_the_next_batch(tmp_path: Path) -> None:
    class Reopened(ScriptedSink):
        n = 0

        def reopen(self) -> None:
            self.n += 1

    sink = Reopened(take_all)
    delivery = started(plan("a", sink, tmp_path))
    delivery.reopen()
    wait_until(lambda: sink.n)
    delivery.close()
    assert sink.n == 1


def test_a_sink_that_cannot_begin_or_reopen_still_delivers(tmp_path: Path) -> None:
    class Clumsy(ScriptedSink):
        def start(self) -> None:
            raise KeyError("start")

        def reopen(self) -> None:
            raise PermissionError(13, "Permission denied")

    said: list[str] = []
    sink = Clumsy(take_all)
    delivery = started(plan("a", sink, tmp_path), tell=said.append)
    delivery.reopen()
    wait_until(lambda: len(said) == 2, "both are told")
    delivery.submit(alert(1))
    assert delivery.close() == {}
    assert sink.received == ids(1)
    assert said == ["sink a: KeyError: 'start'", "sink a: permission denied"]


def test_a_spool_in_use_is_an_error_and_gives_back_the_others(tmp_path: Path) -> None:
    first = Delivery([plan("a", ScriptedSink(take_all), tmp_path / "a")])
    with pytest.raises(SinkError, match="another process"):
        Delivery(
            [
                plan("b", ScriptedSink(take_all), tmp_path / "b"),
                plan("a", ScriptedSink(take_all), tmp_path / "a"),
            ]
        )
    Delivery([plan("b", ScriptedSink(take_all), tmp_path / "b")]).close()
    first.close()

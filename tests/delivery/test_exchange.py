"""Sinks exchanged under way: nothing is lost, nobody else is disturbed."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from rulekit.alert import Alert
from rulekit.delivery.noise import SUPPRESSED_RULE, Noise, NoisePlan
from rulekit.delivery.pipeline import Delivery
from rulekit.delivery.routing import Router
from rulekit.delivery.spool import SpoolPlan
from rulekit.delivery.worker import RetryPlan, SinkPlan
from rulekit.errors import SinkError
from rulekit.formats.json import JsonFormatter
from rulekit.sinks.base import Record, Sink
from tests.waiting import PATIENCE_S, wait_until

QUICK = RetryPlan(first_s=0.01, most_s=0.02, jitter_s=0.0, failures=3, cooldown_s=0.05)


class Receiver(Sink):
    """Remembers what came; fails or hangs when it is told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.may_go = threading.Event()
        self.may_go.set()
        self.asked = threading.Event()
        self.got: list[str] = []
        self.closed = 0

    def send(self, batch: Sequence[Record]) -> None:
        self.asked.set()
        self.may_go.wait(PATIENCE_S)
        if self.fails:
            raise SinkError("not now")
        self.got += [record.rule for record in batch]

    def close(self) -> None:
        self.closed += 1


def alert(number: int) -> Alert:
    return Alert(
        time_ns=number + 1, rule=f"r{number}", priority="Warning", message="m", output_fields={},
        tags=(), source="syscall", hostname="h", event=number, id=f"id{number}", rule_hash="",
    )  # fmt: skip


def plan(name: str, sink: Sink, folder: Path | None = None) -> SinkPlan:
    spool = SpoolPlan(folder=folder and folder / name)
    return SinkPlan(name, sink, JsonFormatter(), spool, QUICK, linger_s=0.0)


def exchange(delivery: Delivery, *plans: SinkPlan, kept: Sequence[str] = (), **more: float) -> None:
    names = [each.name for each in plans]
    delivery.exchange(plans, Router(names), Noise(()), set(kept), **more)


def rules(*numbers: int) -> list[str]:
    return [f"r{number}" for number in numbers]


def started(*plans: SinkPlan) -> Delivery:
    delivery = Delivery(plans)
    delivery.start()
    return delivery


def test_a_changed_sink_takes_over_what_waits_on_disk(tmp_path: Path) -> None:
    old, new, other = Receiver(fails=True), Receiver(), Receiver()
    kept = plan("other", other, tmp_path)
    delivery = started(plan("a", old, tmp_path), kept)
    for number in range(50):
        delivery.submit(alert(number))
    exchange(delivery, plan("a", new, tmp_path), kept, kept=["other"])
    assert old.closed == 1
    for number in range(50, 60):
        delivery.submit(alert(number))
    assert delivery.close(30.0) == {}
    assert new.got == rules(*range(60))
    assert other.got == rules(*range(60))
    assert other.closed == 1, "it went on undisturbed"


def test_alerts_that_come_meanwhile_are_taken(tmp_path: Path) -> None:
    old, new = Receiver(), Receiver()
    delivery = started(plan("a", old, tmp_path))
    stop = threading.Event()
    sent: list[int] = []

    def submit() -> None:
        while not stop.is_set():
            delivery.submit(alert(len(sent)))
            sent.append(1)

    thread = threading.Thread(target=submit)
    thread.start()
    sinks = [old]
    for _ in range(5):
        sinks.append(Receiver())
        exchange(delivery, plan("a", sinks[-1], tmp_path))
        time.sleep(0.02)
    stop.set()
    thread.join()
    exchange(delivery, plan("a", new, tmp_path))
    assert delivery.close(30.0) == {}
    got = [rule for each in (*sinks, new) for rule in each.got]
    assert got == rules(*range(len(sent)))


def test_a_sink_in_memory_delivers_before_it_goes() -> None:
    old, new = Receiver(), Receiver()
    old.may_go.clear()
    delivery = started(plan("a", old))
    delivery.submit(alert(0))
    exchange(delivery, plan("b", new))
    delivery.submit(alert(1))
    old.may_go.set()
    assert delivery.close(30.0) == {}
    assert old.got == rules(0)
    assert new.got == rules(1)


def test_an_attempt_that_does_not_end_leaves_everything_as_it_was(tmp_path: Path) -> None:
    old, new = Receiver(), Receiver()
    delivery = started(plan("a", old, tmp_path))
    old.may_go.clear()
    delivery.submit(alert(0))
    wait_until(old.asked.is_set)
    with pytest.raises(SinkError, match="its present attempt does not end"):
        exchange(delivery, plan("a", new, tmp_path), patience_s=0.05)
    delivery.submit(alert(1))
    old.may_go.set()
    assert delivery.close(30.0) == {}
    assert sorted(set(old.got)) == rules(0, 1)
    assert new.got == []


def test_a_spool_that_cannot_be_used_leaves_everything_as_it_was(tmp_path: Path) -> None:
    old, other = Receiver(), Receiver()
    (tmp_path / "b").write_text("no folder")
    delivery = started(plan("a", old, tmp_path))
    with pytest.raises(SinkError, match="b"):
        exchange(delivery, plan("a", Receiver(), tmp_path), plan("b", other, tmp_path))
    delivery.submit(alert(0))
    assert delivery.close(30.0) == {}
    assert old.got == rules(0)


def test_a_sink_that_was_removed_can_come_back(tmp_path: Path) -> None:
    first, other, second = Receiver(fails=True), Receiver(), Receiver()
    delivery = started(plan("a", first, tmp_path))
    delivery.submit(alert(0))
    exchange(delivery, plan("b", other, tmp_path))
    delivery.submit(alert(1))
    exchange(delivery, plan("a", second, tmp_path), plan("b", Receiver(), tmp_path))
    delivery.submit(alert(2))
    assert delivery.close(30.0) == {}
    assert second.got == rules(0, 2)


def test_what_noise_held_back_goes_into_the_new_spool(tmp_path: Path) -> None:
    """The old one is closed by then: what it wrote would lie across the records of the new one."""
    held = Noise([NoisePlan("all", "window", 60.0)])
    delivery = Delivery([plan("a", Receiver(fails=True), tmp_path)], noise=held)
    delivery.start()
    for number in range(3):
        delivery.submit(alert(number))
    new = Receiver()
    exchange(delivery, plan("a", new, tmp_path))
    for number in range(3, 6):
        delivery.submit(alert(number))
    assert delivery.close(30.0) == {}
    assert new.got == [*rules(0), SUPPRESSED_RULE, *rules(3, 4, 5)]
    assert delivery.status()[0].dropped == {}


def test_losses_of_an_exchanged_sink_are_told_from_zero(tmp_path: Path) -> None:
    said: list[str] = []
    well = Receiver()
    spool = SpoolPlan(tmp_path / "a", 1 << 16)

    def small() -> SinkPlan:
        return SinkPlan("a", Receiver(fails=True), JsonFormatter(), spool, QUICK, linger_s=0.0)

    delivery = Delivery([small(), plan("well", well, tmp_path)], on_problem=said.append)
    delivery.start()
    for number in range(1000):
        delivery.submit(alert(number))
    wait_until(lambda: any("lost" in line for line in said))
    exchange(delivery, small(), delivery.workers[1].plan, kept=["well"])
    before = len(said)
    for number in range(1000, 1400):
        delivery.submit(alert(number))
    delivery.close(drain_s=2)
    told = [line for line in said[before:] if "alerts lost: sink a lost" in line]
    assert told
    assert not any("lost -" in line for line in told)


def test_sinks_that_have_left_are_forgotten() -> None:
    """Before, each reload with another sink kept the one before it for ever."""
    sinks = [Receiver() for _ in range(4)]
    delivery = started(plan("a0", sinks[0]))
    for number, sink in enumerate(sinks[1:], 1):
        delivery.submit(alert(number))
        exchange(delivery, plan(f"a{number}", sink))
    dead = Receiver(fails=True)
    exchange(delivery, plan("dead", dead))
    delivery.submit(alert(9))
    exchange(delivery, plan("last", Receiver()))
    wait_until(lambda: len(delivery._leaving) == 1)
    assert [each.name for each in delivery._leaving] == ["dead"], "it still has an alert"
    dead.fails = False
    assert delivery.close(30.0) == {}
    assert dead.got == rules(9)
    assert [each.got for each in sinks] == [rules(1), rules(2), rules(3), []]

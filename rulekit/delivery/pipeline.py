"""The path of an alert: noise control, routing, format, spool, sink."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from rulekit.alert import Alert, internal_alert
from rulekit.delivery.capacity import excess_of, record_of
from rulekit.delivery.noise import Noise
from rulekit.delivery.routing import Router
from rulekit.delivery.status import SinkStatus, status_of
from rulekit.delivery.worker import SinkPlan, SinkWorker
from rulekit.errors import SinkError
from rulekit.formats.base import Formatter
from rulekit.sinks.base import Record

LOST_RULE = "rulekit internal: alerts lost"
DISK_RULE = "rulekit internal: disk full"
_TICK_S = 1.0
_POLL_S = 0.01
_PATIENCE_S = 10.0
_ROOM = 0.75  # of a spool, beyond which a source that can wait is to wait


class Delivery:
    """Takes alerts from engines and has them delivered by sinks.

    `submit` may be called from any thread; when it returns the alert is in the spool of each of its
    sinks, or counted as dropped. No sink can keep it waiting but one whose spool is full and whose
    policy says ``block``.

    Args:
        plans: The sinks.
        router: Chooses among them by number; by default every one gets every alert.
        noise: Holds back alerts; by default none.
        live: Events come as they happen: what noise control has held back is told by the clock, not
            only when another alert comes.
        hostname: What alerts about the delivery itself call this host.
        on_problem: Called with a message when a sink begins to fail, recovers, or loses alerts.

    Raises:
        SinkError: A spool cannot be used.
    """

    def __init__(
        self,
        plans: Sequence[SinkPlan],
        *,
        router: Router | None = None,
        noise: Noise | None = None,
        live: bool = False,
        hostname: str = "",
        on_problem: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._router = router or Router([plan.name for plan in plans])
        self.noise = noise or Noise(())
        self._live = live
        self._hostname = hostname
        self.unrouted = 0
        """Alerts that no sink was to get."""
        self._tell = on_problem
        self._lock = threading.Lock()
        self._workers: list[SinkWorker] = []
        self._leaving: list[SinkWorker] = []  # deliver what they have, and get no more
        self._stopping = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="delivery clock", daemon=True)
        try:
            for plan in plans:
                self._workers.append(SinkWorker(plan, on_problem))
        except BaseException:
            for worker in self._workers:
                worker.spool.close()
            raise

    def start(self) -> None:
        """Begin to deliver, with what an earlier process left in the spools."""
        for worker in self._workers:
            worker.start()
        self._clock.start()

    def submit(self, alert: Alert) -> bool:
        """Take an alert; False when none of its sinks has a place for it, which is counted."""
        with self._lock:
            if self.noise.idle:
                return self._spread(alert, alert)
            taken = [self._spread(p.alert, p.like) for p in self.noise.take(alert)]
            return all(taken)

    def excess(self, alerts: Sequence[Alert]) -> str | None:
        """Return why some alerts can never be taken together, None when they can at some time."""
        with self._lock:
            return excess_of(alerts, self._workers, self._router, alone=not self.noise.idle)

    @property
    def workers(self) -> list[SinkWorker]:
        """The sinks as they run."""
        return self._workers

    def has_room(self) -> bool:
        """Return whether no spool is nearly full or on a full disk: more alerts would lose some."""
        return all(
            worker.spool.disk_has_room()
            and worker.spool.n_bytes < worker.plan.spool.max_bytes * _ROOM
            for worker in self._workers
        )

    def let_go(self) -> None:
        """Let nobody wait for room in a spool any longer; what has none is dropped and counted."""
        for worker in self._workers:
            if worker.plan.spool.full == "block":
                worker.spool.stop()

    def reopen(self) -> None:
        """Have every sink open its target anew: log files were renamed."""
        for worker in self._workers:
            worker.reopen()

    def status(self) -> list[SinkStatus]:
        """Return every sink as it stands."""
        return [status_of(worker) for worker in self._workers]

    def exchange(
        self,
        plans: Sequence[SinkPlan],
        router: Router,
        noise: Noise,
        kept: Collection[str],
        patience_s: float = 60.0,
    ) -> None:
        """Go on with other sinks, routes and noise control; by any thread but that of a sink.

        What an old sink has not delivered yet is not lost: on disk it waits for the new sink of the
        same name, in memory the old sink delivers it before it goes.

        Args:
            plans: All sinks from now on.
            kept: Names of those that are as they were; they go on undisturbed.
            patience_s: How long an attempt of a sink that changes may still take.

        Raises:
            SinkError: A spool cannot be used, or an attempt takes too long; all is as it was.
        """
        old = {worker.name: worker for worker in self._workers}
        changed = [old[p.name] for p in plans if p.name in old and p.name not in kept]
        on_disk = [worker for worker in changed if worker.plan.spool.folder is not None]
        back = {plan.name for plan in plans} - set(old)
        on_disk += [each for each in self._leaving if each.name in back]
        for worker in on_disk:
            spool = worker.plan.spool
            if spool.full == "block" and worker.spool.n_bytes > spool.max_bytes * _ROOM:
                # Whoever gives it alerts would wait, and nobody would make room.
                raise SinkError(f"sink {worker.name}: its spool is full")
        for worker in on_disk:
            if not worker.halt(patience_s):
                self._revive(on_disk)
                raise SinkError(f"sink {worker.name}: its present attempt does not end")
        if not self._lock.acquire(timeout=_PATIENCE_S):
            for worker in on_disk:  # one of them has filled up meanwhile
                worker.spool.stop()
            self._lock.acquire()
        try:
            made, fresh = self._made(plans, old, kept, on_disk)
            held, self._workers, self._router, self.noise = self.noise, made, router, noise
            # Into the new spools: those that were halted are closed.
            for passed in held.flush():
                self._spread(passed.alert, passed.like)
            self._leaving = [each for each in self._leaving if each not in on_disk]
            for worker in old.values():
                if worker not in made and worker not in on_disk:
                    worker.finish()
                    self._leaving.append(worker)
        finally:
            self._lock.release()
        for worker in fresh:
            worker.start()

    def _made(
        self,
        plans: Sequence[SinkPlan],
        old: dict[str, SinkWorker],
        kept: Collection[str],
        halted: Sequence[SinkWorker],
    ) -> tuple[list[SinkWorker], list[SinkWorker]]:
        """Return the workers of some plans, and those of them that are to be started."""
        for worker in halted:
            worker.spool.close()
        made: list[SinkWorker] = []
        fresh: list[SinkWorker] = []
        try:
            for plan in plans:
                if plan.name not in kept:
                    fresh.append(SinkWorker(plan, self._tell))
                made.append(old[plan.name] if plan.name in kept else fresh[-1])
        except BaseException:
            for worker in fresh:
                worker.spool.close()
            for worker in halted:
                self._renew(worker)
            raise
        return made, fresh

    def _revive(self, halted: Sequence[SinkWorker]) -> None:
        """Have sinks that were halted go on, each as soon as its attempt has ended."""

        def revive(worker: SinkWorker) -> None:
            worker.halt(None)
            with self._lock:
                worker.spool.close()
                self._renew(worker)

        for worker in halted:
            threading.Thread(target=revive, args=(worker,), daemon=True).start()

    def _renew(self, worker: SinkWorker) -> None:
        """Put another worker with the same plan into the place of one that has ended."""
        again = SinkWorker(worker.plan, self._tell)
        self._workers = [again if each is worker else each for each in self._workers]
        self._leaving = [again if each is worker else each for each in self._leaving]
        again.start()
        if again in self._leaving:
            again.finish()

    def close(self, drain_s: float = 10.0) -> dict[str, int]:
        """Deliver what waits, for so many seconds at most, and stop.

        Returns:
            By sink, how many alerts are left in its spool for the next process; none when empty.
        """
        self._stopping.set()
        deadline_s = time.monotonic() + drain_s
        if self._clock.is_alive():
            self._clock.join(drain_s)
        with self._locked(deadline_s) as locked:
            for passed in self.noise.flush() if locked else ():
                self._spread(passed.alert, passed.like, wait_s=deadline_s - time.monotonic())
        # What is lost on the way out is still to be told by the sinks that are well.
        while any(worker.spool.unsettled for worker in self._workers):
            if time.monotonic() >= deadline_s:
                break
            time.sleep(_POLL_S)
            with self._locked(deadline_s) as locked:
                if locked:
                    self._announce()
        # Whoever still waits for room in a spool waits in vain.
        for worker in self._workers:
            worker.finish()
        with self._lock:
            self._announce()
        left = {}
        for worker in (*self._workers, *self._leaving):
            if not worker.join(deadline_s):
                left[worker.name] = worker.spool.unsettled
        return left

    @contextlib.contextmanager
    def _locked(self, deadline_s: float) -> Iterator[bool]:
        """Hold the lock; false when another thread kept it, waiting for room in a spool."""
        locked = self._lock.acquire(timeout=max(0.0, deadline_s - time.monotonic()))
        try:
            yield locked
        finally:
            if locked:
                self._lock.release()

    def _spread(
        self, alert: Alert, like: Alert, *, wait_s: float | None = None, counted: bool = True
    ) -> bool:
        """Format an alert and put it into the spools of the sinks that `like` goes to.

        Args:
            wait_s: How long a full spool with the policy ``block`` may keep it waiting; forever
                unless said.
            counted: Count it when it is lost.

        Returns:
            True when one of them took it.
        """
        chosen = self._router.sinks(like)
        if not chosen:
            self.unrouted += 1
            return True
        taken = False
        formatter: Formatter | None = None
        record: Record | None = None
        for i in chosen:
            worker = self._workers[i]
            if record is None or worker.plan.formatter is not formatter:
                formatter = worker.plan.formatter
                try:
                    record = record_of(alert, formatter)
                except Exception as error:  # a format's own mistake must not end the delivery
                    record = None
                    self._unwritten(worker, error, counted)
                    continue
            taken |= worker.put(record, wait_s=wait_s, counted=counted)
        return taken

    def _unwritten(self, worker: SinkWorker, error: Exception, counted: bool) -> None:
        if "format" not in worker.spool.dropped:
            name = type(worker.plan.formatter).__name__
            self._tell(f"sink {worker.name}: {name}: {type(error).__name__}: {error}")
        worker.spool.lose("format", int(counted))

    def _tick(self) -> None:
        while not self._stopping.wait(_TICK_S):
            with self._lock:
                self._announce()
                # What they delivered last is told; whoever has nothing left is forgotten.
                self._leaving = [each for each in self._leaving if not each.release()]
                if self._live:
                    for passed in self.noise.advance(time.time_ns()):
                        self._spread(passed.alert, passed.like, wait_s=_TICK_S)

    def _announce(self) -> None:
        """Tell of disks that are full, and of alerts that were lost, since the last time."""
        for worker in self._workers:
            self._announce_disk(worker)
        for worker in (*self._workers, *self._leaving):
            lost = dict(worker.spool.dropped)
            if worker.stats.refused:
                lost["refused"] = worker.stats.refused
            told = worker.told
            new = {cause: n - told.get(cause, 0) for cause, n in lost.items()}
            new = {cause: n for cause, n in new.items() if n}
            if not new:
                continue
            total = sum(new.values())
            causes = ", ".join(f"{n} {_CAUSES[cause]}" for cause, n in new.items())
            noun = "alert" if total == 1 else "alerts"
            text = f"{LOST_RULE}: sink {worker.name} lost {total} {noun}: {causes}"
            if lost != worker.said:  # and not once more when no sink has room for the alert
                worker.said = lost
                self._tell(text.removeprefix("rulekit internal: "))
            alert = internal_alert(
                LOST_RULE,
                "Critical",
                text,
                {"sink": worker.name, **{f"n_{cause}": n for cause, n in new.items()}},
                time_ns=time.time_ns(),
                hostname=self._hostname,
                occasion=f"{worker.name} {lost}",
            )
            if self._spread(alert, alert, wait_s=0, counted=False):
                worker.told = lost

    def _announce_disk(self, worker: SinkWorker) -> None:
        """Tell when the disk of a spool begins to refuse alerts, and when it takes them again."""
        was_full, is_full = worker.told_full, not worker.spool.disk_has_room()
        if is_full == was_full:
            return
        folder = str(worker.plan.spool.folder)
        worker.told_full = is_full
        if not is_full:
            self._tell(f"sink {worker.name}: there is room in {folder} again")
            return
        text = f"{DISK_RULE}: the spool of sink {worker.name} cannot be written"
        self._tell(f"{text.removeprefix('rulekit internal: ')}: {folder}")
        alert = internal_alert(
            DISK_RULE,
            "Critical",
            text,
            {"sink": worker.name, "folder": folder},
            time_ns=time.time_ns(),
            hostname=self._hostname,
            occasion=f"{worker.name} {time.time_ns()}",
        )
        self._spread(alert, alert, wait_s=0, counted=False)


_CAUSES = {
    "full": "because its spool was full",
    "disk": "because the disk was full",
    "damaged": "because its spool was damaged",
    "too_large": "too large for its spool",
    "refused": "refused by the receiver",
    "format": "that its format cannot write",
}

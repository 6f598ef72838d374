"""Random faults over all acknowledging sinks: nothing may be lost.

    python -m tests.faults.campaign --faults 200 --seed 1 [--record]

Each round delivers alerts to one sink through its spool while one fault lasts; "killed" rounds do
it in a process of their own that is killed with whatever is in its queue, and started again.
Delivered means: in the receiver's ledger.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import record
from rulekit.alert import Alert
from rulekit.delivery.kinds import format_kind, sink_kind
from rulekit.delivery.pipeline import Delivery
from rulekit.delivery.spool import SpoolPlan
from rulekit.delivery.worker import RetryPlan, SinkPlan
from rulekit.errors import SinkError
from rulekit.formats.base import Formatter
from rulekit.sinks.values import Secret
from tests.faults.targets import TARGETS, Target
from tests.sinks.records import alert
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
FAST = RetryPlan(first_s=0.02, most_s=0.2, jitter_s=0.02, failures=4, cooldown_s=0.2)
PATIENCE_S = 600  # only a hang takes so long, however busy the machine is
KILLED = "the process is killed"


class IdFormatter(Formatter):
    """Writes nothing but the id and something that takes room."""

    def format(self, alert: Alert) -> bytes:
        """Return ``{"id": ..., "pad": ...}``."""
        return json.dumps({"id": alert.id, "pad": alert.message}).encode() + b"\n"


@dataclass
class Round:
    """What one fault did."""

    target: str
    fault: str
    sent: int
    lost: int
    repeated: int
    seconds: float


@dataclass
class Outcome:
    """What a campaign found."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return sum(one.lost for one in self.rounds)

    def table(self) -> str:
        """Return a line per sink: faults, alerts, lost, repeated."""
        lines = [f"{'sink':<14}{'faults':>7}{'alerts':>9}{'lost':>6}{'repeated':>10}"]
        for name in dict.fromkeys(one.target for one in self.rounds):
            own = [one for one in self.rounds if one.target == name]
            lines.append(
                f"{name:<14}{len(own):>7}{sum(o.sent for o in own):>9}"
                f"{sum(o.lost for o in own):>6}{sum(o.repeated for o in own):>10}"
            )
        lines.append(
            f"{'all':<14}{len(self.rounds):>7}{sum(o.sent for o in self.rounds):>9}{self.lost:>6}"
            f"{sum(o.repeated for o in self.rounds):>10}"
        )
        return "\n".join(lines)


def open_delivery(target: Target, folder: Path, max_records: int) -> Delivery:
    """Return a delivery of one sink, with its spool on disk."""
    kind = sink_kind(target.kind)
    formatter = IdFormatter() if target.format == "ids" else format_kind(target.format)()
    plan = SinkPlan(
        target.kind,
        kind(kind.Options(**target.options)),
        formatter,
        spool=SpoolPlan(folder, full="block"),
        retry=FAST,
        max_records=max_records,
        linger_s=0.01,
    )
    return Delivery([plan])


class Campaign:
    """Runs rounds over targets that are opened once.

    Args:
        folder: For spools and receivers.
        rng: Decides everything.
        targets: Classes; those whose receiver is not installed are left out by the caller.
    """

    def __init__(self, folder: Path, rng: random.Random, targets: list[type[Target]]) -> None:
        self._folder = folder
        self._rng = rng
        self._stack = contextlib.ExitStack()
        self.targets: list[Target] = []
        for number, kind in enumerate(targets):
            target = kind(folder / f"target-{number}")
            self._stack.callback(target.close)
            self.targets.append(target)
        self._next_id = 1
        self._turn = 0
        self.outcome = Outcome()

    def round(self) -> Round:
        """Do one fault to the next target and see what arrived."""
        rng = self._rng
        target = self.targets[self._turn % len(self.targets)]
        self._turn += 1
        fault = rng.choice([*target.faults, *target.faults, KILLED])
        numbers = range(self._next_id, self._next_id + rng.randrange(40, 160))
        self._next_id = numbers.stop
        before = target.ledger()
        started_s = time.monotonic()
        spool = self._folder / f"spool-{type(target).__name__}"
        if fault == KILLED:
            sent = self._killed(target, spool, numbers)
        else:
            self._disturbed(target, spool, numbers, fault)
            sent = set(numbers)
        expected = {f"{number:032x}" for number in sent}
        found = self._wait_for(target, before, expected)
        # What was not told to be sent any more may have arrived all the same.
        known = {f"{number:032x}" for number in numbers}
        assert set(found) <= known, "the receiver has alerts that nobody sent"
        done = Round(
            type(target).__name__.removesuffix("Target"),
            fault,
            len(sent),
            len(expected - set(found)),
            sum(found.values()) - len(found),
            time.monotonic() - started_s,
        )
        self.outcome.rounds.append(done)
        return done

    def _wait_for(self, target: Target, before: Counter[str], wanted: set[str]) -> Counter[str]:
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            found = Counter(target.ledger())
            found.subtract(before)
            found = +found
            if wanted <= set(found) or time.monotonic() > deadline_s:
                return found
            time.sleep(0.05)

    def _disturbed(self, target: Target, spool: Path, numbers: range, fault: str) -> None:
        rng = self._rng
        delivery = open_delivery(target, spool, rng.choice([1, 7, 50]))
        delivery.start()
        third = len(numbers) // 3
        for number in numbers[:third]:
            delivery.submit(alert(number, rng.randrange(400)))
        time.sleep(rng.uniform(0, 0.05))
        with target.faults[fault](rng):
            for number in numbers[third : 2 * third]:
                delivery.submit(alert(number, rng.randrange(400)))
            time.sleep(rng.uniform(0.02, 0.3))
        for number in numbers[2 * third :]:
            delivery.submit(alert(number, rng.randrange(400)))
        left = delivery.close(drain_s=PATIENCE_S)
        assert left == {}, f"{left} were left: {delivery.status()}"

    def _killed(self, target: Target, spool: Path, numbers: range) -> set[int]:
        """Deliver in a process that is killed; return what it had put into its spool."""
        rng = self._rng
        options = {
            name: ["secret", value.reveal()] if isinstance(value, Secret) else value
            for name, value in target.options.items()
        }
        job = (target.kind, target.format, options, spool, numbers, rng.choice([1, 7, 50]))
        path = self._folder / "job"
        path.write_bytes(pickle.dumps(job))
        command = [sys.executable, "-m", "tests.faults.campaign", "--deliver", str(path)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert process.stdout is not None
        put = {int(process.stdout.readline())}
        wanted = rng.randrange(1, len(numbers))
        while len(put) < wanted:
            put.add(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        put.update(int(line) for line in process.stdout.read().split(b"\n") if line.isdigit())
        process.wait()
        # The next process delivers what the killed one left, as soon as a program that it was about
        # to start, and that has its files until then, is that program.
        delivery = wait_until(lambda: self._opened(target, spool))
        delivery.start()
        left = delivery.close(drain_s=PATIENCE_S)
        assert left == {}, f"{left} were left: {delivery.status()}"
        return put

    def _opened(self, target: Target, spool: Path) -> Delivery | None:
        try:
            return open_delivery(target, spool, 50)
        except SinkError as error:
            if "another process uses this spool" not in str(error):
                raise
            return None

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Campaign:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def deliver(path: Path) -> None:
    """Deliver a job's alerts, telling each number once it is in the spool; never ends by itself."""
    kind, form, options, spool, numbers, max_records = pickle.loads(path.read_bytes())
    target = Target.__new__(Target)
    target.kind, target.format = kind, form
    target.options = {
        name: Secret("job", value[1])
        if isinstance(value, list) and value[:1] == ["secret"]
        else value
        for name, value in options.items()
    }
    delivery = open_delivery(target, spool, max_records)
    delivery.start()
    for number in numbers:
        delivery.submit(alert(number, number * 7 % 400))
        print(number, flush=True)
        time.sleep(0.001)
    time.sleep(3600)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        yield Path(folder)


def main() -> int:
    """Run a campaign from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/record/")
    parser.add_argument("--deliver", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.deliver is not None:
        deliver(args.deliver)
        return 0
    seed = random.SystemRandom().randrange(1 << 32) if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    with scratch() as folder, Campaign(folder, random.Random(seed), list(TARGETS)) as campaign:
        for number in range(args.faults):
            done = campaign.round()
            print(
                f"{number + 1:>4} {done.target:<12} {done.fault:<34} {done.sent:>4} sent"
                f" {done.lost:>3} lost {done.repeated:>4} repeated {done.seconds:6.1f} s",
                flush=True,
            )
        text = campaign.outcome.table()
        print(text)
        if args.record:
            rounds = campaign.outcome.rounds
            by_fault = Counter(f"{one.target}: {one.fault}" for one in rounds)
            record(
                "faults",
                {
                    "seed": seed,
                    "faults": len(rounds),
                    "alerts": sum(one.sent for one in rounds),
                    "lost": campaign.outcome.lost,
                    "repeated": sum(one.repeated for one in rounds),
                    "by_fault": dict(sorted(by_fault.items())),
                    "table": text.splitlines(),
                },
            )
        return int(campaign.outcome.lost > 0)


if __name__ == "__main__":
    sys.exit(main())

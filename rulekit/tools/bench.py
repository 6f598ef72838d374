"""How fast rules run over a capture: events per second, and what each stage of it costs.

The stages are whole passes, each doing more than the one before; what a stage costs is the
difference. All passes of all rulesets are repeated in turn, so that what else the machine does
falls on all of them; the smallest time of a pass counts.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rulekit import __version__
from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader, time_decode
from rulekit.compiler import compile
from rulekit.engine._loop import EventLoop
from rulekit.engine.pipeline import Engine
from rulekit.errors import RulekitError

STAGES = ("read", "state", "rules", "alerts")
"""Passes: inflate and find events; keep state of processes; ask the rules; make alerts."""

FORMAT = 1


@dataclass(slots=True)
class Measured:
    """Figures of one ruleset over one capture.

    Attributes:
        passes: By stage the smallest CPU seconds of a pass that does this stage and all before.
        elapsed_s: Smallest wall-clock seconds of a whole pass.
        peak_rss_mb: Of the process, after all passes.
    """

    name: str
    rules: int
    events: int = 0
    alerts: int = 0
    passes: dict[str, float] = field(default_factory=dict)
    elapsed_s: float = float("inf")
    peak_rss_mb: float = 0.0

    @property
    def ns_per_event(self) -> float:
        """CPU nanoseconds per event of a whole pass."""
        return self.passes[STAGES[-1]] / max(self.events, 1) * 1e9

    @property
    def events_per_s(self) -> float:
        """Events per second of wall-clock time."""
        return self.events / self.elapsed_s if self.elapsed_s else 0.0

    def stages(self) -> dict[str, float]:
        """Return what each stage adds, in CPU nanoseconds per event; noise may make one 0."""
        before, found = 0.0, {}
        for i, stage in enumerate(STAGES):
            # A pass that does more and took less shows that the one before was disturbed.
            spent = min(self.passes[later] for later in STAGES[i:])
            found[stage] = (spent - before) / max(self.events, 1) * 1e9
            before = spent
        return found

    def as_data(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            **asdict(self),
            "ns_per_event": self.ns_per_event,
            "events_per_s": self.events_per_s,
            "stages_ns_per_event": self.stages(),
        }


def measure(
    engines: Sequence[tuple[str, Engine]],
    capture: str,
    runs: int,
    progress: Callable[[], None] = lambda: None,
) -> list[Measured]:
    """Return the figures of each engine, in order.

    Args:
        engines: Names and engines of rules about system calls.
        capture: A file, which is read many times.
        progress: Called between passes.

    Raises:
        SourceError: The capture cannot be read to its end.
        RulekitError: It is no regular file, or has no events.
    """
    if not Path(capture).is_file():
        if capture != "-" and not os.path.exists(capture):
            time_decode(capture)  # says what is wrong
        raise RulekitError(f"{capture}: only a file can be read again and again")
    found = [Measured(name, len(engine.rules)) for name, engine in engines]
    nothing = compile([])
    for _ in range(runs):
        read = _timed(lambda: time_decode(capture))
        state = _timed(lambda: _pass(capture, Matcher(nothing)))
        for each, (_, engine) in zip(found, engines, strict=True):
            asked = _timed(lambda: _pass(capture, _matcher(engine)))  # noqa: B023
            started = time.perf_counter()
            whole = _timed(lambda: sum(1 for _ in engine.run(capture)))  # noqa: B023
            each.elapsed_s = min(each.elapsed_s, time.perf_counter() - started)
            each.events, each.alerts = engine.stats.events, int(whole[1])
            for stage, (spent, _) in zip(STAGES, (read, state, asked, whole), strict=True):
                each.passes[stage] = min(each.passes.get(stage, spent), spent)
            progress()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for each in found:
        if not each.events:
            raise RulekitError(f"{capture}: there are no events to measure with")
        each.peak_rss_mb = round(peak, 1)
    return found


def _timed(work: Callable[[], float]) -> tuple[float, float]:
    started = time.process_time()
    answer = work()
    return time.process_time() - started, answer


def _matcher(engine: Engine) -> Matcher:
    return Matcher(engine.program, first_match=engine.first_only)


def _pass(capture: str, matcher: Matcher) -> int:
    loop = EventLoop(CaptureReader(capture), matcher)
    try:
        while loop.next() is not None:
            pass
    finally:
        loop.close()
    return loop.n_events


# ---- results that are kept -------------------------------------------------------------


def saved(measured: Measured, capture: str) -> dict[str, Any]:
    """Return what is written to a file to be compared with later."""
    return {
        "format": FORMAT,
        "rulekit": __version__,
        "machine": {"system": platform.platform(), "cpu": _cpu(), "cores": os.cpu_count()},
        "capture": {"name": Path(capture).name, "size_bytes": Path(capture).stat().st_size},
        **measured.as_data(),
    }


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measurement held against a kept one.

    Attributes:
        change: Of CPU time per event; 0.1 is ten percent slower.
        notes: What makes the two hard to compare.
    """

    before_ns: float
    now_ns: float
    change: float
    stages: dict[str, tuple[float, float]]
    notes: tuple[str, ...]


def compare(measured: Measured, capture: str, kept: Any) -> Comparison:
    """Return how a measurement differs from one that was kept.

    Raises:
        RulekitError: What was kept is none, or of another capture.
    """
    try:
        if kept["format"] != FORMAT:
            raise RulekitError(f"kept by another version of rulekit (format {kept['format']})")
        before = float(kept["ns_per_event"])
        old = {stage: float(kept["stages_ns_per_event"][stage]) for stage in STAGES}
        about, machine = kept["capture"], kept["machine"]
        if (about["size_bytes"], kept["events"]) != (Path(capture).stat().st_size, measured.events):
            raise RulekitError(f"kept for another capture: {about['name']}")
        notes = []
        if machine["cpu"] != _cpu():
            notes.append(f"it was kept on another machine: {machine['cpu']}")
        if kept["rules"] != measured.rules:
            notes.append(f"it was kept with {kept['rules']} rules, these are {measured.rules}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RulekitError(f"no result of `rulekit bench --save` ({error!r})") from None
    now = measured.ns_per_event
    if before <= 0:
        raise RulekitError("no result of `rulekit bench --save` (no time)")
    new = measured.stages()
    both = {stage: (old[stage], new[stage]) for stage in STAGES}
    return Comparison(before, now, now / before - 1, both, tuple(notes))


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
                "unknown")  # fmt: skip

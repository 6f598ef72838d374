"""Worker processes that take jobs of several steps, each step with its time limit.

A worker that hangs or dies costs the step it was at; the rest of its job goes to a new one. Workers
are forks: they have what was loaded before, and only results travel.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

_JOIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work.

    Attributes:
        limits_s: Time limit of each step; shape ``(n_steps,)``.
        done: Steps that are done already, or lost.
    """

    number: int
    limits_s: tuple[float, ...]
    done: int = 0


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Result of a step that took too long."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """Result of a step whose worker died or raised."""

    reason: str
    trace: tuple[str, ...] = ()


Work = Callable[[int, int], Iterator[Any]]


class _Worker:
    def __init__(self, work: Work) -> None:
        context = multiprocessing.get_context("fork")
        self.link, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.link, work), daemon=True)
        self.process.start()
        theirs.close()
        self.job: Job | None = None
        self.step = 0
        self.since = 0.0

    def take(self, job: Job) -> None:
        self.job, self.step, self.since = job, job.done, time.monotonic()
        self.link.send((job.number, job.done))

    def left_s(self) -> float:
        """Return the seconds left for the current step; not above 0 when they are used up."""
        assert self.job is not None
        return self.since + self.job.limits_s[self.step] - time.monotonic()

    def stop(self) -> None:
        with contextlib.suppress(OSError, BrokenPipeError):
            self.link.send(None)
        self.link.close()
        self.process.join(_JOIN_S)
        self.kill()

    def kill(self) -> int | None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join(_JOIN_S)
        return self.process.exitcode


def _serve(link: Connection, other: Connection, work: Work) -> None:
    other.close()
    # The one who started us says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            task = link.recv()
        except EOFError:
            return
        if task is None:
            return
        number, skip = task
        try:
            for step, result in enumerate(work(number, skip), skip):
                link.send((step, result))
        except Exception as error:
            lines = traceback.format_exc().rstrip().split("\n")
            text = " ".join(str(error).split())
            link.send((None, Crashed(f"{type(error).__name__}: {text}", tuple(lines))))


def run_jobs(jobs: Sequence[Job], work: Work, n_workers: int) -> Iterator[tuple[int, int, Any]]:
    """Yield ``(job, step, result)`` for every step as it is done.

    Args:
        work: Yields the results of a job's steps from the given one on; called in a worker.
    """
    todo = deque(jobs)
    workers: list[_Worker] = []
    try:
        while todo or any(worker.job for worker in workers):
            for worker in workers:
                if worker.job is None and todo:
                    worker.take(todo.popleft())
            while todo and len(workers) < max(1, n_workers):
                workers.append(_Worker(work))
                workers[-1].take(todo.popleft())
            busy = {worker.link: worker for worker in workers if worker.job is not None}
            patience_s = min(worker.left_s() for worker in busy.values())
            for link in wait(list(busy), max(0.0, patience_s)):
                worker = busy.pop(link)  # type: ignore[call-overload]
                yield _receive(worker, workers, todo)
            for worker in busy.values():
                if worker.left_s() <= 0:
                    yield _lose(worker, workers, todo, TimedOut())
    finally:
        for worker in workers:
            if worker.job is not None:
                worker.kill()
            worker.stop()


def _receive(worker: _Worker, workers: list[_Worker], todo: deque[Job]) -> tuple[int, int, Any]:
    job = worker.job
    assert job is not None
    try:
        step, result = worker.link.recv()
    except (EOFError, OSError):
        return _lose(worker, workers, todo, Crashed(_reason(worker.kill())))
    if isinstance(result, Crashed):
        return _lose(worker, workers, todo, result)
    worker.step = step + 1
    worker.since = time.monotonic()
    if worker.step == len(job.limits_s):
        worker.job = None
    return job.number, step, result


def _lose(
    worker: _Worker, workers: list[_Worker], todo: deque[Job], result: Any
) -> tuple[int, int, Any]:
    """Give up a worker and its step; what is left of its job is done by another."""
    job, step = worker.job, worker.step
    assert job is not None
    worker.kill()
    worker.link.close()
    workers.remove(worker)
    if step + 1 < len(job.limits_s):
        todo.appendleft(Job(job.number, job.limits_s, step + 1))
    return job.number, step, result


def _reason(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"exit code {code}"

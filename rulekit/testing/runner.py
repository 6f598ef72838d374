"""Runs cases in worker processes: a case that hangs or crashes fails alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rulekit.testing.case import Case
from rulekit.testing.judge import Failure, Result, judge
from rulekit.testing.passes import Loader, Pass, pass_key, run_pass
from rulekit.testing.pool import Crashed, Job, TimedOut, run_jobs


@dataclass(frozen=True, slots=True)
class Options:
    """How cases are run.

    Attributes:
        jobs: Worker processes.
        max_failures: Stop after so many cases that are not good; 0: run them all.
        isolate: False runs everything in this process, without time limits: for debuggers.
    """

    jobs: int = 1
    max_failures: int = 0
    isolate: bool = True


def run_cases(cases: Sequence[Case], options: Options | None = None) -> Iterator[Result]:
    """Yield the result of each case, in the order of the cases."""
    options = options or Options()
    groups = group_cases(cases)
    if options.isolate:
        results = _isolated(groups, options.jobs)
    else:
        loader = Loader()
        results = (result for group in groups for result in run_group(group, loader))
    failures = 0
    for result in _in_order(results, cases):
        yield result
        failures += not result.good
        if failures and failures == options.max_failures:
            return


def group_cases(cases: Sequence[Case]) -> list[list[Case]]:
    """Return the cases in groups that share a pass, groups in the order of their first cases."""
    groups: dict[object, list[Case]] = {}
    for case in cases:
        groups.setdefault(pass_key(case), []).append(case)
    return list(groups.values())


def run_group(group: Sequence[Case], loader: Loader) -> Iterator[Result]:
    """Run cases that share a pass."""
    found: Pass | None = None
    for case in group:
        started = time.perf_counter()
        if found is None:
            found = run_pass(group, loader)
        result = judge(case, found)
        if not result.error and case.xfail is None:
            result = replace(
                result, failures=tuple(_explained(case, found, f) for f in result.failures)
            )
        yield replace(result, duration_s=time.perf_counter() - started)


def _explained(case: Case, found: Pass, failure: Failure) -> Failure:
    """Add to a failure why an alert did not come, or did."""
    from rulekit.testing.nearest import nearest_miss, why_it_fired

    if failure.missing is not None:
        why = nearest_miss(case, found, failure.missing)
    elif failure.unwanted is not None:
        why = why_it_fired(case, found, failure.unwanted)
    else:
        return failure
    return replace(failure, detail=(*failure.detail, *why), unwanted=None)


def _isolated(groups: list[list[Case]], jobs: int) -> Iterator[Result]:
    loader = Loader()

    def work(group: int, first: int) -> Iterator[Result]:
        # The case is known on the other side; it is not sent back.
        return (replace(r, case=None) for r in run_group(groups[group][first:], loader))  # type: ignore[arg-type]

    todo = [Job(i, tuple(case.timeout_s for case in group)) for i, group in enumerate(groups)]
    for job, step, found in run_jobs(todo, work, jobs):
        case = groups[job][step]
        if isinstance(found, TimedOut):
            message = f"took longer than {case.timeout_s:g} s and was stopped"
            failure = Failure(case.span, message)
            yield Result(case, (failure,), stopped=True, duration_s=case.timeout_s)
        elif isinstance(found, Crashed):
            message = f"the worker ended: {found.reason}"
            yield Result(case, (Failure(case.span, message, found.trace),), stopped=True)
        else:
            yield replace(found, case=case)


def _in_order(results: Iterable[Result], cases: Sequence[Case]) -> Iterator[Result]:
    """Yield results in the order of their cases, each as soon as all before it are there."""
    place = {id(case): i for i, case in enumerate(cases)}
    waiting: dict[int, Result] = {}
    following = 0
    for result in results:
        waiting[place[id(result.case)]] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1

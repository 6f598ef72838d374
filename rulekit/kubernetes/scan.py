"""Rules over manifests: what would be said if their objects were created."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rulekit.alert import Alert
from rulekit.engine.pipeline import Engine
from rulekit.engine.verdict import Action
from rulekit.kubernetes.manifests import (
    Manifest,
    Problem,
    Skipped,
    find_manifests,
    read_manifests,
)
from rulekit.sources.kubernetes import object_event


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is true for an object.

    Attributes:
        action: What the rule asks for: ``deny``, ``warn`` or ``allow``.
    """

    manifest: Manifest
    alert: Alert
    action: Action


@dataclass(slots=True)
class ScanStats:
    """What a scan saw.

    Attributes:
        files: Read, also those that are not sound.
        objects: Looked at.
        skipped: Documents that are no objects of Kubernetes.
        problems: Files or documents that could not be read.
        actions: Findings by what they ask for.
    """

    files: int = 0
    objects: int = 0
    skipped: int = 0
    problems: int = 0
    actions: Counter[Action] = field(default_factory=Counter)


class Scan:
    """Runs an engine for ``k8s_audit`` over manifests.

    Args:
        namespace: Of objects that do not say theirs.
    """

    def __init__(self, engine: Engine, *, namespace: str = "default") -> None:
        self.stats = ScanStats()
        self._engine = engine
        self._namespace = namespace
        self._actions = {rule.name: engine.verdicts.action_of(rule) for rule in engine.rules}

    def run(self, paths: Iterable[str]) -> Iterator[Finding | Problem]:
        """Yield what is found in files and folders, in their order; ``-`` is standard input."""
        for path in find_manifests(paths):
            if isinstance(path, Problem):
                self.stats.problems += 1
                yield path
                continue
            self.stats.files += 1
            for found in read_manifests(path):
                if isinstance(found, Skipped):
                    self.stats.skipped += 1
                elif isinstance(found, Problem):
                    self.stats.problems += 1
                    yield found
                else:
                    yield from self._look_at(found)

    def _look_at(self, manifest: Manifest) -> Iterator[Finding | Problem]:
        self.stats.objects += 1
        try:
            event = object_event(manifest.data, namespace=self._namespace)
        except ValueError as error:
            verdict_problem = str(error)
        else:
            verdict = self._engine.decide(event, alerts=True)
            verdict_problem = verdict.problem
            for alert in verdict.alerts:
                action = self._actions[alert.rule]
                self.stats.actions[action] += 1
                yield Finding(manifest, alert, action)
        if verdict_problem:
            self.stats.problems += 1
            yield Problem(manifest.path, manifest.line, verdict_problem)

"""Rules from Python in two calls: `load`, then `Ruleset.run`."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass, fields

from rulekit.alert import Alert
from rulekit.engine.pipeline import Engine
from rulekit.rules import ruleset as rules
from rulekit.rules.loader import load_files
from rulekit.sources.detect import detect_source
from rulekit.sources.documents import DocumentSource
from rulekit.sources.opening import as_source, event_source_of
from rulekit.text.diagnostic import Diagnostic


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ruleset(rules.Ruleset):
    """Loaded rules that can be run; immutable, safe to share between threads."""

    def run(
        self,
        capture: str | os.PathLike[str],
        *,
        source: str | None = None,
        matching: str = "first",
        min_priority: str | None = None,
        all_rules: bool = False,
    ) -> Generator[Alert, None, None]:
        """Yield the alerts of a capture, in the order of its events.

        Each call compiles the rules; for many captures make an `Engine` and keep it.

        Args:
            capture: A ``.scap`` file, plain or gzip; a log of Linux audit; or JSON documents: a
                file, a folder.
            source: What the capture is (``syscall``, ``linux_audit``, ``k8s_audit``, ...), which
                decides the rules to run; None lets its first bytes tell.
            matching: ``first`` reports the first rule, in the order of definition, that matches an
                event; ``all`` every one.
            min_priority: Leaves out rules that are less urgent (``warning``).
            all_rules: Take rules as enabled that their file disables.

        Raises:
            SourceError: The capture cannot be read, or breaks off; the alerts of everything before
                the damage were yielded.
        """
        opened: DocumentSource = capture
        if source is None:
            source, opened = detect_source(capture)
        engine = Engine(
            self,
            source=event_source_of(source),
            matching=matching,
            min_priority=min_priority,
            all_rules=all_rules,
        )
        return engine.run(as_source(source, opened))


def load(*files: str | os.PathLike[str]) -> Ruleset:
    """Load rules files, in the order given, as one ruleset.

    Args:
        files: Paths; a folder stands for the ``.yaml`` and ``.yml`` files in it, sorted by name.

    Raises:
        RuleError: The rules cannot be run; its `diagnostics` say why and where.
    """
    loaded = load_files(files).require()
    return Ruleset(**{f.name: getattr(loaded, f.name) for f in fields(loaded)})


def check(*files: str | os.PathLike[str]) -> tuple[Diagnostic, ...]:
    """Return everything that is to be said about rules files, errors and warnings, by place."""
    return load_files(files).diagnostics

"""pytest collects test files of rules: ``tests.yaml``, ``*.tests.yaml``, ``*_tests.yaml``.

Each case is an item with its tags as keywords, so that -k, -x and reports work as for other tests.
A file that is no test file of rulekit is left alone. ``--no-rulekit`` switches this off.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rulekit.testing.case import Case

_NAMES = ("tests.yaml", "tests.yml", "*.tests.yaml", "*_tests.yaml")


class CaseFailed(Exception):
    """A case that is not good; its text is what `rulekit test` shows."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that switches the plugin off."""
    group = parser.getgroup("rulekit")
    group.addoption("--no-rulekit", action="store_true", help="do not collect tests of rules")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a test file of rules."""
    if parent.config.getoption("--no-rulekit"):
        return None
    if any(fnmatch(file_path.name, name) for name in _NAMES) and _is_ours(file_path):
        return RuleFile.from_parent(parent, path=file_path)
    return None


def _is_ours(path: Path) -> bool:
    try:
        return "case:" in path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


class RuleFile(pytest.File):
    """A test file."""

    def collect(self) -> Iterable[pytest.Item]:
        """Yield its cases."""
        from rulekit.testing.case import CaseError
        from rulekit.testing.read import load_cases
        from rulekit.text.render import render

        try:
            cases = load_cases(self.path)
        except CaseError as error:
            raise self.CollectError(render(error.diagnostics)) from None
        for case in cases:
            yield RuleCase.from_parent(self, name=case.name, case=case)


class RuleCase(pytest.Item):
    """One case, run in a worker process with its time limit."""

    def __init__(self, *, case: Case, **rest: Any) -> None:
        super().__init__(**rest)
        self.case = case
        self.extra_keyword_matches.update((*case.tags, *case.named_rules()))
        if case.xfail is not None:
            self.add_marker(pytest.mark.xfail(reason=case.xfail, strict=True))

    def runtest(self) -> None:
        """Run the case; what is wrong is raised as text."""
        from dataclasses import replace

        from rulekit.testing.report import failure_text
        from rulekit.testing.runner import run_cases

        # pytest itself knows about expected failures.
        (result,) = run_cases([replace(self.case, xfail=None)])
        if not result.good:
            raise CaseFailed(failure_text(result).partition("\n\n")[2])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the text of a failure, without a traceback."""
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return file, line (from 0) and name."""
        return self.path, self.case.line - 1, self.name

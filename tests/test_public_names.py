"""The names that users may import, and no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rulekit

ROOT = Path(__file__).resolve().parent.parent

NAMES = [
    "Alert",
    "Diagnostic",
    "Engine",
    "Event",
    "Rule",
    "RuleError",
    "RulekitError",
    "Ruleset",
    "SinkError",
    "SourceError",
    "__version__",
    "check",
    "compile",
    "load",
    "open_source",
]


def test_public_names_are_these() -> None:
    assert sorted(rulekit.__all__) == NAMES
    assert len(NAMES) <= 20


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_can_be_had(name: str) -> None:
    assert getattr(rulekit, name) is not None
    assert name in dir(rulekit)


def test_another_name_cannot() -> None:
    with pytest.raises(AttributeError, match="module 'rulekit' has no attribute 'nosuch'"):
        rulekit.nosuch  # noqa: B018


def test_importing_rulekit_loads_almost_nothing() -> None:
    script = "import sys, rulekit; print([m for m in sys.modules if m.startswith('rulekit.')])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_rulesets_and_rules_print_shortly() -> None:
    ruleset = rulekit.load(ROOT / "rulesets" / "persistence" / "rules.yaml")
    assert repr(ruleset) == "<Ruleset: 9 rules, 2 macros, 1 lists>"
    assert repr(ruleset.rules[0]) == "<Rule 'Scheduled job written'>"
    assert len(repr(ruleset.rules[0].span)) < 200
    assert len(repr(ruleset.rules[0].node)) < 20_000


def test_the_builder_of_captures_has_a_public_name(tmp_path: Path) -> None:
    import rulekit.capture

    assert rulekit.capture.__all__ == sorted(rulekit.capture.__all__)
    assert all(getattr(rulekit.capture, name).__doc__ for name in rulekit.capture.__all__)
    builder = rulekit.capture.Builder()
    builder.add_process(1, "init")
    builder.add_event("close", {"res": 0, "fd": 3}, tid=1)
    builder.save(tmp_path / "a.scap")
    assert (tmp_path / "a.scap").read_bytes()[:4] == b"\n\r\r\n"
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        rulekit.capture.nosuch  # noqa: B018

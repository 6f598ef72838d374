"""What rules lose on Linux audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Rule
from rulekit.text.source import SourceText
from rulekit.tools.linux_audit.knowable import Judgement, judge, judge_all
from rulekit.tools.linux_audit.remarks import remarks, summary


def rule(condition: str, output: str = "x") -> Rule:
    text = f"- rule: R\n  desc: d\n  condition: {condition}\n  output: {output}\n  priority: INFO\n"
    ruleset = load_files([SourceText("rules.yaml", text)]).require()
    return next(iter(ruleset))


def lost(condition: str) -> dict[str, list[str]]:
    """Return the comparisons of a condition that lose, by what is lost."""
    found = judge(rule(condition))
    kinds = ("never", "missed", "unexcluded", "depends")
    return {
        kind: [loss.span.text for loss in getattr(found, kind)]
        for kind in kinds
        if getattr(found, kind)
    }


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("evt.type = open and fd.name = /x", {}),
        ("evt.type = open and container.id != host", {"never": ["container.id != host"]}),
        ("evt.type = open and not container.id = host", {"unexcluded": ["container.id = host"]}),
        (
            "evt.type = open and (proc.env[A] = b or fd.name = /x)",
            {"missed": ["proc.env[A] = b"]},
        ),
        (
            "evt.type = open and (proc.sname = x or proc.vpid = 1)",
            {"never": ["proc.sname = x", "proc.vpid = 1"]},
        ),
        ("evt.type = open and not (container.id = host and fd.name = /x)",
         {"unexcluded": ["container.id = host"]}),
        ("evt.type = open and not (container.id = host or fd.name = /x)",
         {"unexcluded": ["container.id = host"]}),
        ("not (evt.type != open or not container.id = host)", {"never": ["container.id = host"]}),
        ("evt.type = container and container.id = x", {"never": ["evt.type = container"]}),
        ("evt.type = switch", {"never": ["evt.type = switch"]}),
        ("evt.type in (open, switch)", {"depends": ["evt.type in (open, switch)"]}),
        ("evt.type = clone3 and evt.arg.flags contains CLONE_NEWUSER",
         {"never": ["evt.arg.flags contains CLONE_NEWUSER"]}),
        ("evt.type in (clone, clone3) and evt.arg.flags contains CLONE_NEWUSER",
         {"depends": ["evt.arg.flags contains CLONE_NEWUSER"]}),
        ("evt.type = read and evt.arg.data contains x", {"never": ["evt.arg.data contains x"]}),
        ("evt.type = read and evt.arg[1] contains x", {"never": ["evt.arg[1] contains x"]}),
        ("evt.type = read and evt.arg.size > 5", {}),
        ("evt.type = connect and fd.cip = 1.2.3.4", {"never": ["fd.cip = 1.2.3.4"]}),
        ("evt.type = connect and fd.sip = 1.2.3.4", {}),
        ("evt.type in (accept, accept4) and fd.sport = 22", {"never": ["fd.sport = 22"]}),
        ("evt.type in (read, connect) and fd.sport = 22", {"depends": ["fd.sport = 22"]}),
        ("evt.type = open and user.name = root", {"depends": ["user.name = root"]}),
        ("evt.type = open and toupper(proc.sname) = X", {"never": ["toupper(proc.sname) = X"]}),
        ("evt.type = execve and proc.is_exe_from_memfd = true", {}),
    ],
)  # fmt: skip
def test_losses(condition: str, expected: dict[str, list[str]]) -> None:
    assert lost(condition) == expected


def test_an_output() -> None:
    found = judge(rule("evt.type = open", "p=%proc.sname c=%container.id n=%proc.name"))
    assert found.printed_null == ["container.id", "proc.sname"]
    assert found.is_whole


@pytest.fixture(scope="module")
def upstream(shared: Path) -> dict[str, Judgement]:
    folder = shared / "rules" / "upstream"
    names = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
    ruleset = load_files([folder / name for name in names]).require()
    return {found.rule.name: found for found in judge_all(ruleset)}


def test_upstream_rules(upstream: dict[str, Judgement]) -> None:
    assert upstream["Search Private Keys or Passwords"].is_whole
    assert upstream["Fileless execution via memfd_create"].is_whole
    assert upstream["Terminal shell in container"].never
    assert upstream["Clear Log Activities"].unexcluded
    assert sum(bool(found.never) for found in upstream.values()) == 38
    assert sum(found.is_whole for found in upstream.values()) > 40


def test_remarks_stand_at_their_rules() -> None:
    text = (
        "- macro: container\n  condition: container.id != host\n"
        "- rule: A\n  desc: d\n  condition: evt.type = open and container\n"
        "  output: x\n  priority: INFO\n"
    )
    ruleset = load_files([SourceText("rules.yaml", text)]).require()
    (found,) = remarks(ruleset)
    assert found.code == "RK801"
    assert found.span.text == "A"
    assert [label.span.text for label in found.labels] == ["container.id != host"]
    assert summary(ruleset).startswith(
        "on Linux audit 0 of 1 rules keep their meaning, 1 can never"
    )

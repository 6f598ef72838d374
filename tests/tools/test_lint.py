"""Lint: every check by its own examples, what silences it, what its fix does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulekit.rules.ast import AndNode, ComparisonNode, Node, NotNode, OrNode
from rulekit.rules.loader import LoadResult, load_files
from rulekit.rules.unparse import unparse
from rulekit.text.codes import CODES, code_named
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.render import render
from rulekit.text.source import SourceText
from rulekit.tools.lint.attack import TACTIC_NAMES, TACTICS, TECHNIQUES, tactics_of
from rulekit.tools.lint.check import Check
from rulekit.tools.lint.engine import diagnose, lint
from rulekit.tools.lint.fixes import apply_fixes, fixes_by_file
from rulekit.tools.lint.pattern import first_literal, misplaced_anchor, only_texts
from rulekit.tools.lint.registry import all_checks, built_in_checks
from rulekit.tools.lint.selection import Selection, silenced_in

ROOT = Path(__file__).resolve().parents[2]
CHECKS = built_in_checks()
BY_CODE = pytest.mark.parametrize("check", CHECKS, ids=lambda c: f"{c.code}-{c.name}")


def load(text: str) -> LoadResult:
    result = load_files([SourceText("rules.yaml", text)])
    assert result.ok, render(result.diagnostics)
    return result


def codes(found: list[Diagnostic]) -> list[str]:
    return [diagnostic.code for diagnostic in found]


def findings(text: str) -> list[Diagnostic]:
    ruleset = load(text).ruleset
    assert ruleset is not None
    return lint(ruleset, all_checks())


def rule(condition: str, output: str = "x %proc.cmdline %fd.name", tags: str = "[a]") -> str:
    return (
        f"- rule: r\n  desc: d\n  condition: {condition}\n  output: {output}\n"
        f"  priority: INFO\n  tags: {tags}\n"
    )


@BY_CODE
def test_the_bad_example_triggers_exactly_this_check(check: Check) -> None:
    assert set(codes(findings(check.bad))) == {check.code}


@BY_CODE
def test_the_good_example_is_clean(check: Check) -> None:
    assert render(diagnose(load(check.good))) == ""


@BY_CODE
def test_a_check_says_what_a_reader_needs(check: Check) -> None:
    assert re.fullmatch(r"RK4[1-8]\d", check.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.name)
    assert check.what.endswith(".")
    assert len(check.what) <= 120
    assert check.why.strip().endswith(".")
    (found, *_) = findings(check.bad)
    assert found.label or found.help
    assert found.span.outermost().text


@BY_CODE
def test_every_check_stands_in_a_file_of_its_name(check: Check) -> None:
    folder = ROOT / "rulekit/tools/lint/checks"
    files = [p for p in folder.glob("*.py") if f'code="{check.code}"' in p.read_text("utf-8")]
    assert len(files) == 1


def test_codes_and_names_are_unique_and_known_to_renderers() -> None:
    all_checks()
    assert len({c.code for c in CHECKS}) == len({c.name for c in CHECKS}) == len(CHECKS)
    assert not {c.code for c in CHECKS} & set(CODES)
    assert not {c.name for c in CHECKS} & {code.slug for code in CODES.values()}
    for check in CHECKS:
        known = code_named(check.code)
        assert known is not None
        assert known.slug == check.name


def test_the_pages_are_what_the_checks_declare() -> None:
    done = subprocess.run(
        [sys.executable, "docs/_generate_lint.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pages = {p.stem for p in (ROOT / "docs/reference/lint").glob("RK*.md")}
    assert pages == {c.code for c in CHECKS}


FIXED = [c for c in CHECKS if c.fix]


@pytest.mark.parametrize("check", FIXED, ids=lambda c: c.code)
def test_a_fix_leaves_nothing_to_report(check: Check) -> None:
    (fixes,) = fixes_by_file(findings(check.bad)).values()
    text, applied = apply_fixes(check.bad, fixes)
    assert applied == len(fixes) >= 1
    assert codes(findings(text)) == []


@BY_CODE
def test_only_checks_that_say_so_have_fixes(check: Check) -> None:
    assert bool(check.fix) == any(d.fix for d in findings(check.bad))


# Conditions over few comparisons, so that equal ones meet; `evt.dir = <` is always true.

ATOMS = {
    "evt.type = open": 0,
    "proc.name = a": 1,
    "fd.num > 3": 2,
    "evt.dir = <": None,
    "evt.dir=<": None,
}


def compounds(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    words = st.sampled_from([" and ", " or ", "\n    and ", " and  ", "\n    or "])
    return st.one_of(
        st.tuples(inner, words, inner).map("".join),
        inner.map("({})".format),
        inner.map("not {}".format),
    )


CONDITIONS = st.recursive(st.sampled_from(sorted(ATOMS)), compounds, max_leaves=8)


def truth(node: Node, values: int) -> bool:
    if isinstance(node, NotNode):
        return not truth(node.child, values)
    if isinstance(node, ComparisonNode):
        bit = ATOMS[unparse(node)]
        return bit is None or bool(values >> bit & 1)
    assert isinstance(node, (AndNode, OrNode))
    outcomes = [truth(child, values) for child in node.children]
    return all(outcomes) if isinstance(node, AndNode) else any(outcomes)


@settings(max_examples=150, deadline=None)
@given(CONDITIONS)
def test_fixes_keep_the_meaning(condition: str) -> None:
    text = rule(f">\n    evt.type = open and ({condition})")
    before = load(text).ruleset
    for _ in range(5):
        ruleset = load(text).ruleset
        assert ruleset is not None
        fixes = fixes_by_file(lint(ruleset)).get("rules.yaml", [])
        text, _ = apply_fixes(text, fixes)
    assert not fixes
    after = load(text).ruleset
    assert before is not None
    assert after is not None
    for values in range(8):
        assert truth(before.rules[0].node, values) == truth(after.rules[0].node, values)


def test_what_is_negated_is_not_removed_without_its_not() -> None:
    text = rule("evt.type = open and not (not evt.dir = < and fd.num > 3)")
    ruleset = load(text).ruleset
    assert ruleset is not None
    assert [d.fix for d in lint(ruleset) if d.code == "RK440"] == [None]


# What the single checks see and what they leave alone.


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("evt.type = open and evt.num = 0", "RK420"),
        ("evt.type = open and not evt.num > 0", "RK420"),
        ("evt.type = open and evt.dir = >", "RK431"),
        ("evt.num > 0", "RK421"),
        ("evt.type = open and (fd.num > 3 or not fd.num > 3)", "RK421"),
        ("evt.type = open and evt.type = close", "RK422"),
        ("evt.type in (open, openat) and proc.name = a and not proc.name in (a, b)", "RK422"),
        ("evt.type = open and fd.name startswith /etc and fd.name = /tmp/x", "RK422"),
        ("evt.type = open and fd.name startswith /etc and fd.name startswith /tmp", "RK422"),
        ("evt.type = open and fd.num > 5 and fd.num < 3", "RK422"),
        ("evt.type = open and fd.num in (1, 2) and fd.num > 2", "RK422"),
        ("evt.type = open and proc.name = a and (fd.num = 1 or proc.name = b)", "RK422"),
        ("evt.type = open and proc.name = a and not not proc.name = b", "RK422"),
        ("not (not evt.type = open or not proc.name = a or not proc.name = b)", "RK422"),
        ("evt.type = open and proc.aname[2] = a and proc.aname[2] = b", "RK422"),
        ("evt.type = open and tolower(proc.name) = a and tolower(proc.name) = b", "RK422"),
        ("evt.type = open and proc.name exists and not proc.name exists", "RK422"),
        ("evt.type = open and (proc.name = a or proc.name in (a, b))", "RK423"),
        ("evt.type = open and fd.num > 3 and fd.num > 3", "RK423"),
        ("evt.type = execve and fd.num > 3", "RK431"),
        ("evt.type = unlink and evt.arg.fd = 3", "RK431"),
        ("evt.type = unlink and evt.arg[2] = 3", "RK431"),
        ("evt.type = read and evt.is_open_read = true", "RK431"),
        ("(evt.type = execve and fd.num > 3) or (evt.type = open and fd.num = 1)", "RK431"),
        ("evt.type = execve and len(fd.name) > 3", "RK431"),
        ("evt.type = open and evt.latency = 0", "RK440"),
        ("evt.type = connect and fd.net in (10.0.0.0/8, 192.168.0.0/16)", "RK442"),
        ("evt.type in (open, execve) and not fd.name startswith /tmp", "RK450"),
        ("evt.type = execve and not fd.num = 3", "RK450"),
        ("evt.type = open and proc.aname != x", "RK451"),
        ("evt.type = execve and proc.exepath regex bin/.*", "RK460"),
        ("evt.type = execve and proc.name regex x$y", "RK460"),
        ("evt.type = execve and proc.name regex x^y", "RK460"),
    ],
)
def test_found(condition: str, code: str) -> None:
    assert code in codes(findings(rule(condition)))


@pytest.mark.parametrize(
    "condition",
    [
        "evt.type = open and evt.num >= 0 and fd.num > 3",
        "evt.type = open and (proc.name = a or proc.name = b)",
        "evt.type = open and proc.name != a and proc.name != b",
        "evt.type = open and proc.aname = a and proc.aname = b",
        "evt.type = connect and fd.ip = 1.2.3.4 and fd.ip = 1.2.3.5",
        "evt.type = connect and fd.sport = 22 and fd.sport = ssh",
        "evt.type = open and fd.name startswith /etc and fd.name = /etc/passwd",
        "evt.type = open and fd.name startswith /etc and fd.name startswith /etc/ssh",
        "evt.type = open and fd.num > 5 and fd.num < 30 and fd.num != 7",
        "evt.type = open and fd.num = 010 and fd.num = 10",
        "evt.type = open and not proc.name = a and not proc.name = b",
        "evt.type in (open, execve) and fd.num > 3",
        "evt.type = asyncevent and evt.asynctype = x",
        "evt.type in (open, execve) and fd.name exists and not fd.name startswith /tmp",
        "evt.type = open and not fd.name startswith /tmp",
        "evt.type = openat and evt.arg.flags contains O_CREAT",
        "evt.type = mkdir and evt.arg[1] = /tmp/x",
        "evt.type = connect and fd.sip in (1.2.3.4, 1.2.3.5)",
        "evt.type = connect and fd.net in (10.0.0.0/8)",
        "evt.type = open and not proc.aname = x",
        "evt.type = open and proc.aname[2] != x",
        "evt.type = execve and proc.exepath regex .*bin/.*",
        "evt.type = execve and proc.name regex ^a|b$",
        'evt.type = execve and proc.name regex "x\\\\$y"',
        "evt.type = execve and proc.name regex [$^]x",
    ],
)
def test_left_alone(condition: str) -> None:
    output = "x %proc.cmdline %fd.name %evt.args"
    assert render(findings(rule(condition, output))) == ""


def test_parts_of_macros_count_but_are_reported_where_they_are_written() -> None:
    text = "- macro: m\n  condition: evt.type = open and proc.name = a\n"
    (found,) = findings(text + rule("m and proc.name = b"))
    assert found.code == "RK422"
    assert found.span.outermost().text == "proc.name = b"
    assert found.labels[0].span.outermost().text == "proc.name = a"


def test_a_macro_of_alternatives_used_in_a_narrower_rule_is_no_mistake() -> None:
    text = "- macro: m\n  condition: (evt.type = open and fd.num > 3) or evt.type = execve\n"
    assert findings(text + rule("m and evt.type = execve")) == []


def test_exceptions_may_leave_values_out() -> None:
    text = rule("evt.type in (open, execve) and proc.name = a")
    text += "  exceptions:\n    - name: e\n      fields: [fd.name]\n      values: [[/tmp]]\n"
    assert findings(text) == []


def test_redefining_in_another_file_is_no_mistake() -> None:
    one = SourceText("a.yaml", "- list: l\n  items: [a]\n")
    two = SourceText(
        "b.yaml", "- list: l\n  items: [b]\n" + rule("evt.type = open and fd.name in (l)")
    )
    result = load_files([one, two])
    assert codes(diagnose(result)) == []


def test_audit_rules_are_not_held_to_system_calls(shared: Path) -> None:
    path = shared / "rules/upstream/k8saudit/k8s_audit_rules.yaml"
    assert set(codes(diagnose(load_files([path])))) <= {
        "RK471", "RK410", "RK411", "RK330", "RK331", "RK433",
    }  # fmt: skip


def test_upstream_rules_give_few_and_plausible_findings(shared: Path) -> None:
    folder = shared / "rules/upstream"
    names = (
        "falco_rules",
        "falco-incubating_rules",
        "falco-sandbox_rules",
        "falco-deprecated_rules",
    )
    result = load_files([folder / f"{name}.yaml" for name in names])
    assert result.ruleset is not None
    found = lint(result.ruleset)
    assert 5 <= len(found) <= 40
    # Known slips of these files, seen by eye.
    assert ("RK424", "touch") in {(d.code, d.span.outermost().text) for d in found}
    assert ("RK470", "T1565") in {(d.code, d.span.outermost().text) for d in found}


def test_every_conformance_ruleset_can_be_linted(shared: Path) -> None:
    for path in sorted((shared / "reference/conformance/rulesets").glob("*.yaml")):
        render(diagnose(load_files([path])))


def test_every_conformance_condition_can_be_linted(shared: Path) -> None:
    lines = (shared / "reference/conformance/conditions.jsonl").read_text("utf-8").splitlines()
    cases = [case for case in map(json.loads, lines) if case["ok"]]
    texts = []
    for i, case in enumerate(cases):
        quoted = json.dumps(case["cond"], ensure_ascii=False)
        texts.append(rule(quoted).replace("- rule: r", f"- rule: r{i}"))
    ruleset = load("".join(texts)).ruleset
    assert ruleset is not None
    assert len(ruleset) == len(cases) > 500
    found = lint(ruleset)
    assert render(found)
    # Nearly all of them leave the event type open; apart from that few are suspicious.
    assert sum(d.code != "RK430" for d in found) < len(cases) / 4


# Joining with what loading says.


def test_what_the_loader_says_too_is_said_once() -> None:
    text = "- list: l\n  items: [a]\n" + rule("proc.name = a")
    found = codes(diagnose(load(text)))
    assert found.count("RK331") + found.count("RK410") == 1
    assert found.count("RK406") + found.count("RK332") + found.count("RK430") == 1


def test_a_finding_with_a_fix_replaces_the_one_without() -> None:
    found = diagnose(load(rule("evt.type = open and evt.dir = <")))
    assert codes(found) == ["RK440"]
    assert found[0].fix is not None


# Selecting and silencing.

TWO = "- list: l\n  items: [a, a]\n" + rule("evt.type = open", tags="[]").replace(
    "  tags: []\n", ""
)


@pytest.mark.parametrize(
    ("select", "ignore", "wanted"),
    [
        ((), (), {"RK331", "RK424", "RK471"}),
        (("RK4",), (), {"RK410", "RK424", "RK471"}),
        (("RK424",), (), {"RK424"}),
        (("duplicate-item", "missing-tags"), (), {"RK424", "RK471"}),
        ((), ("RK4",), {"RK331"}),
        (("RK42",), ("RK4",), {"RK424"}),
        (("RK4",), ("RK42", "missing-tags"), {"RK410"}),
        (("RK424",), ("RK424",), set()),
    ],
)
def test_selection(select: tuple[str, ...], ignore: tuple[str, ...], wanted: set[str]) -> None:
    assert set(codes(diagnose(load(TWO), Selection(select, ignore)))) == wanted


@pytest.mark.parametrize(
    ("before", "behind", "left"),
    [
        ("", "", ["RK331", "RK424"]),
        ("# rulekit: ignore\n", "", []),
        ("# rulekit: ignore[RK424]\n", "", ["RK331"]),
        ("# rulekit: ignore[duplicate-item]\n# and why\n", "", ["RK331"]),
        ("# rulekit: ignore[RK424, RK331] both\n", "", []),
        ("", "  # rulekit: ignore[RK424]", ["RK331"]),
        ("# rulekit: ignore[RK424]\n\n", "", ["RK331", "RK424"]),
        ("# rulekit: ignore-file[RK424]\n\n", "", ["RK331"]),
        ("# not rulekit: ignore\n", "", ["RK331", "RK424"]),
    ],
)
def test_comments_silence(before: str, behind: str, left: list[str]) -> None:
    text = f"{before}- list: l\n  items: [a, a]{behind}\n\n" + rule("evt.type = open")
    assert codes(diagnose(load(text))) == left


def test_a_comment_above_a_key_silences_all_lines_of_its_value() -> None:
    condition = ">\n    evt.type = open\n    and evt.type = close\n"
    text = rule(condition).replace("  condition", "  # rulekit: ignore[RK422]\n  condition")
    assert codes(diagnose(load(text))) == []
    assert codes(diagnose(load(rule(condition)))) == ["RK422"]


def test_errors_cannot_be_silenced() -> None:
    text = "# rulekit: ignore-file\n" + rule("evt.typ = open")
    result = load_files([SourceText("x", text)])
    assert codes(diagnose(result, Selection(ignore=("RK",)))) == ["RK201"]


# The helpers that reason.


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("a|b", {"a", "b"}),
        ("(a|b)c?", {"a", "b", "ac", "bc"}),
        ("^x$", {"x"}),
        (r"a\.b", {"a.b"}),
        ("a*", None),
        (".", None),
        ("[ab]", None),
        ("a{2}", None),
        ("(a|b)" * 12, None),
        ("(" * 200 + "a" + ")" * 200, None),
    ],
)
def test_only_texts(pattern: str, texts: set[str] | None) -> None:
    assert only_texts(pattern) == texts


def test_what_nobody_writes_takes_no_time() -> None:
    start = time.process_time()
    assert only_texts("(a|b)" * 5 + "x" * 100_000) is None
    silent = silenced_in(SourceText("x", "# rulekit: ignore[RK410]\n" * 20_000 + "- list: a\n"))
    assert list(silent.lines) == [20_001]
    items = ", ".join(f"item{i}" for i in range(10_000))
    some = rule("evt.type = open and proc.name in (l)")
    rules = "".join(some.replace("rule: r", f"rule: r{i}") for i in range(300))
    result = load_files([SourceText("x", f"- list: l\n  items: [{items}]\n{rules}")])
    assert result.ok
    diagnose(result)
    assert time.process_time() - start < 4


@pytest.mark.parametrize(
    ("pattern", "at"),
    [
        ("a^b", 1),
        ("a$b", 1),
        ("[a]^", 3),
        ("^a$", None),
        ("a|^b", None),
        ("(a$|b)", None),
        ("a*^b", None),
        ("a$b*", None),
        (r"a\^b", None),
        ("[a^]b", None),
        ("(x)?^b", None),
    ],
)
def test_misplaced_anchor(pattern: str, at: int | None) -> None:
    assert misplaced_anchor(pattern) == at


@pytest.mark.parametrize(
    ("pattern", "first"),
    [("bin/.*", "b"), ("^/bin", "/"), ("b*in", None), (".*", None), ("a|/b", None), ("(a)b", "a")],
)
def test_first_literal(pattern: str, first: str | None) -> None:
    assert first_literal(pattern) == first


def test_the_attack_table_is_whole() -> None:
    assert len(TACTICS) == 14
    assert len(TECHNIQUES) > 190
    assert set().union(*TECHNIQUES.values()) == TACTIC_NAMES > set(TACTICS.values())
    assert tactics_of("T1059.004") == {"execution"}
    assert tactics_of("T1611") == {"privilege_escalation"}
    assert tactics_of("T1070.004") == {"defense_evasion", "stealth"}
    assert tactics_of("T9999") == set()


def test_large_files_are_linted_in_bounded_time() -> None:
    many = " and ".join(f"proc.name != a{i}" for i in range(3000))
    same = " or ".join("proc.name = a" for _ in range(3000))
    started = time.process_time()
    for condition in (f"evt.type = open and {many}", f"evt.type = open and ({same})"):
        findings(rule(condition))
    assert time.process_time() - started < 10

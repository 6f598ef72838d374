"""Every code: documented, reachable, shown in a golden file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rulekit.config.read import parse_config
from rulekit.errors import RuleError
from rulekit.rules.check import check_condition
from rulekit.rules.loader import load_files
from rulekit.rules.parser import parse_condition
from rulekit.rules.yaml import decode_text
from rulekit.testing.read import load_cases
from rulekit.testing.report import diagnostics
from rulekit.testing.runner import Options, run_cases
from rulekit.text.code import rule
from rulekit.text.codes import CODES
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.render import render
from rulekit.text.source import SourceText
from rulekit.tools.fmt import format_text
from rulekit.tools.fmt_write import Writer
from rulekit.tools.linux_audit.remarks import remarks

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/diagnostics"
_TESTS = [code for code in CODES if code.startswith("RK6")]
_CONFIGS = [code for code in CODES if code.startswith("RK7") and CODES[code].bad is not None]
_SOURCES = [code for code in CODES if code.startswith("RK8")]
WITH_FILE = [
    code
    for code in CODES.values()
    if code.bad is not None and code.code not in (*_TESTS, *_CONFIGS, *_SOURCES)
]
# Shown by a condition on its own, by bytes, or by a file that is not there.
_SPECIAL: dict[str, bytes | None] = {
    "RK001": None,
    "RK002": b"- list: shells\n  items: [sh, caf\xe9]\n",
    "RK100": b"",
    "RK208": b"evt.type = open and spawned",
    "RK490": b"- list: shells\n  items: [sh, bash]\n  append: true\n",
    "RK707": b"drain: 5s\n",
}
# What the environment changes in the configuration that shows RK707.
_ENVIRONMENT = {"RULEKIT__DRAIN__SECONDS": "5"}
_ALONE = {"RK100", "RK208"}
# A defect of the formatter; shown with one that drops the last line.
_FORMATTER = "RK490"


def _found(text: SourceText) -> list[Diagnostic]:
    return list(load_files([text]).diagnostics)


def _on_linux_audit(text: SourceText) -> list[Diagnostic]:
    ruleset = load_files([text]).ruleset
    assert ruleset is not None
    return remarks(ruleset)


def _alone(text: SourceText) -> list[Diagnostic]:
    try:
        return list(check_condition(parse_condition(text), "syscall", stand_alone=True).diagnostics)
    except RuleError as error:
        return list(error.diagnostics)


def _in_cases(text: str, name: str, folder: Path) -> list[Diagnostic]:
    """Return what is told of a test file; `folder` gets it, and the rules that it names."""
    (folder / "rules.yaml").write_text(rule("evt.type = open and fd.name = /etc/shadow"))
    path = folder / name
    path.write_text(text)
    try:
        results = list(run_cases(load_cases(path), Options(isolate=False)))
    except RuleError as error:
        return list(error.diagnostics)
    return diagnostics(results)


def _in_config(text: SourceText, environ: Mapping[str, str]) -> list[Diagnostic]:
    try:
        parse_config(text, environ)
    except RuleError as error:
        return list(error.diagnostics)
    return []


def _formatted_badly(text: SourceText, monkeypatch: pytest.MonkeyPatch) -> list[Diagnostic]:
    write = Writer.write
    monkeypatch.setattr(
        Writer, "write", lambda self: "".join(write(self).splitlines(keepends=True)[:-1])
    )
    with pytest.raises(RuleError) as caught:
        format_text(text.text, text.name)
    return list(caught.value.diagnostics)


def test_the_table_holds_exactly_the_codes_that_are_used() -> None:
    used: set[str] = set()
    for path in (ROOT / "rulekit").rglob("*.py"):
        # Lint checks declare their codes themselves; tests/tools/test_lint.py holds them.
        if path.parent.name == "checks":
            continue
        if path.parent.name != "text" or not path.name.startswith("codes"):
            used.update(re.findall(r'"(RK\d\d\d)"', path.read_text("utf-8")))
    assert used == set(CODES)


def test_slugs_are_unique_and_summaries_are_sentences() -> None:
    assert len({code.slug for code in CODES.values()}) == len(CODES)
    for code in CODES.values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code.slug)
        assert code.summary.endswith(".")
        assert len(code.summary) <= 120


@pytest.mark.parametrize("code", WITH_FILE, ids=lambda code: code.code)
def test_the_bad_example_has_the_problem_and_the_good_one_has_none(code) -> None:  # type: ignore[no-untyped-def]
    assert code.code in [d.code for d in _found(SourceText("bad.yaml", code.bad))]
    assert code.good is not None
    found = _found(SourceText("good.yaml", code.good))
    assert code.code not in [d.code for d in found]
    assert [d.message for d in found if d.severity == "error"] == []


@pytest.mark.parametrize("code", _TESTS)
def test_the_bad_test_file_has_the_problem_and_the_good_one_has_none(
    code: str, tmp_path: Path
) -> None:
    bad, good = CODES[code].bad, CODES[code].good
    assert bad is not None
    assert good is not None
    assert code in [d.code for d in _in_cases(bad, "bad.yaml", tmp_path)]
    assert _in_cases(good, "good.yaml", tmp_path) == []


@pytest.mark.parametrize("code", _CONFIGS)
def test_the_bad_configuration_has_the_problem_and_the_good_one_has_none(code: str) -> None:
    bad, good = CODES[code].bad, CODES[code].good
    assert bad is not None
    assert good is not None
    assert code in [d.code for d in _in_config(SourceText("bad.yaml", bad), {})]
    assert _in_config(SourceText("good.yaml", good), {}) == []


@pytest.mark.parametrize("code", _SOURCES)
def test_the_bad_rule_loses_meaning_on_linux_audit_and_the_good_one_does_not(code: str) -> None:
    bad, good = CODES[code].bad, CODES[code].good
    assert bad is not None
    assert good is not None
    assert code in [d.code for d in _on_linux_audit(SourceText("bad.yaml", bad))]
    assert _on_linux_audit(SourceText("good.yaml", good)) == []


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_shown_in_a_golden_file(
    code: str,
    golden: Callable[[Path, str], None],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    name = f"{code}.in.txt" if code in _ALONE else f"{code}.in.yaml"
    path = GOLDEN / name
    bad = CODES[code].bad
    content = _SPECIAL[code] if bad is None else bad.encode("utf-8")
    if request.config.getoption("--update-golden") and content is not None:
        path.write_bytes(content)
    if content is None:
        assert not path.exists()
        found = list(load_files([path]).diagnostics)
        text = render(found).replace(str(path), name)
    else:
        assert path.read_bytes() == content
        try:
            source = decode_text(name, content)
            if code in _TESTS:
                found = _in_cases(source.text, name, tmp_path)
            elif code.startswith("RK7"):
                found = _in_config(source, _ENVIRONMENT if code == "RK707" else {})
            elif code in _SOURCES:
                found = _on_linux_audit(source)
            elif code == _FORMATTER:
                found = _formatted_badly(source, monkeypatch)
            else:
                found = _alone(source) if code in _ALONE else _found(source)
        except RuleError as error:
            found = list(error.diagnostics)
        text = render(found).replace(f"{tmp_path}/", "")
    assert code in [d.code for d in found]
    golden(GOLDEN / f"{code}.out", text + "\n")


def test_no_golden_file_is_left_over() -> None:
    known = {f"{code}.out" for code in CODES} | {f"{code}.in.yaml" for code in CODES}
    known |= {f"{code}.in.txt" for code in _ALONE}
    assert {path.name for path in GOLDEN.iterdir()} <= known

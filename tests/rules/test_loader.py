"""Loading: verdicts file by file, all problems at once, bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rulekit.errors import RuleError
from rulekit.rules.loader import LoadResult, load_files
from rulekit.rules.report import file_json, load_json, load_summary
from rulekit.text.source import SourceText


def _rule(name: str = "r", condition: str = "evt.type=open", more: str = "") -> str:
    return (
        f"- rule: {name}\n  desc: d\n  condition: {condition}\n"
        f"  output: x\n  priority: INFO\n{more}"
    )


def _load(*texts: str, **options: Any) -> LoadResult:
    files = [SourceText(f"{i}.yaml", text) for i, text in enumerate(texts)]
    return load_files(files, **options)


def _codes(result: LoadResult) -> list[str]:
    return [found.code for found in result.diagnostics]


def _errors(result: LoadResult) -> list[list[str | None]]:
    return [[error.diagnostic.falco for error in file.errors] for file in result.files]


def test_all_problems_of_a_file_are_found_and_falco_gets_its_first() -> None:
    result = _load(
        _rule("a", "evt.type=")
        + "- rule: b\n  desc: d\n  condition: foo.bar=1\n  output: '%nope'\n  priority: HIGH\n"
        + _rule("c", "evt.type=open and foo.bar=1 and fd.num contains x")
        + "- list: l\n"
        + "- macro: m\n  condition: [x]\n"
        + _rule("d", "l and m and evt.type=open"),
    )
    assert result.ruleset is None
    b, c = ["RK201", "RK501", "RK023"], ["RK201", "RK204"]
    assert _codes(result) == ["RK101", *b, *c, "RK015", "RK017", "RK301"]
    assert _errors(result) == [["LOAD_ERR_YAML_VALIDATE"]]
    assert result.files[0].errors[0].diagnostic.code == "RK023"


def test_what_stands_beside_unknown_macros_is_looked_at() -> None:
    result = _load(
        _rule("a", "evt.type=open and one and foo.bar=1 and two and ok")
        + "- macro: ok\n  condition: proc.name=a\n"
        + "- macro: bad\n  condition: three\n"
        + _rule("b", "evt.type=open and bad and foo.baz=1")
        + _rule("c", "evt.type=open and foo.bam=1", more="  source: []\n"),
    )
    # `bad` is explained where it is defined; without its source nothing is known of rule c.
    assert _codes(result) == ["RK301", "RK201", "RK301", "RK301", "RK201", "RK017"]


def test_cases_inside_a_rule_are_nothing_to_warn_of() -> None:
    result = _load(_rule(more="  tests: [{case: a, events: [{open: /x}], fires: true}]\n"))
    assert _codes(result) == []
    assert _codes(_load(_rule(more="  testss: []\n"))) == ["RK013"]


def test_warnings_of_reading_stand_beside_the_error() -> None:
    result = _load(_rule(more="  severity: high\n") + _rule("b", "evt.type="))
    (file,) = result.files
    assert [w.diagnostic.falco for w in file.warnings] == ["LOAD_UNKNOWN_KEY"]
    assert _errors(result) == [["LOAD_ERR_COMPILE_CONDITION"]]


def test_definitions_of_a_failed_file_fail_the_next_one_too() -> None:
    result = _load(_rule("a", "evt.type="), _rule("b"))
    assert _errors(result) == [["LOAD_ERR_COMPILE_CONDITION"], ["LOAD_ERR_COMPILE_CONDITION"]]
    assert _codes(result) == ["RK101"]
    # What stands before an element that cannot be read is kept, the rest of the file is not.
    result = _load(_rule("a") + "- macro: m\n" + _rule("c", "evt.type="), _rule("b"))
    assert _errors(result) == [["LOAD_ERR_YAML_VALIDATE"], []]


def test_a_file_may_not_use_what_only_a_later_file_defines() -> None:
    macro = "- macro: m\n  condition: proc.name=a\n"
    result = _load(_rule("a", "evt.type=open and m"), macro)
    assert _errors(result) == [["LOAD_ERR_VALIDATE"], []]
    assert _load(macro, _rule("a", "evt.type=open and m")).ok


def test_folders_stand_for_their_rule_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("- rule: r\n  tags: [x]\n  override: {tags: append}\n")
    (tmp_path / "a.yaml").write_text(_rule())
    (tmp_path / "c.txt").write_text("not a rule file")
    result = load_files([tmp_path])
    assert [Path(file.name).name for file in result.files] == ["a.yaml", "b.yml"]
    assert result.require().rule("r").tags == ("x",)


def test_a_file_that_cannot_be_read_is_an_error_of_that_file(tmp_path: Path) -> None:
    result = load_files([tmp_path / "nope.yaml", SourceText("b.yaml", _rule())])
    assert _errors(result) == [["LOAD_ERR_FILE_READ"], []]
    assert _codes(result) == ["RK001"]
    with pytest.raises(RuleError, match="cannot read"):
        result.require()


def test_what_only_an_unreadable_file_can_define_is_not_reported() -> None:
    result = _load("- list: [\n", _rule("a", "evt.type=open and m") + "- rule: q\n  enabled: no\n")
    assert [c for c in _codes(result) if c != "RK314"] == ["RK004"]


def test_place_and_snippet_of_an_error_in_the_form_of_falco() -> None:
    result = _load(_rule("a", "evt.type=open and proc.nmae = cat"))
    entry = file_json(result.files[0])
    (error,) = entry["errors"]
    assert (entry["successful"], entry["schema_valid"], entry["schema_warnings"]) == (
        *(False, True),
        [],
    )
    assert error["code"] == "LOAD_ERR_COMPILE_CONDITION"
    assert error["codedesc"] == "Error compiling condition"
    locations = error["context"]["locations"]
    assert [(x["item_type"], x["item_name"]) for x in locations] == [
        ("rules content", ""),
        ("rule", "a"),
        ("rule condition", ""),
        ("condition expression", ""),
    ]
    assert locations[1]["position"] == {"name": "0.yaml", "line": 0, "column": 2, "offset": 2}
    assert locations[2]["position"] == {"name": "0.yaml", "line": 2, "column": 13, "offset": 33}
    assert locations[3]["position"] == {
        "name": '"evt.type=open and..."',
        "line": 0,
        "column": 18,
        "offset": 18,
    }
    assert error["context"]["snippet"] == (
        "evt.type=open and proc.nmae = cat\n                  ^\n"
    )


def test_reports_hold_everything() -> None:
    result = _load(_rule(more="  note: x\n"), _rule("b", "evt.type="))
    report = load_json(result)
    assert [file["successful"] for file in report["falco_load_results"]] == [True, False]
    assert report["rulekit"]["ok"] is False
    assert [d["code"] for d in report["rulekit"]["diagnostics"]] == ["RK013", "RK101"]
    assert load_summary(result).splitlines() == [
        "0.yaml: Ok, with warnings",
        " 1 warnings: [LOAD_UNKNOWN_KEY (Unknown key in item definition)]",
        "1.yaml: Invalid",
        " 1 errors: [LOAD_ERR_COMPILE_CONDITION (Error compiling condition)]",
    ]


def test_sources_come_with_the_plugins_that_files_require() -> None:
    rule = _rule("a", "ka.user.name = x", "  source: k8s_audit\n")
    need = "- required_plugin_versions:\n    - name: k8saudit\n      version: 0.7.0\n"
    assert _codes(_load(rule)) == ["RK312"]
    assert len(_load(rule).require()) == 0
    assert len(_load(need + rule).require()) == 1
    assert len(_load(need, rule).require()) == 1
    assert len(_load(rule, sources=["syscall", "k8s_audit"]).require()) == 1


@pytest.mark.parametrize(
    ("needs", "ok"),
    [
        ("    - name: container\n      version: 0.4.0\n", True),
        ("    - name: container\n      version: 0.999.0\n", False),
        ("    - name: container\n      version: 1.0.0\n", False),
        (
            "    - name: other\n      version: 0.1.0\n"
            "      alternatives: [{name: k8saudit, version: 0.5.0}]\n",
            True,
        ),
    ],
)
def test_required_plugins_are_checked_at_the_end(needs: str, ok: bool) -> None:
    result = _load("- required_plugin_versions:\n" + needs + _rule())
    assert result.files[0].successful
    assert result.ruleset is not None
    assert result.ok is ok
    assert ([d.code for d in result.fatal] == []) is ok


@pytest.mark.parametrize(
    ("version", "falco"),
    [
        ("17", None),
        ("0", None),
        ("63", None),
        ("64", "LOAD_ERR_VALIDATE"),
        ("0x11", None),
        ("010", None),
        ("08", "LOAD_ERR_YAML_VALIDATE"),
        ("0.63.0", None),
        ("0.63.1", "LOAD_ERR_VALIDATE"),
        ("0.31.0-rc1", None),
        ("0.31", "LOAD_ERR_YAML_VALIDATE"),
        ("v0.31.0", "LOAD_ERR_YAML_VALIDATE"),
        ("99999999999", "LOAD_ERR_YAML_VALIDATE"),
        ("9" * 5000, "LOAD_ERR_YAML_VALIDATE"),
        ("0.0." + "9" * 5000, "LOAD_ERR_YAML_VALIDATE"),
        ("-1", "LOAD_ERR_YAML_VALIDATE"),
        ('""', "LOAD_ERR_YAML_VALIDATE"),
    ],
)
def test_required_engine_versions(version: str, falco: str | None) -> None:
    result = _load(f"- required_engine_version: {version}\n" + _rule())
    assert _errors(result) == [[falco] if falco else []]


@pytest.mark.parametrize(
    ("value", "enabled"),
    [
        *[(text, True) for text in ("true", "True", "TRUE", "y", "Yes", "ON", '"on"')],
        *[(text, False) for text in ("false", "n", "No", "OFF", "'off'")],
        *[(text, None) for text in ("0", "1", "yEs", "tRUE", "[true]", "''", "~")],
    ],
)
def test_booleans(value: str, enabled: bool | None) -> None:
    result = _load(_rule(more=f"  enabled: {value}\n"))
    if enabled is None:
        assert _errors(result) == [["LOAD_ERR_YAML_VALIDATE"]]
    else:
        assert result.require().rule("r").enabled is enabled


@pytest.mark.parametrize(
    ("value", "duration"),
    [("5000", 5000), ("0x10", 16), ("010", 8), ("4294967295", 4294967295)]
    + [(text, None) for text in ("4294967296", "-1", "5s", "1.5", "' 5'", "[5]")],
)
def test_capture_durations(value: str, duration: int | None) -> None:
    result = _load(_rule(more=f"  capture_duration: {value}\n"))
    if duration is None:
        assert _errors(result) == [["LOAD_ERR_YAML_VALIDATE"]]
    else:
        assert result.require().rule("r").capture_duration_ms == duration


@pytest.mark.parametrize(
    ("override", "falco", "where"),
    [
        ("[condition]", "LOAD_ERR_VALIDATE", []),
        ("{condition: [append]}", "LOAD_ERR_VALIDATE", []),
        ("{[a]: append}", "LOAD_ERR_VALIDATE", []),
        ("{condition: }", "LOAD_ERR_YAML_VALIDATE", ["rule", "overrides", "value for"]),
        ("{source: replace}", "LOAD_ERR_YAML_VALIDATE", ["rule", "overrides", "overrides"]),
        ("{output: append}", "LOAD_ERR_YAML_VALIDATE", ["rule"]),
        ("{}", "LOAD_ERR_YAML_VALIDATE", ["rule"]),
        ("~", "LOAD_ERR_YAML_VALIDATE", ["rule"]),
        ("append", "LOAD_ERR_YAML_VALIDATE", ["rule"]),
        ("[]", "LOAD_ERR_YAML_VALIDATE", ["rule"]),
    ],
)
def test_shapes_of_override(override: str, falco: str, where: list[str]) -> None:
    result = _load(_rule() + f"- rule: r\n  condition: and fd.num>1\n  override: {override}\n")
    (error,) = result.files[0].errors
    assert error.diagnostic.falco == falco
    assert [link.item_type for link in error.context.chain()][1:] == where


def test_overrides_take_effect_and_keep_the_first_place() -> None:
    result = _load(
        _rule("a", more="  tags: [x]\n  enabled: no\n") + _rule("b"),
        "- rule: a\n  condition: and proc.name=c\n  output: y\n  desc: e\n  tags: [z, x]\n"
        "  priority: ERROR\n  enabled: yes\n  capture: true\n  capture_duration: 9\n"
        "  warn_evttypes: no\n  skip-if-unknown-filter: yes\n"
        "  override: {condition: append, output: append, desc: append, tags: append,\n"
        "    priority: replace, enabled: replace, capture: replace, capture_duration: replace,\n"
        "    warn_evttypes: replace, skip-if-unknown-filter: replace}\n",
    )
    ruleset = result.require()
    assert [rule.name for rule in ruleset] == ["a", "b"]
    rule = ruleset.rule("a")
    assert (rule.condition, rule.output, rule.desc) == (
        "evt.type=open and proc.name=c",
        "x y",
        "d e",
    )
    assert (rule.tags, rule.priority.label, rule.enabled) == (("x", "z"), "Error", True)
    assert (rule.capture, rule.capture_duration_ms) == (True, 9)
    assert (rule.warn_evttypes, rule.skip_if_unknown_filter) == (False, True)
    assert [span.outermost().source.name for span in rule.condition_spans] == ["0.yaml", "1.yaml"]


def test_a_problem_in_appended_text_is_shown_in_the_file_that_appends() -> None:
    result = _load(
        _rule("a"),
        "- rule: a\n  condition: and proc.nmae = x\n  override: {condition: append}\n",
    )
    (found,) = result.diagnostics
    place = found.span.outermost()
    assert (place.source.name, place.text) == ("1.yaml", "proc.nmae")


def test_a_problem_in_an_exception_is_shown_at_its_value() -> None:
    result = _load(
        _rule(
            more="  exceptions:\n    - name: e\n      fields: [fd.num, proc.name]\n"
            "      values:\n        - [3, cat]\n        - [three, tac]\n"
        )
    )
    (found,) = result.diagnostics
    assert (found.code, found.span.outermost().text) == ("RK205", "three")


def test_the_schema_verdict_is_that_of_the_first_document() -> None:
    bad, good = "- rule: r\n  severity: x\n  enabled: false\n", _rule()
    assert _load(f"{good}---\n- other: 1\n").files[0].schema_valid is True
    first_bad = _load(f"- other: 1\n---\n{good}").files[0]
    assert first_bad.schema_valid is False
    assert any("other" in text for text in first_bad.schema_warnings)
    assert _load(bad).files[0].schema_valid is False
    assert _load("").files[0].schema_valid is None
    assert _load("---\n").files[0].schema_valid is False


def test_diagnostics_are_sorted_and_capped() -> None:
    result = _load("".join(_rule(f"r{i}", "foo.bar=1") for i in range(400)))
    assert len(result.diagnostics) == 100
    starts = [found.span.outermost().start for found in result.diagnostics]
    assert starts == sorted(starts)


@pytest.mark.parametrize(
    "text",
    [
        "- " + "[" * 300 + "]" * 300,
        _rule("r", "(" * 10_000 + "evt.type=open" + ")" * 10_000),
        _rule("r", "not " * 20_000 + "evt.type=open"),
        _rule("r", "evt.type=open and proc.name=" + "a" * 1_000_000),
        _rule("r", "evt.type=open and proc.name='" + "\\\\" * 100_000 + "'"),
        "- rule: " + "x" * 1_000_000 + "\n",
        "? [a]\n: b\n",
        "- ? {a: b}\n  : c\n  rule: r\n  enabled: yes\n",
        "- rule: r\n  <<: *x\n",
        "- list: l\n  items: &a [*a]\n",
        _rule(more="  tags: [&t a, *t]\n  exceptions: [~]\n"),
        "- required_plugin_versions: [~, 1, {name: [x]}]\n",
        "- macro: '\n\n'\n  condition: ' '\n",
    ],
)
def test_odd_input_is_answered_without_a_crash(text: str) -> None:
    result = _load(text, text)
    for found in result.diagnostics:
        span = found.span.outermost()
        assert 0 <= span.start <= span.end <= len(span.source.text)
    load_json(result)


def test_schema_warnings_come_in_one_order() -> None:
    keys = "".join(f"  {key}: 1\n" for key in ("warn_evttypes", "capture", "enabled", "append"))
    (result,) = load_files([SourceText("r.yaml", f"- rule: r\n{keys}")]).files
    assert [text.partition(":")[0] for text in result.schema_warnings] == [
        "<root>[0].append",
        "<root>[0].capture",
        "<root>[0].enabled",
        "<root>[0].warn_evttypes",
    ]

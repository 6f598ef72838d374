"""Codes RK0: files, YAML, and the shape of elements."""

from __future__ import annotations

from rulekit.text.code import Code, rule

_GOOD = rule()

FILE_CODES = (
    Code(
        "RK490",
        "formatter-defect",
        "The formatter found that its result would mean something else, and left the file alone.",
    ),
    Code("RK001", "unreadable-file", "A rule file cannot be read."),
    Code("RK002", "invalid-utf8", "A rule file holds bytes that are not UTF-8.", None, _GOOD),
    Code(
        "RK003",
        "control-character",
        "A rule file holds a control character, which YAML does not allow.",
        rule("evt.type = open and proc.name = \x01"),
        rule('evt.type = open and proc.name = "\\x01"'),
    ),
    Code(
        "RK004",
        "invalid-yaml",
        "A rule file is not YAML.",
        "- list: shells\n  items: [sh, bash\n",
        "- list: shells\n  items: [sh, bash]\n",
    ),
    Code(
        "RK005",
        "tab-indentation",
        "A line is indented with a tab, which YAML does not allow.",
        "- list: shells\n\titems: [sh, bash]\n",
        "- list: shells\n  items: [sh, bash]\n",
    ),
    Code(
        "RK006",
        "open-quote",
        "A quoted text is never closed, so it takes in the rest of the file.",
        '- list: shells\n  items: ["sh, bash]\n' + _GOOD,
        '- list: shells\n  items: ["sh", bash]\n' + _GOOD,
    ),
    Code(
        "RK007",
        "alias-bomb",
        "Aliases within aliases stand for more nodes than any rule file needs.",
        "- &a [x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"- &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
            for a, b in zip("abcdefg", "bcdefgh", strict=True)
        ),
        "- list: shells\n  items: &shells [sh, bash]\n- list: more\n  items: *shells\n",
    ),
    Code(
        "RK008",
        "unknown-anchor",
        "An alias names an anchor that is not defined before it.",
        "- list: globs\n  items: [*so]\n",
        '- list: globs\n  items: ["*so"]\n',
    ),
    Code(
        "RK009",
        "nested-too-deep",
        "Sequences and maps are nested more deeply than any rule file needs.",
        "- " + "[" * 500 + "]" * 500 + "\n",
        _GOOD,
    ),
    Code(
        "RK010",
        "not-a-sequence",
        "A rule file must be a sequence of elements.",
        "rule: Example\n",
        _GOOD,
    ),
    Code(
        "RK011",
        "not-a-map",
        "An element of a rule file must be a map.",
        "- Example\n",
        _GOOD,
    ),
    Code(
        "RK012",
        "unknown-element",
        "An element holds none of the keys that decide its kind, so it is ignored.",
        "- rules: Example\n  condition: evt.type = open\n",
        _GOOD,
    ),
    Code(
        "RK013",
        "unknown-key",
        "A key means nothing in this kind of element, so it is ignored.",
        rule(more="  tag: [process]\n"),
        rule(more="  tags: [process]\n"),
    ),
    Code(
        "RK014",
        "duplicate-key",
        "A key is given twice in one element; the first one counts.",
        rule(more="  priority: ERROR\n"),
        _GOOD,
    ),
    Code(
        "RK015",
        "missing-key",
        "An element lacks a key that it needs.",
        "- rule: Example\n  desc: An example.\n  condition: evt.type = open\n  priority: INFO\n",
        _GOOD,
    ),
    Code(
        "RK016",
        "empty-value",
        "A key has no value although it needs one.",
        "- macro: opens\n  condition:\n",
        "- macro: opens\n  condition: evt.type = open\n",
    ),
    Code(
        "RK017",
        "wrong-shape",
        "A value has the wrong shape: a text where a sequence must stand, or the like.",
        "- list: shells\n  items: sh\n",
        "- list: shells\n  items: [sh]\n",
    ),
    Code(
        "RK018",
        "not-a-boolean",
        "A value must be `true` or `false`.",
        rule(more="  enabled: 1\n"),
        rule(more="  enabled: true\n"),
    ),
    Code(
        "RK019",
        "not-a-number",
        "A value must be a whole number.",
        rule(more="  capture: true\n  capture_duration: 5s\n"),
        rule(more="  capture: true\n  capture_duration: 5000\n"),
    ),
    Code(
        "RK020",
        "bad-engine-version",
        "A required engine version is neither a number nor `x.y.z`.",
        "- required_engine_version: v0.31.0\n" + _GOOD,
        "- required_engine_version: 0.31.0\n" + _GOOD,
    ),
    Code(
        "RK021",
        "engine-too-old",
        "The rules need a newer engine than the one that rulekit agrees with.",
        "- required_engine_version: 0.999.0\n" + _GOOD,
        "- required_engine_version: 0.57.0\n" + _GOOD,
    ),
    Code(
        "RK022",
        "bad-plugin-version",
        "A required plugin has no readable version, or is named twice.",
        "- required_plugin_versions:\n    - name: container\n      version: 0.4\n" + _GOOD,
        "- required_plugin_versions:\n    - name: container\n      version: 0.4.0\n" + _GOOD,
    ),
    Code(
        "RK023",
        "bad-priority",
        "A priority is none of the eight known names.",
        "- rule: Example\n  desc: d\n  condition: evt.type = open\n  output: x\n  priority: WARN\n",
        _GOOD,
    ),
    Code(
        "RK024",
        "missing-plugin",
        "The rules need a plugin that is not built in, or a newer version of one.",
        "- required_plugin_versions:\n    - name: dummy\n      version: 1.0.0\n" + _GOOD,
        "- required_plugin_versions:\n    - name: container\n      version: 0.4.0\n" + _GOOD,
    ),
)

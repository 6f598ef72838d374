"""Codes RK3: definitions that do not fit together."""

from __future__ import annotations

from rulekit.text.code import Code, rule

_RULE = rule()
_MACRO = "- macro: cat\n  condition: proc.name = cat\n"
_LIST = "- list: shells\n  items: [sh, bash]\n"
_USES_MACRO = rule("evt.type = open and cat")


def _exception(lines: str) -> str:
    return rule(more=f"  exceptions:\n    - name: known\n{lines}")


_KNOWN = _exception("      fields: [proc.name]\n      values: [[cat]]\n")

RULESET_CODES = (
    Code(
        "RK301",
        "undefined-macro",
        "A condition names a macro that is not defined, or not before it.",
        _USES_MACRO,
        _MACRO + _USES_MACRO,
    ),
    Code(
        "RK302",
        "macro-loop",
        "A macro contains itself.",
        _MACRO + "- macro: cat\n  condition: cat or proc.name = tac\n" + _USES_MACRO,
        "- macro: cat\n  condition: proc.name in (cat, tac)\n" + _USES_MACRO,
    ),
    Code(
        "RK303",
        "nothing-to-change",
        "An element changes a definition that does not exist.",
        "- rule: Exmaple\n  tags: [process]\n  override:\n    tags: append\n",
        _RULE + "- rule: Example\n  tags: [process]\n  override:\n    tags: append\n",
    ),
    Code(
        "RK304",
        "other-source",
        "A rule is defined again for another source.",
        _RULE
        + "- rule: Example\n  condition: and proc.name = cat\n  source: k8s_audit\n"
        + "  override:\n    condition: append\n",
        _RULE
        + "- rule: Example\n  condition: and proc.name = cat\n"
        + "  override:\n    condition: append\n",
    ),
    Code(
        "RK305",
        "nothing-to-enable",
        "`enabled` on its own names a rule that does not exist.",
        "- rule: Exmaple\n  enabled: false\n",
        _RULE + "- rule: Example\n  enabled: false\n  override:\n    enabled: replace\n",
    ),
    Code(
        "RK306",
        "append-and-override",
        "An element has both `append` and `override`.",
        _LIST + "- list: shells\n  items: [zsh]\n  append: true\n  override:\n    items: append\n",
        _LIST + "- list: shells\n  items: [zsh]\n  override:\n    items: append\n",
    ),
    Code(
        "RK307",
        "bad-override",
        "`override` must be a map of keys to `append` or `replace`.",
        _LIST + "- list: shells\n  items: [zsh]\n  override:\n    items: add\n",
        _LIST + "- list: shells\n  items: [zsh]\n  override:\n    items: append\n",
    ),
    Code(
        "RK308",
        "not-overridable",
        "A key that cannot be changed in this way.",
        _RULE + "- rule: Example\n  priority: ERROR\n  override:\n    priority: append\n",
        _RULE + "- rule: Example\n  priority: ERROR\n  override:\n    priority: replace\n",
    ),
    Code(
        "RK309",
        "override-without-key",
        "`override` speaks of a key that the element does not have.",
        _RULE
        + "- rule: Example\n  tags: [process]\n"
        + "  override:\n    tags: append\n    output: append\n",
        _RULE + "- rule: Example\n  tags: [process]\n  override:\n    tags: append\n",
    ),
    Code(
        "RK310",
        "key-without-override",
        "An element with `override` has a key of which it says nothing.",
        _RULE + "- rule: Example\n  tags: [process]\n  output: y\n  override:\n    tags: append\n",
        _RULE
        + "- rule: Example\n  tags: [process]\n  output: y\n"
        + "  override:\n    tags: append\n    output: replace\n",
    ),
    Code(
        "RK311",
        "empty-append",
        "An element appends nothing.",
        _RULE + "- rule: Example\n  tags: [process]\n  append: true\n",
        _RULE + "- rule: Example\n  tags: [process]\n  override:\n    tags: append\n",
    ),
    Code(
        "RK312",
        "unknown-source",
        "A rule is for a source that nobody provides, so it is skipped.",
        rule(more="  source: syscalls\n"),
        rule(more="  source: syscall\n"),
    ),
    Code(
        "RK313",
        "deprecated-append",
        "`append` is deprecated; `override` says which keys are appended.",
        _LIST + "- list: shells\n  items: [zsh]\n  append: true\n",
        _LIST + "- list: shells\n  items: [zsh]\n  override:\n    items: append\n",
    ),
    Code(
        "RK314",
        "deprecated-enabled",
        "`enabled` on its own is deprecated; `override` says that it replaces.",
        _RULE + "- rule: Example\n  enabled: false\n",
        _RULE + "- rule: Example\n  enabled: false\n  override:\n    enabled: replace\n",
    ),
    Code(
        "RK315",
        "bad-macro-name",
        "A macro has a name that no condition can use.",
        "- macro: is-cat\n  condition: proc.name = cat\n",
        "- macro: is_cat\n  condition: proc.name = cat\n",
    ),
    Code(
        "RK316",
        "bad-list-name",
        "A list has a name that conditions can hardly use.",
        "- list: all shells\n  items: [sh, bash]\n",
        "- list: all_shells\n  items: [sh, bash]\n",
    ),
    Code(
        "RK320",
        "incomplete-exception",
        "An exception lacks its fields, or is appended without values.",
        _exception("      fields: []\n      values: [[cat]]\n"),
        _KNOWN,
    ),
    Code(
        "RK321",
        "comps-do-not-fit",
        "`comps` of an exception must have the shape and length of `fields`.",
        _exception("      fields: [proc.name]\n      comps: [=, =]\n      values: [[cat]]\n"),
        _exception("      fields: [proc.name]\n      comps: [=]\n      values: [[cat]]\n"),
    ),
    Code(
        "RK322",
        "bad-exception-operator",
        "An operator that an exception of this shape cannot use.",
        _exception("      fields: proc.name\n      comps: startswith\n      values: [cat]\n"),
        _exception("      fields: proc.name\n      comps: startswith anyof\n      values: [cat]\n"),
    ),
    Code(
        "RK323",
        "bad-exception-field",
        "An exception names a field that events of this source do not have.",
        _exception("      fields: [proc.nmae]\n      values: [[cat]]\n"),
        _KNOWN,
    ),
    Code(
        "RK324",
        "values-do-not-fit",
        "Values of an exception do not fit its fields.",
        _exception("      fields: [proc.name]\n      values: [[cat, tac]]\n"),
        _exception("      fields: [proc.name]\n      values: [[cat], [tac]]\n"),
    ),
    Code(
        "RK325",
        "exception-redefined",
        "Fields and operators of an exception cannot be changed by appending.",
        _KNOWN
        + "- rule: Example\n  exceptions:\n    - name: known\n      fields: [proc.pname]\n"
        + "      values: [[tac]]\n  override:\n    exceptions: append\n",
        _KNOWN
        + "- rule: Example\n  exceptions:\n    - name: known\n      values: [[tac]]\n"
        + "  override:\n    exceptions: append\n",
    ),
    Code(
        "RK326",
        "exception-twice",
        "Two exceptions of a rule have one name; both apply.",
        _KNOWN + "    - name: known\n      fields: [proc.pname]\n      values: [[sh]]\n",
        _KNOWN + "    - name: known_parent\n      fields: [proc.pname]\n      values: [[sh]]\n",
    ),
    Code(
        "RK327",
        "nothing-appended",
        "An exception is appended to without values.",
        _KNOWN
        + "- rule: Example\n  exceptions:\n    - name: known\n"
        + "  override:\n    exceptions: append\n",
        _KNOWN
        + "- rule: Example\n  exceptions:\n    - name: known\n      values: [[tac]]\n"
        + "  override:\n    exceptions: append\n",
    ),
    Code(
        "RK330",
        "unused-macro",
        "No rule and no other macro uses a macro.",
        _MACRO + _RULE,
        _MACRO + _USES_MACRO,
    ),
    Code(
        "RK331",
        "unused-list",
        "No condition and no other list uses a list.",
        _LIST + _RULE,
        _LIST + rule("evt.type = open and proc.name in (shells)"),
    ),
    Code(
        "RK334",
        "list-too-large",
        "Lists within lists stand for more items than any condition needs.",
        f"- list: many\n  items: [{','.join(['x'] * 2100)}]\n"
        + f"- list: more\n  items: [{','.join(['many'] * 2100)}]\n"
        + rule("evt.type = open and proc.name in (more)"),
        "- list: many\n  items: [x, y]\n" + rule("evt.type = open and proc.name in (many)"),
    ),
    Code(
        "RK335",
        "condition-too-large",
        "Macros within macros make a condition of more comparisons, or more levels, than rulekit "
        "puts up with.",
        _MACRO.replace("cat\n", "m0\n", 1)
        + "".join(
            f"- macro: m{i + 1}\n  condition: (m{i} or fd.num = {i}) and m{i}\n" for i in range(20)
        )
        + rule("evt.type = open and m20"),
        _MACRO + _USES_MACRO,
    ),
)

"""RK441: `append: true`, which `override` replaces."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.yaml import Scalar
from rulekit.text.diagnostic import Diagnostic, Fix
from rulekit.text.source import Span
from rulekit.tools.lint.check import Check, Element, LintContext

_TRUE = frozenset({"true", "yes", "on", "y"})
_APPENDED = {"list": ("items",), "macro": ("condition",), "rule": ("condition", "exceptions")}


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for element in context.elements:
        key, value = element.key("append"), element.node.get("append")
        if key is None or not isinstance(value, Scalar) or value.value.lower() not in _TRUE:
            continue
        span = Span(element.file, key.start, value.end)
        yield CHECK.report(
            f"`append: true` in {element.kind} `{element.name}` is outdated",
            span,
            "`override` says what is appended",
            f"write `override: {{{_entries(element)}}}`",
            fix=_fix(element, span),
            falco="LOAD_DEPRECATED_ITEM",
        )


def _entries(element: Element) -> str:
    keys = [k for k in _APPENDED[element.kind] if element.node.get(k) is not None]
    return ", ".join(f"{key}: append" for key in keys)


def _fix(element: Element, span: Span) -> Fix | None:
    """Return the change, unless other keys are there: `append` ignores them, `override` not."""
    allowed = {element.kind, "append", "source", *_APPENDED[element.kind]}
    keys = {key.value for key, _ in element.node.pairs if isinstance(key, Scalar)}
    if not _entries(element) or keys - allowed:
        return None
    start = element.file.text.rfind("\n", 0, span.start) + 1
    lead = element.file.text[start : span.start]
    # Keys of one item begin in one column, the first of them behind a dash.
    margin = " " * len(lead)
    lines = _entries(element).split(", ")
    return Fix(
        span,
        "override:" + "".join(f"\n{margin}  {line}" for line in lines),
        "write `override`",
    )


CHECK = Check(
    code="RK441",
    name="append-flag",
    what="`append: true` in a list, macro or rule.",
    why="""\
Since release 0.37 `override` says for each key whether it is appended or replaced. `append: true`
is read for old files; in a rule it takes up conditions and exceptions and ignores everything else
without a word.""",
    bad="""\
- list: shells
  items: [bash, zsh]

- list: shells
  items: [fish]
  append: true

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name in (shells)
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- list: shells
  items: [bash, zsh]

- list: shells
  items: [fish]
  override:
    items: append

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name in (shells)
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
    fix="Writes `override` in its place, unless the element has keys that `append` ignores.",
)

"""RK460: regular expressions that do not fit a whole value."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import ComparisonNode, FieldNode, LiteralNode
from rulekit.text.diagnostic import Diagnostic
from rulekit.tools.lint.check import Check, LintContext
from rulekit.tools.lint.facts import places
from rulekit.tools.lint.pattern import first_literal, misplaced_anchor, only_texts

# Values of these begin with a slash; the text `<NA>` stands for paths that are not known.
_PATHS = frozenset({"proc.exepath", "proc.pexepath", "proc.aexepath", "proc.cwd", "fs.path.name"})
# Values of these are long; a pattern of a few words is meant to be searched for in them.
_LONG = frozenset(
    {
        *("proc.cmdline", "proc.pcmdline", "proc.acmdline", "proc.args", "proc.exeline"),
        *("evt.args", "evt.info", "evt.buffer", "proc.env", "container.image"),
    }
)
_SPECIAL = frozenset(".+*?^$()[]{}|\\")


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        for place in places(context, owner):
            node = place.fact.node
            if node.op != "regex" or node.modifier or not isinstance(node.right, LiteralNode):
                continue
            found = _problem(node, node.right)
            if found is not None:
                label, help_ = found
                yield CHECK.report(
                    "the pattern does not fit a whole value", node.right.span, label, help_
                )


def _problem(node: ComparisonNode, literal: LiteralNode) -> tuple[str, str] | None:
    pattern = literal.text
    if not set(pattern) & _SPECIAL:
        return None  # loading says so
    anchor = misplaced_anchor(pattern)
    if anchor is not None:
        where = "beginning" if pattern[anchor] == "^" else "end"
        return (
            f"`{pattern[anchor]}` stands for the {where} of the value, which is elsewhere",
            "write `\\\\" + pattern[anchor] + "` for the character itself",
        )
    name = node.left.name if isinstance(node.left, FieldNode) else ""
    first = first_literal(pattern)
    if name in _PATHS and first is not None and first not in "/<":
        return f"`{name}` begins with `/`, the pattern with `{first}`", "begin it with `.*`"
    texts = only_texts(pattern)
    if texts is not None and len(texts) > 1 and name in _LONG:
        shown = ", ".join(f"`{text}`" for text in sorted(texts)[:3])
        return (
            f"matches only {shown}{' and the like' if len(texts) > 3 else ''}, nothing around it",
            "write `.*(...).*` to search, or `in (...)` for whole values",
        )
    return None


CHECK = Check(
    code="RK460",
    name="regex-whole-value",
    what="A pattern that, compared with the whole value, cannot match what it is meant for.",
    why="""\
`regex` compares the whole value, as if `^` and `$` stood around the pattern; it does not search.
`proc.cmdline regex "curl|wget"` is true for the two command lines `curl` and `wget` without any
argument. Anchors in the middle of a pattern never match, and a path begins with a slash.""",
    bad="""\
- rule: Download tool started
  desc: A program that fetches files was started.
  condition: evt.type = execve and proc.cmdline regex "curl|wget"
  output: Download (command=%proc.cmdline)
  priority: NOTICE
  tags: [network]
""",
    good="""\
- rule: Download tool started
  desc: A program that fetches files was started.
  condition: evt.type = execve and proc.cmdline regex ".*(curl|wget).*"
  output: Download (command=%proc.cmdline)
  priority: NOTICE
  tags: [network]
""",
    run=_run,
)

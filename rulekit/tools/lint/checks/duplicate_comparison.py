"""RK423: comparisons and macros that stand twice in one `and` or `or`."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import AndNode, ComparisonNode, MacroNode, Node, NotNode, OrNode
from rulekit.rules.unparse import unparse
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.tools.lint.check import Check, LintContext
from rulekit.tools.lint.edit import remove_operand
from rulekit.tools.lint.facts import Fact
from rulekit.tools.lint.values import said, subject


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        stack: list[Node] = [owner.written]
        while stack:
            node = stack.pop()
            if isinstance(node, NotNode):
                stack.append(node.child)
            elif isinstance(node, (AndNode, OrNode)):
                stack += reversed(node.children)
                yield from _equal(node)
                if isinstance(node, OrNode):
                    yield from _covered(node)


def _equal(node: AndNode | OrNode) -> Iterator[Diagnostic]:
    seen: dict[str, Node] = {}
    word = "and" if isinstance(node, AndNode) else "or"
    for child in node.children:
        inner = child.child if isinstance(child, NotNode) else child
        if not isinstance(inner, (ComparisonNode, MacroNode)):
            continue
        text = unparse(child)
        first = seen.setdefault(text, child)
        if first is not child:
            shown = text if len(text) <= 60 else text[:57] + "..."
            yield CHECK.report(
                f"`{shown}` stands twice in one `{word}`",
                child.span,
                "changes nothing",
                "remove it, or compare with what was meant",
                labels=[Label(first.span, "the same")],
                fix=remove_operand(child.span, word, "remove the second one"),
            )


def _covered(node: OrNode) -> Iterator[Diagnostic]:
    """Yield operands of an ``or`` whose values all stand in another operand."""
    known: dict[str, list[tuple[ComparisonNode, frozenset[str | int]]]] = {}
    for child in node.children:
        if not isinstance(child, ComparisonNode) or child.op == "!=":
            continue
        name, what = subject(child), said(Fact(child, False))
        if name is not None and what is not None and what.only:
            known.setdefault(name, []).append((child, what.only))
    for same in known.values():
        for i, (child, values) in enumerate(same[:100]):
            for j, (other, more) in enumerate(same[:100]):
                smaller = values < more or (values == more and i > j)
                if i != j and smaller and unparse(child) != unparse(other):
                    yield CHECK.report(
                        "another part of this `or` covers this comparison",
                        child.span,
                        "changes nothing",
                        "remove it, or compare with what was meant",
                        labels=[Label(other.span, "holds whenever the other one does")],
                        fix=remove_operand(child.span, "or", "remove the covered comparison"),
                    )
                    break


CHECK = Check(
    code="RK423",
    name="duplicate-comparison",
    what="A comparison or macro that stands twice in one `and` or `or`.",
    why="""\
The second one changes nothing. Most often a value or a field was to be changed after copying the
line, and the condition does not cover what its author believes.""",
    bad="""\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and (proc.name = bash or proc.pname = sshd or proc.name = bash)
  output: Shell started (command=%proc.cmdline parent=%proc.pname)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and (proc.name = bash or proc.pname = sshd or proc.name = zsh)
  output: Shell started (command=%proc.cmdline parent=%proc.pname)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
    fix="Removes the second comparison where no parentheses stand in the way.",
)

"""RK442: operators that Falco accepts for a field and does not carry out."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import ComparisonNode, FieldNode, ListNode
from rulekit.rules.unparse import unparse
from rulekit.text.diagnostic import Diagnostic, Fix
from rulekit.tools.lint.check import Check, LintContext, named_field
from rulekit.tools.lint.edit import replace_text
from rulekit.tools.lint.facts import places

_ONE_END_NETWORKS = frozenset({"fd.cnet", "fd.snet", "fd.lnet", "fd.rnet"})


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        for place in places(context, owner):
            node = place.fact.node
            problem = _problem(node)
            if problem is not None:
                fix = _fix(node)
                yield CHECK.report(
                    f"`{node.op}` on `{_name(node)}` does not work in Falco",
                    node.span,
                    problem,
                    None if fix else "compare with `=` once for each value, joined by `or`",
                    fix=fix,
                )


def _name(node: ComparisonNode) -> str:
    return node.left.name


def _problem(node: ComparisonNode) -> str | None:
    if not isinstance(node.left, FieldNode):
        return None
    name = node.left.name
    many = isinstance(node.right, ListNode) and len(node.right.items) > 1
    if node.op == "intersects" and name in ("fd.ip", "fd.port", "fd.net"):
        return "it never matches, or stops the evaluation with an error"
    if node.op == "in" and name == "fd.ip":
        return "recent versions never match here"
    if node.op == "in" and name == "fd.net" and many:
        return "only the first network is looked at"
    if name in _ONE_END_NETWORKS and node.modifier == "anyof":
        return "recent versions never match here"
    if node.op == "in" and name == "proc.apid":
        named = named_field(node.left)
        if named is not None and named.index is None:
            return "recent versions never match here"
    return None


def _fix(node: ComparisonNode) -> Fix | None:
    """Return the same comparison as an ``or`` of equalities, when the values stand right there."""
    if not isinstance(node.right, ListNode) or not 0 < len(node.right.items) <= 8:
        return None
    parts = [
        unparse(ComparisonNode(node.left, "=", None, item, node.span)) for item in node.right.items
    ]
    text = parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"
    return replace_text(node.span, text, "compare with each value")


CHECK = Check(
    code="RK442",
    name="unreliable-operator",
    what="An operator that Falco accepts for a field without carrying it out.",
    why="""\
`fd.ip in (...)`, `proc.apid in (...)` and some more load without complaint and never match in
recent versions of Falco; of `fd.net in (a, b)` only the first network counts. rulekit does what
the rule says, so the same file gives different alerts in the two.""",
    bad="""\
- rule: Connection to a metadata service
  desc: A program asked a cloud for its credentials.
  condition: evt.type = connect and fd.ip in (169.254.169.254, 100.100.100.200)
  output: Connection (connection=%fd.name command=%proc.cmdline)
  priority: NOTICE
  tags: [network]
""",
    good="""\
- rule: Connection to a metadata service
  desc: A program asked a cloud for its credentials.
  condition: evt.type = connect and fd.sip in (169.254.169.254, 100.100.100.200)
  output: Connection (connection=%fd.name command=%proc.cmdline)
  priority: NOTICE
  tags: [network]
""",
    run=_run,
    fix="Writes one `=` for each value when there are at most eight.",
)

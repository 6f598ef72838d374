"""RK433: rules over audit events that alert for every stage of a request."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import AndNode, ComparisonNode, FieldNode, Node, NotNode, OrNode
from rulekit.text.diagnostic import Diagnostic
from rulekit.tools.lint.check import Check, LintContext
from rulekit.tools.lint.truth import outcome
from rulekit.tools.lint.values import fields_of_operand

# What tells one stage, or is only there once the server has answered.
_TELLING = ("ka.stage", "ka.response.", "ka.resp.", "ka.auth.", "ka.req.", "pod.")
_POINTERS = ("/stage", "/responseStatus", "/responseObject", "/requestObject", "/annotations")


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        if owner.rule is None or owner.source != "k8s_audit":
            continue
        if outcome(context, owner.node) is False or _tells(owner.node):
            continue
        yield CHECK.report(
            f"rule `{owner.rule.name}` alerts for every stage of a request",
            owner.span,
            "a request comes in two or three stages, each an event of its own",
            "add `ka.stage = ResponseComplete`",
        )


def _tells(node: Node) -> bool:
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, NotNode):
            stack.append(each.child)
        elif isinstance(each, (AndNode, OrNode)):
            stack.extend(each.children)
        elif isinstance(each, ComparisonNode):
            for field in fields_of_operand(each.left):
                if field.name.startswith(_TELLING) or _points_there(field):
                    return True
    return False


def _points_there(field: FieldNode) -> bool:
    is_pointer = field.name in ("json.value", "jevt.value")
    return is_pointer and field.arg is not None and field.arg.startswith(_POINTERS)


CHECK = Check(
    code="RK433",
    name="no-stage",
    what="A rule over audit events of Kubernetes that is true in every stage of a request.",
    why="""\
An API server writes an event when a request has come in, one when a long-running answer begins and
one when it is complete. Only the last two say what came of it and what was sent. A rule that looks
at none of that alerts two or three times for one request, once before it is known whether it was
allowed at all.""",
    bad="""\
- required_plugin_versions: [{name: k8saudit, version: 0.7.0}]
- rule: Secret deleted
  desc: Somebody deleted a secret.
  condition: ka.verb = delete and ka.target.resource = secrets
  output: Secret deleted (user=%ka.user.name name=%ka.target.name)
  priority: NOTICE
  source: k8s_audit
  tags: [k8s]
""",
    good="""\
- required_plugin_versions: [{name: k8saudit, version: 0.7.0}]
- rule: Secret deleted
  desc: Somebody deleted a secret.
  condition: ka.stage = ResponseComplete and ka.verb = delete and ka.target.resource = secrets
  output: Secret deleted (user=%ka.user.name name=%ka.target.name)
  priority: NOTICE
  source: k8s_audit
  tags: [k8s]
""",
    run=_run,
)

"""RK443: what Falco would not understand; looked for on request only."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import ComparisonNode, FieldNode, TransformNode
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import Span
from rulekit.tools.lint.check import Check, LintContext, named_field
from rulekit.tools.lint.facts import places
from rulekit.tools.lint.values import fields_of_operand

_OWN = ("rulekit", "field map")


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        for place in places(context, owner):
            for field in _fields(place.fact.node):
                named = named_field(field)
                if named is not None and named.field.provider in _OWN:
                    yield _report(named.field.name, field.span)
        for _, bound in () if owner.rule is None else owner.rule.template.fields:
            if bound.field.provider in _OWN:
                yield _report(bound.field.name, bound.span)


def _fields(node: ComparisonNode) -> Iterator[FieldNode]:
    yield from fields_of_operand(node.left)
    if isinstance(node.right, (FieldNode, TransformNode)):
        yield from fields_of_operand(node.right)


def _report(name: str, span: Span) -> Diagnostic:
    return CHECK.report(
        f"Falco has no field `{name}`", span, "rulekit's own: Falco refuses the rule"
    )


CHECK = Check(
    code="RK443",
    name="not-in-falco",
    what="A field of rulekit's own, which Falco does not have.",
    why="""\
Falco refuses a rule with a field that it does not know. Rules that are to run there as well must do
without the fields `pod.*`. Only looked for with `rulekit check --compat falco`, or when the code is
selected.""",
    bad="""\
- required_plugin_versions: [{name: k8saudit, version: 0.7.0}]
- rule: Privileged pod
  desc: A pod got a privileged container.
  condition: ka.stage = ResponseComplete and pod.containers.privileged intersects (true)
  output: Privileged pod (user=%ka.user.name name=%ka.target.name)
  priority: WARNING
  source: k8s_audit
  tags: [k8s]
""",
    good="""\
- required_plugin_versions: [{name: k8saudit, version: 0.7.0}]
- rule: Privileged pod
  desc: A pod got a privileged container.
  condition: ka.stage = ResponseComplete and ka.req.pod.containers.privileged intersects (true)
  output: Privileged pod (user=%ka.user.name name=%ka.target.name)
  priority: WARNING
  source: k8s_audit
  tags: [k8s]
""",
    run=_run,
    severity="error",
    optional=True,
)

"""``rulekit k8s admission``: answer what may be created or changed in a cluster."""

from __future__ import annotations

import argparse

from rulekit.cli.arguments import priority
from rulekit.cli.console import say
from rulekit.cli.listen import add_listen, plan_of
from rulekit.cli.receiver import add_output, add_rules, open_receiver, receive

HELP = "decide, as an admission webhook, what may be created or changed in a cluster"
DESCRIPTION = """\
Listens as a ValidatingAdmissionWebhook: AdmissionReviews (v1) by POST. Rules of priority error or
more urgent deny (--deny changes that), all others warn; a rule with a tag action_deny, action_warn
or action_allow says so itself. Without --rules the bundled ruleset pod_security is used: violations
of the level baseline of the Pod Security Standards are refused, the others warned about.

The alerts of the rules that matched are printed or go to the sinks of --config, but for dry runs.
What cannot be evaluated is refused, or let through with --fail-open; what is no AdmissionReview is
answered with 400, for which the API server has its failurePolicy. The API server talks TLS only:
give --tls-cert and --tls-key, or put something before it that does.

SIGTERM and SIGINT end it in order; SIGHUP reads the certificate again. Needs the extra `server`:
pip install rulekit[server]."""
EXAMPLES = (
    (
        "rulekit k8s admission --listen 127.0.0.1:0 --stop-after 1 && echo ended",
        "the Pod Security Standards, without TLS, for a second",
    ),
    (
        "rulekit k8s admission --tag restricted --deny warning --fail-open --listen 127.0.0.1:0"
        " --stop-after 1 && echo ended",
        "refuse what does not keep to the level restricted",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    what = parser.add_argument_group("what to run")
    add_rules(what, rules="; without one, the bundled ruleset pod_security")
    what.add_argument(
        "--deny",
        metavar="P",
        type=priority,
        default="Error",
        help="rules of priority P or more urgent deny, all others warn (error)",
    )
    what.add_argument(
        "--fail-open",
        action="store_true",
        help="let through, with a warning, what cannot be evaluated",
    )
    add_listen(parser, 8443, "/validate")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Answer until a signal ends it; 2 when it cannot, or alerts are left over."""
    from rulekit.engine.verdict import VerdictPolicy
    from rulekit.testing.bundled import bundled_rulesets

    plan = plan_of(args)
    opened = open_receiver(
        args,
        matching="all",
        default_rules=[bundled_rulesets() / "pod_security" / "rules.yaml"],
        verdicts=VerdictPolicy(deny=args.deny, on_error="allow" if args.fail_open else "deny"),
    )
    if opened is None:
        return 2
    engine, target = opened
    from rulekit.server.admission import AdmissionWebhook

    webhook = AdmissionWebhook(engine, plan, target.take_all, tell=say)
    return receive(args, plan, webhook, target, "AdmissionReviews")

"""``rulekit k8s webhook``: receive the audit events of an API server."""

from __future__ import annotations

import argparse

from rulekit.cli.console import say
from rulekit.cli.listen import add_listen, plan_of
from rulekit.cli.receiver import add_output, add_rules, open_receiver, receive

HELP = "receive audit events that a Kubernetes API server posts, and run rules over them"
DESCRIPTION = """\
Listens as the webhook of an API server's audit log, as Falco's plugin k8saudit does: batches of
audit events by POST, JSON, plain or gzip. A batch is answered with 200 when all its events have
been evaluated and all alerts are written or in the spools of their sinks; what cannot be dealt with
now is answered with 429 and sent again by the API server. What is too large (413) or no JSON (400)
is lost, counted, and an alert tells of it.

SIGTERM and SIGINT end it when the requests that were begun are answered; SIGHUP reads the
certificate again. GET /healthz tells whether it listens. `rulekit k8s audit-policy` prints what the
API server needs. Needs the extra `server`: pip install rulekit[server]."""
EXAMPLES = (
    (
        "rulekit k8s webhook -r rulesets/kubernetes/rules.yaml --listen 127.0.0.1:0 --stop-after 1"
        " && echo ended",
        "on any free port, for a second; without --listen on 127.0.0.1:9765",
    ),
    (
        "rulekit k8s webhook --config examples/rulekit.yaml -r rulesets/kubernetes/rules.yaml"
        " --listen 127.0.0.1:0 --stop-after 1 && echo ended",
        "to the sinks of a configuration",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    what = parser.add_argument_group("what to run")
    add_rules(what, rules="")
    what.add_argument(
        "--matching",
        choices=("first", "all"),
        help="report the first rule by definition that matches an event (default, as in Falco),"
        " or all of them",
    )
    add_listen(parser, 9765, "/k8s-audit")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Receive until a signal ends it; 2 when it cannot, or alerts are left over."""
    plan = plan_of(args)
    opened = open_receiver(args, matching=args.matching)
    if opened is None:
        return 2
    engine, target = opened
    from rulekit.server.webhook import AuditReceiver

    receiver = AuditReceiver(engine, plan, target.take_all, room=target.room, tell=say)
    return receive(args, plan, receiver, target, "audit events")

"""``rulekit k8s audit-policy``: what an API server has to write for rules."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from rulekit.cli.arguments import add_format
from rulekit.cli.chosen import add_chosen, chosen_or_explain
from rulekit.cli.console import say
from rulekit.errors import RulekitError, reason
from rulekit.text.whole import read_given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rulekit.kubernetes.audit.facts import Groups
    from rulekit.kubernetes.audit.policy import Policy
    from rulekit.kubernetes.audit.starved import Gap, Starved
    from rulekit.rules.ruleset import Rule

HELP = "print the audit policy that rules need, or check which rules one starves"
DESCRIPTION = """\
Prints the audit policy under which a Kubernetes API server writes every event and every object that
the given rules look at, and no more: no stage, no request body, no response and no user of which
every rule says that it does not matter. With --print it prints what else an API server needs: the
kubeconfig of the webhook, its flags, and a patch of its static pod for kubeadm (`kubeadm init
--patches FOLDER`, as FOLDER/kube-apiserver0+json.yaml).

With --check POLICY a policy is read instead, and the rules that it starves are listed with what is
missing; the exit code is 1 when there are any, 2 when an API server would refuse the policy.

A policy has to name the API groups of resources. Those of Kubernetes itself are known; --resource
says those of your own resources that rules name."""
EXAMPLES = (
    ("rulekit k8s audit-policy -r rulesets/kubernetes/rules.yaml", "the policy"),
    (
        "rulekit k8s audit-policy -r rulesets/kubernetes/rules.yaml --print patch"
        " --url https://127.0.0.1:9765/k8s-audit --ca /etc/kubernetes/audit/ca.crt",
        "what to change in the pod of the API server",
    ),
    (
        "rulekit k8s audit-policy -r rulesets/pod_security/rules.yaml > /tmp/policy.yaml;"
        " rulekit k8s audit-policy -r rulesets/pod_security/rules.yaml --check /tmp/policy.yaml",
        "what is printed is enough",
    ),
)
_SHOWN = 6  # of a list in a message


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_chosen(parser)
    audit = parser.add_argument_group("policy")
    audit.add_argument(
        "--check", metavar="POLICY", help="say which rules this policy starves; - is stdin"
    )
    audit.add_argument(
        "--resource",
        metavar="NAME.GROUP",
        action="append",
        default=[],
        help="resource of your own that rules name, with its API group: widgets.example.com",
    )
    add_format(audit)
    server = parser.add_argument_group("API server")
    server.add_argument(
        "--print",
        dest="part",
        choices=("policy", "kubeconfig", "flags", "patch"),
        default="policy",
        help="policy (default), kubeconfig of the webhook, flags of the API server, or the patch of"
        " its static pod",
    )
    server.add_argument(
        "--url",
        metavar="URL",
        help="where `rulekit k8s webhook` listens (http://127.0.0.1:9765/k8s-audit)",
    )
    server.add_argument("--log", metavar="FILE", help="have a log written; with --url both")
    server.add_argument("--ca", metavar="FILE", help="certificate that signed the webhook's")
    server.add_argument("--client-cert", metavar="FILE", help="certificate of the API server")
    server.add_argument("--client-key", metavar="FILE", help="and its key")
    server.add_argument("--token-file", metavar="FILE", help="token that the webhook asks for")
    server.add_argument(
        "--folder",
        metavar="FOLDER",
        default="/etc/kubernetes/audit",
        help="where policy.yaml and webhook.yaml are put (/etc/kubernetes/audit)",
    )


def run(args: argparse.Namespace) -> int:
    """Print or check; 1 when rules are starved, 2 when something cannot be read."""
    from rulekit.kubernetes.audit.shrink import unknown_resources

    chosen = chosen_or_explain(args, sources=("k8s_audit",))
    if chosen is None:
        return 2
    rules = [rule for rule in chosen if rule.source == "k8s_audit"]
    if not rules:
        raise RulekitError("no rule has the source k8s_audit")
    more: dict[str, list[str]] = {}
    for each in args.resource:
        name, dot, group = each.partition(".")
        if not name or not dot:
            raise RulekitError(f"--resource {each}: no NAME.GROUP")
        more.setdefault(name, []).append(group)
    for name in unknown_resources(rules, more):
        say(f"nobody knows the API group of `{name}`: say --resource {name}.GROUP, or all count")
    if args.check is not None:
        return _check(args, rules, more)
    return _print(args, rules, more)


def _print(args: argparse.Namespace, rules: Sequence[Rule], more: Groups) -> int:
    from rulekit.kubernetes.audit import setup
    from rulekit.kubernetes.audit.policy import as_manifest
    from rulekit.kubernetes.audit.shrink import smallest_policy

    if bool(args.client_cert) != bool(args.client_key):
        raise RulekitError("--client-cert and --client-key go together")
    url = args.url
    if url is None:
        url = "" if args.log else setup.DEFAULT_URL
    made = setup.Setup(
        url=url,
        ca=args.ca or "",
        client_cert=args.client_cert or "",
        client_key=args.client_key or "",
        token_file=args.token_file or "",
        log=args.log or "",
        folder=args.folder.rstrip("/"),
    )
    if args.part == "kubeconfig":
        sys.stdout.write(setup.kubeconfig_text(made))
    elif args.part == "flags":
        print("\n".join(setup.flags(made)))
    elif args.part == "patch":
        sys.stdout.write(setup.pod_patch(made))
    else:
        policy = smallest_policy(rules, more)
        if args.format == "json":
            print(json.dumps(as_manifest(policy)))
        else:
            sys.stdout.write(setup.policy_text(policy))
    return 0


def _check(args: argparse.Namespace, rules: Sequence[Rule], more: Groups) -> int:
    from rulekit.kubernetes.audit.starved import starved

    policy, problems = _read(args.check)
    if policy is None:
        return 2
    found = starved(rules, policy, more)
    for one in found:
        print(_json(one) if args.format == "json" else _text(one, args.check))
    if args.format == "text":
        blind = sum(one.blind for one in found)
        print(
            f"{len(rules) - len(found)} of {len(rules)} rules get all that they need,"
            f" {blind} see nothing, {len(found) - blind} lack something"
        )
    return 2 if problems else int(bool(found))


def _read(name: str) -> tuple[Policy | None, bool]:
    from rulekit.kubernetes.audit.read import read_policy

    shown = "<stdin>" if name == "-" else name
    try:
        content = read_given(name)
    except OSError as error:
        raise RulekitError(f"{name}: {reason(error)}") from None
    policy, problems = read_policy(content, shown)
    for line, text in problems:
        say(f"{shown}:{line}: {text}")
    if policy is None:
        say(f"{shown} is no audit policy")
    return policy, bool(problems)


def _text(one: Starved, name: str) -> str:
    lines = [f"{one.rule.name}: {'sees nothing' if one.blind else 'lacks something'}"]
    for gap in one.gaps:
        what = f"without {', '.join(gap.fields)}" if gap.fields else "not written"
        where = f" ({name}:{gap.line})" if gap.line else ""
        lines.append(f"  {_requests(gap)}: {what}: {gap.why}{where}")
    return "\n".join(lines)


def _requests(gap: Gap) -> str:
    users = "" if "other users" in gap.users else f" by {_few(gap.users)}"
    targets = {t for t in gap.targets if t.removeprefix("other parts of ") not in gap.targets - {t}}
    return f"{_few(gap.verbs)} {_few(targets)}{users}"


def _few(names: set[str]) -> str:
    ordered = sorted(names, key=lambda name: (name.startswith("other "), name))
    more = len(ordered) - _SHOWN
    shown = ", ".join(ordered[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


def _json(one: Starved) -> str:
    return json.dumps(
        {
            "rule": one.rule.name,
            "blind": one.blind,
            "gaps": [
                {
                    "fields": list(gap.fields),
                    "why": gap.why,
                    "line": gap.line,
                    "verbs": sorted(gap.verbs),
                    "targets": sorted(gap.targets),
                    "users": sorted(gap.users),
                }
                for gap in one.gaps
            ],
        }
    )

"""``rulekit run``: rules over a capture, alerts out."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rulekit.alert import priority_number
from rulekit.cli.arguments import add_field_map, priority, use_field_map
from rulekit.cli.console import Progress, say, size_of, summary
from rulekit.cli.falco import add_selection, falco_config, split_overrides
from rulekit.cli.follow import FOLLOW_HELP, Following, add_follow, follow
from rulekit.cli.limits import add_limits, limits_of
from rulekit.cli.live import LIVE, LIVE_AUDIT, add_scope, live, live_audit
from rulekit.cli.many import add_jobs, open_captures, run_captures
from rulekit.cli.printing import add_printing, formatter_of, open_writer
from rulekit.cli.rules import config_or_explain
from rulekit.cli.service import Service, take_over
from rulekit.cli.targets import DeliveryTarget, LineTarget, Target
from rulekit.cli.window import WINDOW_HELP, add_window, window_of
from rulekit.errors import RulekitError, SinkError, SourceError

if TYPE_CHECKING:
    from collections.abc import Generator

    from rulekit.alert import Alert
    from rulekit.engine.alerts import Loop
    from rulekit.engine.pipeline import Engine

HELP = "run rules over a capture or an audit log and print alerts"
DESCRIPTION = f"""\
Runs rules over a capture and prints one alert per line. A summary goes to stderr. When the
capture is damaged or the disk is full, the alerts up to there are kept, and the exit code is 2.

CAPTURE can be a pipe: '-' is standard input. Memory does not grow with its length. Several captures
are read at the same time, each with a state of its own: -e A -e B -j 2.

CAPTURE can be a log of Linux audit, with the same rules of system calls: what auditd (raw or
enriched), laurel, go-audit or auditbeat write, plain, gzip or zstd. What audit cannot know is null.
Without a CAPTURE, --source linux_audit reads what the kernel's audit reports from now on, beside
auditd or without it; that needs CAP_AUDIT_READ and nothing else.

CAPTURE can be an audit log of Kubernetes as well, for rules of the source k8s_audit: lines of
JSON, an array, an EventList, or a folder of such files, plain, gzip or zstd. What is no audit
event is left out, counted, and the first of it shown. With another name as --source, rules of that
source look at JSON documents of any kind, with the fields json.*.

{FOLLOW_HELP}

{WINDOW_HELP}"""
EXAMPLES = (
    (
        "rulekit run -r rulesets/credential_access/rules.yaml"
        " -e rulesets/captures/attack-host.scap.gz",
        "the alerts of one ruleset",
    ),
    (
        "rulekit run -r rulesets/persistence/rules.yaml -e rulesets/captures/attack-host.scap.gz"
        " --format json --min-priority warning",
        "as JSON lines, without the less urgent ones",
    ),
    (
        "zcat rulesets/captures/attack-host.scap.gz | rulekit run"
        " -r rulesets/persistence/rules.yaml -e - --to +30s",
        "from a pipe, the first thirty seconds",
    ),
    (
        "rulekit run --config examples/rulekit.yaml -e rulesets/captures/attack-host.scap.gz",
        "to the sinks of a configuration",
    ),
    (
        "rulekit run -r rulesets/kubernetes/rules.yaml"
        " -e rulesets/captures/attack-audit.jsonl --matching all",
        "the audit log of a Kubernetes cluster",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    what = parser.add_argument_group("what to run")
    what.add_argument(
        "-r",
        "--rules",
        metavar="RULES",
        action="append",
        type=Path,
        help="rules file; more of them are loaded in the order given; or one of `rulekit compile`",
    )
    what.add_argument(
        "-e",
        "--capture",
        metavar="CAPTURE",
        action="append",
        help="capture to read: .scap, plain or gzip; an audit log; or JSON documents; - is standard"
        " input",
    )
    what.add_argument(
        "--source",
        metavar="SOURCE",
        help="what CAPTURE is, which decides the rules to run (syscall, linux_audit, k8s_audit,"
        " ...); without it, its first bytes tell. `ebpf` stands for the running processes of"
        " --scope, and linux_audit without a CAPTURE for what the kernel's audit reports now",
    )
    add_field_map(what)
    add_jobs(what)
    add_follow(what)
    add_scope(what)
    add_window(what)
    what.add_argument(
        "--all-rules", action="store_true", help="also run rules marked `enabled: false`"
    )
    what.add_argument(
        "--min-priority",
        metavar="P",
        type=priority,
        help="leave out rules less urgent than P (emergency ... debug)",
    )
    what.add_argument(
        "--matching",
        choices=("first", "all"),
        help="report the first rule by definition that matches an event (default, as in Falco),"
        " or all of them",
    )
    add_limits(what)
    add_selection(what)
    what.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="a rulekit.yaml: rules, sinks and the ways to them; options given here go before it",
    )
    how = parser.add_argument_group("how to print")
    add_printing(
        how,
        output="write alerts to FILE, not to stdout; with --follow or --checkpoint add them to it",
    )
    how.add_argument("-q", "--quiet", action="store_true", help="no summary, no progress bar")
    how.add_argument(
        "--fail-on",
        metavar="P",
        type=priority,
        help="exit with 1 when there was an alert of priority P or more urgent",
    )


def run(args: argparse.Namespace) -> int:
    """Deliver the alerts of a capture; 2 when the rules or the capture cannot be used."""
    from rulekit.cli.programs import runnable_or_explain
    from rulekit.sources.opening import as_source, event_source_of

    window = window_of(args)
    captures, args.capture = args.capture or [], None
    if captures:
        args.capture = captures[0]
    if len(captures) > 1 and (args.follow is not None or args.checkpoint is not None):
        raise RulekitError("--follow and --checkpoint are for one log, not for several")
    if args.config is not None and (
        args.output or args.format or args.json_extra or args.falco_config
    ):
        raise RulekitError("-o, --format, --json-extra and --falco-config do not go with --config")
    path, overrides = split_overrides(args.output, args.falco_config is not None)
    config = falco_config(args.falco_config, overrides)
    sinks = None
    if args.config is not None:
        sinks = config_or_explain(args.config)
        if sinks is None:
            return 2
        config = sinks.falco()
        take_over(args, sinks)
    formatter = formatter_of(args, config)
    rules = args.rules or config.rules_files
    if not rules:
        raise RulekitError("no rules: name files with -r or in a configuration")
    mapped = use_field_map(args)
    source = args.source or (sinks.options.source if sinks else None)
    if source is None and len(mapped) == 1:
        source = mapped[0]
    args.capture = args.capture or (sinks.options.capture if sinks else None)
    capture: Any = args.capture
    is_live = source == LIVE or (source == LIVE_AUDIT and capture is None)
    if capture is None and not is_live:
        raise RulekitError(
            "nothing to read: name a capture with -e, or say --source ebpf or linux_audit"
        )
    size_bytes = None if is_live or capture is None else size_of(capture)
    if source is None:
        source, capture = _detect(capture, args.follow is not None)
    kind = source
    live_source = source if is_live else None
    if is_live:
        source = "syscall"
    else:
        capture = as_source(source, capture)
        source = event_source_of(source)
    choice = {
        "source": source,
        "min_priority": args.min_priority or config.priority,
        "all_rules": args.all_rules,
        "selectors": (*config.selectors, *(args.selectors or ())),
    }
    runnable = runnable_or_explain(
        rules,
        choice,
        append_output=config.append_output,
        static_fields=config.static_fields,
        sources={"syscall", source},
    )
    if runnable is None:
        return 2
    from rulekit.engine.pipeline import Engine, host_name

    engine = Engine(
        runnable.rules,
        **choice,
        matching=args.matching or config.rule_matching,
        append_output=config.append_output,
        hostname=(sinks.options.host if sinks else None) or (host_name() if is_live else None),
        context=sinks.context if sinks else formatter.context,
        announce_drops=sinks is not None or is_live,
        limits=limits_of(args, sinks.options.limits if sinks else None),
    )
    runnable.keep(engine)
    if not engine.rules:
        say("no rule is left to run: all are disabled, for another source or below --min-priority")
    if len(captures) > 1:
        if is_live:
            raise RulekitError("name either captures or a live source")
        if sinks is not None and sinks.options.service is not None:
            say(
                f"{args.config}: `service` is left out, it is for one source: of several captures"
                " there are no health, no metrics and no reload, and no rights are given up"
            )
        opened = open_captures(captures, args.source, source)
        watch = _Watch(args.fail_on)
        many: Target = (
            LineTarget(open_writer(path, append=False), formatter)
            if sinks is None
            else DeliveryTarget(sinks, engine.hostname, False, say)
        )
        problem = run_captures(
            engine, captures, opened, args.jobs, window, watch.look, many, args.quiet
        )
        if problem is not None:
            say(problem)
        return 2 if problem is not None else int(watch.seen)
    bar = Progress(size_bytes, False if args.quiet or args.follow else None)
    watch = _Watch(args.fail_on)

    def tell(message: str) -> None:
        bar.clear()
        say(message)

    service = None
    if sinks is not None and sinks.options.service is not None:
        service = Service(args, sinks, live_source or ("follow" if args.follow else ""))
    events = _events(args, engine, capture, live_source, service)
    with (
        contextlib.closing(service) if service else contextlib.nullcontext(),
        events as found,
        follow(args, kind, tell) as follower,
    ):
        if service is not None and live_source != LIVE:
            service.drop_privileges()
        if sinks is not None:
            target: Target = DeliveryTarget(
                sinks, engine.hostname, is_live or args.follow is not None, tell
            )
        else:
            target = LineTarget(open_writer(path, append=follower is not None), formatter)
        following = None if follower is None else Following(follower, target.flush)

        def progress(loop: Loop) -> None:
            bar.update(loop)
            if service is not None:
                service.status.beat()
            if following is not None:
                following.beat()
            else:
                target.flush()

        if service is not None:
            service.start(engine, follower or found, target)
        alerts = engine.run(follower or found, progress=progress, window=window, on_problem=tell)
        try:
            error = _deliver(engine, alerts, watch, target, bar)
        except KeyboardInterrupt:
            if not args.quiet:
                print(summary(engine.stats), file=sys.stderr)
            raise
        if error is None and follower is not None:
            follower.save()
    if error is not None:
        say(error)
    if not args.quiet:
        print(summary(engine.stats), file=sys.stderr)
    return 2 if error is not None else int(watch.seen)


@contextlib.contextmanager
def _events(
    args: argparse.Namespace,
    engine: Engine,
    capture: Any,
    live_source: str | None,
    service: Service | None,
) -> Generator[Any, None, None]:
    """Return what the events come from: the capture, or the live source, opened."""
    if live_source is None:
        yield capture
        return
    if live_source == LIVE_AUDIT:
        with live_audit(args) as audit:
            yield audit
        return
    from rulekit.sources.ebpf.routes import events_for

    loaded = service.drop_privileges if service is not None else lambda: None
    with live(args, events_for(engine.program), on_loaded=loaded) as source:
        yield source


def _detect(capture: str, followed: bool) -> tuple[str, Any]:
    """Return what a capture is, and what to read it from."""
    from rulekit.sources.detect import AUDIT, LINUX_AUDIT, detect_source

    if not followed:
        return detect_source(capture)
    # It need not be there yet, or have a line.
    is_audit = capture != "-" and detect_source(capture)[0] == LINUX_AUDIT
    return LINUX_AUDIT if is_audit else AUDIT, capture


class _Watch:
    """Remembers whether an alert was as urgent as ``--fail-on`` says."""

    def __init__(self, limit: str | None) -> None:
        self._limit = -1 if limit is None else priority_number(limit)
        self.seen = False

    def look(self, alert: Alert) -> None:
        if not self.seen:
            self.seen = priority_number(alert.priority) <= self._limit


def _deliver(
    engine: Engine,
    alerts: Generator[Alert, None, None],
    watch: _Watch,
    target: Target,
    bar: Progress,
) -> str | None:
    """Give every alert to the target; return what went wrong, or None.

    What was found before the error is delivered and stays, also when it is Ctrl-C.
    """
    errors: list[str] = []
    interrupted = False
    try:
        for alert in alerts:
            watch.look(alert)
            bar.clear()
            target.take(alert)
    except SourceError as problem:
        partial = "; what was found before is kept: the output is partial"
        errors.append(str(problem) + (partial if engine.stats.events else ""))
    except SinkError as problem:
        errors.append(str(problem))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        bar.clear()
        alerts.close()
    late = target.finish()
    if late is not None:
        errors.append(late)
    if interrupted:
        for error in errors:
            say(error)
        raise KeyboardInterrupt
    if errors:
        engine.stats.complete = False
    return "\nrulekit: ".join(errors) or None

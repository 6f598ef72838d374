"""`rulekit run --config` as a service: health, metrics, reload, fewer rights, an end in order."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rulekit.cli.console import say
from rulekit.errors import RuleError, RulekitError

if TYPE_CHECKING:
    from types import FrameType

    from rulekit.cli.targets import Target
    from rulekit.config.read import Config
    from rulekit.engine.compiled import CompiledRules
    from rulekit.engine.pipeline import Engine
    from rulekit.rules.falco_config import FalcoConfig
    from rulekit.rules.ruleset import Ruleset
    from rulekit.service.http import Answer

FAILED_RULE = "rulekit internal: reload failed"
# What a source needs after it was opened: to attach more of the probe when rules ask for more; to
# open logs as they are rotated.
KEPT = {"ebpf": ("bpf", "perfmon"), "follow": ("dac_read_search",)}
_FIXED = ("source", "capture", "live", "containers", "limits", "service", "host")


def take_over(args: argparse.Namespace, config: Config) -> None:
    """Put what a configuration says of the live source where no option was given.

    Raises:
        RulekitError: A container engine that is none.
    """
    from rulekit.sources.containers.engine import parse_engine

    live, containers = config.options.live, config.options.containers
    if not args.launch and args.scope is None and not args.whole_host:
        args.scope, args.whole_host = live.scope, live.whole_host
    if live.snaplen is not None and args.snaplen == 80:
        args.snaplen = live.snaplen
    if live.buffer is not None and args.buffer == 8 << 20:
        from rulekit.cli.live import buffer_bytes

        try:
            args.buffer = buffer_bytes(live.buffer)
        except ValueError as error:
            raise RulekitError(f"{config.path}: live.buffer: {error}") from None
    if not args.containers:
        try:
            args.containers = [parse_engine(text) for text in containers.engines]
        except ValueError as error:
            raise RulekitError(f"{config.path}: containers.engines: {error}") from None
        args.container_wait = containers.wait


class Service:
    """What stands around a run.

    Args:
        args: Of the command line; what they say goes before the configuration, also after a reload.
        kind: Key of `KEPT`, or anything else.

    Raises:
        RulekitError: The address cannot be listened on, a library is missing, a name is wrong.
    """

    def __init__(self, args: argparse.Namespace, config: Config, kind: str) -> None:
        from rulekit.service.http import StatusServer
        from rulekit.service.privileges import capability_numbers
        from rulekit.service.reload import stamp_of
        from rulekit.service.status import Status

        options = config.options.service
        assert options is not None
        self._args = args
        self._config = config
        self._options = options
        self._keep = capability_numbers((*KEPT.get(kind, ()), *options.keep_capabilities))
        self.status = Status(options.stalled_after)
        self._server = None
        if options.listen is not None:
            try:
                import rulekit.service.metrics  # noqa: F401 - while somebody still sees the error
            except ImportError as error:
                raise RulekitError(
                    f"service.listen needs the library {error.name}: pip install rulekit[service],"
                    " or say `listen: null`"
                ) from error
            self._server = StatusServer(options.listen)
        self._reloader: Any = None
        self._stamp = stamp_of(self._files())  # before the probe is loaded: that takes a while

    def drop_privileges(self) -> None:
        """Give up what is not needed from now on; before there are other threads."""
        from rulekit.service.privileges import drop_privileges

        if self._options.drop_privileges:
            drop_privileges(self._keep)

    def start(self, engine: Engine, source: Any, target: Target) -> None:
        """Begin to answer, to watch files and to hear signals."""
        from rulekit.service.notify import notify
        from rulekit.service.reload import Reloader

        self._engine, self._source, self._target = engine, source, target
        self._reloader = Reloader(
            self._reload,
            self._files,
            self.status,
            stamp=self._stamp,
            every_s=self._options.watch,
            on_problem=self._failed,
            on_reload=lambda: say(f"reloaded: {len(engine.rules)} rules run"),
        )
        if self._server is not None:
            self._server.start({"/healthz": self._health, "/metrics": self._metrics()})
            say(f"health and metrics at {self._server.address}")
        self._reloader.start()
        signal.signal(signal.SIGHUP, lambda *_: self._reloader.ask())
        for number in (signal.SIGTERM, signal.SIGINT):
            self._end_by(number)
        notify("READY=1")

    def _end_by(self, number: int) -> None:
        former = signal.getsignal(number)

        def end(number: int, frame: FrameType | None) -> None:
            from rulekit.service.notify import notify

            self.status.stopping = True
            notify("STOPPING=1")
            # The engine may wait for room in a spool: not for ever.
            delivery = self._target.delivery
            if delivery is not None:
                timer = threading.Timer(self._config.options.drain, delivery.let_go)
                timer.daemon = True
                timer.start()
            # A capture ends by itself: nobody has a way to stop it but this one.
            if not callable(former):
                raise KeyboardInterrupt
            former(number, frame)

        signal.signal(number, end)

    def close(self) -> None:
        """Watch and answer no more: the last thing, so that until then somebody can ask."""
        if self._reloader is not None:
            self._reloader.close()
        if self._server is not None:
            self._server.close()

    # -- what is asked

    def _health(self, accept: str) -> Answer:
        from rulekit.service.http import json_answer

        status = self.status
        delivery = self._target.delivery
        content = {
            "status": status.state,
            "silent_seconds": round(status.silent_s, 3),
            "events": self._engine.look().events,
            "rules": len(self._engine.rules),
            "sinks": {each.name: each.stats.state for each in delivery.status()}
            if delivery
            else {},
            "reload": {
                "ok": not status.problem,
                "problem": status.problem,
                "at": status.reloaded_s or None,
            },
        }
        return json_answer(200 if status.state == "ok" else 503, content)

    def _metrics(self) -> Callable[[str], Answer]:
        from prometheus_client.exposition import choose_encoder

        from rulekit.service.metrics import ServiceCollector, registry_of
        from rulekit.sources.base import Source

        source = self._source if isinstance(self._source, Source) else None
        registry = registry_of(
            ServiceCollector(self._engine, self.status, source, self._target.delivery)
        )

        def answer(accept: str) -> Answer:
            encode, kind = choose_encoder(accept)
            return 200, kind, encode(registry)

        return answer

    # -- reload

    def _files(self) -> list[Path]:
        rules = self._args.rules or self._config.options.rules
        return [Path(self._config.path), *rules]

    def _reload(self) -> None:
        from rulekit.cli.rules import counts, explain
        from rulekit.config.read import read_config

        try:
            new = read_config(self._config.path)
        except RuleError as error:
            explain(error.diagnostics, sys.stderr)
            raise RulekitError(f"{self._config.path}: {counts(error.diagnostics)}") from error
        old, args = self._config, self._args
        fixed = [
            name for name in _FIXED if getattr(new.options, name) != getattr(old.options, name)
        ]
        falco = new.falco()
        rules = args.rules or falco.rules_files
        if not rules:
            raise RulekitError("no rules: name files in the configuration")
        ruleset = _load(rules, falco, self._engine.source)
        choice = replace(
            self._engine.choice,
            first_only=(args.matching or falco.rule_matching) == "first",
            min_priority=args.min_priority or falco.priority,
            selectors=(*falco.selectors, *(args.selectors or ())),
            append_output=falco.append_output,
            context=new.context,
        )

        def before(program: Any) -> None:
            from rulekit.config.build import rebuild_delivery

            # First what can still be refused; more events than rules ask for do no harm.
            if hasattr(self._source, "prepare"):
                self._source.prepare(program)
            if self._target.delivery is not None:
                rebuild_delivery(self._target.delivery, old, new, self._engine.hostname)

        self._engine.reload(ruleset, choice, before=before)
        # What only holds after a restart is still compared with what runs.
        kept = {name: getattr(old.options, name) for name in _FIXED}
        for name, value in kept.items():
            setattr(new.options, name, value)
        self._config = new
        if fixed:
            say(f"{', '.join(fixed)}: changes here come with a restart")

    def _failed(self, message: str) -> None:
        from rulekit.alert import internal_alert

        say(message)
        delivery = self._target.delivery
        if delivery is not None:
            now_ns = time.time_ns()
            delivery.submit(
                internal_alert(
                    FAILED_RULE,
                    "Warning",
                    f"{FAILED_RULE}: {self.status.problem}",
                    {"problem": self.status.problem},
                    time_ns=now_ns,
                    hostname=self._engine.hostname,
                    occasion=f"reload {now_ns}",
                )
            )


def _load(paths: Sequence[Path], config: FalcoConfig, source: str) -> Ruleset | CompiledRules:
    """Return rules, or raise after explaining on stderr what is wrong with them."""
    from rulekit.cli.rules import counts, explain
    from rulekit.engine.compiled import is_compiled, load_compiled
    from rulekit.rules.loader import load_files

    if len(paths) == 1 and is_compiled(paths[0]):
        return load_compiled(paths[0])
    result = load_files(
        paths,
        append_output=config.append_output,
        static_fields=config.static_fields,
        sources={"syscall", source},
    )
    if not result.ok or result.ruleset is None:
        errors = [found for found in result.diagnostics if found.severity == "error"]
        explain(errors or result.fatal, sys.stderr)
        raise RulekitError(f"the rules cannot be used: {counts(errors or result.fatal)}")
    return result.ruleset

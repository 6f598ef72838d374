"""Where `rulekit run` puts its alerts: lines on stdout or into a file, or the sinks of a config."""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from rulekit.cli.console import count
from rulekit.errors import SinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rulekit.alert import Alert
    from rulekit.config.read import Config
    from rulekit.delivery.pipeline import Delivery
    from rulekit.formats.base import Formatter
    from rulekit.sinks.lines import LineWriter


_PATIENCE_S = 0.5  # before somebody is told what is waited for


class Target(ABC):
    """Takes alerts until it is finished."""

    @abstractmethod
    def take(self, alert: Alert) -> None:
        """Take an alert; raises `SinkError` when no more can be taken."""

    def take_all(self, alerts: Sequence[Alert]) -> None:
        """Take alerts and make them safe.

        Raises:
            SinkRefused: Some of them could not be taken together at any time; the others were.
            SinkError: Some are not safe now.
        """
        for alert in alerts:
            self.take(alert)
        if alerts:
            self.flush()

    def begin(self, capture: str) -> None:  # noqa: B027 - only lines say it
        """Take note that the alerts that follow are of one of several captures."""

    @abstractmethod
    def flush(self) -> None:
        """Make what was taken safe: a killed process does not lose it."""

    @property
    def delivery(self) -> Delivery | None:
        """The sinks, None where there are only lines."""
        return None

    def room(self) -> bool:
        """Return whether more alerts can be taken without losing any."""
        return True

    @abstractmethod
    def finish(self) -> str | None:
        """Deliver everything taken; return what went wrong, or None."""


class LineTarget(Target):
    """Writes each alert as one line; in text, behind the name of its capture if it has `begin`."""

    def __init__(self, writer: LineWriter, formatter: Formatter) -> None:
        self._writer = writer
        self._formatter = formatter
        self._failed = False
        self._prefix = b""

    def begin(self, capture: str) -> None:
        """Let the lines of text that follow begin with a name."""
        from rulekit.formats.base import encode, escape_controls
        from rulekit.formats.text import TextFormatter

        if isinstance(self._formatter, TextFormatter):
            self._prefix = encode(f"{escape_controls(capture)}: ")

    def take(self, alert: Alert) -> None:
        """Write an alert."""
        try:
            self._writer.write(self._prefix + self._formatter.format(alert))
        except SinkError as problem:
            self._failed = True
            raise SinkError(self._partial(problem)) from problem

    def flush(self) -> None:
        """Write what waits."""
        self._writer.flush()

    def finish(self) -> str | None:
        """Write what waits."""
        try:
            self._writer.close()
        except SinkError as problem:
            return None if self._failed else self._partial(problem)
        return None

    def _partial(self, problem: SinkError) -> str:
        return f"{problem}; the output is partial: it holds {count(self._writer.lines, 'alert')}"


class DeliveryTarget(Target):
    """Gives alerts to the sinks of a configuration; SIGUSR1 has them open their files anew."""

    def __init__(
        self, config: Config, hostname: str, live: bool, tell: Callable[[str], None]
    ) -> None:
        from rulekit.config.build import build_delivery

        self._drain_s = config.options.drain
        self._delivery = build_delivery(config, hostname=hostname, live=live, on_problem=tell)
        self._tell = tell
        self._delivery.start()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR1, lambda *_: self._delivery.reopen())

    @property
    def delivery(self) -> Delivery:
        """The sinks."""
        return self._delivery

    def take(self, alert: Alert) -> None:
        """Put an alert into the spools; what has no place there is counted and told."""
        self._delivery.submit(alert)

    def take_all(self, alerts: Sequence[Alert]) -> None:
        """Put alerts into the spools; see `Target.take_all`."""
        from rulekit.delivery.capacity import may_exceed
        from rulekit.sinks.base import SinkRefused

        delivery = self._delivery
        excess = delivery.excess(alerts) if may_exceed(len(alerts), delivery.workers) else None
        for alert in alerts:
            # Of what nobody will bring again the spools keep what they can.
            if not delivery.submit(alert) and excess is None:
                excess = delivery.excess(alerts)
                if excess is None:
                    raise SinkError("no spool takes an alert now")
        if excess is not None:
            raise SinkRefused(excess)

    def room(self) -> bool:
        """Return whether every spool has room."""
        return self._delivery.has_room()

    def flush(self) -> None:
        """Nothing is to be done: alerts are in the spools since they were taken."""

    def finish(self) -> str | None:
        """Wait for the sinks, as long as the configuration says, or until Ctrl-C."""
        told = threading.Timer(_PATIENCE_S, self._say_waiting)
        told.daemon = True
        told.start()
        # A live source has taken Ctrl-C for itself; now it means to wait no longer.
        main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, signal.default_int_handler) if main else None
        try:
            left = self._delivery.close(self._drain_s)
        except KeyboardInterrupt:
            told.cancel()
            self._tell(self._outcome(self._waiting()) or "nothing was left to deliver")
            raise
        finally:
            told.cancel()
            if before is not None:
                signal.signal(signal.SIGINT, before)
        return self._outcome(left)

    def _waiting(self) -> dict[str, int]:
        return {sink.name: sink.waiting for sink in self._delivery.status() if sink.waiting}

    def _say_waiting(self) -> None:
        waiting = self._waiting()
        if waiting:
            self._tell(
                f"not delivered yet: {_by_sink(waiting)}; waiting for"
                f" {max(0.0, self._drain_s - _PATIENCE_S):g} s more at most (drain),"
                " Ctrl-C ends it now"
            )

    def _outcome(self, left: Mapping[str, int]) -> str | None:
        """Return what was lost, and what is left for the next process; None when all is well."""
        lost = {
            sink.name: n for sink in self._delivery.status() if (n := sum(sink.dropped.values()))
        }
        told = []
        if lost:
            told.append(f"lost: {_by_sink(lost)}")
        if left:
            told.append(
                f"not delivered yet: {_by_sink(left)}; what is spooled on disk goes out next time"
            )
        return "; ".join(told) or None


def _by_sink(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{count(number, 'alert')} for {name}" for name, number in numbers.items())

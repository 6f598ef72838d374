"""What a sink is: something that takes batches of formatted alerts and says what became of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from rulekit.errors import SinkError


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A formatted alert on its way to one sink; what the spool keeps of it.

    Attributes:
        id: Of the alert; receivers tell repetitions by it.
        time_ns: Time of the event, ns since the Unix epoch.
        priority: Number of the priority, 0 (Emergency) to 7 (Debug).
        rule, source, host: As in the alert.
        body: The alert as its format writes it: one line with its line feed.
    """

    id: str
    time_ns: int
    priority: int
    rule: str
    source: str
    host: str
    body: bytes

    @property
    def line(self) -> bytes:
        """The body without its line feed."""
        return self.body[:-1] if self.body.endswith(b"\n") else self.body


class SinkRefused(SinkError):
    """A receiver that will never take this batch as it is: too large, or something in it is bad.

    The batch is halved and sent again until the record that is to blame stands alone.
    """


@dataclass(slots=True)
class Receipt:
    """What became of a batch when it is not simply delivered; indices count from 0.

    Attributes:
        refused: Records that the receiver will never take, with what it said.
        again: Records to send once more.
        reason: Why, for those.
        pause_s: The receiver asks to be left alone for so long.
    """

    refused: dict[int, str] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)
    reason: str = ""
    pause_s: float = 0.0


class Options(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a configuration can say about a sink; each kind of sink adds its own."""


class Sink(ABC):
    """Delivers batches of formatted alerts; used by one thread at a time.

    A sink opens what it needs when the first batch comes, and again after an error: `send` is
    called with the same records until it returns. It must end within its own time limits, since
    nobody interrupts it.

    Class attributes:
        Options: What its configuration may say; the constructor gets an instance.
        acknowledges: Whether `send` returns only after the receiver has confirmed. If not, what was
            on its way when a connection breaks may be lost without anybody knowing. Of an
            instance where the options decide.
        max_records, max_bytes: Of one batch, unless the configuration says otherwise.
        default_format: Name of the format.
    """

    Options: ClassVar[type[Options]] = Options
    acknowledges: bool = True
    max_records: ClassVar[int] = 500
    max_bytes: ClassVar[int] = 1 << 20
    default_format: ClassVar[str] = "json"

    def __init__(self, options: Any) -> None:  # noqa: B027 - those without options need none
        """Take the options; nothing is opened yet. Raises `SinkError` when they cannot work."""

    def start(self) -> None:  # noqa: B027 - most open what they need with the first batch
        """Begin: called once, before the first batch. A `SinkError` is told, and `send` follows."""

    @abstractmethod
    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Deliver a batch in order; None when the receiver has all of it.

        Raises:
            SinkRefused: The receiver will never take the batch as it is.
            SinkError: Nothing is known of the batch; it will be sent again.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to give back
        """Give back what was opened; a later `send` may open it again. Never raises."""

    def reopen(self) -> None:  # noqa: B027 - only files have names
        """Open the target anew: its file was renamed. Called before the next batch."""

    def setup(self, *, dry: bool = False) -> list[str]:
        """Prepare the receiver; return a line per step, none when there is nothing to prepare.

        Args:
            dry: Only say what would be done.
        """
        return []

    def counters(self) -> dict[str, int]:
        """Return what the sink counts besides deliveries, by name."""
        return {}

"""Delivers alerts to a Unix socket: a sink of one's own, with a formatter that comes with rulekit.

python examples/custom_sink.py RULES CAPTURE SOCKET
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

import rulekit
from rulekit.delivery.pipeline import Delivery
from rulekit.delivery.worker import SinkPlan
from rulekit.formats.json import JsonFormatter
from rulekit.sinks.base import Receipt, Record, Sink


class SocketSink(Sink):
    """Sends each alert as a datagram."""

    acknowledges = False

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Send a batch; after an error it is sent again, until the receiver is there."""
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.connect(self._path)
            for record in batch:
                self._socket.send(record.line)
        except OSError as error:
            self.close()
            raise rulekit.SinkError(f"{self._path}: {error.strerror}") from error
        return None

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def main() -> int:
    """Send every alert of a capture."""
    rules, capture, path = sys.argv[1:]
    plan = SinkPlan("socket", SocketSink(path), JsonFormatter())
    delivery = Delivery([plan], on_problem=lambda message: print(message, file=sys.stderr))
    delivery.start()
    try:
        for alert in rulekit.load(rules).run(capture):
            delivery.submit(alert)
    except rulekit.RulekitError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        left = delivery.close(drain_s=5)
    return 2 if left else 0


if __name__ == "__main__":
    sys.exit(main())

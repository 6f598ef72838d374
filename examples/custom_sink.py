"""Delivers alerts to a Unix socket: a sink of one's own, with a formatter that comes with rulekit.

python examples/custom_sink.py RULES CAPTURE SOCKET
"""

from __future__ import annotations

import socket
import sys

import rulekit
from rulekit.formats.json import JsonFormatter
from rulekit.sinks.base import Sink


class SocketSink(Sink):
    """Sends each alert as a datagram."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            raise rulekit.SinkError(f"{path}: {error.strerror}") from error

    def write(self, line: bytes) -> None:
        """Send one alert; blocks while the receiver is busy."""
        try:
            self._socket.send(line)
        except OSError as error:
            raise rulekit.SinkError(str(error)) from error

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def main() -> int:
    """Send every alert of a capture."""
    rules, capture, path = sys.argv[1:]
    formatter = JsonFormatter()
    try:
        with SocketSink(path) as sink:
            for alert in rulekit.load(rules).run(capture):
                sink.write(formatter.format(alert))
    except rulekit.RulekitError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

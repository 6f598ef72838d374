"""The Reliable Event Logging Protocol, as rsyslog speaks it: each message is acknowledged.

A frame is ``NUMBER COMMAND LENGTH[ DATA]\\n``. Facts from the RELP specification of librelp.
"""

from __future__ import annotations

from collections.abc import Sequence

from rulekit import __version__
from rulekit.errors import SinkError
from rulekit.sinks._stream import Connection

_OFFER = f"relp_version=0\nrelp_software=rulekit,{__version__}\ncommands=syslog"
_MAX_NUMBER = 999_999_999
_MAX_HEADER = 64
_MAX_DATA = 1 << 20


class RelpSession:
    """An open session over a connection.

    Raises:
        SinkError: The receiver does not speak the protocol or refuses the session.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._buffer = b""
        self._number = 0
        number = self._send(b"open", _OFFER.encode())
        found, data = self._answer()
        if found != number or not data.startswith(b"200"):
            raise SinkError(f"RELP: the session is refused: {_shown(data)}")

    def deliver(self, messages: Sequence[bytes]) -> list[int]:
        """Send messages; return the indices of those that were not confirmed, in order.

        Raises:
            SinkError: None of them is known to have arrived.
        """
        if self._number + len(messages) >= _MAX_NUMBER:
            raise SinkError("RELP: the session is used up")
        numbers: dict[int, int] = {}
        problem: SinkError | None = None
        try:
            for i, message in enumerate(messages):
                numbers[self._send(b"syslog", message)] = i
        except SinkError as error:
            problem = error
        waiting = dict(numbers)
        try:
            while waiting:
                number, data = self._answer()
                if number not in waiting:
                    raise SinkError(f"RELP: an answer to nothing: {number}")
                if not data.startswith(b"200"):
                    problem = SinkError(f"RELP: {_shown(data)}")
                    break
                del waiting[number]
        except SinkError as error:
            problem = problem or error
        confirmed = {i for number, i in numbers.items() if number not in waiting}
        left = [i for i in range(len(messages)) if i not in confirmed]
        if problem is not None and len(left) == len(messages):
            raise problem
        return left

    def close(self) -> None:
        """Say good-bye; never raises."""
        try:
            self._send(b"close", b"")
        except SinkError:
            return

    def _send(self, command: bytes, data: bytes) -> int:
        self._number += 1
        body = b" " + data if data else b""
        self._connection.send(b"%d %s %d%s\n" % (self._number, command, len(data), body))
        return self._number

    def _answer(self) -> tuple[int, bytes]:
        """Return number and data of the next response."""
        while True:
            parts = self._buffer.split(b" ", 2)
            if len(parts) == 3 and parts[1] in (b"rsp", b"serverclose"):
                digits = parts[2][:8].split(b" ", 1)[0].split(b"\n", 1)[0]
                complete = digits.isdigit() and parts[0].isdigit()
                if complete and len(parts[2]) > len(digits):
                    size = int(digits)
                    if size > _MAX_DATA:
                        break
                    start = len(digits) + (1 if size else 0)
                    if len(parts[2]) > start + size:
                        data = parts[2][start : start + size]
                        self._buffer = parts[2][start + size + 1 :]
                        if parts[1] == b"serverclose":
                            raise SinkError("RELP: the receiver ends the session")
                        return int(parts[0]), data
            elif len(self._buffer) > _MAX_HEADER:
                break
            self._buffer += self._connection.receive()
        raise SinkError(f"RELP: no frame: {_shown(self._buffer)}")


def _shown(data: bytes) -> str:
    return " ".join(data[:100].decode("utf-8", "replace").split())

"""The Lumberjack protocol, version 2: what Beats speak to Logstash.

Frames, numbers big-endian: ``2W`` window size, ``2C`` length and deflated frames, ``2J`` sequence,
length and JSON, back comes ``2A`` with a sequence number: everything up to it is dealt with. Facts
from the protocol description in elastic/go-lumber.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from rulekit.errors import SinkError
from rulekit.sinks._stream import Connection

_ACK = struct.Struct(">ccI")
_DOCUMENT = struct.Struct(">ccII")
_WINDOW = struct.Struct(">ccI")


def deliver(connection: Connection, documents: Sequence[bytes], *, compress: int = 3) -> int:
    """Send documents as one window; return how many the receiver has confirmed, in order.

    Args:
        compress: Level, 0 sends as they are.

    Raises:
        SinkError: None of them was confirmed.
    """
    frames = b"".join(
        _DOCUMENT.pack(b"2", b"J", number, len(document)) + document
        for number, document in enumerate(documents, 1)
    )
    if compress:
        packed = zlib.compress(frames, compress)
        frames = _WINDOW.pack(b"2", b"C", len(packed)) + packed
    connection.send(_WINDOW.pack(b"2", b"W", len(documents)) + frames)
    confirmed = 0
    buffer = b""
    try:
        while confirmed < len(documents):
            while len(buffer) < _ACK.size:
                buffer += connection.receive()
            version, kind, number = _ACK.unpack_from(buffer)
            buffer = buffer[_ACK.size :]
            if (version, kind) != (b"2", b"A") or number > len(documents):
                raise SinkError("Lumberjack: the answer is no acknowledgement")
            confirmed = max(confirmed, number)
    except SinkError:
        if not confirmed:
            raise
    return confirmed

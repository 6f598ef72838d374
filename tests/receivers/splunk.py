"""A stand-in for Splunk's HTTP Event Collector, which cannot be installed here.

Not Splunk. Statuses, codes and texts are those of the public documentation of HEC (tokens,
channels, indexer acknowledgement, batched events); what it documents as an error is one here.
"""

from __future__ import annotations

import json
import ssl
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.receivers.http import HttpReceiver, Request, Response

TOKEN = "11111111-2222-3333-4444-555555555555"
_EVENT_KEYS = {"time", "host", "source", "sourcetype", "index", "event", "fields"}


class EventCollector(HttpReceiver):
    """The stand-in.

    Attributes:
        use_ack: Whether the token wants acknowledgement by the indexers.
        ack_polls: So many questions are answered with `false` before `true`; None is never.
        busy: So many requests are answered with 503, code 9.
        max_bytes: Larger bodies are answered with 413.
        events: What was indexed: with acknowledgement only what was confirmed.
    """

    def __init__(self, *, use_ack: bool = False, context: ssl.SSLContext | None = None) -> None:
        self.use_ack = use_ack
        self.ack_polls: int | None = 1
        self.busy = 0
        self.disabled = False
        self.max_bytes = 1 << 20
        self.events: list[Any] = []
        self._waiting: dict[str, dict[int, list[Any]]] = {}
        self._polls: dict[tuple[str, int], int] = {}
        super().__init__(self._answer, context)

    def _answer(self, request: Request) -> Response:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if not token:
            return _told(401, 2, "Token is required")
        if kind != "Splunk":
            return _told(401, 3, "Invalid authorization")
        if token != TOKEN:
            return _told(403, 4, "Invalid token")
        if self.disabled:
            return _told(403, 1, "Token disabled")
        if self.busy:
            self.busy -= 1
            return _told(503, 9, "Server is busy")
        channel = request.headers.get("x-splunk-request-channel") or query.get("channel")
        path = parts.path.removeprefix("/services/collector")
        if path == "/ack":
            return self._acks(request, channel)
        if path not in ("", "/event", "/event/1.0", "/raw", "/raw/1.0"):
            return Response(404, b"not found")
        if len(request.body) > self.max_bytes:
            return Response(413, b"Content-Length of %d too large" % len(request.body))
        if not request.body.strip():
            return _told(400, 5, "No data")
        if self.use_ack or path.startswith("/raw"):
            if channel is None:
                return _told(400, 10, "Data channel is missing")
            try:
                uuid.UUID(channel)
            except ValueError:
                return _told(400, 11, "Invalid data channel")
        if path.startswith("/raw"):
            lines = request.body.decode().splitlines()
            found = [{"raw": line, **query} for line in lines]
        else:
            found = []
            problem = self._read(request.body.decode(), found)
            if problem is not None:
                code, text = problem
                # Those before it are taken in.
                self.events += found
                return _told(400, code, text, **{"invalid-event-number": len(found)})
        if not self.use_ack:
            self.events += found
            return _told(200, 0, "Success")
        assert channel is not None
        waiting = self._waiting.setdefault(channel, {})
        number = len(waiting)
        waiting[number] = found
        return _told(200, 0, "Success", ackId=number)

    def _read(self, text: str, found: list[Any]) -> tuple[int, str] | None:
        decoder = json.JSONDecoder()
        at = 0
        while at < len(text):
            if text[at].isspace():
                at += 1
                continue
            try:
                event, at = decoder.raw_decode(text, at)
            except ValueError:
                return 6, "Invalid data format"
            if not isinstance(event, dict) or set(event) - _EVENT_KEYS:
                return 6, "Invalid data format"
            if "event" not in event:
                return 12, "Event field is required"
            if event["event"] in ("", None):
                return 13, "Event field cannot be blank"
            float(event.get("time", 0))
            found.append(event)
        return None

    def _acks(self, request: Request, channel: str | None) -> Response:
        if not self.use_ack:
            return _told(400, 14, "ACK is disabled")
        if channel is None:
            return _told(400, 10, "Data channel is missing")
        answer = {}
        for number in json.loads(request.body)["acks"]:
            asked = self._polls[channel, number] = self._polls.get((channel, number), 0) + 1
            events = self._waiting.get(channel, {}).get(number)
            done = self.ack_polls is not None and asked > self.ack_polls and events is not None
            if done and events:
                self.events += events
                self._waiting[channel][number] = []
            answer[str(number)] = done
        return Response(200, json.dumps({"acks": answer}).encode())

    def ids(self) -> list[str]:
        """Return the ids of the alerts that were indexed."""
        return [event["event"]["id"] for event in self.events]


def _told(status: int, code: int, text: str, **more: Any) -> Response:
    body = json.dumps({"text": text, "code": code, **more}).encode()
    return Response(status, body, {"content-type": "application/json"})

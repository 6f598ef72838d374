"""Alerts to Splunk's HTTP Event Collector."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from msgspec import Meta

from rulekit.errors import SinkError
from rulekit.sinks._http import Answer, HttpClient, HttpOptions, retry_after_s
from rulekit.sinks.base import Receipt, Record, Sink, SinkRefused
from rulekit.sinks.values import Duration, MaybeSecret, Secret

# Codes of the collector's answers that blame the data: invalid data format, event field missing,
# event field blank, wrong nesting of fields. All others are set right on one side or the other.
_DATA_CODES = frozenset({6, 12, 13, 15})


class SplunkOptions(HttpOptions, kw_only=True):
    """Which collector, and what the events are called there."""

    token: Annotated[Secret, Meta(description="HEC token")]
    endpoint: Annotated[
        Literal["event", "raw"], Meta(description="event wraps alerts with time, host and source")
    ] = "event"
    index: Annotated[str | None, Meta(description="index; the token's default if absent")] = None
    sourcetype: Annotated[str, Meta(description="sourcetype")] = "rulekit:alert"
    source: Annotated[str, Meta(description="source")] = "rulekit"
    ack: Annotated[bool, Meta(description="wait until the indexers have it (useACK)")] = False
    channel: Annotated[
        str | None, Meta(description="GUID; a new one per process unless said, with ack or raw")
    ] = None
    ack_timeout: Annotated[Duration, Meta(description="longest wait for the indexers")] = Duration(
        60
    )
    compress: Annotated[bool, Meta(description="send bodies as gzip")] = True


class SplunkSink(Sink):
    """Sends alerts to Splunk's HTTP Event Collector, as events or raw, acknowledged if wanted."""

    Options = SplunkOptions
    default_format = "cim"

    def __init__(self, options: SplunkOptions) -> None:
        self._options = options
        self._base = options.url.rstrip("/").removesuffix("/services/collector")
        options.headers = {
            **options.headers,
            "authorization": MaybeSecret(f"Splunk {options.token.reveal()}"),
        }
        self._channel = options.channel or str(uuid.uuid4())
        self._client = HttpClient(options, "splunk")
        self._is_raw = options.endpoint == "raw"

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Send a batch, and wait for the indexers if they are asked."""
        query: dict[str, str] = {}
        if self._is_raw:
            query = {"sourcetype": self._options.sourcetype, "source": self._options.source}
            if self._options.index:
                query["index"] = self._options.index
            if batch[0].host:
                query["host"] = batch[0].host
            body = b"".join(record.body for record in batch)
        else:
            body = b"\n".join(map(self._event, batch))
        answer = self._post(self._options.endpoint, body, query)
        if answer.status != 200:
            return self._refusal(answer, len(batch))
        if self._options.ack:
            self._wait_for_indexers(answer.json())
        return None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _event(self, record: Record) -> bytes:
        head: dict[str, Any] = {
            "time": f"{record.time_ns // 10**9}.{record.time_ns % 10**9:09d}",
            "source": self._options.source,
            "sourcetype": self._options.sourcetype,
        }
        if record.host:
            head["host"] = record.host
        if self._options.index:
            head["index"] = self._options.index
        line = record.line
        event = line if line[:1] == b"{" else json.dumps(line.decode("utf-8", "replace")).encode()
        return json.dumps(head).encode()[:-1] + b', "event": ' + event + b"}"

    def _post(self, path: str, body: bytes, query: Mapping[str, str]) -> Answer:
        headers = {"content-type": "application/json"}
        if self._options.ack or self._is_raw or self._options.channel:
            headers["x-splunk-request-channel"] = self._channel
        url = f"{self._base}/services/collector/{path}"
        if query:
            url += f"?{urlencode(query)}"
        return self._client.request("POST", url, body, headers)

    def _refusal(self, answer: Answer, n: int) -> Receipt:
        """Return what is to be sent again when one event is to blame.

        Raises:
            SinkRefused: It is to blame, but which one is not said.
            SinkError: The collector will not have it now.
        """
        try:
            told = answer.json()
        except SinkError:
            told = {}
        code = told.get("code") if isinstance(told, dict) else None
        text = f"HTTP {answer.status}" + (
            f" code {code}: {told.get('text')}" if code is not None else f": {answer.shown()}"
        )
        if answer.status == 400 and code in _DATA_CODES:
            number = told.get("invalid-event-number")
            if isinstance(number, int) and 0 <= number < n:
                # Some of the others may be in already: their ids tell.
                rest = [i for i in range(n) if i != number]
                return Receipt(refused={number: text}, again=rest, reason=text)
            raise SinkRefused(text)
        if answer.status == 413:
            raise SinkRefused(text)
        raise SinkError(text, pause_s=retry_after_s(answer.headers.get("retry-after")))

    def _wait_for_indexers(self, told: Any) -> None:
        number = told.get("ackId") if isinstance(told, dict) else None
        if number is None:
            raise SinkError("the collector gave no ackId: is acknowledgement on for this token?")
        deadline_s = time.monotonic() + self._options.ack_timeout
        pause_s = 0.05
        while time.monotonic() < deadline_s:
            body = json.dumps({"acks": [number]}).encode()
            answer = self._post("ack", body, {"channel": self._channel})
            if answer.status != 200:
                raise SinkError(f"acknowledgements: HTTP {answer.status}: {answer.shown()}")
            acks = answer.json().get("acks", {})
            if acks.get(str(number)) is True:
                return
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)
        raise SinkError(f"no acknowledgement within {self._options.ack_timeout:g} s")


SINK = SplunkSink

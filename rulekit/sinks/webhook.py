"""Alerts to a webhook: HTTP POST, signed if wanted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from rulekit.errors import SinkError
from rulekit.sinks._http import HttpClient, HttpOptions
from rulekit.sinks.base import Receipt, Record, Sink, SinkRefused
from rulekit.sinks.values import Secret


class WebhookOptions(HttpOptions, kw_only=True):
    """Whom to call, and in which form."""

    method: Annotated[Literal["POST", "PUT"], Meta(description="of the request")] = "POST"
    body: Annotated[
        Literal["alert", "array", "lines"],
        Meta(description="one request per alert; or a JSON array, or lines, per batch"),
    ] = "alert"
    content_type: Annotated[str | None, Meta(description="follows from body and format")] = None
    hmac: Annotated[
        Secret | None,
        Meta(description="key for signatures by the Standard Webhooks specification"),
    ] = None


class WebhookSink(Sink):
    """Posts alerts to a URL, one by one or in batches.

    Each request has the header ``webhook-id``: the alert's id, or that of the batch, by which
    receivers tell repetitions.
    """

    Options = WebhookOptions
    max_records = 100

    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        self._client = HttpClient(options, "webhook")
        self._key = None if options.hmac is None else signing_key(options.hmac)

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Post a batch; any 2xx is a delivery."""
        if self._options.body != "alert":
            lines = [record.line for record in batch]
            if self._options.body == "array":
                data, kind = b"[" + b",".join(lines) + b"]", "application/json"
            else:
                data, kind = b"".join(record.body for record in batch), "application/x-ndjson"
            ids = "\n".join(record.id for record in batch)
            name = hashlib.blake2b(ids.encode(), digest_size=16).hexdigest()
            self._post(name, data, kind)
            return None
        receipt = Receipt()
        for i, record in enumerate(batch):
            kind = "application/json" if record.body.startswith(b"{") else "text/plain"
            try:
                self._post(record.id, record.line, kind)
            except SinkRefused as error:
                receipt.refused[i] = str(error)
            except SinkError as error:
                if i == 0:
                    raise
                receipt.again = list(range(i, len(batch)))
                receipt.reason, receipt.pause_s = str(error), error.pause_s
                break
        return receipt

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _post(self, name: str, data: bytes, kind: str) -> None:
        headers: dict[str, str] = {"content-type": self._options.content_type or kind}
        headers |= signed_headers(name, data, self._key)
        self._client.request(
            self._options.method, self._options.url, data, headers
        ).raise_for_status()


def signing_key(secret: Secret) -> bytes:
    """Return the key of a secret: one that begins with ``whsec_`` is Base64, others are plain.

    Raises:
        SinkError: It is no Base64.
    """
    text = secret.reveal()
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise SinkError("hmac: what follows whsec_ is no Base64") from None


def signed_headers(name: str, data: bytes, key: bytes | None) -> Mapping[str, str]:
    """Return the headers of the Standard Webhooks specification, signature only with a key."""
    if key is None:
        return {"webhook-id": name}
    stamp = str(int(time.time()))
    signed = hmac.digest(key, f"{name}.{stamp}.".encode() + data, "sha256")
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


SINK = WebhookSink

"""The webhook sink against an HTTP server that checks signatures with an independent library."""

from __future__ import annotations

import base64
import json
import socket
import time
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from rulekit.errors import SinkError
from rulekit.sinks._http import MAX_PAUSE_S, retry_after_s
from rulekit.sinks.base import SinkRefused
from rulekit.sinks.values import MaybeSecret, Secret
from rulekit.sinks.webhook import WebhookOptions, WebhookSink
from tests.receivers.certificates import Certificates
from tests.receivers.http import HttpReceiver, Request, Response
from tests.sinks.records import records
from tests.waiting import PATIENCE_S


def accept(request: Request) -> Response:
    return Response(204)


def sink(url: str, **options: object) -> WebhookSink:
    return WebhookSink(WebhookOptions(url=url, timeout=PATIENCE_S, **options))  # type: ignore[arg-type]


def test_each_alert_is_a_request_with_its_id() -> None:
    with HttpReceiver(accept) as receiver:
        receipt = sink(f"{receiver.url}/hook").send(records(3))
    assert receipt is not None
    assert not receipt.again
    assert [request.headers["webhook-id"] for request in receiver.requests] == [
        record.id for record in records(3)
    ]
    first = receiver.requests[0]
    assert (first.method, first.path) == ("POST", "/hook")
    assert first.headers["content-type"] == "application/json"
    assert first.headers["user-agent"].startswith("rulekit/")
    assert json.loads(first.body)["id"] == records(1)[0].id


@pytest.mark.parametrize("body", ["array", "lines"])
def test_a_batch_can_be_one_request(body: str) -> None:
    with HttpReceiver(accept) as receiver:
        for _ in range(2):
            assert sink(receiver.url, body=body, compress=True).send(records(50)) is None
    first, again = receiver.requests
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.headers["content-encoding"] == "gzip"
    found = json.loads(first.body) if body == "array" else first.body.splitlines()
    assert len(found) == 50


@pytest.mark.parametrize("key", ["whsec_" + base64.b64encode(b"k" * 24).decode(), "plain key"])
def test_signatures_are_those_of_the_standard(key: str) -> None:
    with HttpReceiver(accept) as receiver:
        sink(receiver.url, hmac=Secret("test", key)).send(records(2))
    library_key = key if key.startswith("whsec_") else base64.b64encode(key.encode()).decode()
    for request in receiver.requests:
        Webhook(library_key).verify(request.body.decode(), dict(request.headers))
        with pytest.raises(Exception, match="No matching signature"):
            Webhook(library_key).verify(request.body.decode() + " ", dict(request.headers))


def test_credentials_and_headers_are_sent() -> None:
    with HttpReceiver(accept) as receiver:
        sink(receiver.url, user="me", password=Secret("test", "pw")).send(records(1))
        extra = {"X-Token": MaybeSecret(Secret("test", "t")), "X-Plain": MaybeSecret("p")}
        sink(receiver.url, bearer=Secret("test", "b"), headers=extra).send(records(1))
    basic, bearer = receiver.requests
    assert base64.b64decode(basic.headers["authorization"].removeprefix("Basic ")) == b"me:pw"
    assert bearer.headers["authorization"] == "Bearer b"
    assert (bearer.headers["x-token"], bearer.headers["x-plain"]) == ("t", "p")


def test_secrets_that_a_receiver_repeats_are_not_shown() -> None:
    def answer(request: Request) -> Response:
        sent = [request.headers.get(name, "") for name in ("authorization", "x-token")]
        return Response(401, f"who is {' '.join(sent)}? {'x' * 280} {sent[0]}".encode())

    with HttpReceiver(answer) as receiver:
        extra = {"X-Token": MaybeSecret(Secret("test", "hush-token"))}
        for more in (
            {"bearer": Secret("test", "hush-bearer")},
            {"user": "me", "password": Secret("test", "hush-password")},
        ):
            with pytest.raises(SinkError, match=r"who is \w+ \*\*\* \*\*\*\?") as caught:
                sink(receiver.url, headers=extra, **more).send(records(1))
            assert "hush" not in str(caught.value)
            assert "aHVz" not in str(caught.value)  # of base64


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_with_an_alert_is_refused_for_good(status: int) -> None:
    def answer(request: Request) -> Response:
        return Response(status, b"no such\nfield") if b'0003"' in request.body else Response()

    with HttpReceiver(answer) as receiver:
        receipt = sink(receiver.url).send(records(6))
        assert receipt is not None
        assert receipt.refused == {3: f"HTTP {status}: no such field"}
        with pytest.raises(SinkRefused):
            sink(receiver.url, body="array").send(records(6))


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500, 503])
def test_other_answers_are_tried_again(status: int) -> None:
    headers = {"Retry-After": "7", "Location": "http://127.0.0.1/elsewhere"}
    with (
        HttpReceiver(lambda request: Response(status, headers=headers)) as receiver,
        pytest.raises(SinkError, match=f"HTTP {status}") as caught,
    ):
        sink(receiver.url).send(records(2))
    assert not isinstance(caught.value, SinkRefused)
    if status >= 400:
        assert caught.value.pause_s == 7


def test_what_arrived_before_a_failure_is_not_sent_again() -> None:
    def answer(request: Request) -> Response:
        return Response(503) if len(receiver.requests) == 3 else Response()

    with HttpReceiver(answer) as receiver:
        receipt = sink(receiver.url).send(records(5))
    assert receipt is not None
    assert receipt.again == [2, 3, 4]


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(SinkError, match="connection refused"):
        sink(f"http://127.0.0.1:{port}").send(records(1))


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(SinkError, match=r"receiver\.invalid"):
        sink("http://receiver.invalid/").send(records(1))


def test_an_answer_that_does_not_come() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started_s = time.monotonic()
        with pytest.raises(SinkError, match="timed out"):
            WebhookSink(WebhookOptions(url=url, timeout=0.3)).send(records(1))  # type: ignore[arg-type]
        assert time.monotonic() - started_s < 8, "ten is what it takes by itself"


def test_certificates_are_checked(certificates: Certificates, tmp_path: Path) -> None:
    with HttpReceiver(accept, certificates.plain) as receiver:
        sink(receiver.url, ca_cert=certificates.ca).send(records(1))
        sink(receiver.url, insecure=True).send(records(1))
        with pytest.raises(SinkError, match=r"(?i)certificate verify failed"):
            sink(receiver.url).send(records(1))
        with pytest.raises(SinkError, match=r"(?i)certificate verify failed"):
            sink(receiver.url, ca_cert=certificates.other_ca).send(records(1))
    with pytest.raises(SinkError, match=r"nowhere\.pem: no such file"):
        sink("https://127.0.0.1", ca_cert=tmp_path / "nowhere.pem")


def test_a_receiver_may_want_our_certificate(certificates: Certificates) -> None:
    with HttpReceiver(accept, certificates.mutual) as receiver:
        sink(receiver.url, ca_cert=certificates.ca, client_cert=certificates.client).send(
            records(1)
        )
        assert len(receiver.requests) == 1
        with pytest.raises(SinkError):
            sink(receiver.url, ca_cert=certificates.ca).send(records(1))


def test_a_key_that_is_none_is_told_before_anything_is_sent() -> None:
    with pytest.raises(SinkError, match="no Base64"):
        sink("http://127.0.0.1:1", hmac=Secret("env KEY", "whsec_???"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("3", 3.0), ("-1", 0.0), ("inf", MAX_PAUSE_S), ("nan", 0.0), ("soon", 0.0), (None, 0.0)],
)
def test_pauses_that_receivers_ask_for(value: str | None, expected: float) -> None:
    assert retry_after_s(value) == expected

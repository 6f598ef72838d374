"""The Logstash sink against stand-ins for its inputs; these against independent clients."""

from __future__ import annotations

import time

import pytest
from pylogbeat import PyLogBeatClient

from rulekit.errors import SinkError
from rulekit.formats.ecs import EcsFormatter
from rulekit.sinks._lumberjack import deliver
from rulekit.sinks.logstash import LogstashOptions, LogstashSink
from tests.receivers.certificates import Certificates
from tests.receivers.logstash import BeatsInput, HttpInput, LinesInput
from tests.receivers.proxy import Fault, Proxy
from tests.sinks.records import ids, records
from tests.waiting import PATIENCE_S, wait_until


def sink(url: str, **options: object) -> LogstashSink:
    return LogstashSink(LogstashOptions(url=url, timeout=PATIENCE_S, **options))  # type: ignore[arg-type]


def received(server: BeatsInput | HttpInput | LinesInput) -> list[str]:
    return [event["id"] for event in server.events]


def test_beats_confirm_every_batch() -> None:
    with BeatsInput() as server:
        made = sink(f"beats://127.0.0.1:{server.port}")
        assert made.acknowledges
        for start in range(0, 300, 100):
            assert made.send(records(100, start)) is None
        made.close()
        assert received(server) == ids(300)
        assert server.windows == [100, 100, 100]
        assert server.problems == []


def test_an_independent_client_and_we_are_the_same_to_the_server() -> None:
    documents = [record.line for record in records(20)]
    with BeatsInput() as server:
        client = PyLogBeatClient("127.0.0.1", server.port, timeout=PATIENCE_S)
        client.connect()
        client.send([document.decode() for document in documents])
        client.close()
        theirs, server.events = server.events, []
        sink(f"beats://127.0.0.1:{server.port}").send(records(20))
        assert server.events == theirs
        assert server.windows == [20, 20]
        assert server.problems == []


def test_our_frames_are_those_of_an_independent_client() -> None:
    sent: list[bytes] = []

    class Wire:
        def send(self, data: bytes) -> None:
            sent.append(data)

        def receive(self) -> bytes:
            return b"2A\x00\x00\x00\x03"

    documents = [record.line for record in records(3)]
    assert deliver(Wire(), documents, compress=0) == 3  # type: ignore[arg-type]
    client = PyLogBeatClient("127.0.0.1", 1)
    theirs = b"2W\x00\x00\x00\x03" + client._factor_payload(documents)
    assert sent[0] == theirs


@pytest.mark.parametrize("ack_every", [0, 7])
def test_delayed_and_partial_acknowledgements(ack_every: int) -> None:
    with BeatsInput() as server:
        server.ack_delay_s, server.ack_every = 0.05, ack_every
        made = sink(f"beats://127.0.0.1:{server.port}")
        assert made.send(records(50)) is None
        assert received(server) == ids(50)
        made.close()


def test_what_was_confirmed_before_the_connection_broke_is_not_sent_again() -> None:
    with BeatsInput() as server, Proxy(server.port) as proxy:
        server.ack_every = 10
        proxy.fault = Fault(cut_answer_after=6 * 3)
        made = sink(f"beats://127.0.0.1:{proxy.port}")
        receipt = made.send(records(50))
        assert receipt is not None
        assert receipt.again == list(range(30, 50))
        proxy.fault = Fault()
        assert made.send([records(50)[i] for i in receipt.again]) is None
        assert set(received(server)) == set(ids(50))
        made.close()


def test_acknowledgements_that_never_come_are_an_error() -> None:
    with BeatsInput() as server:
        server.never = True
        made = LogstashSink(
            LogstashOptions(url=f"beats://127.0.0.1:{server.port}", timeout=0.3)  # type: ignore[arg-type]
        )
        with pytest.raises(SinkError, match="timed out"):
            made.send(records(5))
        server.never = False
        assert made.send(records(5)) is None
        made.close()


def test_a_server_that_is_no_beats_input_is_an_error() -> None:
    with HttpInput() as server:
        url = f"beats://127.0.0.1:{server.port}"
        made = LogstashSink(LogstashOptions(url=url, timeout=1))  # type: ignore[arg-type]
        with pytest.raises(SinkError, match=r"Lumberjack|closed|reset|timed out"):
            made.send(records(5))


@pytest.mark.parametrize("scheme", ["beats+tls", "tls", "https"])
def test_tls_with_and_without_our_certificate(certificates: Certificates, scheme: str) -> None:
    kinds = {"beats+tls": BeatsInput, "tls": LinesInput, "https": HttpInput}
    for context in (certificates.plain, certificates.mutual):
        with kinds[scheme](context) as server:
            url = f"{scheme}://127.0.0.1:{server.port}"
            made = sink(url, ca_cert=certificates.ca, client_cert=certificates.client)
            assert made.send(records(20)) is None
            made.close()
            wait_until(lambda: received(server) == ids(20), "20 events")
            with pytest.raises(SinkError):
                sink(url, ca_cert=certificates.other_ca).send(records(1))


def test_http_takes_a_batch_as_an_array() -> None:
    with HttpInput() as server:
        made = sink(f"http://127.0.0.1:{server.port}")
        assert made.acknowledges
        assert made.send(records(50)) is None
        assert received(server) == ids(50)
        assert len(server.requests) == 1
        made.close()


def test_lines_over_tcp_count_what_may_be_lost() -> None:
    with LinesInput() as server, Proxy(server.port) as proxy:
        made = sink(f"tcp://127.0.0.1:{proxy.port}")
        assert not made.acknowledges
        assert made.send(records(50)) is None
        wait_until(lambda: received(server) == ids(50), "50 events")
        proxy.cut()
        time.sleep(0.1)
        with pytest.raises(SinkError):
            made.send(records(50, 50))
        assert made.counters() == {"possibly_lost": 50}
        assert made.send(records(50, 50)) is None
        wait_until(lambda: received(server) == ids(100), "100 events")
        made.close()


def test_what_lines_over_tcp_may_lose_is_bounded_by_its_count() -> None:
    with LinesInput() as server, Proxy(server.port) as proxy:
        made = sink(f"tcp://127.0.0.1:{proxy.port}")
        n = 0
        for cut_after in (700, 2000, 9000, 30_000):
            proxy.fault = Fault(cut_after=cut_after)
            proxy.cut()
            for _ in range(8):
                for _ in range(20):
                    try:
                        made.send(records(20, n, size=100))
                        break
                    except SinkError:
                        proxy.fault = Fault()
                n += 20
        time.sleep(0.3)
        lost = len(set(ids(n)) - set(received(server)))
        assert lost <= made.counters()["possibly_lost"] <= n
        made.close()


def test_documents_are_ecs_unless_said_otherwise() -> None:
    assert LogstashSink.default_format == "ecs"
    with BeatsInput() as server:
        sink(f"beats://127.0.0.1:{server.port}").send(records(3, formatter=EcsFormatter()))
        assert server.events[0]["event"]["id"] == ids(1)[0]

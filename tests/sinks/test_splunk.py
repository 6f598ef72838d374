"""The Splunk sink against a stand-in for HEC made from its public documentation."""

from __future__ import annotations

import json
import uuid

import pytest

from rulekit.errors import SinkError
from rulekit.sinks.base import Record, SinkRefused
from rulekit.sinks.splunk import SplunkOptions, SplunkSink
from rulekit.sinks.values import Secret
from tests.receivers.certificates import Certificates
from tests.receivers.splunk import TOKEN, EventCollector
from tests.sinks.records import ids, records


def sink(collector: EventCollector, token: str = TOKEN, **options: object) -> SplunkSink:
    more = {"ack_timeout": 5, "timeout": 5, **options}
    return SplunkSink(SplunkOptions(url=collector.url, token=Secret("t", token), **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("compress", [True, False])
def test_events_carry_time_host_and_source(compress: bool) -> None:
    with EventCollector() as collector:
        made = sink(collector, compress=compress, index="main")
        assert made.send(records(30)) is None
        assert collector.ids() == ids(30)
        event = collector.events[1]
        assert event["time"] == "1700000000.000000001"
        assert (event["host"], event["source"]) == ("host", "rulekit")
        assert (event["sourcetype"], event["index"]) == ("rulekit:alert", "main")


def test_lines_that_are_no_json_become_texts() -> None:
    with EventCollector() as collector:
        line = Record("a", 1, 4, "r", "syscall", "", b'12:00: Warning "quoted"\n')
        assert sink(collector).send([line]) is None
        assert collector.events[0]["event"] == '12:00: Warning "quoted"'


def test_raw_needs_a_channel_and_says_what_it_is_in_the_address() -> None:
    with EventCollector() as collector:
        assert sink(collector, endpoint="raw", sourcetype="x y").send(records(3)) is None
        assert [json.loads(event["raw"])["id"] for event in collector.events] == ids(3)
        assert collector.events[0]["sourcetype"] == "x y"


def test_events_are_delivered_when_the_indexers_have_them() -> None:
    with EventCollector(use_ack=True) as collector:
        collector.ack_polls = 3
        made = sink(collector, ack=True)
        for start in range(0, 30, 10):
            assert made.send(records(10, start)) is None
            assert collector.ids() == ids(start + 10)
        channels = {request.headers["x-splunk-request-channel"] for request in collector.requests}
        assert len(channels) == 1
        uuid.UUID(channels.pop())


def test_acknowledgements_that_never_come_are_an_error() -> None:
    with EventCollector(use_ack=True) as collector:
        collector.ack_polls = None
        with pytest.raises(SinkError, match=r"no acknowledgement within 0\.3 s"):
            sink(collector, ack=True, ack_timeout=0.3).send(records(5))
        assert collector.events == []


def test_channels_that_are_missing_or_wrong() -> None:
    with EventCollector(use_ack=True) as collector:
        with pytest.raises(SinkError, match="code 10: Data channel is missing"):
            sink(collector).send(records(5))
        with pytest.raises(SinkError, match="code 11: Invalid data channel"):
            sink(collector, ack=True, channel="nope").send(records(5))
    with EventCollector() as collector, pytest.raises(SinkError, match="gave no ackId"):
        sink(collector, ack=True).send(records(5))


@pytest.mark.parametrize(
    ("token", "disabled", "why"),
    [("nope", False, "code 4: Invalid token"), (TOKEN, True, "code 1: Token disabled")],
)
def test_tokens_that_do_not_work_are_tried_again(token: str, disabled: bool, why: str) -> None:
    with EventCollector() as collector:
        collector.disabled = disabled
        with pytest.raises(SinkError, match=why) as caught:
            sink(collector, token).send(records(5))
        assert not isinstance(caught.value, SinkRefused)
        assert token not in str(caught.value)


def test_a_busy_collector_is_tried_again() -> None:
    with EventCollector() as collector:
        collector.busy = 1
        made = sink(collector)
        with pytest.raises(SinkError, match="HTTP 503 code 9: Server is busy"):
            made.send(records(5))
        assert made.send(records(5)) is None


def test_the_event_that_is_to_blame_is_refused() -> None:
    with EventCollector() as collector:
        batch = records(5)
        bad = Record(batch[2].id, 1, 4, "r", "syscall", "h", b"{broken\n")
        receipt = sink(collector).send([*batch[:2], bad, *batch[3:]])
        assert receipt is not None
        assert receipt.refused == {2: "HTTP 400 code 6: Invalid data format"}
        assert receipt.again == [0, 1, 3, 4]


def test_too_much_at_once_is_halved() -> None:
    with EventCollector() as collector:
        collector.max_bytes = 1000
        with pytest.raises(SinkRefused, match="HTTP 413"):
            sink(collector).send(records(50))
        assert sink(collector).send(records(2)) is None


def test_certificates(certificates: Certificates) -> None:
    with EventCollector(context=certificates.plain) as collector:
        assert sink(collector, ca_cert=certificates.ca).send(records(1)) is None
        with pytest.raises(SinkError, match=r"(?i)certificate verify failed"):
            sink(collector).send(records(1))

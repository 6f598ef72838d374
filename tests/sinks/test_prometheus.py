"""The Prometheus sink, scraped by Prometheus."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from rulekit.errors import SinkError
from rulekit.sinks.prometheus import PrometheusOptions, PrometheusSink
from tests.receivers.process import free_port
from tests.receivers.prometheus import Prometheus
from tests.sinks.records import records
from tests.waiting import wait_until


def test_prometheus_counts_what_we_count(tmp_path: Path) -> None:
    sink = PrometheusSink(PrometheusOptions(port=free_port()))
    sink.start()
    try:
        with Prometheus(tmp_path, sink.port) as server:
            wait_until(lambda: [v for _, v in server.query("up")] == [1.0], "a scrape")
            sink.send(records(100))
            wait_until(
                lambda: server.query("sum(rulekit_alerts_total)")[:1] == [({}, 100.0)],
                "100 alerts",
            )
            by_priority = server.query("sum by (priority) (rulekit_alerts_total)")
            assert len(by_priority) == 8
            assert ({"priority": "Warning"}, 12.0) in by_priority
            last = server.query("rulekit_last_alert_timestamp_seconds")
            assert last[0][1] == 1_700_000_000.0
    finally:
        sink.close()


def test_labels_can_be_left_out() -> None:
    sink = PrometheusSink(PrometheusOptions(port=0, labels=[]))
    sink.send(records(5))
    with urllib.request.urlopen(f"http://127.0.0.1:{sink.port}/metrics") as answer:
        assert b"rulekit_alerts_total 5.0" in answer.read()
    sink.close()


def test_a_port_that_is_taken_is_an_error() -> None:
    first = PrometheusSink(PrometheusOptions(port=0))
    first.start()
    with pytest.raises(SinkError, match="address already in use"):
        PrometheusSink(PrometheusOptions(port=first.port)).start()
    first.close()

"""Bulk requests against osmem-server (OpenSearch's API) and, for what that lacks, a stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rulekit.errors import SinkError
from rulekit.formats.ecs import EcsFormatter
from rulekit.sinks._elastic_setup import mappings
from rulekit.sinks.base import Record, SinkRefused
from rulekit.sinks.elasticsearch import ElasticsearchOptions, ElasticsearchSink
from rulekit.sinks.values import Secret
from tests.formats.examples import bundled
from tests.formats.test_ecs import flat, published
from tests.receivers.elasticsearch import Elasticsearch
from tests.receivers.http import HttpReceiver, Response
from tests.receivers.opensearch import OpenSearch
from tests.sinks.records import ids, records
from tests.waiting import PATIENCE_S

FORMAT = EcsFormatter()


def sink(url: str, **options: object) -> ElasticsearchSink:
    return ElasticsearchSink(ElasticsearchOptions(url=url, timeout=PATIENCE_S, **options))  # type: ignore[arg-type]


@pytest.fixture
def opensearch(tmp_path: Path) -> Iterator[OpenSearch]:
    pytest.importorskip("osmem_server")
    with OpenSearch(tmp_path) as server:
        yield server


@pytest.mark.parametrize("compress", [False, True])
def test_documents_are_indexed_once(opensearch: OpenSearch, compress: bool) -> None:
    made = sink(opensearch.url, index="alerts", data_stream=False, compress=compress)
    assert made.send(records(50, formatter=FORMAT)) is None
    assert made.send(records(100, formatter=FORMAT)) is None
    assert made.counters() == {"already_there": 50}
    documents = opensearch.documents("alerts")
    assert sorted(document["event"]["id"] for document in documents) == ids(100)
    assert documents[0]["ecs"]["version"] == "9.4.0"


def test_a_document_that_does_not_fit_is_refused_alone(opensearch: OpenSearch) -> None:
    template = {
        "index_patterns": ["alerts*"],
        "template": {"mappings": mappings(opensearch=True)},
    }
    opensearch.request("PUT", "_index_template/alerts", template)
    made = sink(opensearch.url, index="alerts", data_stream=False)
    good = records(2, formatter=FORMAT)
    document = json.loads(good[0].body)
    document["process"] = {"pid": "no number"}
    bad = Record("bad", 1, 4, "r", "syscall", "h", json.dumps(document).encode() + b"\n")
    receipt = made.send([good[0], bad, good[1]])
    assert receipt is not None
    assert list(receipt.refused) == [1]
    assert "status 400" in receipt.refused[1]
    assert not receipt.again
    assert opensearch.ids("alerts") == set(ids(2))


def test_real_alerts_can_be_searched(opensearch: OpenSearch) -> None:
    template = {"index_patterns": ["real*"], "template": {"mappings": mappings(opensearch=True)}}
    opensearch.request("PUT", "_index_template/real", template)
    made = sink(opensearch.url, index="real", data_stream=False)
    alerts = list(bundled())
    batch = [
        Record(a.id, a.time_ns, 4, a.rule, a.source, a.hostname, FORMAT.format(a)) for a in alerts
    ]
    assert made.send(batch) is None
    opensearch.request("POST", "real/_refresh")
    query = {"query": {"term": {"rule.name": "Scheduled job written"}}, "size": 100}
    found = opensearch.request("POST", "real/_search", query)["hits"]["hits"]
    assert len(found) == sum(a.rule == "Scheduled job written" for a in alerts) > 0
    assert found[0]["_source"]["file"]["path"].startswith("/etc/cron")


@pytest.mark.parametrize("flavor", ["elasticsearch", "opensearch"])
@pytest.mark.parametrize("data_stream", [True, False])
def test_setup_installs_what_bulk_needs(flavor: str, data_stream: bool) -> None:
    with Elasticsearch(opensearch=flavor == "opensearch") as server:
        made = sink(server.url, flavor=flavor, data_stream=data_stream)
        with pytest.raises(SinkError, match="HTTP 404"):
            made.send(records(1, formatter=FORMAT))
        dry = made.setup(dry=True)
        assert len(dry) == 3
        assert not server.templates
        done = made.setup()
        assert [line.rpartition(": ")[2] for line in done] == ["done"] * 3
        assert made.setup()[2].endswith("was there")
        assert made.send(records(10, formatter=FORMAT)) is None
        assert made.send(records(12, formatter=FORMAT)) is None
        assert made.counters() == {"already_there": 10}
        assert list(server.documents["logs-rulekit.alerts-default"]) == ids(12)


def test_setup_says_what_the_cluster_refuses() -> None:
    def answer(request: object) -> Response:
        return Response(403, b'{"error":{"type":"security_exception","reason":"no rights"}}')

    with HttpReceiver(answer) as server, pytest.raises(SinkError, match="no rights"):
        sink(server.url).setup()


@pytest.mark.parametrize("opensearch", [False, True])
def test_mappings_are_those_of_ecs_for_everything_that_is_written(opensearch: bool) -> None:
    properties = {
        name.removesuffix(".type").replace(".properties.", "."): kind
        for name, kind in flat(mappings(opensearch)["properties"])
        if name.endswith(".type")
    }
    replaced = {"wildcard": "keyword", "match_only_text": "text"} if opensearch else {}
    written: set[str] = set()
    for alert in bundled():
        document = json.loads(FORMAT.format(alert))
        written.update(name for name, _ in flat(document) if not name.startswith("rulekit."))
    for name in sorted(written | {n for n in properties if not n.startswith("rulekit.")}):
        wanted = published()[name]["type"]
        wanted = replaced.get(wanted, wanted)
        # Texts become keywords without being named.
        assert properties.get(name, "keyword") == wanted, name


def test_a_cluster_without_room_is_asked_again() -> None:
    def answer(request: object) -> Response:
        n = len(server.requests)
        if n == 1:
            return Response(429, b"{}", {"retry-after": "3"})
        items = [
            {"create": {"_id": "a", "status": 201}},
            {
                "create": {
                    "_id": "b",
                    "status": 429,
                    "error": {"type": "es_rejected_execution_exception", "reason": "full"},
                }
            },
            {
                "create": {"_id": "c", "status": 503, "error": "no shard"}
            },  # as old versions write it
        ]
        return Response(200, json.dumps({"errors": True, "items": items}).encode())

    with HttpReceiver(answer) as server:
        made = sink(server.url)
        with pytest.raises(SinkError, match="HTTP 429") as caught:
            made.send(records(3))
        assert caught.value.pause_s == 3
        receipt = made.send(records(3))
        assert receipt is not None
        assert receipt.again == [1, 2]
        assert receipt.reason == "status 503: no shard"
        assert not receipt.refused


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"errors":false,"items":[]}'])
def test_an_answer_that_makes_no_sense_is_an_error(body: bytes) -> None:
    with HttpReceiver(lambda request: Response(200, body)) as server, pytest.raises(SinkError):
        sink(server.url).send(records(3))


def test_a_body_that_is_too_large_is_refused() -> None:
    with HttpReceiver(lambda request: Response(413)) as server, pytest.raises(SinkRefused):
        sink(server.url).send(records(3))


def test_keys_and_pipelines_are_sent() -> None:
    answer = Response(200, b'{"errors":false,"items":[{"create":{"status":201}}]}')
    with HttpReceiver(lambda request: answer) as server:
        sink(server.url, api_key=Secret("t", "abc"), pipeline="geo").send(records(1))
        assert server.requests[0].headers["authorization"] == "ApiKey abc"
        assert server.requests[0].path.endswith("/_bulk?pipeline=geo")

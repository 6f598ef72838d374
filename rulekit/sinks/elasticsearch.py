"""Alerts to Elasticsearch or OpenSearch by their bulk API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from rulekit.errors import SinkError
from rulekit.sinks import _elastic_setup as preparation
from rulekit.sinks._http import HttpClient, HttpOptions
from rulekit.sinks.base import Receipt, Record, Sink
from rulekit.sinks.values import Duration, MaybeSecret, Secret


class ElasticsearchOptions(HttpOptions, kw_only=True):
    """Which cluster, and where in it."""

    flavor: Annotated[
        Literal["elasticsearch", "opensearch"], Meta(description="what `setup` speaks to")
    ] = "elasticsearch"
    data_stream: Annotated[
        bool, Meta(description="`index` is a data stream; false makes it an index or alias")
    ] = True
    index: Annotated[
        str,
        Meta(pattern=r"^[^A-Z\s\\/*?\"<>|,#:]+$", description="data stream, index or alias"),
    ] = "logs-rulekit.alerts-default"
    pipeline: Annotated[str | None, Meta(description="ingest pipeline")] = None
    api_key: Annotated[Secret | None, Meta(description="Base64 API key")] = None
    rollover_size: Annotated[str, Meta(description="for setup: size of a backing index")] = "30gb"
    rollover_age: Annotated[str, Meta(description="for setup: age of a backing index")] = "30d"
    keep: Annotated[str, Meta(description="for setup: age at which alerts are deleted")] = "365d"
    replicas: Annotated[int, Meta(ge=0, description="for setup: copies of each shard")] = 1
    timeout: Annotated[Duration, Meta(description="longest wait for an answer")] = Duration(30)


class ElasticsearchSink(Sink):
    """Indexes alerts by the bulk API of Elasticsearch or OpenSearch; each item is looked at.

    An alert's id is the id of its document: sent twice it is there once, as far as an index reaches
    (a data stream that rolled over in between has it twice, with the same `event.id`).
    """

    Options = ElasticsearchOptions
    default_format = "ecs"
    max_records = 1000
    max_bytes = 5 << 20

    def __init__(self, options: ElasticsearchOptions) -> None:
        self._options = options
        if options.api_key is not None:
            key = MaybeSecret(f"ApiKey {options.api_key.reveal()}")
            options.headers = {**options.headers, "authorization": key}
        self._client = HttpClient(options, "elasticsearch")
        self._base = options.url.rstrip("/")
        self._bulk = f"{self._base}/{options.index}/_bulk"
        if options.pipeline is not None:
            self._bulk += f"?pipeline={options.pipeline}"
        self._repeated = 0

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Index a batch; what the cluster has no room for now is to be sent again."""
        parts: list[bytes] = []
        for record in batch:
            parts.append(b'{"create":{"_id":"%s"}}\n' % record.id.encode())
            parts.append(record.body)
        answer = self._client.request(
            "POST", self._bulk, b"".join(parts), {"content-type": "application/x-ndjson"}
        )
        answer.raise_for_status()
        items = self._items(answer.json(), len(batch))
        return None if items is None else self._receipt(items)

    def setup(self, *, dry: bool = False) -> list[str]:
        """Install index template, lifecycle policy and, where needed, the first index."""
        done = []
        for step in preparation.steps(self._options):
            line = f"{step.method} /{step.path}"
            if dry:
                body = "" if step.body is None else f" {json.dumps(step.body)}"
                done.append(line + body)
                continue
            done.append(f"{line}: {preparation.apply(self._client, self._base, step)}")
        return done

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def counters(self) -> dict[str, int]:
        """Return how many alerts the cluster had already."""
        return {"already_there": self._repeated}

    def _items(self, answer: Any, n: int) -> list[Any] | None:
        """Return the items of an answer, None when all went well."""
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) != n:
            raise SinkError(f"{self._bulk}: the answer does not fit what was sent")
        return items if answer.get("errors", True) else None

    def _receipt(self, items: list[Any]) -> Receipt | None:
        receipt = Receipt()
        for i, item in enumerate(items):
            result = next(iter(item.values())) if isinstance(item, dict) and item else {}
            status = result.get("status", 500)
            if status in (200, 201):
                continue
            error = result.get("error")
            shown = str(error) if error else f"status {status}"
            if isinstance(error, dict):
                shown = f"{error.get('type')}: {error.get('reason')}"
            if status == 409:
                self._repeated += 1
            elif status == 400:
                receipt.refused[i] = f"status 400: {shown}"
            else:  # too many requests, a missing index, missing rights: may be set right
                receipt.again.append(i)
                receipt.reason = f"status {status}: {shown}"
        return receipt if receipt.refused or receipt.again else None


SINK = ElasticsearchSink

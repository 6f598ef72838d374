"""osmem-server: OpenSearch's API in one program, in memory. It has no data streams, no lifecycle
policies, no pipelines and no security; see `tests.receivers.elasticsearch` for those requests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.receivers.process import Process, free_port, listens
from tests.waiting import PATIENCE_S


class OpenSearch:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        from osmem_server import resolve_binary

        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = Process(
            [resolve_binary(), "--addr", f"127.0.0.1:{self.port}", "--no-ja"],
            folder,
            lambda: listens(self.port),
        )

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer to a request as JSON; None for 404."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise AssertionError(f"{method} {path}: {error.read()!r}") from error

    def documents(self, index: str) -> list[dict[str, Any]]:
        """Return everything in an index."""
        self.request("POST", f"{index}/_refresh")
        found = self.request("POST", f"{index}/_search", {"size": 10_000})
        return [] if found is None else [hit["_source"] for hit in found["hits"]["hits"]]

    def ids(self, index: str) -> set[str]:
        """Return the ids of the alerts in an index."""
        return {document.get("id") or document["event"]["id"] for document in self.documents(index)}

    def close(self) -> None:
        self.process.stop()

    def __enter__(self) -> OpenSearch:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

"""Prometheus, scraping one target twice a second."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path

from tests.receivers.process import Process, free_port, program
from tests.waiting import PATIENCE_S

_CONFIG = """\
global: {{scrape_interval: 500ms}}
scrape_configs:
  - job_name: rulekit
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """A running server."""

    def __init__(self, folder: Path, target: int) -> None:
        path = program("prometheus", "prometheus")
        (folder / "prometheus.yml").write_text(_CONFIG.format(port=target))
        self.port = free_port()
        self.process = Process(
            [
                path,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            folder,
            self._is_ready,
        )

    def _is_ready(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.port}/-/ready"
            with urllib.request.urlopen(url, timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series that an expression gives."""
        text = urllib.parse.quote(expression)
        url = f"http://127.0.0.1:{self.port}/api/v1/query?query={text}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            found = json.loads(answer.read())["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def close(self) -> None:
        self.process.stop()

    def __enter__(self) -> Prometheus:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

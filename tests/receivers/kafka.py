"""librdkafka's mock cluster: Kafka's wire protocol, in a process of its own.

Topics are made when they are first used (four partitions); there is no controller, so nothing may
ask for Admin. What it holds is read back with kcat.
"""

from __future__ import annotations

import subprocess
import sys

from tests.receivers.process import program
from tests.waiting import PATIENCE_S

_MOCK = """
import sys, time
from confluent_kafka import Producer
producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 1})
found = producer.list_topics(timeout=60)
print(",".join(f"{b.host}:{b.port}" for b in found.brokers.values()), flush=True)
sys.stdin.read()
"""


class Kafka:
    """A running mock cluster of one broker."""

    def __init__(self) -> None:
        self._kcat = program("kcat", "kcat")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MOCK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.broker = self._process.stdout.readline().strip()
        assert self.broker, "the mock cluster did not start"

    @property
    def port(self) -> int:
        return int(self.broker.rpartition(":")[2])

    def messages(self, topic: str) -> list[tuple[str, str, str]]:
        """Return header ``id``, key and value of every message of a topic."""
        done = subprocess.run(
            [self._kcat, "-C", "-b", self.broker, "-t", topic, "-e", "-q", "-f", "%h\t%k\t%s\n"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        found = []
        for line in done.stdout.splitlines():
            headers, key, value = line.split("\t", 2)
            found.append((headers.removeprefix("id="), key, value))
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Kafka:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

"""Every acknowledging sink with its receiver, a ledger outside of both, and the faults it knows."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rulekit.sinks.values import Secret
from tests.receivers.certificates import make_certificates
from tests.receivers.http import HttpReceiver, Request, Response
from tests.receivers.proxy import NONE, Proxy, random_fault
from tests.receivers.splunk import TOKEN, EventCollector

Fault = Callable[[random.Random], "contextlib.AbstractContextManager[None]"]

_PROGRAM = """\
import json, os, sys
out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for line in sys.stdin:
    os.write(out, line.encode())
    print(json.loads(line)["id"], flush=True)
"""


class Target:
    """A sink, what it delivers to, and how to hurt both.

    Attributes:
        kind, options: Of the sink; `format` of its alerts.
        faults: By name; each lasts as long as its context.
    """

    kind = ""
    format = "ids"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.options: dict[str, Any] = {}
        self.faults: dict[str, Fault] = {}

    def ledger(self) -> Counter[str]:
        """Return how often each alert was received."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop the receiver."""


class _Proxied(Target):
    """A target behind a proxy."""

    def put_behind(self, port: int, rewrite: Callable[[bytes], bytes] | None = None) -> int:
        """Return the port of a proxy in front of a receiver."""
        self.proxy = Proxy(port, rewrite) if rewrite else Proxy(port)
        self.faults["connections break or crawl"] = self._disturb
        self.faults["all connections are cut"] = self._cut
        return self.proxy.port

    @contextlib.contextmanager
    def _disturb(self, rng: random.Random) -> Iterator[None]:
        self.proxy.fault = random_fault(rng)
        self.proxy.cut()
        yield
        self.proxy.fault = NONE
        self.proxy.cut()

    @contextlib.contextmanager
    def _cut(self, rng: random.Random) -> Iterator[None]:
        for _ in range(rng.randrange(1, 4)):
            self.proxy.cut()
            time.sleep(rng.uniform(0, 0.03))
        yield

    def close(self) -> None:
        self.proxy.close()


class FileTarget(Target):
    kind = "file"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._disk = folder / "disk"
        self._disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(self._disk)]
        self._mounted = subprocess.run(command, capture_output=True).returncode == 0
        self.options = {"path": self._disk / "alerts", "max_bytes": 150_000, "keep": 1000}
        self.faults["the file is renamed"] = self._rename
        if self._mounted:
            self.faults["the disk is full"] = self._fill

    @contextlib.contextmanager
    def _rename(self, rng: random.Random) -> Iterator[None]:
        with contextlib.suppress(FileNotFoundError):
            self.options["path"].rename(self._disk / f"renamed-{time.monotonic_ns()}")
        yield

    @contextlib.contextmanager
    def _fill(self, rng: random.Random) -> Iterator[None]:
        self._collect()
        filler = self._disk / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * rng.randrange(1, 4096)):
                pass
        yield
        filler.unlink()

    def _collect(self) -> None:
        """Move what was written elsewhere: a rotation, so to speak."""
        for path in [*self._disk.iterdir()]:
            if path.name != "filler":
                target = self.folder / f"kept-{time.monotonic_ns()}"
                target.write_bytes(path.read_bytes())
                path.unlink()

    def ledger(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for path in (*self._disk.iterdir(), *self.folder.glob("kept-*")):
            for line in path.read_bytes().splitlines():
                with contextlib.suppress(ValueError):  # half a line of a full disk
                    found[json.loads(line)["id"]] += 1
        return found

    def close(self) -> None:
        if self._mounted:
            subprocess.run(["umount", "-l", str(self._disk)], check=True)


class ProgramTarget(Target):
    kind = "program"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        script = folder / "program.py"
        script.write_text(_PROGRAM)
        self._out = folder / "received"
        self.options = {
            "command": [sys.executable, str(script), str(self._out)],
            "ack": True,
            "timeout": 5,
        }
        self.faults["the program is killed"] = self._kill

    @contextlib.contextmanager
    def _kill(self, rng: random.Random) -> Iterator[None]:
        for _ in range(rng.randrange(1, 3)):
            for pid in self._pids():
                os.kill(pid, signal.SIGKILL)
            time.sleep(rng.uniform(0, 0.1))
        yield

    def _pids(self) -> list[int]:
        """Return our programs: children of this process that write to our file."""
        wanted = os.fsencode(self._out)
        found = []
        children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
        for pid in {pid for path in children for pid in path.read_text().split()}:
            with contextlib.suppress(OSError):
                if wanted in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
        return found

    def ledger(self) -> Counter[str]:
        lines = self._out.read_text().splitlines() if self._out.exists() else []
        return Counter(json.loads(line)["id"] for line in lines)


class WebhookTarget(_Proxied):
    kind = "webhook"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._received: Counter[str] = Counter()
        self._statuses: list[int] = []
        self._receiver = HttpReceiver(self._answer)
        port = self.put_behind(self._receiver.port)
        self.options = {"url": f"http://127.0.0.1:{port}/", "body": "array", "timeout": 1}
        self.faults["the receiver answers with errors"] = self._fail

    def _answer(self, request: Request) -> Response:
        if self._statuses:
            status = self._statuses.pop()
            if status != 200:
                return Response(status, drop=status == 0)
        self._received.update(one["id"] for one in json.loads(request.body))
        return Response()

    @contextlib.contextmanager
    def _fail(self, rng: random.Random) -> Iterator[None]:
        self._statuses = rng.choices([0, 301, 401, 404, 429, 500, 502, 503], k=rng.randrange(1, 5))
        yield
        self._statuses = []

    def ledger(self) -> Counter[str]:
        return self._received.copy()

    def close(self) -> None:
        super().close()
        self._receiver.close()


class LogstashHttpTarget(WebhookTarget):
    """Logstash's `http` input; a stand-in, as for `beats`."""

    kind = "logstash"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        del self.options["body"]  # always an array


class OpenSearchTarget(_Proxied):
    kind = "elasticsearch"

    def __init__(self, folder: Path) -> None:
        from tests.receivers.opensearch import OpenSearch

        super().__init__(folder)
        self._server = OpenSearch(folder)
        port = self.put_behind(self._server.port)
        url = f"http://127.0.0.1:{port}"
        self.options = {"url": url, "index": "alerts", "data_stream": False, "timeout": 1}

    def ledger(self) -> Counter[str]:
        return Counter(document["id"] for document in self._server.documents("alerts"))

    def close(self) -> None:
        super().close()
        self._server.close()


class BulkTarget(_Proxied):
    """Bulk requests whose items fail one by one; a stand-in: no real server can be told to."""

    kind = "elasticsearch"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._received: Counter[str] = Counter()
        self._rng: random.Random | None = None
        self._receiver = HttpReceiver(self._answer)
        port = self.put_behind(self._receiver.port)
        self.options = {"url": f"http://127.0.0.1:{port}", "timeout": 1}
        self.faults["items of bulk requests fail"] = self._fail_items

    def _answer(self, request: Request) -> Response:
        items = []
        lines = request.body.split(b"\n")[:-1]
        for head, source in zip(lines[::2], lines[1::2], strict=True):
            name = json.loads(head)["create"]["_id"]
            status = self._rng.choice([201, 201, 429, 503]) if self._rng else 201
            if name in self._received:
                status = 409
            elif status == 201:
                assert json.loads(source)["id"] == name
                self._received[name] += 1
            items.append({"create": {"_id": name, "status": status}})
        body = {"errors": any(one["create"]["status"] != 201 for one in items), "items": items}
        return Response(200, json.dumps(body).encode())

    @contextlib.contextmanager
    def _fail_items(self, rng: random.Random) -> Iterator[None]:
        self._rng = rng
        yield
        self._rng = None

    def ledger(self) -> Counter[str]:
        return self._received.copy()

    def close(self) -> None:
        super().close()
        self._receiver.close()


class SplunkTarget(_Proxied):
    kind = "splunk"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._collector = EventCollector(use_ack=True)
        port = self.put_behind(self._collector.port)
        self.options = {
            "url": f"http://127.0.0.1:{port}",
            "token": Secret("test", TOKEN),
            "ack": True,
            "ack_timeout": 1,
            "timeout": 1,
        }
        self.faults["the collector is busy"] = self._busy
        self.faults["the indexers do not confirm"] = self._unconfirmed

    @contextlib.contextmanager
    def _busy(self, rng: random.Random) -> Iterator[None]:
        self._collector.busy = rng.randrange(1, 6)
        yield
        self._collector.busy = 0

    @contextlib.contextmanager
    def _unconfirmed(self, rng: random.Random) -> Iterator[None]:
        self._collector.ack_polls = None
        yield
        self._collector.ack_polls = 1

    def ledger(self) -> Counter[str]:
        return Counter(self._collector.ids())

    def close(self) -> None:
        super().close()
        self._collector.close()


class BeatsTarget(_Proxied):
    kind = "logstash"

    def __init__(self, folder: Path) -> None:
        from tests.receivers.logstash import BeatsInput

        super().__init__(folder)
        self._server = BeatsInput()
        self._server.ack_every = 7
        port = self.put_behind(self._server.port)
        self.options = {"url": f"beats://127.0.0.1:{port}", "timeout": 1}
        self.faults["acknowledgements do not come"] = self._silent

    @contextlib.contextmanager
    def _silent(self, rng: random.Random) -> Iterator[None]:
        self._server.never = True
        yield
        self._server.never = False

    def ledger(self) -> Counter[str]:
        assert not self._server.problems, self._server.problems
        return Counter(event["id"] for event in self._server.events)

    def close(self) -> None:
        super().close()
        self._server.close()


class KafkaTarget(_Proxied):
    kind = "kafka"

    def __init__(self, folder: Path) -> None:
        from tests.receivers.kafka import Kafka

        super().__init__(folder)
        self._kafka = Kafka()
        real = self._kafka.port

        def rewrite(data: bytes) -> bytes:
            """Have the broker call itself by the port of the proxy."""
            host = b"\x00\x09127.0.0.1"
            return data.replace(
                host + struct.pack(">i", real), host + struct.pack(">i", self.proxy.port)
            )

        port = self.put_behind(real, rewrite)
        self.options = {"brokers": [f"127.0.0.1:{port}"], "topic": "alerts", "timeout": 5}

    def ledger(self) -> Counter[str]:
        return Counter(name for name, _, _ in self._kafka.messages("alerts"))

    def close(self) -> None:
        super().close()
        self._kafka.close()


class RelpTarget(_Proxied):
    kind = "syslog"
    format = "rfc5424"

    def __init__(self, folder: Path) -> None:
        from tests.receivers.rsyslog import Rsyslog

        super().__init__(folder)
        self._server = Rsyslog(folder, make_certificates(folder))
        port = self.put_behind(self._server.ports["relp"])
        self.options = {"url": f"relp://127.0.0.1:{port}", "timeout": 1}
        self.faults["rsyslog is killed"] = self._kill

    @contextlib.contextmanager
    def _kill(self, rng: random.Random) -> Iterator[None]:
        self._server.process.kill()
        yield
        self._server.process.start()

    def ledger(self) -> Counter[str]:
        text = "\n".join(self._server.lines())
        return Counter(re.findall(r'rulekit@32473 id="([0-9a-f]{32})"', text))

    def close(self) -> None:
        super().close()
        self._server.close()


TARGETS: tuple[type[Target], ...] = (
    FileTarget,
    ProgramTarget,
    WebhookTarget,
    OpenSearchTarget,
    BulkTarget,
    SplunkTarget,
    BeatsTarget,
    LogstashHttpTarget,
    KafkaTarget,
    RelpTarget,
)

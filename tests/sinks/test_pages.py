"""Every page of the guide to sinks: its configuration works, its transcript happens.

Only what no machine but the reader's has is replaced: names of hosts by 127.0.0.1 and the port of
a receiver, folders of secrets and certificates by one of the test.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from rulekit.config.read import parse_config
from rulekit.delivery.kinds import SINKS, kinds
from rulekit.text.source import SourceText
from tests.receivers.certificates import Certificates
from tests.receivers.elasticsearch import Elasticsearch
from tests.receivers.http import HttpReceiver, Response
from tests.receivers.kafka import Kafka
from tests.receivers.logstash import BeatsInput
from tests.receivers.process import free_port, program
from tests.receivers.rsyslog import Rsyslog
from tests.receivers.splunk import TOKEN, EventCollector
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "guide" / "sinks"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ID = re.compile(r"\b[0-9a-f]{32}\b")
TIME = re.compile(r"\b\d\d:\d\d:\d\d\.\d{9}\b")
KEY = "c2lnbmluZyBrZXkgb2YgdGhlIHRlc3Q="
CERTIFICATES = {
    "elastic-ca.pem": "ca",
    "logstash-ca.pem": "ca",
    "siem-ca.pem": "ca",
    "splunk-ca.pem": "ca",
    "sensor.pem": "client",
}
SECRETS = {
    "siem-token": "token",
    "elastic-key": "key",
    "hec-token": TOKEN,
    "kafka-password": "password",
}


class Stage:
    """Where the commands of a page run.

    Attributes:
        replaced: What stands in the page, and what in its place.
        check: Looks at the receiver afterwards.
    """

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.folder = folder
        self.certificates = certificates
        self.replaced: dict[str, str] = {"/etc/rulekit/": f"{folder}/etc/", "/run/": f"{folder}/"}
        self.check: Callable[[], bool] = lambda: True
        (folder / "etc").mkdir()
        (folder / "secrets").mkdir()
        for name, which in CERTIFICATES.items():
            shutil.copy(getattr(certificates, which), folder / "etc" / name)
        for name, secret in SECRETS.items():
            (folder / "secrets" / name).write_text(secret + "\n")
        (folder / "rulesets").symlink_to(ROOT / "rulesets")
        shutil.copy(ROOT / "rulesets" / "captures" / "attack-audit.jsonl", folder / "audit.jsonl")
        command = folder / "bin" / "rulekit"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m rulekit "$@"\n')
        command.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{command.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "STATE_DIRECTORY": str(folder / "state"),
            "SIEM_WEBHOOK_KEY": f"whsec_{KEY}",
        }

    def adapted(self, text: str) -> str:
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return text


Scene = Callable[[Stage], AbstractContextManager[None]]


@contextlib.contextmanager
def elasticsearch(stage: Stage) -> Iterator[None]:
    with Elasticsearch(context=stage.certificates.plain) as server:
        stage.replaced["elastic.example:9200"] = f"127.0.0.1:{server.port}"
        stage.check = lambda: len(server.documents["logs-rulekit.alerts-default"]) == 1
        yield


@contextlib.contextmanager
def kafka(stage: Stage) -> Iterator[None]:
    with Kafka() as cluster:
        stage.replaced["kafka-1.example:9092"] = cluster.broker
        yield


@contextlib.contextmanager
def logstash(stage: Stage) -> Iterator[None]:
    with BeatsInput(stage.certificates.mutual) as server:
        stage.replaced["logstash.example:5044"] = f"127.0.0.1:{server.port}"
        stage.check = lambda: len(server.events) == 1 and not server.problems
        yield


@contextlib.contextmanager
def prometheus(stage: Stage) -> Iterator[None]:
    program("curl", "curl")
    port = str(free_port())
    stage.replaced |= {"port: 9465": f"port: {port}", ":9465/": f":{port}/"}
    yield


@contextlib.contextmanager
def splunk(stage: Stage) -> Iterator[None]:
    with EventCollector(use_ack=True, context=stage.certificates.plain) as server:
        stage.replaced["splunk.example:8088"] = f"127.0.0.1:{server.port}"
        stage.check = lambda: len(server.events) == 1 and server.events[0]["index"] == "security"
        yield


@contextlib.contextmanager
def syslog(stage: Stage) -> Iterator[None]:
    receiver = stage.folder / "rsyslog"
    receiver.mkdir()
    with Rsyslog(receiver, stage.certificates) as server:
        stage.replaced["siem.example:2514"] = f"127.0.0.1:{server.ports['relps']}"
        stage.check = lambda: len(server.ids()) == 1
        yield


@contextlib.contextmanager
def webhook(stage: Stage) -> Iterator[None]:
    def verified() -> bool:
        (request,) = server.requests
        assert request.headers["authorization"] == "Bearer token"
        Webhook(f"whsec_{KEY}").verify(request.body.decode(), dict(request.headers))
        return True

    with HttpReceiver(lambda request: Response(202), stage.certificates.plain) as server:
        stage.replaced["siem.example"] = f"127.0.0.1:{server.port}"
        stage.check = verified
        yield


@contextlib.contextmanager
def nothing(stage: Stage) -> Iterator[None]:
    yield


SCENES: dict[str, Scene] = {
    "elasticsearch": elasticsearch,
    "file": nothing,
    "kafka": kafka,
    "logstash": logstash,
    "program": nothing,
    "prometheus": prometheus,
    "splunk": splunk,
    "stdout": nothing,
    "syslog": syslog,
    "webhook": webhook,
}


def test_every_kind_of_sink_has_a_page() -> None:
    assert sorted(SCENES) == kinds(SINKS, plugins=False)
    assert sorted(SCENES) == sorted(page.stem for page in PAGES.glob("*.md"))


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a transcript, each with what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def plain(text: str) -> str:
    """Return text without what differs every time."""
    return TIME.sub("TIME", ID.sub("ID", text))


def run(command: str, stage: Stage) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=stage.folder,
        env=stage.environment,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(SCENES))
def test_the_page_happens_as_told(name: str, tmp_path: Path, certificates: Certificates) -> None:
    stage = Stage(tmp_path, certificates)
    started: list[subprocess.Popen[bytes]] = []
    n_commands = 0
    with SCENES[name](stage):
        blocks = BLOCK.findall((PAGES / f"{name}.md").read_text("utf-8"))
        configs = [stage.adapted(t) for kind, t in blocks if kind == "yaml" and "sinks:" in t]
        for config in configs:
            parse_config(SourceText("rulekit.yaml", config), stage.environment)
        (tmp_path / "rulekit.yaml").write_text(configs[0])
        for kind, text in blocks:
            if kind == "python":
                (tmp_path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
        try:
            for command, output in [
                step for kind, text in blocks if kind == "text" for step in steps(text)
            ]:
                n_commands += 1
                command, wanted = stage.adapted(command), plain(stage.adapted(output))
                if command.endswith(" &"):
                    started.append(
                        subprocess.Popen(
                            ["bash", "-c", f"exec {command[:-2]}"],
                            cwd=tmp_path,
                            env=stage.environment,
                            stderr=subprocess.DEVNULL,
                        )
                    )
                    continue
                found = plain(run(command, stage))
                deadline_s = time.monotonic() + PATIENCE_S
                while found != wanted and started and time.monotonic() < deadline_s:
                    time.sleep(0.2)  # what runs beside is not that far yet
                    found = plain(run(command, stage))
                assert found == wanted, command
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_S)
        wait_until(stage.check, "what the receiver has")
    assert n_commands


def test_the_example_check_reads_ids(tmp_path: Path) -> None:
    assert plain(json.dumps({"id": "0" * 32})) == '{"id": "ID"}'
    assert list(steps("$ a b\nc\nd\n$ e\n")) == [("a b", "c\nd\n"), ("e", "")]

"""A service over documents that are followed: it needs no probe, and so runs everywhere."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rulekit.service.privileges import CAPABILITIES
from rulekit.service.reload import stamp_of
from tests.service.running import Running
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
RULE = """\
- rule: {name}
  desc: every document
  source: app
  condition: json.value[/n] exists
  output: "%json.value[/n]"
  priority: NOTICE
"""


class Place:
    """A folder with rules, a log and a configuration."""

    def __init__(self, folder: Path) -> None:
        self.rules = folder / "rules.yaml"
        self.log = folder / "log.jsonl"
        self.out = folder / "alerts.jsonl"
        self.config = folder / "rulekit.yaml"
        self.n = 0
        self.log.touch()
        self.write_rules("First")
        self.write_config()

    def write_rules(self, name: str) -> None:
        new = self.rules.with_suffix(".new")
        new.write_text(RULE.format(name=name))
        os.replace(new, self.rules)

    def write_config(self, service: str = "watch: 100ms", rest: str = "") -> None:
        new = self.config.with_suffix(".new")
        new.write_text(
            f"rules: [{self.rules}]\nsource: app\ncapture: {self.log}\n"
            f"spool: {{path: {self.config.parent}/spool}}\n"
            f"service: {{listen: '127.0.0.1:0', {service}}}\n"
            f"sinks:\n  out: {{type: file, path: {self.out}}}\n{rest}"
        )
        os.replace(new, self.config)

    def add(self, number: int = 1) -> None:
        with open(self.log, "a", encoding="ascii") as log:
            for _ in range(number):
                log.write(json.dumps({"n": self.n}) + "\n")
                self.n += 1

    def alerts(self) -> list[tuple[str, int]]:
        if not self.out.exists():
            return []
        found = [json.loads(line) for line in self.out.read_text().splitlines()]
        return [
            (each["rule"], int(each["output_fields"]["json.value[/n]"]))
            for each in found
            if each["rule"] in ("First", "Second", "Third")
        ]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def start(run: Callable[..., Running], place: Place) -> Running:
    return run(place.config, "--follow")


def test_rules_are_exchanged_and_nothing_is_lost(run: Callable[..., Running], place: Place) -> None:
    service = start(run, place)
    place.add(50)
    wait_until(lambda: len(place.alerts()) == 50)
    place.write_rules("Second")
    place.add(50)
    wait_until(lambda: service.metrics()['rulekit_reloads_total{result="ok"}'] == 1)
    place.add(50)
    wait_until(lambda: len(place.alerts()) == 150)
    found = place.alerts()
    assert [n for _, n in found] == list(range(150)), "each once, in order"
    assert [rule for rule, _ in found][:50] == ["First"] * 50
    assert [rule for rule, _ in found][100:] == ["Second"] * 50
    figures = service.metrics()
    second = figures['rulekit_rule_matches_total{priority="Notice",rule="Second"}']
    assert figures['rulekit_rule_matches_total{priority="",rule="First"}'] + second == 150
    assert figures['rulekit_sink_delivered_total{sink="out"}'] == 150
    assert figures['rulekit_sink_waiting{sink="out"}'] == 0
    assert service.stop() == 0


def test_a_broken_file_changes_nothing_and_says_so(
    run: Callable[..., Running], place: Place
) -> None:
    service = start(run, place)
    place.rules.write_text("- rule: Broken\n  condition: json.value[/n] exist\n")
    wait_until(lambda: not service.health()["reload"]["ok"])
    assert "cannot be used" in service.health()["reload"]["problem"]
    assert service.get("/healthz")[0] == 200, "it goes on with the old rules"
    assert "everything stays as it was" in service.said
    assert f"{place.rules}:1" in service.said
    place.add(3)
    wait_until(lambda: len(place.alerts()) == 3)
    assert {rule for rule, _ in place.alerts()} == {"First"}
    told = [json.loads(line) for line in place.out.read_text().splitlines()]
    assert any("reload failed" in each["rule"] for each in told), "the sinks hear of it too"
    place.config.write_text("sinks: {out: {type: file, path: /dev/null, colour: red}}\n")
    wait_until(lambda: "colour" in service.said)
    place.write_rules("Second")
    place.write_config()
    wait_until(lambda: service.health()["reload"]["ok"])
    place.add()
    wait_until(lambda: ("Second", 3) in place.alerts())
    assert service.stop() == 0


def test_a_signal_reloads_without_watching(run: Callable[..., Running], place: Place) -> None:
    place.write_config("watch: null")
    service = start(run, place)
    place.write_rules("Second")
    time.sleep(0.5)
    assert service.reloads() == 0
    service.send(signal.SIGHUP)
    wait_until(lambda: service.reloads() == 1)
    place.add()
    wait_until(lambda: place.alerts() == [("Second", 0)])
    assert service.stop() == 0


def test_sinks_and_noise_change_without_a_restart(
    run: Callable[..., Running], place: Place, tmp_path: Path
) -> None:
    service = start(run, place)
    place.add(2)
    wait_until(lambda: len(place.alerts()) == 2)
    other = tmp_path / "other.jsonl"
    place.write_config(rest=f"  more: {{type: file, path: {other}}}\n")
    wait_until(lambda: service.reloads() == 1)
    assert set(service.health()["sinks"]) == {"out", "more"}
    place.add()
    wait_until(lambda: other.exists() and other.read_text())
    assert json.loads(other.read_text())["output_fields"]["json.value[/n]"] == "2"
    assert service.metrics()['rulekit_sink_delivered_total{sink="out"}'] == 3, "undisturbed"
    place.write_config("watch: 100ms, stalled_after: 5s")
    wait_until(lambda: service.reloads() == 2)
    assert "service: changes here come with a restart" in service.said
    assert set(service.health()["sinks"]) == {"out"}
    assert service.stop() == 0


@pytest.mark.parametrize(
    ("option", "kept"),
    [
        ("watch: 1s", {"dac_read_search"}),
        ("keep_capabilities: [CAP_NET_RAW]", {"dac_read_search", "net_raw"}),
    ],
)
def test_rights_that_are_not_needed_are_given_up(
    option: str, kept: set[str], run: Callable[..., Running], place: Place
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has rights to give up")
    place.write_config(option)
    service = start(run, place)
    place.add()
    wait_until(place.alerts)
    statuses = service.statuses()
    assert len(statuses) > 3, "sinks, health and reload have threads"
    own = int(dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text()
                   .splitlines() if ":\t" in line)["CapPrm"], 16)  # fmt: skip
    expected = sum(1 << CAPABILITIES[name] for name in kept) & own
    for status in statuses:
        assert status["NoNewPrivs"] == "1"
        for name in ("CapEff", "CapPrm", "CapBnd"):
            assert int(status[name], 16) == expected, name
        for name in ("CapInh", "CapAmb"):
            assert int(status[name], 16) == 0
    assert service.stop() == 0


def test_rights_are_kept_when_that_is_wanted(run: Callable[..., Running], place: Place) -> None:
    place.write_config("drop_privileges: false")
    service = start(run, place)
    own = Path("/proc/self/status").read_text()
    for status in service.statuses():
        assert f"CapEff:\t{status['CapEff']}" in own
        assert status["NoNewPrivs"] == "0"
    assert service.stop() == 0


def test_the_manager_is_told(run: Callable[..., Running], place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(PATIENCE_S)
        service = run(place.config, "--follow", env={"NOTIFY_SOCKET": path})
        assert manager.recv(4096) == b"READY=1"
        service.send(signal.SIGHUP)
        assert manager.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert manager.recv(4096) == b"READY=1"
        assert service.stop() == 0
        assert manager.recv(4096) == b"STOPPING=1"


def test_the_end_is_in_order(run: Callable[..., Running], place: Place) -> None:
    service = start(run, place)
    place.add(2000)
    wait_until(lambda: service.health()["events"] > 0)
    assert service.stop() == 0
    numbers = [n for _, n in place.alerts()]
    assert numbers == list(range(len(numbers)))
    assert numbers, "what was read is delivered"
    assert f"{len(numbers)}  First" in service.said


def test_a_signal_ends_a_service_over_a_capture(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    """Nothing else would: a pipe may never end."""
    rules, config, pipe = tmp_path / "rules.yaml", tmp_path / "rulekit.yaml", tmp_path / "pipe"
    rules.write_text(
        "- rule: Cat\n  desc: a start\n  condition: evt.type = execve and proc.name = cat\n"
        "  output: '%proc.name'\n  priority: NOTICE\n"
    )
    config.write_text(
        f"rules: [{rules}]\nsource: syscall\ncapture: {pipe}\nspool: {{memory: true}}\n"
        "service: {listen: '127.0.0.1:0', watch: null}\n"
        f"sinks: {{out: {{type: file, path: {tmp_path}/out, batch: {{linger: 60s}}}}}}\n"
    )
    os.mkfifo(pipe)
    feeder = os.open(pipe, os.O_RDWR)
    try:
        service = run(config)
        capture = ROOT / "rulesets" / "captures" / "tiny-host.scap.gz"
        with open(pipe, "wb") as writer:
            writer.write(gzip.decompress(capture.read_bytes()))
        wait_until(lambda: service.health()["events"] > 100)
        assert service.stop() == 130
    finally:
        os.close(feeder)
    assert "interrupted" in service.said
    assert "Cat" in (tmp_path / "out").read_text(), "what was found is delivered"


def test_a_spool_that_is_full_and_blocks_is_shown_and_does_not_hold_up_the_end(
    run: Callable[..., Running], place: Place
) -> None:
    place.write_config("watch: null, stalled_after: 1s")
    text = place.config.read_text().replace(str(place.out), "/nonexistent/alerts.jsonl")
    place.config.write_text(
        text.replace("/spool}", "/spool, max_bytes: 16KiB, full: block}") + "drain: 1s\n"
    )
    service = start(run, place)
    place.add(500)
    wait_until(lambda: service.get("/healthz")[0] == 503)
    health = service.health()
    assert health["status"] == "stalled"
    assert health["sinks"]["out"] != "ok"
    assert service.stop() == 2
    assert "not delivered yet" in service.said


def test_answers(run: Callable[..., Running], place: Place) -> None:
    service = start(run, place)
    status, body = service.get("/healthz")
    assert status == 200
    assert json.loads(body)["status"] == "ok"
    assert service.get("/nothing")[0] == 404
    assert "# EOF" in service.get("/metrics", "application/openmetrics-text")[1]
    assert service.url.startswith("http://127.0.0.1:")
    # Clients that say nothing keep nobody from answering, nor do too many of them.
    host, port = service.url.removeprefix("http://").split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(10)]
    assert service.get("/healthz")[0] == 200
    for each in silent:
        each.close()
    assert service.stop() == 0


def test_what_cannot_be_looked_at_does_not_end_the_watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.yaml").touch()
    whole = stamp_of([tmp_path])
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert stamp_of([tmp_path]) == whole[:1]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("listen: nowhere", "`listen` does not have the form"),
        ("listen: '127.0.0.1:99999'", "is no HOST:PORT"),
        ("listen: '192.0.2.1:1'", "service.listen"),
        ("keep_capabilities: [cap_fly]", "no capability is called `cap_fly`"),
    ],
)
def test_what_cannot_be_is_said(
    service: str, expected: str, place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    from rulekit.cli.main import main

    place.config.write_text(
        f"rules: [{place.rules}]\nsource: app\ncapture: {place.log}\nservice: {{{service}}}\n"
        "spool: {memory: true}\nsinks: {out: {type: stdout}}\n"
    )
    assert main(["run", "--config", str(place.config), "--follow"]) == 2
    assert expected in capfd.readouterr().err

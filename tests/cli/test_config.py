"""``rulekit config``, ``rulekit sink`` and ``rulekit run --config``."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.receivers.http import HttpReceiver, Request, Response
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = ROOT / "rulesets" / "captures" / "attack-host.scap.gz"
RULES = ROOT / "rulesets" / "persistence" / "rules.yaml"


def write(folder: Path, text: str) -> Path:
    path = folder / "rulekit.yaml"
    path.write_text(f"rules: [{RULES}]\nspool: {{path: spool}}\n{text}")
    return path


def test_check_says_what_a_configuration_means(cli, tmp_path: Path) -> None:
    path = write(tmp_path, "sinks: {a: {type: file, path: a.log}}\nroutes: [{to: [a]}]\n")
    done = cli("config", "check", path)
    assert done.returncode == 0
    assert f"sink a: file, json, spool {tmp_path}/spool/a" in done.stdout
    about = json.loads(cli("config", "check", path, "--format", "json").stdout)
    assert about["sinks"][0]["acknowledges"] is True
    assert about["routes"] == [{"number": 1, "to": ["a"], "go_on": False}]


def test_check_shows_mistakes(cli, tmp_path: Path) -> None:
    path = write(tmp_path, "sinks: {a: {type: fil}}\n")
    done = cli("config", "check", path)
    assert done.returncode == 1
    assert "did you mean `file`?" in done.stderr
    assert f"{path}:3:19" in done.stderr


@pytest.mark.parametrize(
    ("sink", "message"),
    [
        (
            "type: syslog, format: {type: rfc5424, facility: nowhere}",
            "`nowhere` is no syslog facil",
        ),
        ("type: file, path: ~nobody-of-that-name/x", "is nobody's home folder"),
        (f"type: file, path: x, keep: {'9' * 5000}", "must be a whole number"),
        (f"type: file, path: x, max_bytes: {'9' * 400}", "a size is written"),
        (f"type: file, path: x, batch: {{linger: {'9' * 400}s}}", "a time is written"),
    ],
)
def test_odd_values_are_mistakes_with_a_place(sink: str, message: str, cli, tmp_path: Path) -> None:
    done = cli("config", "check", write(tmp_path, f"sinks: {{a: {{{sink}}}}}\n"))
    assert done.returncode == 1
    assert message in done.stderr
    assert "rulekit.yaml:3:" in done.stderr


def test_check_says_which_sink_cannot_work(cli, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "sinks:\n  a: {type: syslog, url: 'tls://h:1', ca_cert: no.pem}\n"
        "  b: {type: syslog, url: 'relp://h:1'}\n  c: {type: syslog, url: 'gopher://h'}\n",
    )
    done = cli("config", "check", path, "--format", "json")
    assert done.returncode == 1
    assert f"sink a: {tmp_path}/no.pem: no such file or directory" in done.stderr
    assert "sink c: gopher://h: an address begins with one of" in done.stderr
    about = json.loads(done.stdout)
    assert [bool(sink["error"]) for sink in about["sinks"]] == [True, False, True]
    assert about["sinks"][1]["acknowledges"] is True


def test_the_schema_is_json(cli) -> None:
    assert json.loads(cli("config", "schema").stdout)["$defs"]["sink.file"]


def test_sinks_are_listed(cli) -> None:
    assert "  webhook " in cli("sink", "list").stdout
    rows = json.loads(cli("sink", "list", "--format", "json").stdout)
    assert {"sinks", "formats"} == {row["group"] for row in rows}


def test_an_alert_is_sent_to_try_a_sink(cli, tmp_path: Path) -> None:
    with HttpReceiver(lambda request: Response()) as receiver:
        text = f"sinks:\n  good: {{type: webhook, url: '{receiver.url}'}}\n"
        path = write(tmp_path, text + "  bad: {type: file, path: no/where}\n")
        done = cli("sink", "test", "-c", path)
        assert done.returncode == 1
        assert done.stdout.startswith("good: delivered (alert ")
        assert "bad: " in done.stdout
        assert cli("sink", "test", "good", "-c", path).returncode == 0
        assert json.loads(receiver.requests[0].body)["source"] == "internal"
    assert cli("sink", "test", "nosuch", "-c", path).returncode == 2


def test_a_run_delivers_to_every_sink(cli, tmp_path: Path) -> None:
    with HttpReceiver(lambda request: Response()) as receiver:
        path = write(
            tmp_path,
            f"sinks:\n  hook: {{type: webhook, url: '{receiver.url}'}}\n"
            "  file: {type: file, path: all.log}\n"
            "  urgent: {type: file, path: urgent.log, min_priority: warning, format: text}\n",
        )
        done = cli("run", "-c", path, "-e", HOST)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        posted = [json.loads(request.body) for request in receiver.requests]
    written = [json.loads(line) for line in (tmp_path / "all.log").read_text().splitlines()]
    assert written == posted
    assert len(written) == 6
    urgent = (tmp_path / "urgent.log").read_text().splitlines()
    assert len(urgent) == 2
    plain = cli("run", "-r", RULES, "-e", HOST, "--format", "json").stdout.splitlines()
    assert [json.loads(line) for line in plain] == written


def test_what_is_not_delivered_goes_out_next_time(cli, tmp_path: Path) -> None:
    down = [True]

    def answer(request: Request) -> Response:
        return Response(503 if down[0] else 200)

    with HttpReceiver(answer) as receiver:
        text = f"drain: 1s\nsinks: {{hook: {{type: webhook, url: '{receiver.url}'}}}}\n"
        path = write(tmp_path, text)
        done = cli("run", "-c", path, "-e", HOST)
        assert done.returncode == 2
        assert "not delivered yet: 6 alerts for hook" in done.stderr
        assert "HTTP 503; alerts wait in its spool" in done.stderr
        down[0] = False
        tried = len(receiver.requests)
        tiny = ROOT / "rulesets" / "captures" / "tiny-host.scap.gz"
        assert cli("run", "-c", path, "-e", tiny).returncode == 0
        assert len(receiver.requests) - tried == 6


def test_an_alert_without_a_place_does_not_end_the_run(cli, tmp_path: Path) -> None:
    dead = "type: syslog, url: 'tcp://127.0.0.1:1', spool: {max_bytes: 64}"
    path = write(tmp_path, f"drain: 1s\nsinks: {{dead: {{{dead}}}}}\n")
    done = cli("run", "-c", path, "-e", HOST)
    assert done.returncode == 2, "alerts were lost"
    assert "lost: " in done.stderr
    whole = cli("run", "-r", RULES, "-e", HOST).stderr
    n_events = whole[: whole.index(" events in")]
    assert f"\n{n_events} events in" in done.stderr


def test_options_that_do_not_go_together(cli, tmp_path: Path) -> None:
    path = write(tmp_path, "")
    for more in (["-o", "x"], ["--format", "json"], ["--falco-config", "x"]):
        done = cli("run", "-c", path, "-e", HOST, *more)
        assert done.returncode == 2
        assert "do not go with --config" in done.stderr
    assert "name a capture" in cli("run", "-c", path).stderr


def test_a_signal_has_files_opened_anew(tmp_path: Path) -> None:
    path = write(tmp_path, "sinks: {a: {type: file, path: a.log}}\n")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "rulekit", "run", "-c", str(path), "-e", str(fifo)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    with open(fifo, "wb") as pipe:
        pipe.write(gzip.decompress(HOST.read_bytes()))
        pipe.flush()
        log = tmp_path / "a.log"
        wait_until(log.exists)
        log.rename(tmp_path / "old.log")
        process.send_signal(signal.SIGUSR1)
        wait_until(log.exists)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors


def test_a_killed_run_loses_nothing_of_a_full_queue(cli, tmp_path: Path) -> None:
    down = [True]

    def answer(request: Request) -> Response:
        return Response(503 if down[0] else 200)

    with HttpReceiver(answer) as receiver:
        form = "format: {type: json, extra: true}"
        path = write(
            tmp_path,
            f"sinks:\n  hook: {{type: webhook, url: '{receiver.url}', {form}}}\n"
            f"  file: {{type: file, path: all.log, {form}}}\n",
        )
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        command = [sys.executable, "-m", "rulekit", "run", "-c", str(path), "-e", str(fifo)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        log = tmp_path / "all.log"
        with open(fifo, "wb") as pipe:
            pipe.write(gzip.decompress(HOST.read_bytes()))
            pipe.flush()
            wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") == 6, "six alerts")
            process.kill()
        process.wait()
        down[0] = False
        tried = len(receiver.requests)
        tiny = ROOT / "rulesets" / "captures" / "tiny-host.scap.gz"
        assert cli("run", "-c", path, "-e", tiny).returncode == 0
        # The last try of the killed process may be answered late: its alert is then here twice.
        posted = list(dict.fromkeys(
            json.loads(request.body)["rulekit"]["id"] for request in receiver.requests[tried:]
        ))  # fmt: skip
    written = [json.loads(line)["rulekit"]["id"] for line in log.read_text().splitlines()]
    assert posted == written[:6]
    # The ids are those of any other run.
    plain = cli("run", "-r", RULES, "-e", HOST, "--format", "json", "--json-extra").stdout
    assert posted == [json.loads(line)["rulekit"]["id"] for line in plain.splitlines()]

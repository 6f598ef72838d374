"""``rulekit k8s webhook`` under real clients."""

from __future__ import annotations

import gzip
import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import urllib3

from rulekit.cli.main import main
from rulekit.engine.library import load
from rulekit.engine.pipeline import Engine
from tests.receivers.process import listens
from tests.server.conftest import Server
from tests.state.documents import audit_event
from tests.waiting import PATIENCE_S, wait_until

Start = Callable[..., Server]
RULES = """\
- required_plugin_versions: [{name: k8saudit, version: 0.7.0}]
- rule: Seen
  desc: d
  condition: ka.verb exists
  output: verb=%ka.verb id=%ka.auditid
  priority: INFO
  source: k8s_audit
"""


def batch(*verbs: str, id: str = "a") -> dict[str, Any]:
    items = [audit_event(verb=verb, auditID=f"{id}-{i}") for i, verb in enumerate(verbs)]
    for item in items:
        del item["kind"]
    return {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "alerts"


@pytest.fixture
def start(server: Start, rules: Path, out: Path) -> Start:
    def begin(*args: object) -> Server:
        return server("k8s", "webhook", "-r", rules, "-o", out, "--listen", "127.0.0.1:0", *args)

    return begin


def verbs(out: Path) -> list[str]:
    lines = out.read_text().splitlines()
    return [line.partition("verb=")[2].partition(" ")[0] for line in lines if "verb=" in line]


def test_a_batch(start: Start, out: Path) -> None:
    running = start()
    assert running.url.endswith("/k8s-audit")
    assert running.post(batch("get", "list")) == (200, {"events": 2, "alerts": 2})
    assert verbs(out) == ["get", "list"]  # there before the answer
    running.url += "?timeout=30s"
    assert running.post(batch("watch"))[0] == 200
    assert running.post(audit_event(verb="a"))[0] == 200
    assert running.post([audit_event(verb="b"), batch("c")])[0] == 200
    assert running.post(batch())[0] == 200
    zipped = gzip.compress(json.dumps(batch("zip")).encode())
    assert running.post(zipped, **{"Content-Encoding": "gzip"})[0] == 200
    two = gzip.compress(b"[") + gzip.compress(json.dumps(audit_event(verb="two")).encode() + b"]")
    assert running.post(two, **{"Content-Encoding": "gzip"})[0] == 200
    assert running.post(batch("d"), **{"Content-Type": "application/json; charset=utf-8"})[0] == 200
    assert running.stop() == 0
    assert verbs(out) == ["get", "list", "watch", "a", "b", "c", "zip", "two", "d"]
    assert {"8 requests", "  answers 200: 8", "  events: 9", "  alerts: 9"} <= set(running.told)


def test_one_bad_item_does_not_reject_its_neighbours(start: Start, out: Path) -> None:
    running = start()
    mixed = batch("a", "b")
    mixed["items"][1:1] = [None, 7, "x", {"verb": "undated", "auditID": "u"}, []]
    status, answer = running.post(mixed)
    assert status == 200
    assert verbs(out) == ["a", "undated", "b"]
    status, answer = running.post([audit_event(verb="c"), {"kind": "Pod"}, audit_event(verb="d")])
    assert (status, answer) == (200, {"events": 2, "alerts": 2, "left_out": 1})
    assert running.stop() == 0
    assert any("1 of a batch left out: no Kubernetes audit event" in line for line in running.told)


JSON = {"Content-Type": "application/json"}
ZIPPED = {**JSON, "Content-Encoding": "gzip"}
REFUSED: list[tuple[str, str, dict[str, str], bytes, int]] = [
    ("GET", "/k8s-audit", {}, b"", 405),
    ("PUT", "/k8s-audit", JSON, b"{}", 405),
    ("POST", "/", JSON, b"{}", 404),
    ("POST", "/k8s-audit/x", JSON, b"{}", 404),
    ("POST", "/k8s-audit", {"Content-Type": "text/plain"}, b"{}", 415),
    ("POST", "/k8s-audit", {}, b"{}", 415),
    ("POST", "/k8s-audit", {**JSON, "Content-Encoding": "br"}, b"{}", 415),
    ("POST", "/k8s-audit", JSON, b"{", 400),
    ("POST", "/k8s-audit", JSON, b"", 400),
    ("POST", "/k8s-audit", JSON, b"[" * 9999, 400),
    ("POST", "/k8s-audit", JSON, b"\xff", 400),
    ("POST", "/k8s-audit", ZIPPED, b"{}", 400),
    ("POST", "/k8s-audit", ZIPPED, gzip.compress(b"{}")[:-9], 400),
    ("GET", "/healthz", {}, b"", 200),
]


def test_what_is_refused(start: Start) -> None:
    running = start()
    base = running.url.removesuffix("/k8s-audit")
    for method, path, headers, body, status in REFUSED:
        response = running.pool.request(method, base + path, body=body, headers=headers)
        assert response.status == status, (method, path, headers, body)
        assert response.headers["content-type"] == "application/json"
        assert response.headers.get("allow") == ("POST" if status == 405 else None)
        assert running.post(batch("fine"))[0] == 200
    assert running.stop() == 0


def test_too_large_is_counted_and_alerted(start: Start, out: Path) -> None:
    running = start("--max-body", "64KiB", "--max-inflated", "128KiB", "--max-waiting", "1MiB")
    large = json.dumps(audit_event(verb="x" * (65 << 10))).encode()
    assert running.post(large)[0] == 413

    def chunks() -> Any:
        for _ in range(200):
            yield b" " * 1000

    response = running.pool.request(
        "POST", running.url, body=chunks(), headers={"Content-Type": "application/json"}
    )
    assert response.status == 413
    bomb = gzip.compress(b" " * (10 << 20))
    assert len(bomb) < 64 << 10
    assert running.post(bomb, **{"Content-Encoding": "gzip"})[0] == 413
    assert running.post(large[:200])[0] == 400
    assert running.post(batch("after"))[0] == 200
    assert running.stop() == 0
    alerts = [line for line in out.read_text().splitlines() if "audit events lost" in line]
    assert "1 batch refused: the body is larger than 65536 bytes" in alerts[0]
    assert "3 batches refused" in alerts[-1]  # told together, when the time has come or at the end
    assert "inflated body is larger than 131072 bytes" in alerts[-1]
    assert verbs(out) == ["after"]
    assert "  answers 413: 3" in running.told


def test_tokens(start: Start, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    running = start("--token-file", token)
    for header, status in (
        ("Bearer s3cret", 200), ("bearer s3cret", 200), ("Bearer s3cre", 401), ("Bearer", 401),
        ("Basic s3cret", 401), ("", 401),
    ):  # fmt: skip
        assert running.post(batch("a"), Authorization=header)[0] == status, header
    assert running.post(batch("a"))[0] == 401
    assert running.pool.request("GET", running.url.replace("/k8s-audit", "/healthz")).status == 200


def test_tls_and_client_certificates(start: Start, tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / name for name in ("cert", "key", "ca", "client", "other")}
    own.cert_chain_pems[0].write_to_path(files["cert"])
    own.private_key_pem.write_to_path(files["key"])
    authority.cert_pem.write_to_path(files["ca"])
    authority.issue_cert("apiserver").private_key_and_cert_chain_pem.write_to_path(files["client"])
    stranger.issue_cert("apiserver").private_key_and_cert_chain_pem.write_to_path(files["other"])
    running = start(
        "--tls-cert", files["cert"], "--tls-key", files["key"], "--client-ca", files["ca"]
    )  # fmt: skip
    assert running.url.startswith("https://")

    def post(client: str | None) -> int:
        pool = urllib3.PoolManager(
            retries=False, ca_certs=str(files["ca"]), timeout=PATIENCE_S,
            cert_file=None if client is None else str(files[client]),
        )  # fmt: skip
        headers = {"Content-Type": "application/json"}
        body = json.dumps(batch("tls")).encode()
        return pool.request("POST", running.url, body=body, headers=headers).status

    assert post("client") == 200
    for bad in (None, "other"):
        with pytest.raises(urllib3.exceptions.HTTPError):
            post(bad)
    with pytest.raises(urllib3.exceptions.HTTPError):  # no TLS at all
        running.pool.request("GET", running.url.replace("https", "http"))
    # A new certificate is taken at SIGHUP, without an end.
    renewed = authority.issue_cert("127.0.0.1", "renewed.example")
    renewed.cert_chain_pems[0].write_to_path(files["cert"])
    renewed.private_key_pem.write_to_path(files["key"])
    running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: b"renewed.example" in _certificate(running.port, files))
    assert post("client") == 200
    # One that cannot be used changes nothing.
    files["cert"].write_text("none")
    running.process.send_signal(signal.SIGHUP)
    said = "the certificate cannot be read again"
    wait_until(lambda: any(said in line for line in running.told), said)
    assert post("client") == 200
    assert running.stop() == 0
    assert "Traceback" not in "\n".join(running.told)


def _certificate(port: int, files: dict[str, Path]) -> bytes:
    import ssl

    context = ssl.create_default_context(cafile=str(files["ca"]))
    context.load_cert_chain(files["client"])
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        found = wrapped.getpeercert(True)
        assert found is not None
        return found


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--tls-cert", "x"), "go together"),
        (("--client-ca", "x"), "--client-ca needs --tls-cert"),
        (("--path", "x"), "does not begin with a slash"),
        (("--token-file", "/nonexistent"), "no such file"),
        (("--tls-cert", "/nonexistent", "--tls-key", "/none"), "TLS: /nonexistent, /none: no such"),
        (("--listen", "127.0.0.1"), "no HOST:PORT"),
        (("--listen", "203.0.113.1:9"), "203.0.113.1:9: cannot assign"),
        (("--max-body", "12 elephants"), "is no size"),
        (("--stop-after", "nan"), "no number above 0"),
    ],
)
def test_options_that_cannot_be(
    rules: Path,
    out: Path,
    args: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["k8s", "webhook", "-r", str(rules), "-o", str(out), "--listen", "127.0.0.1:0", *args]
    try:
        code = main(command)
    except SystemExit as error:  # a mistake that argparse finds
        code = int(str(error.code))
    assert code == 2
    assert message in capsys.readouterr().err


SLOW = """
import sys
from rulekit.cli.main import main
from rulekit.engine.library import load
from rulekit.engine.pipeline import Engine
from rulekit.server.plan import ServerPlan
from rulekit.server.serve import serve
from rulekit.server.webhook import AuditReceiver
plan = ServerPlan("127.0.0.1", 0, "/k8s-audit", header_s=1.0, body_s=2.0)
app = AuditReceiver(Engine(load(sys.argv[1]), source="k8s_audit"), plan, lambda alerts: None)
serve(app, plan, lambda port: print(f"listening for x on http://127.0.0.1:{port}/k8s-audit",
      file=sys.stderr))
app.close()
"""
HEAD = b"POST /k8s-audit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


def test_slow_clients_are_sent_away(server: Start, rules: Path) -> None:
    running = server(rules, code=SLOW)

    def talk(parts: list[bytes], pause_s: float) -> tuple[bytes, int]:
        """Return the answer, and how many parts were sent before it, or before the end."""
        sent = 0
        with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_S) as client:
            got = b""
            try:
                for part in parts:
                    client.sendall(part)
                    sent += 1
                    if select.select([client], [], [], pause_s)[0]:
                        break  # an answer
                while piece := client.recv(4096):
                    got += piece
            except ConnectionError:
                pass
            return got, sent

    # Nothing; a head byte by byte; one that never ends; a body that trickles.
    assert talk([], 0)[0] == b""
    got, sent = talk([bytes([byte]) for byte in HEAD], 0.1)
    assert got == b""
    assert sent < len(HEAD)
    assert talk([HEAD + b"X: " + b"x" * (3 << 20)], 0)[0] == b""
    got, _ = talk([HEAD + b"Content-Length: 9\r\n\r\n", *[b" "] * 8], 0.4)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nretry-after: 1\r\n" in got, "an API server would not send it again"
    # A second request on a connection that was fine before.
    fine = HEAD + b"Content-Length: 2\r\n\r\n[]"
    got, _ = talk([fine + HEAD[:20]], 0.3)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.count(b"HTTP/1.1") == 1
    # Clients that leave in the middle.
    for cut in (10, len(HEAD), len(HEAD) + 25):
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.sendall((HEAD + b"Content-Length: 9999\r\n\r\n[")[:cut])
    assert running.post(batch("fine"))[0] == 200
    assert running.stop() == 0


def test_many_idle_connections_leave_room_for_others(start: Start) -> None:
    running = start()
    idle = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(300)]
    try:
        assert running.post(batch("a"))[0] == 200
    finally:
        for each in idle:
            each.close()


def test_what_was_begun_is_finished(start: Start, out: Path) -> None:
    running = start()
    body = json.dumps(batch("last")).encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_S) as client:
        head = HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        client.sendall(head + body[:50])
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n", "it has begun"
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(running.port))
        with pytest.raises(urllib3.exceptions.HTTPError):  # nobody new is let in
            running.post(batch("late"))
        client.sendall(body[50:])
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert running.wait() == 0
    assert verbs(out) == ["last"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_alerts_that_cannot_be_kept_are_asked_for_again(server: Start, rules: Path) -> None:
    running = server("k8s", "webhook", "-r", rules, "-o", "/dev/full", "--listen", "127.0.0.1:0")
    response = running.pool.request(
        "POST", running.url, body=json.dumps(batch("a")).encode(),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert response.status == 429
    assert response.headers["retry-after"] == "1"
    assert running.post(batch())[0] == 200
    running.stop()
    assert any("no space left" in line for line in running.told)


def test_a_batch_that_no_spool_can_hold_is_refused_for_good(
    server: Start, rules: Path, tmp_path: Path
) -> None:
    """Before, an alert that is too large was asked for again for ever."""
    config = tmp_path / "rulekit.yaml"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        config.write_text(
            f"spool: {{path: {tmp_path}/spool, max_bytes: 256KiB}}\ndrain: 100ms\nsinks:\n"
            f"  dead: {{type: webhook, url: 'http://127.0.0.1:{nobody.getsockname()[1]}'}}\n"
        )
        running = server(
            "k8s", "webhook", "-r", rules, "--config", config, "--listen", "127.0.0.1:0"
        )
        status, answer = running.post(batch("x", id="i" * 200_000))
        assert status == 413
        assert "an alert is too large for the spool of sink dead (spool.max_bytes)" in str(answer)
        assert running.post(batch(*["x"] * 20))[0] == 200
        status, answer = running.post(batch(*["x"] * 4000))
        assert status == 413
        assert "bytes, the spool of sink dead holds" in answer["error"]
        # What an empty spool would take is asked for again.
        assert running.post(batch("x"))[0] == 429
        assert running.stop() == 2
    assert "  answers 413: 2" in running.told
    assert "  batches with more alerts than a spool holds: 2" in running.told
    assert any("batch refused: an alert is too large" in line for line in running.told)


# ---- load ---------------------------------------------------------------------------------------


def keep_posting(running: Server, bodies: list[bytes], done: list[int]) -> None:
    """Post every body until it is taken, as an API server does; stops when the server is gone."""
    pool = urllib3.PoolManager(retries=False, timeout=PATIENCE_S)
    for i, body in enumerate(bodies):
        while True:
            try:
                response = pool.request(
                    "POST", running.url, body=body, headers={"Content-Type": "application/json"}
                )
            except urllib3.exceptions.HTTPError:
                return
            if response.status == 200:
                break
            assert response.status == 429
            time.sleep(0.01)
        done.append(i)


def test_overload_is_answered_with_429_and_loses_nothing(start: Start, out: Path) -> None:
    # One request alone fits into what may wait.
    running = start("--max-body", "20KiB", "--max-waiting", "20KiB")
    bodies = [
        [json.dumps(batch(*["x"] * 50, id=f"{t}-{i}")).encode() for i in range(25)]
        for t in range(8)
    ]
    done: list[list[int]] = [[] for _ in bodies]
    threads = [
        threading.Thread(target=keep_posting, args=(running, part, count))
        for part, count in zip(bodies, done, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert running.stop() == 0
    assert [len(each) for each in done] == [25] * 8
    seen = [line.rpartition("id=")[2] for line in out.read_text().splitlines()]
    expected = {f"{t}-{i}-{n}" for t in range(8) for i in range(25) for n in range(50)}
    assert set(seen) == expected
    refused = [line for line in running.told if line.startswith("  answers 429: ")]
    assert refused, running.told


@pytest.mark.parametrize("where", ["file", "spool"])
def test_what_was_acknowledged_survives_kill_9(
    server: Start, rules: Path, out: Path, tmp_path: Path, where: str
) -> None:
    config = tmp_path / "rulekit.yaml"
    config.write_text(
        f"rules: [{rules}]\nspool: {{path: {tmp_path / 'spool'}}}\n"
        f"sinks:\n  file: {{type: file, path: {out}, format: json}}\n"
    )
    to = ("-r", rules, "-o", out) if where == "file" else ("--config", config)
    acknowledged: set[str] = set()
    for round_ in range(3):
        running = server("k8s", "webhook", *to, "--listen", "127.0.0.1:0")
        bodies = [json.dumps(batch(*["x"] * 20, id=f"{round_}-{i}")).encode() for i in range(4000)]
        done: list[int] = []
        thread = threading.Thread(target=keep_posting, args=(running, bodies, done))
        thread.start()
        wait_until(lambda done=done: len(done) >= 50)
        running.process.kill()
        running.process.wait()
        thread.join()
        acknowledged |= {f"{round_}-{i}-{n}" for i in done for n in range(20)}
    assert len(acknowledged) > 1000
    if where == "spool":  # what waits there goes out with the next start
        running = server("k8s", "webhook", *to, "--listen", "127.0.0.1:0")
        assert running.stop() == 0
    text = out.read_text()
    lines = [line for line in text.splitlines() if "id=" in line]
    seen = {line.partition("id=")[2].partition('"')[0].split()[0] for line in lines}
    assert acknowledged <= seen, len(acknowledged - seen)


def test_the_posts_of_an_api_server(server: Start, shared: Path, tmp_path: Path) -> None:
    """Same alerts as from the log of the same server, for the events that are in both."""
    upstream = shared / "rules" / "upstream" / "k8saudit" / "k8s_audit_rules.yaml"
    genuine = shared / "captures" / "k8s_audit" / "genuine"
    out = tmp_path / "alerts"
    running = server(
        "k8s", "webhook", "-r", upstream, "-o", out, "--format", "json", "--json-extra",
        "--listen", "127.0.0.1:0",
    )  # fmt: skip
    host = running.url.removesuffix("/k8s-audit")
    pairs = set()
    with (genuine / "audit-webhook-posts.jsonl").open() as file:
        for line in file:
            stored = json.loads(line)
            body = json.dumps(stored["body"], separators=(",", ":")).encode()
            headers = {k: v for k, v in stored["headers"].items() if k != "Content-Length"}
            response = running.pool.request(
                "POST", host + stored["path"], body=body, headers=headers
            )
            assert response.status == 200
            pairs |= {(item["auditID"], item["stage"]) for item in stored["body"]["items"]}
    assert running.stop() == 0
    assert "20 requests" in running.told
    assert "  events: 1286" in running.told
    log = genuine / "audit-log.jsonl"
    events = [json.loads(line) for line in log.read_text().splitlines()]
    both = pairs & {(event["auditID"], event["stage"]) for event in events}
    assert len(both) == 1284

    def wanted(rule: str, event_id: str, output: str) -> tuple[str, str, str] | None:
        audit_id, _, stage = event_id.rpartition("/")
        return (rule, event_id, output) if (audit_id, stage) in both else None

    engine = Engine(load(upstream), source="k8s_audit")
    from_log = sorted(
        filter(None, (wanted(a.rule, a.event_id, a.message) for a in engine.run(str(log))))
    )
    posted = [json.loads(line) for line in out.read_text().splitlines()]
    from_posts = sorted(
        filter(
            None,
            (
                wanted(
                    a["rule"],
                    a["rulekit"]["event_id"],
                    a["output"].partition(": ")[2].partition(" ")[2],
                )
                for a in posted
            ),
        )
    )
    assert len(from_log) > 50
    assert [each[:2] for each in from_posts] == [each[:2] for each in from_log]

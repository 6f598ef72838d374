"""The syslog sink against rsyslog: every transport, with and without faults."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rulekit.errors import SinkError
from rulekit.formats.rfc5424 import Rfc5424Formatter
from rulekit.sinks.syslog import SyslogOptions, SyslogSink
from tests.receivers.certificates import Certificates
from tests.receivers.process import free_port
from tests.receivers.proxy import Fault, Proxy
from tests.receivers.rsyslog import Rsyslog
from tests.sinks.records import ids, records
from tests.waiting import PATIENCE_S, wait_until

FORMAT = Rfc5424Formatter()


@pytest.fixture
def rsyslog(tmp_path: Path, certificates: Certificates) -> Iterator[Rsyslog]:
    with Rsyslog(tmp_path, certificates) as running:
        yield running


def sink(url: str, **options: object) -> SyslogSink:
    return SyslogSink(SyslogOptions(url=url, timeout=PATIENCE_S, **options))  # type: ignore[arg-type]


def taken(made: SyslogSink, start: int) -> bool:
    try:
        assert made.send(records(25, start, formatter=FORMAT)) is None
    except SinkError:
        return False
    return True


def has_all(rsyslog: Rsyslog, n: int) -> bool:
    return set(rsyslog.ids()) >= set(ids(n))


@pytest.mark.parametrize("transport", ["unix", "udp", "tcp", "tls", "relp", "relps"])
def test_every_transport_delivers(
    rsyslog: Rsyslog, certificates: Certificates, transport: str
) -> None:
    secure: dict[str, object] = {"ca_cert": certificates.ca, "client_cert": certificates.client}
    if transport == "unix":
        made = sink(f"unix:{rsyslog.socket}")
    elif transport == "relps":
        made = sink(f"relp+tls://127.0.0.1:{rsyslog.ports['relps']}", **secure)
    else:
        more = secure if transport == "tls" else {}
        made = sink(f"{transport}://127.0.0.1:{rsyslog.ports[transport]}", **more)
    assert made.acknowledges == transport.startswith("relp")
    if made.acknowledges:  # of a receiver that listens already, but is still starting
        wait_until(lambda: taken(made, 0), "the first messages")
    else:
        assert taken(made, 0)
    for start in range(25, 100, 25):
        assert taken(made, start)
    made.close()
    wait_until(lambda: has_all(rsyslog, 100), "100 messages")
    assert set(rsyslog.ids().values()) == {1}
    assert made.counters() == {"possibly_lost": 0}
    assert 'rulekit@32473 id="' in rsyslog.lines()[0]
    assert "alert 0" in "\n".join(rsyslog.lines())


@pytest.mark.parametrize("framing", ["octets", "lines"])
def test_other_formats_get_a_header(rsyslog: Rsyslog, framing: str) -> None:
    made = sink(f"tcp://127.0.0.1:{rsyslog.ports['tcp']}", framing=framing, app_name="me")
    made.send(records(3, size=2000))
    wait_until(lambda: len(rsyslog.lines()) == 3, "three messages")
    assert rsyslog.lines()[0].startswith('- host me {"id": "000000')
    made.close()


def test_relp_loses_nothing_when_the_receiver_is_killed(rsyslog: Rsyslog) -> None:
    made = sink(f"relp://127.0.0.1:{rsyslog.ports['relp']}")
    assert made.send(records(50, formatter=FORMAT)) is None
    rsyslog.process.kill()
    with pytest.raises(SinkError):
        made.send(records(50, 50, formatter=FORMAT))
    rsyslog.process.start()
    assert made.send(records(50, 50, formatter=FORMAT)) is None
    made.close()
    wait_until(lambda: has_all(rsyslog, 100), "100 messages")


@pytest.mark.parametrize("cut_after", [1, 50, 800, 5000])
def test_relp_knows_what_was_confirmed(rsyslog: Rsyslog, cut_after: int) -> None:
    with Proxy(rsyslog.ports["relp"]) as proxy:
        proxy.fault = Fault(cut_after=cut_after)
        made = sink(f"relp://127.0.0.1:{proxy.port}")
        todo = records(50, formatter=FORMAT)
        for _ in range(3):
            try:
                receipt = made.send(todo)
            except SinkError:
                continue
            finally:
                proxy.fault = Fault()
            todo = [] if receipt is None else [todo[i] for i in receipt.again]
            if not todo:
                break
        assert todo == []
        wait_until(lambda: has_all(rsyslog, 50), "50 messages")
        made.close()


def test_a_stream_that_was_closed_meanwhile_is_noticed_before_anything_is_lost(
    rsyslog: Rsyslog,
) -> None:
    with Proxy(rsyslog.ports["tcp"]) as proxy:
        made = sink(f"tcp://127.0.0.1:{proxy.port}")
        made.send(records(10, formatter=FORMAT))
        wait_until(lambda: has_all(rsyslog, 10), "10 messages")
        time.sleep(1.1)
        made.send([])  # what arrived before is safe from now on
        proxy.cut()
        time.sleep(0.1)
        with pytest.raises(SinkError):
            made.send(records(10, 10, formatter=FORMAT))
        assert made.counters() == {"possibly_lost": 0}
        made.send(records(10, 10, formatter=FORMAT))
        wait_until(lambda: has_all(rsyslog, 20), "20 messages")
        made.close()


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix"])
def test_what_a_killed_receiver_may_have_lost_is_bounded_by_its_count(
    rsyslog: Rsyslog, transport: str
) -> None:
    where = {"unix": f"unix:{rsyslog.socket}"}
    made = sink(where.get(transport) or f"{transport}://127.0.0.1:{rsyslog.ports[transport]}")
    n = 0
    for round in range(4):
        for _ in range(20):
            try:
                made.send(records(20, n, size=300, formatter=FORMAT))
            except SinkError:
                made.send(records(20, n, size=300, formatter=FORMAT))
            n += 20
        if round < 3:
            rsyslog.process.kill()
            if transport == "unix":
                rsyslog.socket.unlink()  # a new one is waited for
            if transport == "udp":
                # Somebody may not notice a gap in which nothing is sent: send into it.
                with pytest.raises(SinkError):
                    made.send(records(20, n, size=300, formatter=FORMAT))
            rsyslog.process.start()
    time.sleep(0.5)
    lost = len(set(ids(n)) - set(rsyslog.ids()))
    assert lost <= made.counters()["possibly_lost"] <= n
    made.close()


def test_udp_to_nobody_is_an_error() -> None:
    made = sink(f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
    with pytest.raises(SinkError, match="connection refused"):
        made.send(records(2))


def test_a_message_too_large_for_a_datagram_is_refused(rsyslog: Rsyslog) -> None:
    made = sink(f"udp://127.0.0.1:{rsyslog.ports['udp']}")
    large = records(1, size=70_000)
    receipt = made.send([*records(1, 1), *large])
    assert receipt is not None
    assert list(receipt.refused) == [1]


def test_a_relp_server_that_is_none_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = sink(f"relp://127.0.0.1:{server.getsockname()[1]}")

        def answer() -> None:
            client, _ = server.accept()
            client.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3 and more and more and more\r\n")
            time.sleep(1)
            client.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(SinkError, match="RELP: no frame"):
            made.send(records(1))
        thread.join()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://h", "begins with one of unix:, udp:"),
        ("tcp://", "say host and port"),
        ("tcp://h:99999", "no number up to 65535"),
        ("unix:", "say the path"),
    ],
)
def test_bad_addresses_are_refused(url: str, why: str) -> None:
    with pytest.raises(SinkError, match=why):
        sink(url)


def test_nobody_at_the_unix_socket(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="no such file or directory"):
        sink(f"unix:{tmp_path}/nowhere").send(records(1))

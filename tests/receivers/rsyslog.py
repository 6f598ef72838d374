"""rsyslog with every input that the syslog sink can reach; what it received is in a file."""

from __future__ import annotations

import re
import socket
from collections import Counter
from pathlib import Path

from tests.receivers.certificates import Certificates
from tests.receivers.process import Process, free_port, listens, program

_CONFIG = """\
global(workDirectory="{folder}" maxMessageSize="128k"
  defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{server}"
  defaultNetstreamDriverKeyFile="{server}")
module(load="imuxsock" sysSock.use="off")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
module(load="imrelp" tls.tlslib="gnutls")
template(name="all" type="string" string="%structured-data% %hostname% %app-name% %msg%\\n")
ruleset(name="r") {{
  action(type="omfile" file="{folder}/received" template="all" asyncWriting="off"
    flushOnTXEnd="on" ioBufferSize="4k")
}}
input(type="imuxsock" socket="{folder}/socket" createPath="on" ruleset="r"
  useSpecialParser="off" ratelimit.interval="0")
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="r" rcvbufSize="8m")
input(type="imptcp" address="127.0.0.1" port="{tcp}" ruleset="r" maxFrameSize="200000")
input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="r")
input(type="imrelp" address="127.0.0.1" port="{relp}" ruleset="r" maxDataSize="128k")
input(type="imrelp" address="127.0.0.1" port="{relps}" ruleset="r" maxDataSize="128k"
  tls="on" tls.caCert="{ca}" tls.myCert="{server}" tls.myPrivKey="{server}" tls.authMode="name"
  tls.permittedpeer=["rulekit"])
"""


class Rsyslog:
    """A running rsyslogd.

    Attributes:
        ports: By name: udp, tcp, tls, relp, relps.
        socket: Path of its Unix socket.
    """

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        path = program("rsyslogd", "rsyslog rsyslog-relp rsyslog-gnutls")
        self.ports = {name: free_port() for name in ("tcp", "tls", "relp", "relps")}
        self.ports["udp"] = free_port(socket.SOCK_DGRAM)
        self.socket = folder / "socket"
        self._received = folder / "received"
        config = folder / "rsyslog.conf"
        config.write_text(
            _CONFIG.format(
                folder=folder, ca=certificates.ca, server=certificates.server, **self.ports
            )
        )
        tcp = [port for name, port in self.ports.items() if name != "udp"]
        self.process = Process(
            [path, "-n", "-f", str(config), "-i", str(folder / "pid")],
            folder,
            lambda: all(map(listens, tcp)) and self.socket.exists(),
        )

    def lines(self) -> list[str]:
        """Return what was received."""
        if not self._received.exists():
            return []
        return self._received.read_text(errors="replace").splitlines()

    def ids(self) -> Counter[str]:
        """Return how often each alert was received."""
        return Counter(re.findall(r' id="([0-9a-f]{32})"', "\n".join(self.lines())))

    def close(self) -> None:
        self.process.stop()

    def __enter__(self) -> Rsyslog:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

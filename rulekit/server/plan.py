"""How a server listens, and what it puts up with."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path

from rulekit.errors import RulekitError, reason
from rulekit.text.whole import read_whole


@dataclass(frozen=True, slots=True)
class TlsPlan:
    """Files for TLS, in PEM.

    Attributes:
        client_ca: Certificates that clients must have theirs from; None asks for none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """How a server listens.

    Attributes:
        path: The only one that is answered, but for ``/healthz``; the query does not matter.
        token: Clients must send it as ``Authorization: Bearer``; empty asks for none.
        max_body_bytes: Of a request as it is sent; `max_inflated_bytes` as it is meant.
        max_waiting_bytes: Of all requests that are being read or worked on; more are sent away.
        header_s: Seconds for the head of a request, `body_s` for all of it.
        answer_s: Seconds until an answer is given, whatever becomes of the work.
        drain_s: Seconds for the requests that are being worked on when the server is to end.
    """

    host: str
    port: int
    path: str
    token: bytes = b""
    tls: TlsPlan | None = None
    max_body_bytes: int = 12 << 20
    max_inflated_bytes: int = 48 << 20
    max_waiting_bytes: int = 96 << 20
    max_connections: int = 1000
    header_s: float = 10.0
    body_s: float = 30.0
    answer_s: float = 25.0
    drain_s: float = 20.0

    def admits(self, authorization: bytes) -> bool:
        """Return whether a header ``Authorization`` has the token that is asked for."""
        if not self.token:
            return True
        scheme, _, token = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self.token)


def read_token(path: Path) -> bytes:
    """Return the token in a file.

    Raises:
        RulekitError: There is none.
    """
    try:
        token = read_whole(path, 1 << 16).strip()
    except OSError as error:
        raise RulekitError(f"{path}: {reason(error)}") from None
    if not token or b"\n" in token:
        raise RulekitError(f"{path}: a token is one line of text")
    return token

"""A certificate authority for one test run, a server's certificate and a client's."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass
class Certificates:
    """Files for clients, contexts for servers."""

    ca: Path
    client: Path
    server: Path
    other_ca: Path
    plain: ssl.SSLContext
    mutual: ssl.SSLContext


def make_certificates(folder: Path) -> Certificates:
    """Make all of them in a folder."""
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1", "localhost")
    client = authority.issue_cert("rulekit")
    paths = {name: folder / f"{name}.pem" for name in ("ca", "client", "server", "other_ca")}
    authority.cert_pem.write_to_path(str(paths["ca"]))
    trustme.CA().cert_pem.write_to_path(str(paths["other_ca"]))
    client.private_key_and_cert_chain_pem.write_to_path(str(paths["client"]))
    server.private_key_and_cert_chain_pem.write_to_path(str(paths["server"]))
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.configure_cert(plain)
    mutual = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.configure_cert(mutual)
    authority.configure_trust(mutual)
    mutual.verify_mode = ssl.CERT_REQUIRED
    return Certificates(**paths, plain=plain, mutual=mutual)

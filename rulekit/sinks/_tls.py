"""TLS as every network sink has it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from rulekit.errors import SinkError, reason
from rulekit.sinks.base import Options
from rulekit.sinks.values import Secret


class TlsOptions(Options, kw_only=True):
    """Whom to trust, and who we are."""

    insecure: Annotated[bool, Meta(description="do not check the receiver's certificate")] = False
    ca_cert: Annotated[
        Path | None, Meta(description="file with certificates to trust instead of the system's")
    ] = None
    ca_path: Annotated[Path | None, Meta(description="folder of certificates to trust")] = None
    client_cert: Annotated[Path | None, Meta(description="our certificate (mTLS)")] = None
    client_key: Annotated[Path | None, Meta(description="its key, if in another file")] = None
    client_key_password: Annotated[Secret | None, Meta(description="of the key")] = None


def tls_context(options: TlsOptions) -> ssl.SSLContext:
    """Return a context for clients.

    Raises:
        SinkError: A certificate or key cannot be read.
    """
    named = options.ca_cert or options.ca_path
    try:
        context = ssl.create_default_context(
            cafile=options.ca_cert and str(options.ca_cert),
            capath=options.ca_path and str(options.ca_path),
        )
    except OSError as error:
        raise SinkError(f"{named}: {reason(error)}") from error
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.client_cert is not None:
        password = options.client_key_password
        try:
            context.load_cert_chain(
                options.client_cert,
                options.client_key,
                # Never asks on the terminal.
                password=password.reveal() if password is not None else "",
            )
        except OSError as error:
            raise SinkError(f"{options.client_cert}: {reason(error)}") from error
    return context

"""Requests over HTTP, and what their answers mean for the alerts in them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from rulekit import __version__
from rulekit.errors import SinkError
from rulekit.sinks._tls import TlsOptions, tls_context
from rulekit.sinks.base import SinkRefused
from rulekit.sinks.values import Duration, MaybeSecret, Secret, without_secrets

if TYPE_CHECKING:
    import urllib3

_SHOWN = 300
_MAX_ANSWER_BYTES = 64 << 20
# What is wrong with this request will be wrong with it tomorrow. Others, as 401 or 404, are set
# right by whoever configures sink or receiver, and the alerts wait for that.
_REFUSALS = frozenset({400, 411, 413, 414, 415, 422, 431})
MAX_PAUSE_S = 600.0


class HttpOptions(TlsOptions, kw_only=True):
    """Where to, as whom, and how."""

    url: Annotated[str, Meta(pattern=r"^https?://", description="http:// or https://")]
    user: Annotated[str | None, Meta(description="for basic authentication")] = None
    password: Annotated[Secret | None, Meta(description="for basic authentication")] = None
    bearer: Annotated[Secret | None, Meta(description="token for `Authorization: Bearer`")] = None
    headers: Annotated[dict[str, MaybeSecret], Meta(description="further headers")] = msgspec.field(
        default_factory=dict
    )
    user_agent: Annotated[str, Meta(description="what we call ourselves")] = (
        f"rulekit/{__version__}"
    )
    compress: Annotated[bool, Meta(description="send bodies as gzip")] = False
    timeout: Annotated[
        Duration, Meta(description="longest wait for a connection, and for each part of an answer")
    ] = Duration(10)


class Answer:
    """What came back: a status and a body, of which the first part may be shown."""

    def __init__(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str] = ()
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._secrets = secrets

    def json(self) -> Any:
        """Return the body as JSON; raises `SinkError` when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise SinkError(f"the answer is not JSON: {self.shown()}") from None

    def shown(self) -> str:
        """Return the beginning of the body as one line, without secrets that it repeats."""
        # Looked for before it is cut: half a secret is one as well.
        text = without_secrets(self.body[: 8 * _SHOWN].decode("utf-8", "replace"), self._secrets)
        return " ".join(text[:_SHOWN].split())

    def raise_for_status(self) -> None:
        """Do nothing for a 2xx.

        Raises:
            SinkRefused: The request itself is to blame.
            SinkError: Everything else; it knows how long the receiver wants to be left alone.
        """
        if 200 <= self.status < 300:
            return
        shown = self.shown()
        text = f"HTTP {self.status}" + (f": {shown}" if shown else "")
        if self.status in _REFUSALS:
            raise SinkRefused(text)
        if 300 <= self.status < 400:
            text += f" (to {self.headers.get('location', '?')}): name the final address as url"
        raise SinkError(text, pause_s=retry_after_s(self.headers.get("retry-after")))


class HttpClient:
    """Keeps connections to one receiver; for one thread at a time.

    Raises:
        SinkError: The library is missing, or a certificate cannot be read.
    """

    def __init__(self, options: HttpOptions, extra: str) -> None:
        try:
            import urllib3
        except ImportError:
            raise SinkError(f"needs urllib3: pip install 'rulekit[{extra}]'") from None
        if options.insecure:  # wanted: nothing to warn of at every request
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._library = urllib3
        self._options = options
        timeout = urllib3.Timeout(connect=options.timeout, read=options.timeout)
        secure: dict[str, Any] = {}
        if options.url.startswith("https"):
            secure["ssl_context"] = tls_context(options)
        self._pool = urllib3.PoolManager(
            num_pools=2, maxsize=2, retries=False, timeout=timeout, **secure
        )
        self._headers = urllib3.make_headers(user_agent=options.user_agent)
        if options.user is not None:
            password = options.password.reveal() if options.password else ""
            self._headers |= urllib3.make_headers(basic_auth=f"{options.user}:{password}")
        if options.bearer is not None:
            self._headers["authorization"] = f"Bearer {options.bearer.reveal()}"
        self._headers |= {name: value.reveal() for name, value in options.headers.items()}
        self._secrets = _secrets(options, self._headers)

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and return its answer, whatever its status.

        Raises:
            SinkError: No answer came: nothing is known of what was sent.
        """
        sent = {**self._headers, **(headers or {})}
        if body is not None and self._options.compress:
            body = gzip.compress(body, 5, mtime=0)
            sent["content-encoding"] = "gzip"
        try:
            found: urllib3.BaseHTTPResponse = self._pool.request(
                method, url, body=body, headers=sent, redirect=False, preload_content=False
            )
            try:
                data = found.read(_MAX_ANSWER_BYTES, decode_content=True)
                if len(data) == _MAX_ANSWER_BYTES:
                    found.close()
            finally:
                found.release_conn()
        except self._library.exceptions.HTTPError as error:
            raise SinkError(f"{url}: {_words(error)}") from error
        return Answer(found.status, found.headers, data, self._secrets)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._pool.clear()


def retry_after_s(value: str | None) -> float:
    """Return the seconds that a header ``Retry-After`` asks for; 0 when it asks for nothing."""
    if value is None:
        return 0.0
    try:
        wanted = float(value)
    except ValueError:
        try:
            wanted = parsedate_to_datetime(value).timestamp() - time()
        except ValueError:
            return 0.0
    return min(max(0.0, wanted), MAX_PAUSE_S)  # in this order, what is no number asks for nothing


def _secrets(options: HttpOptions, headers: Mapping[str, str]) -> list[str]:
    """Return what must not be printed though a receiver may repeat it."""
    found = [value.reveal() for value in options.headers.values() if value.is_secret]
    found += [headers[name].rpartition(" ")[2] for name in headers if name == "authorization"]
    if options.password is not None:
        found.append(options.password.reveal())
    return found


def _words(error: Exception) -> str:
    """Return what a library's exception says, without the objects that it prints."""
    inner: Any = error
    while (cause := getattr(inner, "reason", None) or inner.__cause__) is not None:
        if isinstance(cause, str):
            break
        inner = cause
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror[:1].lower() + inner.strerror[1:]
    text = str(inner)
    return text.partition("): ")[2] or text

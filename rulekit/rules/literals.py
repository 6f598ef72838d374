"""Literals of conditions → typed values, read the way Falco reads them: wraps, clamps and all."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import cache

from rulekit.rules.bound import TypedValue
from rulekit.rules.regex import RegexError, check_regex
from rulekit.schema.events import event_types
from rulekit.schema.values import value_tables

# Longest text that a comparison takes, in bytes; Falco's buffer for a value ends there.
LONGEST_TEXT = 255

_number = re.compile(r"[ \t\n\v\f\r]*([+-]?)([0-9]+)").fullmatch
_hex = re.compile(r"(?:[0-9a-fA-F]{2})*").fullmatch

# Width in bits as read and as kept: small types are read as 32 bits, then cut.
_SIGNED = {
    "PT_INT8": (32, 8),
    "PT_INT16": (32, 16),
    "PT_INT32": (32, 32),
    "PT_INT64": (64, 64),
    **dict.fromkeys(("PT_FD", "PT_ERRNO", "PT_PID"), (64, 64)),
}
_UNSIGNED = {
    **dict.fromkeys(("PT_UINT8", "PT_FLAGS8", "PT_ENUMFLAGS8", "PT_L4PROTO"), (32, 8)),
    **dict.fromkeys(("PT_UINT16", "PT_FLAGS16", "PT_ENUMFLAGS16"), (32, 16)),
    **dict.fromkeys(("PT_UINT32", "PT_FLAGS32", "PT_ENUMFLAGS32", "PT_MODE"), (32, 32)),
    **dict.fromkeys(("PT_UID", "PT_GID"), (32, 32)),
    **dict.fromkeys(("PT_UINT64", "PT_RELTIME", "PT_ABSTIME"), (64, 64)),
}
_TEXTS = frozenset({"PT_CHARBUF", "PT_FSPATH", "PT_FSRELPATH"})

# Names that rules use, so that verdicts do not depend on the machine; others are looked up.
_SERVICES = {
    "echo": 7,
    "discard": 9,
    "daytime": 13,
    "ftp-data": 20,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "time": 37,
    "whois": 43,
    "domain": 53,
    "tftp": 69,
    "gopher": 70,
    "finger": 79,
    "http": 80,
    "kerberos": 88,
    "pop3": 110,
    "sunrpc": 111,
    "nntp": 119,
    "ntp": 123,
    "netbios-ns": 137,
    "netbios-dgm": 138,
    "netbios-ssn": 139,
    "imap2": 143,
    "snmp": 161,
    "snmp-trap": 162,
    "bgp": 179,
    "irc": 194,
    "ldap": 389,
    "https": 443,
    "microsoft-ds": 445,
    "exec": 512,
    "login": 513,
    "shell": 514,
    "syslog": 514,
    "printer": 515,
    "submission": 587,
    "ipp": 631,
    "ldaps": 636,
    "rsync": 873,
    "ftps": 990,
    "imaps": 993,
    "pop3s": 995,
    "socks": 1080,
    "openvpn": 1194,
    "ms-sql-s": 1433,
    "nfs": 2049,
    "mysql": 3306,
    "sip": 5060,
    "xmpp-client": 5222,
    "postgresql": 5432,
    "amqp": 5672,
    "x11": 6000,
}


class LiteralError(ValueError):
    """A literal that does not fit; the text says why, for a label beside the carets."""


class UnknownEventType(LiteralError):
    """A literal of ``evt.type`` that names no event and no system call."""


def to_bytes(text: str) -> bytes:
    """Return the bytes that a literal stands for."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


@cache
def known_event_types() -> frozenset[str]:
    """Return every name that ``evt.type`` may be compared with; the empty one is no event's."""
    calls = value_tables()["ppm_sc"].values()
    return frozenset({e.name for e in event_types()} | set(calls) | {""})


def read_number(text: str, bits: int, signed: bool) -> int | None:
    """Read decimal text as C's ``scanf`` does; None unless all of it is a number.

    What does not fit 64 bits is clamped, what then does not fit `bits` (32 or 64) wraps.
    """
    found = _number(text)
    if found is None:
        return None
    digits = found[2].lstrip("0") or "0"
    size = int(digits) if len(digits) <= 20 else 1 << 64
    negative = found[1] == "-"
    if signed:
        value = max(-size, -(1 << 63)) if negative else min(size, (1 << 63) - 1)
    elif size >= 1 << 64:
        value = (1 << 64) - 1
    else:
        value = -size if negative else size
    return _wrap(value, bits, signed)


def _wrap(value: int, bits: int, signed: bool) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def read_literal(type: str, op: str, text: str, *, rawarg: bool = False) -> TypedValue:
    """Read the literal `text` for a left side of ``PT_*`` type `type`.

    Args:
        op: Operator without modifier; ``regex`` has its pattern checked.
        rawarg: Left side is ``evt.rawarg``, which takes no byte buffers.

    Raises:
        LiteralError: The text does not fit.
    """
    if rawarg and type == "PT_BYTEBUF":
        raise LiteralError("`evt.rawarg` takes no literals for byte buffers")
    if op in ("bcontains", "bstartswith"):
        if not text.isascii() or _hex(text) is None:
            raise LiteralError("an even number of hexadecimal digits is needed, without `0x`")
        if len(text) > 2 * LONGEST_TEXT:
            raise LiteralError(f"longer than {LONGEST_TEXT} bytes")
        return bytes.fromhex(text)
    if type == "PT_BYTEBUF":
        return _short(to_bytes(text))
    if "\0" in text:
        raise LiteralError("only byte buffers can be compared with a NUL byte")
    if type in _TEXTS:
        value = _short(to_bytes(text))
        if op == "regex":
            try:
                check_regex(value)
            except RegexError as e:
                raise LiteralError(str(e)) from None
        return value
    if type in _SIGNED or type in _UNSIGNED:
        return _integer(type, text)
    reader = _READERS.get(type)
    if reader is None:
        raise LiteralError("values of this type cannot be written in a condition")
    return reader(text)


def _short(value: bytes) -> bytes:
    if len(value) > LONGEST_TEXT:
        raise LiteralError(f"{len(value)} bytes, but {LONGEST_TEXT} is the most")
    return value


def _integer(type: str, text: str) -> int:
    signed = type in _SIGNED
    read, kept = (_SIGNED if signed else _UNSIGNED)[type]
    value = read_number(text, read, signed)
    if value is None:
        raise LiteralError("not a decimal number")
    return _wrap(value, kept, signed)


def _double(text: str) -> float:
    value = read_number(text, 32, True)
    if value is None:
        raise LiteralError("not a whole decimal number")
    return float(value)


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise LiteralError("neither `true` nor `false`")
    return text == "true"


def _port(text: str) -> int:
    if not text:
        return 0
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0") or "0"
        if len(digits) > 10 or int(digits) >= 1 << 31:
            raise LiteralError("not a port number")
        return int(digits) & 0xFFFF
    port = _SERVICES.get(text)
    if port is None:
        try:
            port = socket.getservbyname(text)
        except (OSError, ValueError):
            raise LiteralError("neither a port number nor a service name") from None
    return port


def _pack(text: str) -> bytes:
    # The dot decides, so `::ffff:1.2.3.4` is refused.
    family = socket.AF_INET if "." in text else socket.AF_INET6
    try:
        return socket.inet_pton(family, text)
    except (OSError, ValueError):
        version = "v4" if family == socket.AF_INET else "v6"
        raise LiteralError(f"not a {version} address") from None


def _address(text: str) -> bytes:
    return _pack(text)


def _network(text: str) -> tuple[bytes, int]:
    address, slash, length = text.partition("/")
    if not slash:
        raise LiteralError("a network is written `address/length`")
    if "." in text and "." not in address:
        raise LiteralError("not a v4 address")
    packed = _pack(address)
    prefix = read_number(length.partition("\n")[0], 32, False)
    least = 0 if len(packed) == 4 else 1
    # Lengths are read as one byte: 264 is 8.
    if prefix is None or not least <= (prefix := prefix & 0xFF) <= 8 * len(packed):
        raise LiteralError(f"the length is a number from {least} to {8 * len(packed)}")
    bits = 8 * len(packed)
    mask = ((1 << prefix) - 1) << (bits - prefix)
    return (int.from_bytes(packed, "big") & mask).to_bytes(len(packed), "big"), prefix


_READERS: dict[str, Callable[[str], TypedValue]] = {
    "PT_BOOL": _bool,
    "PT_DOUBLE": _double,
    "PT_PORT": _port,
    **dict.fromkeys(("PT_IPADDR", "PT_IPV4ADDR", "PT_IPV6ADDR"), _address),
    **dict.fromkeys(("PT_IPNET", "PT_IPV4NET", "PT_IPV6NET"), _network),
}

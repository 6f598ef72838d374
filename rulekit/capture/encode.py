"""Python values → parameter bytes, by parameter type. The inverse of what fields show."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from rulekit.schema.events import EventType, event_table, event_types
from rulekit.schema.values import value_tables

if TYPE_CHECKING:
    from rulekit.schema.events import Param

AT_FDCWD = -100

Address = tuple[str, int]
"""IP address and port."""

ParamValue = (
    None
    | bool
    | int
    | float
    | str
    | bytes
    | os.PathLike[str]
    | Address
    | tuple[Address, Address]
    | tuple[int, int, str]
    | Sequence[str]
    | Sequence[tuple[int, int]]
    | Mapping[str, str]
)
"""What a parameter can be made of; bytes are taken as they are, None is "no value"."""

_FORMATS = {
    "INT8": "<b", "INT16": "<h", "INT32": "<i", "INT64": "<q",
    "UINT8": "<B", "UINT16": "<H", "UINT32": "<I", "UINT64": "<Q",
    "ERRNO": "<q", "FD": "<q", "PID": "<q", "SYSCALLID": "<H", "SIGTYPE": "<B",
    "RELTIME": "<Q", "ABSTIME": "<Q", "PORT": "<H", "L4PROTO": "<B", "SOCKFAMILY": "<B",
    "BOOL": "<I", "FLAGS8": "<B", "FLAGS16": "<H", "FLAGS32": "<I", "UID": "<I", "GID": "<I",
    "SIGSET": "<I", "MODE": "<I", "ENUMFLAGS8": "<B", "ENUMFLAGS16": "<H", "ENUMFLAGS32": "<I",
    "FD32": "<i", "PID32": "<i",
}  # fmt: skip
_TEXTS = frozenset({"CHARBUF", "FSPATH", "FSRELPATH"})
_FAMILY = {4: b"\x02", 6: b"\x0a"}


@cache
def _numbers(kind: str) -> dict[str, int]:
    """Return name → number of errors, signals or system calls."""
    return {name: int(number) for number, name in value_tables()[kind].items()}


@cache
def _flags(table: str) -> dict[str, int]:
    return dict(value_tables()["flag_tables"][table])


@cache
def _current_types() -> dict[tuple[str, bool], EventType]:
    """Return the current form of each event by name and direction."""
    outdated = {"OLD_VERSION", "UNUSED"}
    return {(e.name, e.is_exit): e for e in event_types() if not outdated & e.flags}


def find_type(name: str, *, enter: bool = False) -> EventType:
    """Return an event type by its `evt.type` name, or by its name in the table (``PPME_...``).

    Args:
        enter: Take the enter event where there are both; types without an exit event (``procexit``,
            ``switch``) need no mention of it.

    Raises:
        ValueError: No current type has that name.
    """
    if name.startswith("PPME_"):
        for event in event_types():
            if event.enum == name:
                return event
        raise ValueError(f"no event type is called {name!r}")
    types = _current_types()
    found = types.get((name, not enter)) or types.get((name, False))
    if found is None:
        raise ValueError(f"no current event type is called {name!r}")
    return found


def encode_param(param: Param, value: ParamValue) -> bytes:
    """Return the bytes of one parameter.

    Numbers may be given by name: flags as ``O_RDONLY|O_CREAT``, errors as ``ENOENT`` (stored
    negative), signals, system calls, ``AT_FDCWD``. Lists become NUL-separated texts, mappings
    ``name=value`` texts, addresses `(ip, port)`, tuples a pair of addresses or
    `(source, destination, path)` of a unix socket.

    Raises:
        ValueError: The value does not fit the type.
    """
    try:
        return _encode(param, param.type.removeprefix("PT_"), value)
    except (TypeError, ValueError, KeyError, struct.error, OverflowError) as error:
        raise ValueError(f"parameter {param.name} ({param.type}): {value!r}: {error}") from error


def encode_params(event: EventType, values: Mapping[str, ParamValue]) -> list[bytes]:
    """Return the bytes of all parameters of a type; those not named are empty.

    Raises:
        ValueError: A name is unknown, or a value does not fit.
    """
    names = [p.name for p in event.params]
    unknown = [n for n in values if n not in names]
    if unknown:
        raise ValueError(
            f"event {event.name} has no parameter {', '.join(unknown)}; it has {', '.join(names)}"
        )
    return [encode_param(p, values.get(p.name)) for p in event.params]


def _encode(param: Param, kind: str, value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if kind in _TEXTS:
        return os.fsencode(_text(value)) + b"\0"
    if kind == "BYTEBUF":
        return _buffer(value)
    if kind in _FORMATS:
        return struct.pack(_FORMATS[kind], _number(param, kind, value))
    if kind == "DOUBLE":
        return struct.pack("<d", value)
    if kind in ("IPV4ADDR", "IPV6ADDR", "IPADDR"):
        return ip_address(_text(value)).packed
    if kind == "SOCKADDR":
        return _sockaddr(value)
    if kind == "SOCKTUPLE":
        return _socktuple(value)
    if kind == "FDLIST":
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError("a list of (fd, flags) is expected")
        pairs = [struct.pack("<qH", *pair) for pair in value]
        return struct.pack("<H", len(pairs)) + b"".join(pairs)
    if kind == "DYN":
        return _dynamic(param, value)
    raise ValueError("values of this type cannot be written")


def _text(value: Any) -> str:
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    raise ValueError("a text is expected")


def _buffer(value: Any) -> bytes:
    if isinstance(value, str):
        return os.fsencode(value)
    if isinstance(value, Mapping):
        value = [f"{name}={text}" for name, text in value.items()]
    if isinstance(value, Iterable):
        return b"".join(os.fsencode(_text(v)) + b"\0" for v in value)
    raise ValueError("a text, a list or a mapping is expected")


def _number(param: Param, kind: str, value: Any) -> int:
    if isinstance(value, int):  # bool too
        number = int(value)
        # Negative values of unsigned parameters are common as "none": -1.
        if number < 0 and _FORMATS[kind][1].isupper():
            number &= (1 << (8 * struct.calcsize(_FORMATS[kind]))) - 1
        return number
    if kind == "SIGSET" and not isinstance(value, str) and isinstance(value, Iterable):
        return sum(1 << (_numbers("signals")[_text(v)] - 1) for v in value)
    name = _text(value)
    if kind == "ERRNO":
        return -_numbers("errno")[name]
    if kind == "FD" and name == "AT_FDCWD":
        return AT_FDCWD
    if kind == "SIGTYPE":
        return _numbers("signals")[name]
    if kind == "SYSCALLID":
        return _numbers("ppm_sc")[name]
    if param.values is not None:
        number = 0
        for flag in name.split("|"):
            number |= _flags(param.values)[flag.strip()]
        return number
    raise ValueError("a number is expected")


def _endpoint(value: Any) -> tuple[IPv4Address | IPv6Address, int]:
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError("an address (ip, port) is expected")
    return ip_address(value[0]), int(value[1])


def _sockaddr(value: Any) -> bytes:
    if isinstance(value, (str, os.PathLike)):
        return b"\x01" + os.fsencode(value) + b"\0"
    ip, port = _endpoint(value)
    return _FAMILY[ip.version] + ip.packed + struct.pack("<H", port)


def _socktuple(value: Any) -> bytes:
    if not isinstance(value, tuple):
        raise ValueError("a pair of addresses is expected")
    if len(value) == 3:
        source, destination, path = value
        return b"\x01" + struct.pack("<QQ", source, destination) + os.fsencode(path) + b"\0"
    (sip, sport), (dip, dport) = _endpoint(value[0]), _endpoint(value[1])
    if sip.version != dip.version:
        raise ValueError("both addresses must be of one family")
    ends = [ip.packed + struct.pack("<H", port) for ip, port in ((sip, sport), (dip, dport))]
    return _FAMILY[sip.version] + ends[0] + ends[1]


def _dynamic(param: Param, value: Any) -> bytes:
    """Encode (variant index, value)."""
    if not isinstance(value, tuple) or len(value) != 2 or not isinstance(value[0], int):
        raise ValueError("(variant, value) is expected")
    for row in event_table()["dynamic_params"][param.dyn]:
        if row["index"] == value[0]:
            return bytes([value[0]]) + _encode(param, row["type"].removeprefix("PT_"), value[1])
    raise ValueError("no such variant")

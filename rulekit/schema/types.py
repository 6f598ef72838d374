"""Kinds of values and the operators that each kind allows.

Facts: rule language of engine 0.63.0 (table of types and operators).
"""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What a field yields, as far as comparisons care.

    INT is signed and UINT unsigned, both compared as 64 bits; PORT is UINT with service names.
    """

    TEXT = "text"
    BYTES = "bytes"
    INT = "int"
    UINT = "uint"
    BOOL = "bool"
    PORT = "port"
    DOUBLE = "double"
    ADDRESS = "address"
    NETWORK = "network"


KIND_OF_PARAM_TYPE: dict[str, Kind] = {
    **dict.fromkeys(("PT_CHARBUF", "PT_FSPATH", "PT_FSRELPATH", "PT_CHARBUFARRAY"), Kind.TEXT),
    **dict.fromkeys(("PT_BYTEBUF", "PT_SOCKADDR", "PT_SOCKTUPLE", "PT_FDLIST"), Kind.BYTES),
    **dict.fromkeys(
        ("PT_INT8", "PT_INT16", "PT_INT32", "PT_INT64", "PT_ERRNO", "PT_FD", "PT_PID"), Kind.INT
    ),
    **dict.fromkeys(("PT_FD32", "PT_PID32"), Kind.INT),
    **dict.fromkeys(("PT_UINT8", "PT_UINT16", "PT_UINT32", "PT_UINT64", "PT_SYSCALLID"), Kind.UINT),
    **dict.fromkeys(("PT_SIGTYPE", "PT_RELTIME", "PT_ABSTIME", "PT_L4PROTO"), Kind.UINT),
    **dict.fromkeys(("PT_SOCKFAMILY", "PT_FLAGS8", "PT_FLAGS16", "PT_FLAGS32"), Kind.UINT),
    **dict.fromkeys(("PT_ENUMFLAGS8", "PT_ENUMFLAGS16", "PT_ENUMFLAGS32"), Kind.UINT),
    **dict.fromkeys(("PT_UID", "PT_GID", "PT_MODE", "PT_SIGSET"), Kind.UINT),
    "PT_BOOL": Kind.BOOL,
    "PT_PORT": Kind.PORT,
    "PT_DOUBLE": Kind.DOUBLE,
    **dict.fromkeys(("PT_IPADDR", "PT_IPV4ADDR", "PT_IPV6ADDR"), Kind.ADDRESS),
    **dict.fromkeys(("PT_IPNET", "PT_IPV4NET", "PT_IPV6NET"), Kind.NETWORK),
}


def _all(names: str, value: frozenset[str]) -> dict[str, frozenset[str]]:
    return {f"PT_{name}": value for name in names.split()}


_EQUALITY = frozenset({"=", "==", "!=", "in", "intersects", "exists"})
_ORDER = frozenset({"<", "<=", ">", ">="})
_TEXT = frozenset(
    {"contains", "icontains", "startswith", "endswith", "glob", "iglob", "regex", "pmatch"}
)
_BUFFER = frozenset({"contains", "startswith", "endswith", "bcontains", "bstartswith"})

# By declared type rather than by kind: some types that hold a plain number (a user id, a set of
# signals) cannot be compared at all, which matters for `evt.rawarg`.
OPERATORS_OF_TYPE: dict[str, frozenset[str]] = {
    **_all("INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64", _EQUALITY | _ORDER),
    **_all("ERRNO FD PID SYSCALLID SIGTYPE RELTIME ABSTIME PORT DOUBLE MODE", _EQUALITY | _ORDER),
    **_all("FLAGS8 FLAGS16 FLAGS32 ENUMFLAGS8 ENUMFLAGS16 ENUMFLAGS32", _EQUALITY | _ORDER),
    **_all("BOOL IPV4ADDR IPV6ADDR IPADDR IPV4NET IPV6NET IPNET", _EQUALITY),
    **_all("CHARBUF FSPATH FSRELPATH", _EQUALITY | _ORDER | _TEXT),
    **_all("BYTEBUF", _EQUALITY | _BUFFER),
}

_LIST_TYPES = frozenset(
    {"PT_CHARBUF", "PT_UINT64", "PT_RELTIME", "PT_ABSTIME", "PT_BOOL", "PT_IPADDR", "PT_IPNET"}
)
_LIST_OPERATORS = frozenset({"in", "intersects", "exists"})


def operators_of(type: str, is_list: bool = False) -> frozenset[str]:
    """Return the operators that a value of ``PT_*`` type `type` allows."""
    if is_list:
        return _LIST_OPERATORS if type in _LIST_TYPES else frozenset({"exists"})
    return OPERATORS_OF_TYPE.get(type, frozenset({"exists"}))

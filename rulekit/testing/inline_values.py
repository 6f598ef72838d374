"""Values of inline events: what is written, checked, with the place of a mistake."""

from __future__ import annotations

import re
import shlex
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, TypeAlias

from rulekit.errors import RulekitError
from rulekit.rules.names import close_to

Path: TypeAlias = "tuple[str | int, ...]"
"""Way from the list of events to a value: positions in lists (from 0) and keys."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h|d)").fullmatch
_UNITS_NS = {
    "ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}  # fmt: skip
LATEST_NS = (1 << 63) - 1
_ENDPOINT = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\]:(?P<p6>\d+)|(?P<v4>[\d.]+):(?P<p4>\d+)")


class InlineError(RulekitError):
    """An inline event that cannot be made.

    Attributes:
        path: Where the mistake is.
        help: What to write instead, or None.
        is_key: Whether the mistake is the last key of the path, not its value.
    """

    def __init__(
        self, path: Path, message: str, help: str | None = None, *, is_key: bool = False
    ) -> None:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        super().__init__(f"events{where}: {message}")
        self.path = path
        self.message = message
        self.help = help
        self.is_key = is_key


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Make a mistake at `path` of what does not fit into a capture."""
    try:
        yield
    except (ValueError, struct.error) as error:
        raise InlineError(path, f"this does not fit into a capture: {error}") from error


def keys_of(value: Any, known: Iterable[str], path: Path, what: str) -> Mapping[str, Any]:
    """Return a map of known keys.

    Raises:
        InlineError: Not a map, or a key that nothing reads.
    """
    if not isinstance(value, Mapping):
        raise InlineError(path, f"{what} is a map of keys")
    names = list(known)
    for key in value:
        if key not in names:
            raise unknown(key, names, (*path, key), f"{what} has no key", is_key=True)
    return value


def unknown(
    name: Any, known: Iterable[str], path: Path, message: str, *, is_key: bool = False
) -> InlineError:
    """Return the error for a name that means nothing, with the closest one that does."""
    names = sorted(known)
    close = close_to(str(name), names)
    if close:
        help_: str | None = f"did you mean `{close}`?"
    else:
        help_ = f"it has {', '.join(names)}" if len(names) <= 40 else None
    return InlineError(path, f"{message} `{name}`", help_, is_key=is_key)


def text(value: Any, path: Path, what: str) -> str:
    """Return a text; numbers are texts, too, where a text is wanted."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InlineError(path, f"{what} is text")
    return str(value)


def number(value: Any, path: Path, what: str) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InlineError(path, f"{what} is a whole number")
    return value


def boolean(value: Any, path: Path, what: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise InlineError(path, f"{what} is true or false")
    return value


def words(value: Any, path: Path, what: str) -> list[str]:
    """Return the words of a command: a list of texts, or one text in the shell's quoting."""
    if isinstance(value, (list, tuple)):
        return [text(item, (*path, i), what) for i, item in enumerate(value)]
    try:
        return shlex.split(text(value, path, what))
    except ValueError as error:
        raise InlineError(path, f"{what} cannot be split into words: {error}") from None


def variables(value: Any, path: Path) -> list[str]:
    """Return an environment as ``NAME=value`` texts."""
    if isinstance(value, Mapping):
        return [f"{name}={text(item, (*path, name), 'a variable')}" for name, item in value.items()]
    return words(value, path, "the environment")


def duration_ns(value: Any, path: Path) -> int:
    """Return a duration such as ``5s`` or ``1.5h`` in nanoseconds."""
    found = _DURATION(text(value, path, "a duration"))
    if found is None:
        raise InlineError(path, f"`{value}` is no duration", "write a number with ms, s, m, h or d")
    return int(min(float(found[1]) * _UNITS_NS[found[2]], LATEST_NS))


def later(now_ns: int, value: Any, path: Path) -> int:
    """Return the time a duration after another one."""
    now_ns += duration_ns(value, path)
    if now_ns > LATEST_NS:
        raise InlineError(path, "that is after the year 2262, when the time of captures ends")
    return now_ns


def endpoint(value: Any, path: Path) -> tuple[str, int]:
    """Return address and port of ``10.0.0.1:80`` or ``[::1]:80``."""
    found = _ENDPOINT.fullmatch(text(value, path, "an address"))
    if found is not None:
        address, port = found["v4"] or found["v6"], int(found["p4"] or found["p6"])
        try:
            ip_address(address)
        except ValueError:
            found = None
        else:
            if port <= 65535:
                return address, port
    raise InlineError(
        path, f"`{value}` is no address with port", "write 10.0.0.1:80 or [2001:db8::1]:80"
    )


def is_path(value: Any) -> bool:
    """Tell whether an address is the path of a unix socket."""
    return isinstance(value, str) and value.startswith(("/", "@"))


def octal(value: Any, path: Path) -> int | str:
    """Return permission bits: ``755``, ``"4755"`` as octal digits, or names with ``|``.

    A number from Python is taken as it is.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    digits = text(value, path, "a mode")
    if re.fullmatch(r"(0o)?[0-7]{1,6}", digits):
        return int(digits.removeprefix("0o"), 8)
    if re.fullmatch(r"S_\w+(\s*\|\s*S_\w+)*", digits):
        return digits
    raise InlineError(path, f"`{value}` is no mode", "write octal digits (4755) or S_ISUID|S_IRWXU")

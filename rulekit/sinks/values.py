"""Values that a configuration writes in its own way: sizes, times, secrets, conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rulekit.text.source import SourceText

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) ?(B|kB|KB|MB|GB|KiB|MiB|GiB|k|K|M|G)?")
_SIZES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZES |= {"k": 1 << 10, "K": 1 << 10, "KiB": 1 << 10, "M": 1 << 20, "MiB": 1 << 20}
_SIZES |= {"G": 1 << 30, "GiB": 1 << 30}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,15})?) ?(ms|s|m|min|h|d)?")
_RATE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) ?/ ?(\d{1,9})?(ms|s|m|min|h|d)")
_DURATIONS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class Size(int):
    """A number of bytes, written ``64MiB``."""

    @classmethod
    def parse(cls, text: str) -> Size:
        """Return a size; raises `ValueError` with what to write instead."""
        found = _SIZE.fullmatch(text)
        if found is None:
            raise ValueError("a size is written `500`, `64KiB`, `1.5GiB`")
        return cls(float(found[1]) * _SIZES[found[2] or "B"])


class Duration(float):
    """Seconds, written ``10s``."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Return a duration; raises `ValueError` with what to write instead."""
        found = _DURATION.fullmatch(text)
        if found is None:
            raise ValueError("a time is written `200ms`, `10s`, `5m`, `1h`")
        return cls(float(found[1]) * _DURATIONS[found[2] or "s"])


class Rate(float):
    """So many per second, written ``10/m``."""

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Return a rate; raises `ValueError` with what to write instead."""
        found = _RATE.fullmatch(text)
        if found is None or float(found[1]) <= 0:
            raise ValueError("a rate is written `5/s`, `10/m`, `100/h`, `1/10s`")
        return cls(float(found[1]) / Duration.parse((found[2] or "1") + found[3]))


class Secret:
    """A password or token that a file or the environment holds; it never prints itself.

    Attributes:
        origin: Where it is from, for messages.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, origin: str, value: str) -> None:
        self.origin = origin
        self._value = value

    def reveal(self) -> str:
        """Return the secret."""
        return self._value

    def __repr__(self) -> str:
        return f"<secret of {self.origin}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("secrets are not pickled")


class MaybeSecret:
    """Text of the configuration, or a secret in its place; prints only what is no secret."""

    __slots__ = ("_value",)

    def __init__(self, value: str | Secret) -> None:
        self._value = value

    @property
    def is_secret(self) -> bool:
        """Whether it must not be printed."""
        return isinstance(self._value, Secret)

    def reveal(self) -> str:
        """Return the text or the secret."""
        return self._value.reveal() if isinstance(self._value, Secret) else self._value

    def __repr__(self) -> str:
        return repr(self._value)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return text of somebody else, who may have repeated what he was sent, with stars in place."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


class Condition:
    """A condition on alerts, with its place in the configuration."""

    __slots__ = ("text",)

    def __init__(self, text: SourceText) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"<condition {self.text.text!r}>"

"""Regular expressions as conditions mean them: RE2, POSIX syntax, the whole value.

RE2 runs in time linear in the text, so that no rule and no value can stall the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

MAX_PROGRAM_BYTES = 8 << 20  # RE2's own default; larger patterns are refused, not slow

FullMatch = Callable[[bytes], bool]


class RegexError(ValueError):
    """A pattern that RE2 refuses; the text is RE2's reason."""


class RegexUnavailableError(RegexError):
    """The package `google-re2` is not installed, so no pattern can be read."""


@lru_cache(maxsize=4096)
def compile_regex(pattern: bytes) -> FullMatch:
    """Return a function that says whether a whole value matches `pattern`.

    Invalid UTF-8 in the value reads as U+FFFD. Raises `RegexError` for a bad pattern.
    """
    # Imported late: no upstream rule uses `regex`, and the import costs 20 ms.
    try:
        re2: Any = import_module("re2")
    except ImportError as error:
        raise RegexUnavailableError(
            "regular expressions need the package google-re2 (pip install google-re2)"
        ) from error
    options = re2.Options()
    options.posix_syntax = True
    options.longest_match = True
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MAX_PROGRAM_BYTES
    try:
        program: Any = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not a regular expression"
        raise RegexError(
            reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        ) from error

    def matches(value: bytes) -> bool:
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            value = value.decode("utf-8", "replace").encode("utf-8")
        return program.fullmatch(value) is not None

    return matches

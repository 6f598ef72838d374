"""Regular expressions as conditions mean them."""

from __future__ import annotations

import time

import pytest

from rulekit.native.regex import RegexError, compile_regex

pytest.importorskip("re2")


@pytest.mark.parametrize(
    ("pattern", "value", "answer"),
    [
        (b"lib", b"/usr/lib", False),
        (b"lib", b"lib", True),
        (b".*lib", b"/usr/lib", True),
        (b"", b"", True),
        (b"", b"x", False),
        (b"(/lib|/etc)/.*", b"/etc/x", True),
        (b"a|ab", b"ab", True),
        (b"[[:alpha:]]+", b"abc", True),
        (b"[^/]+", b"a/b", False),
        (b"a.c", b"a\nc", False),
        (b"^a$", b"a", True),
        (b"a{2,3}", b"aaaa", False),
        (b".", "\u00e4".encode(), True),
        (b".", b"\xff", True),
        (b"\\.so", b".so", True),
    ],
)
def test_the_whole_value_must_match(pattern: bytes, value: bytes, answer: bool) -> None:
    assert compile_regex(pattern)(value) is answer


@pytest.mark.parametrize(
    "pattern",
    [b"[", b"(", b"*a", b"\\d+", b"(?i)cat", b"\\bcat", b"(a)\\1", b"\\pL", b"[z-a]", b"a{1001}"],
)
def test_what_posix_syntax_does_not_know_is_refused(pattern: bytes) -> None:
    with pytest.raises(RegexError):
        compile_regex(pattern)


def test_no_pattern_explodes() -> None:
    matches = compile_regex(b"(a*)*(a*)*(a|aa)*b")
    start = time.process_time()
    assert not matches(b"a" * 100_000)
    assert time.process_time() - start < 20

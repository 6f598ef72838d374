"""Patterns of `glob` and `pmatch` agree with the reference and with the C library."""

from __future__ import annotations

import ctypes
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from rulekit.compiler.reference import path_matches
from rulekit.compiler.reference_glob import glob_matches
from rulekit.native._text import check_glob, check_path

CASEFOLD = 16  # FNM_CASEFOLD
texts = st.text(st.sampled_from("abAB/.-]["), max_size=6).map(str.encode)
patterns = st.text(st.sampled_from("abAB/.*?[]!-^\\:"), max_size=8).map(str.encode)
# Brackets that are closed: what the C library makes of others differs between versions.
closed = st.lists(
    st.sampled_from(
        ["a", "B", "*", "?", "[ab]", "[!a]", "[a-b]", "[^/]", "[[:alpha:]]", "\\*", "/"]
    ),
    max_size=5,
).map(lambda parts: "".join(parts).encode())


@settings(max_examples=settings().max_examples * 20)
@given(texts, patterns, st.booleans())
def test_globs_agree_with_the_reference(text: bytes, pattern: bytes, fold: bool) -> None:
    assert check_glob(text, pattern, fold) == glob_matches(text, pattern, fold)


@settings(max_examples=settings().max_examples * 20)
@given(texts, closed, st.booleans())
def test_globs_agree_with_the_c_library(text: bytes, pattern: bytes, fold: bool) -> None:
    found = ctypes.CDLL(None).fnmatch(pattern, text, CASEFOLD if fold else 0) == 0
    assert check_glob(text, pattern, fold) == found


@settings(max_examples=settings().max_examples * 20)
@given(
    st.text(st.sampled_from("ab/"), max_size=8).map(str.encode),
    st.text(st.sampled_from("ab/*?"), max_size=8).map(str.encode),
)
def test_paths_agree_with_the_reference(value: bytes, path: bytes) -> None:
    assert check_path(value, path) == path_matches(value, path)


def test_no_pattern_explodes() -> None:
    start = time.process_time()
    assert not check_glob(b"a" * 5000, b"*a" * 2000 + b"b")
    assert time.process_time() - start < 20

"""Bytes as valid UTF-8, against Python's own codec."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.native._utf8 import check_utf8

# Bytes that begin, continue and break sequences, at the limits of their ranges.
_edges = st.sampled_from(list(bytes.fromhex("00417f808f909fa0bfc0c1c2dfe0e1ecedeeeff0f1f3f4f5ff")))


@given(st.one_of(st.binary(max_size=40), st.lists(_edges, max_size=12).map(bytes)))
def test_invalid_parts_become_the_replacement_character(text: bytes) -> None:
    assert check_utf8(text) == text.decode("utf-8", "replace").encode()


@given(st.text(max_size=40))
def test_valid_text_stays(text: str) -> None:
    raw = text.encode("utf-8", "replace")
    assert check_utf8(raw) == raw


@pytest.mark.parametrize("text", [b"", b"\xe2\x82", b"\xf0\x9f\x98\x80", b"a" * 17 + b"\xff"])
def test_ends_are_seen(text: bytes) -> None:
    assert check_utf8(text) == text.decode("utf-8", "replace").encode()

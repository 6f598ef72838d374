"""The own reader of JSON texts against msgspec: what it accepts is accepted, and cut alike."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rulekit.native._jsonlines import cut_json

read_lines = msgspec.json.Decoder(msgspec.Raw).decode_lines

TOKENS = [
    "{", "}", "[", "]", ",", ":", '"', '""', '"a"', '"\\\\"', "\\", "\\u12aF", "\\ud800", "\\q",
    "0", "-", "1", "01", ".5", "1.5e+3", "e", "true", "false", "null", "nul", " ", "\n", "\r\n",
    "\t", "\x01", "é", "a" * 17, "\x7f",
]  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=40),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=20), inner, max_size=5)
    ),
    max_leaves=25,
)  # fmt: skip


def compare(text: bytes) -> None:
    mine = cut_json(text)
    if mine is not None:
        assert mine == [bytes(each) for each in read_lines(text)]
        for each in mine:
            json.loads(each)


@settings(max_examples=settings().max_examples * 5)
@given(st.lists(st.sampled_from(TOKENS), max_size=12))
@example(['"', "a" * 17, "\x01", '"'])
@example(["[", "0", "1", "]"])
def test_tokens_in_any_order(tokens: list[str]) -> None:
    compare("".join(tokens).encode())


@given(st.lists(VALUES, max_size=4), st.sampled_from([None, 1]), st.data())
def test_damaged_documents(values: list[Any], indent: int | None, data: st.DataObject) -> None:
    text = bytearray("\n".join(json.dumps(value, indent=indent) for value in values).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        if text:
            at = data.draw(st.integers(0, len(text) - 1))
            if data.draw(st.booleans()):
                text[at] = data.draw(st.integers(0, 255))
            else:
                del text[at : at + data.draw(st.integers(1, 4))]
    compare(bytes(text))


@given(st.lists(VALUES, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_sound_documents_are_accepted(values: list[Any], indent: int | None, ascii: bool) -> None:
    parts = [json.dumps(value, indent=indent, ensure_ascii=ascii) for value in values]
    text = "\n".join(parts)
    if "\\ud" in text:
        return  # pairs of surrogates are left to others
    assert cut_json(text.encode()) == [part.encode() for part in parts]
    assert cut_json("\r\n\n".join(parts).encode() + b" \n") == [part.encode() for part in parts]


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1', b'{"a"}', b'{"a":}', b'{"a":1,}', b"[1,]", b"[1 2]", b'{1:2}', b'"\xff"',
        b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"a\nb"', b'"\\u12g4"', b'"\\', b'"', b"-", b"1.", b"1e",
        b"00", b"+1", b"Infinity", b"NaN", b"{} {}", b"\xef\xbb\xbf{}", b"[" * 300 + b"]" * 300,
        b"tru", b"'a'", b"{}x", b"[}", b"{]", b"\0", b"{}\0",
    ],
)  # fmt: skip
def test_what_is_left_to_others(text: bytes) -> None:
    assert cut_json(text) is None
    assert cut_json(b"{}\n" * 20 + text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", []),
        (b" \n\t\r\n ", []),
        (b'{"a": [1, -0.5e-7, "\\u00e9\\"\\\\"]}\n\n[]', None),
        (b"1\n2 \r\n3", [b"1", b"2", b"3"]),
        (b'"' + b"x" * 1000 + b'"', [b'"' + b"x" * 1000 + b'"']),
        (b"[" * 200 + b"]" * 200, [b"[" * 200 + b"]" * 200]),
    ],
)
def test_what_is_accepted(text: bytes, found: list[bytes] | None) -> None:
    mine = cut_json(text)
    assert mine is not None
    assert mine == (found if found is not None else [bytes(each) for each in read_lines(text)])

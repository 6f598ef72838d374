"""Interning, collection, buffers and scratch memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.native._probe import StringProbe, scratch_fill, write_buf

TEXTS = st.lists(st.binary(max_size=40), max_size=60)


@given(TEXTS)
def test_equal_texts_are_one_string(texts: list[bytes]) -> None:
    table = StringProbe()
    by_text: dict[bytes, int] = {}
    for text in texts:
        identity, _, stored = table.intern(text)
        assert stored == text
        assert by_text.setdefault(text, identity) == identity
    assert len(set(by_text.values())) == len(by_text)


@given(TEXTS, st.data())
def test_a_collection_keeps_what_is_marked(texts: list[bytes], data: st.DataObject) -> None:
    table = StringProbe()
    before = {text: table.intern(text) for text in texts}
    keep = [text for text in before if data.draw(st.booleans())]
    table.collect(keep)
    assert table.stats()["n_strings"] == len(set(keep) | {b"", b"<NA>"})
    for text in keep:
        assert table.intern(text) == before[text]


def test_a_growing_table_finds_everything() -> None:
    table = StringProbe()
    texts = [b"/some/path/%d" % i for i in range(20_000)]
    first = [table.intern(text)[0] for text in texts]
    assert [table.intern(text)[0] for text in texts] == first
    assert len(set(first)) == len(first)


def test_ids_are_unique_among_the_living_and_used_again() -> None:
    table = StringProbe()
    old = {table.intern(b"%d" % i)[1] for i in range(100)}
    table.collect([b"7"])
    new = {table.intern(b"x%d" % i)[1] for i in range(99)}
    assert table.intern(b"7")[1] not in new
    assert new < old


def test_permanent_strings_outlive_collections() -> None:
    table = StringProbe()
    kept = table.intern(b"/etc/shadow", permanent=True)
    table.intern(b"/tmp/x")
    table.collect([])
    assert table.intern(b"/etc/shadow") == kept
    assert table.stats()["n_collected"] == 1


def test_beyond_the_hard_limit_texts_are_refused_and_counted() -> None:
    table = StringProbe(soft_bytes=2048, hard_bytes=8192)
    for i in range(1000):
        table.intern(b"%d" % i)
    stats = table.stats()
    assert stats["n_bytes"] <= 8192
    assert stats["n_refused"] > 0
    assert stats["due"]
    assert table.intern(b"one more") == table.intern(b"")


def test_a_full_table_does_not_ask_for_a_collection_at_each_event() -> None:
    table = StringProbe(soft_bytes=2048, hard_bytes=8192)
    texts = [b"%d" % i for i in range(100)]
    for text in texts:
        table.intern(text)
    assert table.stats()["due"]
    table.collect(texts)
    assert not table.stats()["due"]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], b""),
        ([0], b"0"),
        ([2**64 - 1, b" ", -(2**63)], b"18446744073709551615 -9223372036854775808"),
        ([b"abc", b"x", b"a\0b"], b"abcxa\0b"),
        ([b"ab" * 4000, -1], b"ab" * 4000 + b"-1"),
    ],
)
def test_a_buffer_holds_what_was_put(parts: list[bytes | int], expected: bytes) -> None:
    assert write_buf(parts) == expected


@given(st.lists(st.integers(0, 200_000), max_size=12))
def test_scratch_blocks_do_not_overlap(sizes: list[int]) -> None:
    assert scratch_fill(sizes)

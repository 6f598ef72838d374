"""Skipping what is between two values, and counting lines."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from rulekit.native._json import count_lines
from tests.state.documents import values_of

TEXTS = st.text(st.sampled_from('{}[]"\\:, ab\né'), max_size=70)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(TEXTS, inner, max_size=5)),
    max_leaves=30,
)


@given(VALUES, VALUES, st.sampled_from([None, 1]), st.booleans())
def test_values_behind_others_are_found(
    before: object, value: object, indent: int | None, ascii: bool
) -> None:
    document = {"x": before, "y": [before, value], "z": value}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii).encode()
    y, item, z = values_of(
        text, "jevt.value[/y]", "jevt.value[/y/1]", "jevt.value[/z]", source="walk_test"
    )
    assert y == json.dumps([before, value], separators=(",", ":"), ensure_ascii=ascii)
    assert item == z
    assert z == value if isinstance(value, str) else json.loads(z) == value


@given(st.binary(max_size=300))
def test_lines_are_counted(data: bytes) -> None:
    assert count_lines(data) == data.count(b"\n")

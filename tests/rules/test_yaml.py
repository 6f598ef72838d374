"""Rule files as YAML: scalars as text, positions, and input that is not YAML."""

from __future__ import annotations

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

import rulekit.rules.yaml as yaml_module
from rulekit.errors import RuleError
from rulekit.rules._scan import scalar_text
from rulekit.rules.yaml import (
    Mapping,
    Scalar,
    Sequence,
    YamlNode,
    decode_text,
    node_span,
    parse_documents,
)
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText


def _parse(text: str) -> list[YamlNode]:
    return parse_documents(SourceText("t.yaml", text), [])


def _scalars(node: YamlNode) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, Sequence):
        return [found for item in node.items for found in _scalars(item)]
    return [found for pair in node.pairs for inner in pair for found in _scalars(inner)]


def _failure(text: str) -> Diagnostic:
    with pytest.raises(RuleError) as caught:
        _parse(text)
    assert len(caught.value.diagnostics) == 1
    return caught.value.diagnostics[0]


def test_scalars_stay_text_whatever_yaml_makes_of_them() -> None:
    (root,) = _parse("- [1, true, 0x1F, 2001-01-01, 1e3, ~, null, '', 'null', !!str null]\n")
    assert isinstance(root, Sequence)
    scalars = _scalars(root)
    assert [s.value for s in scalars] == [
        *("1", "true", "0x1F", "2001-01-01", "1e3", "~", "null", "", "null", "null")
    ]
    assert [s.null for s in scalars] == [*[False] * 5, True, True, False, False, False]


def test_the_first_of_equal_keys_counts_and_merge_keys_stay_keys() -> None:
    (root,) = _parse("a: 1\na: 2\n<<: {b: 3}\n")
    assert isinstance(root, Mapping)
    first = root.get("a")
    assert isinstance(first, Scalar)
    assert first.value == "1"
    assert root.get("b") is None
    assert len(root.pairs) == 3


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("# nothing\n", 0), ("---\n", 1), ("- a\n---\n- b\n", 2), ("---\n---\n- a\n", 2)],
)
def test_documents_are_counted_as_falco_counts_them(text: str, count: int) -> None:
    assert len(_parse(text)) == count


@pytest.mark.parametrize(
    ("code", "text", "place"),
    [
        ("RK003", "- a: \x00\n", (1, 6)),
        ("RK003", "- a: \x1b[31m\n", (1, 6)),
        ("RK003", "- a: \ufeffb\n", (1, 6)),
        ("RK003", "- a: \udc80\n", (1, 6)),
        ("RK005", "- rule: x\n\tdesc: y\n", (2, 1)),
        ("RK005", "\t- rule: x\n", (1, 1)),
        ("RK004", "- rule: x\n   desc: y\n", (2, 8)),
        ("RK004", "- items: [a, b\n- x\n", (1, 10)),
        ("RK004", "- a: @x\n", (1, 6)),
        ("RK004", "- a: %x\n", (1, 6)),
        ("RK004", "- a: [b]]\n", (1, 9)),
        ("RK006", '- a: "b', (1, 6)),
        ("RK006", "- a: 'b", (1, 6)),
        ("RK006", '- a: "b\n---\n- c\n', (1, 6)),
        ("RK008", "- *a\n", (1, 3)),
        ("RK008", "- &a [*a]\n", (1, 7)),
        ("RK009", "- " + "[" * 501 + "\n", (1, 502)),
        ("RK009", "[" * 900, (1, 501)),
        ("RK009", "{a: " * 900, (1, 2001)),
    ],
)
def test_what_is_not_yaml_is_shown_where_it_stands(
    code: str, text: str, place: tuple[int, int]
) -> None:
    found = _failure(text)
    assert (found.code, found.span.source.locate(found.span.start)) == (code, place)
    assert found.falco == "LOAD_ERR_YAML_PARSE"


def test_nodes_are_the_same_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(pyyaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml")
    text = "# c\n- rule: &a 'x'\n  list: [a, \"b\\n\", *a]\n  null: ~\n- >\n  a\n  b\n\n---\n"
    found = []
    for loader in (pyyaml.CSafeLoader, pyyaml.SafeLoader):
        monkeypatch.setattr(yaml_module, "_Loader", loader)
        scalars = [scalar for root in _parse(text) for scalar in _scalars(root)]
        found.append([(s.start, s.end, s.value, s.style, s.null) for s in scalars])
    assert found[0] == found[1]
    assert len(found[0]) == 10


def test_a_quote_open_at_the_end_of_the_file_is_closed_there() -> None:
    notes: list[Diagnostic] = []
    file = SourceText("t.yaml", '- a: "b\n  c\n')
    (root,) = parse_documents(file, notes)
    assert [s.value for s in _scalars(root)] == ["a", "b c "]
    assert [(n.code, n.severity) for n in notes] == [("RK006", "warning")]


@pytest.mark.parametrize(
    ("text", "documents", "places"),
    [
        ("- a\n...\n- b\n", [["a"], ["b"]], []),
        ("...\n- a\n...\n", [["a"]], []),
        ("...\n---\n- a\n", [["a"]], []),
        ("- a: b\n  c # d\n", [["a", "b", "c", ""]], [(2, 3)]),
        ("- a\nb\n", [["a"], ["b"]], [(2, 1)]),
        ("- a\nb: c\nd: e\n", [["a"], ["b", "c", "d", "e"]], [(2, 1)]),
        ("  - a\n- b\n- c\n", [["a"], ["b", "c"]], [(2, 1)]),
        ("- [a, , b]\n- c\nd: e\n", [["a", "", "b", "c"], ["d", "e"]], [(1, 7), (3, 1)]),
        ("- [=, !=]\n- b\n", [["=", "", "b"]], [(1, 7)]),
    ],
)
def test_slips_that_falco_does_not_mind_are_told(
    text: str, documents: list[list[str]], places: list[tuple[int, int]]
) -> None:
    notes: list[Diagnostic] = []
    file = SourceText("t.yaml", text)
    roots = parse_documents(file, notes)
    scalars = [_scalars(root) for root in roots]
    assert [[s.value.replace("~", "") for s in found] for found in scalars] == documents
    assert [n.span.source.locate(n.span.start) for n in notes] == places
    assert {n.severity for n in notes} <= {"warning"}
    for scalar in (s for found in scalars for s in found if s.value not in ("", "~")):
        assert text[scalar.start : scalar.end] == scalar.value


@pytest.mark.parametrize("text", ["- a: b\n  c\n  d: e\n", "- a: b\n 'c'\n", "- [a\nb: c\n"])
def test_slips_that_falco_minds_are_errors(text: str) -> None:
    assert _failure(text).falco == "LOAD_ERR_YAML_PARSE"


def test_aliases_are_bounded() -> None:
    bomb = "- &a [x, x, x, x, x, x, x, x, x, x]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True):
        bomb += f"- &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    assert _failure(bomb).code == "RK007"


def test_an_alias_is_the_node_of_its_anchor() -> None:
    (root,) = _parse("- &x [a, b]\n- *x\n")
    assert isinstance(root, Sequence)
    assert root.items[0] is root.items[1]


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"- a\n- caf\xe9\n", (2, 6)), (b"\xff\xff", (1, 1)), ("é".encode() + b"\x80", (1, 2))],
)
def test_bytes_that_are_not_utf8_are_shown(content: bytes, place: tuple[int, int]) -> None:
    with pytest.raises(RuleError) as caught:
        decode_text("t.yaml", content)
    found = caught.value.diagnostics[0]
    assert found.code == "RK002"
    assert found.span.source.locate(found.span.start) == place


def test_a_byte_order_mark_is_dropped() -> None:
    assert decode_text("t", b"\xef\xbb\xbf- a").text == "- a"
    assert decode_text("t", "\ufeff- a".encode("utf-16-le")).text.lstrip("\ufeff") == "- a"


@pytest.mark.parametrize(
    ("text", "value", "word"),
    [
        ("- evt.type = opne and x\n", "evt.type = opne and x", "opne"),
        ("- a\n  b opne\n  c\n", "a b opne c", "opne"),
        ("- 'it''s opne ''here'''\n", "it's opne 'here'", "here"),
        ('- "a\\tb \\"opne\\" \\x41 x"\n', 'a\tb "opne" A x', "opne"),
        ('- "a \\\n     opne"\n', "a opne", "opne"),
        ('- "a\n\n  opne"\n', "a\nopne", "opne"),
        ("- >\n  a\n  opne\n\n  b\n", "a opne\nb\n", "opne"),
        ("- >-\n    a\n      indented\n    opne", "a\n  indented\nopne", "opne"),
        ("- |\n  a\n    b\n  opne\n", "a\n  b\nopne\n", "opne"),
        ("- |2\n    a\n  opne\n", "  a\nopne\n", "opne"),
        ("- >\r\n  a\r\n  opne\r\n", "a opne\n", "opne"),
        ("- &x !!str opne\n", "opne", "opne"),
        ("- 日本 opne\n", "日本 opne", "opne"),
    ],
)
def test_a_word_of_a_scalar_is_found_in_the_file(text: str, value: str, word: str) -> None:
    file = SourceText("t.yaml", text)
    (root,) = parse_documents(file, [])
    (scalar,) = _scalars(root)
    assert scalar.value == value
    inner = scalar_text(file, scalar)
    at = value.index(word)
    assert inner.span(at, at + len(word)).outermost().text == word


_words = st.sampled_from(["a", "bc", "'", '"', "\\", "#", ":", "-", "é", " ", "  ", "\n", "\n\n"])
_texts = st.lists(_words, max_size=12).map("".join)


@given(_texts, st.sampled_from(["'", '"', "|", ">", None]))
def test_every_character_of_a_scalar_comes_from_the_same_character(text: str, style: str) -> None:
    written = pyyaml.dump([text], default_style=style, allow_unicode=True, width=12)
    file = SourceText("t.yaml", written)
    (root,) = parse_documents(file, [])
    (scalar,) = _scalars(root)
    inner = scalar_text(file, scalar)
    last = 0
    for i, char in enumerate(inner.text):
        span = inner.span(i, i + 1).outermost()
        assert scalar.start <= span.start < scalar.end
        assert span.start >= last
        last = span.start
        if not char.isspace() and scalar.style != '"':
            assert written[span.start] == char


@given(st.text(alphabet="ab-:[]{}'\"#&*!|>%@,\t\n ?", max_size=40))
def test_any_text_gives_nodes_or_one_diagnostic(text: str) -> None:
    file = SourceText("t.yaml", text)
    try:
        roots = parse_documents(file, [])
    except RuleError as error:
        (found,) = error.diagnostics
        assert 0 <= found.span.start <= found.span.end <= len(text)
        return
    for root in roots:
        for scalar in _scalars(root):
            span = node_span(file, scalar)
            assert 0 <= span.start <= span.end <= len(text)
            scalar_text(file, scalar).span(0, 1).outermost()


@pytest.mark.parametrize("piece", ["[", "{a: ", "- "])
def test_what_the_yaml_library_itself_refuses_is_too_deep_as_well(piece: str) -> None:
    assert _failure(piece * 100_000).code == "RK009"

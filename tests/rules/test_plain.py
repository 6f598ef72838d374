"""What is plain in rule files is read and put together as `items` and `lists` do it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulekit.rules import items, shape
from rulekit.rules._plain import PlainReader, is_plain, with_macros_put_in
from rulekit.rules.ast import AndNode, ComparisonNode, MacroNode, Node, NotNode, OrNode
from rulekit.rules.definitions import ListDef
from rulekit.rules.findings import Context, Findings
from rulekit.rules.item_texts import ItemTexts
from rulekit.rules.lists import ListTable, expand_lists
from rulekit.rules.merge import Collector
from rulekit.rules.nodes import Sequence
from rulekit.rules.parser import parse_condition
from rulekit.rules.yaml import parse_documents
from rulekit.text.pieced import Part, PiecedText, pieced
from rulekit.text.source import SourceText, Span

ROOT = Path(__file__).resolve().parents[2]


def _all_of(value: Any) -> Any:
    """Return everything that an object holds, places included."""
    if isinstance(value, Span):
        place = value.outermost()
        return value.text, value.start, value.end, place.source.name, place.start, place.end
    if isinstance(value, SourceText):
        return type(value).__name__, value.name, value.text
    if isinstance(value, ItemTexts):
        return [_all_of(span) for span in value]
    if is_dataclass(value):
        return type(value), {f.name: _all_of(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return [(key, _all_of(inner)) for key, inner in value.items()]
    return [_all_of(inner) for inner in value] if isinstance(value, (list, tuple)) else value


# --- elements


class _Never:
    def __init__(self, *args: object) -> None:
        pass

    def read(self, element: object) -> bool:
        return False


def _read(text: str, monkeypatch: pytest.MonkeyPatch, reader: Any) -> tuple[Any, ...]:
    file = SourceText("rules.yaml", text)
    collector, out = Collector({"syscall"}), Findings(strict=False)
    with monkeypatch.context() as patch:
        patch.setattr(items, "PlainReader", reader)
        items.read_documents(file, parse_documents(file, []), collector, out)
    return _all_of(collector), _all_of(out)


def _same(text: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    return _read(text, monkeypatch, PlainReader) == _read(text, monkeypatch, _Never)


def test_rule_files_are_read_the_same(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [*(ROOT / "rulesets").rglob("*.yaml"), *(shared / "rules").rglob("*.yaml")]
    plain = 0
    for path in sorted(files):
        text = path.read_bytes().decode("utf-8", "replace")
        try:
            roots = parse_documents(SourceText(path.name, text), [])
        except Exception:
            continue
        assert _same(text, monkeypatch), path.name
        plain += sum(
            is_plain(e) for root in roots if isinstance(root, Sequence) for e in root.items
        )
    assert plain > 500


_name = st.sampled_from(
    ["a", "b", "a_1", "1a", "a b", "'a'", "''", "~", "[a]", "é", "a=b", "_a", "a-b"]
)
_text = st.sampled_from(
    ["evt.type=open", "' a '", '"\\ta\\n"', "''", "~", "[a]", "{a: b}", "a", "'null'", "null", "*x"]
)
_texts = st.sampled_from(["[]", "[a]", "[a, 'b', a]", "[a, ~]", "[[a]]", "a", "~", "['', 'null']"])
_values: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys(("list", "macro", "rule"), _name),
    **dict.fromkeys(("condition", "output", "desc"), _text),
    **dict.fromkeys(("items", "tags", "exceptions"), _texts),
    "priority": st.sampled_from(["INFO", "Notice", "WARNING", "debug", "x", "''", "INFORMATIONAL"]),
    "source": st.sampled_from(["syscall", "k8s_audit", "''", "~", "x"]),
    "enabled": st.sampled_from(["true", "false", "no", "~", "'true'", "x", "True"]),
    "append": st.sampled_from(["true", "false"]),
    "override": st.sampled_from(["{items: append}", "{condition: replace}", "~", "x"]),
    "other": _text,
}
_USUAL = (
    ("list", "items"),
    ("macro", "condition"),
    ("rule", "desc", "condition", "output", "priority"),
    ("rule", "condition", "desc", "output", "priority", "enabled", "tags", "source"),
)


@st.composite
def _element(draw: st.DrawFn) -> str:
    keys = list(draw(st.sampled_from(_USUAL)))
    if draw(st.integers(0, 3)) == 0:
        keys += draw(st.lists(st.sampled_from(sorted(_values)), max_size=2))
    if draw(st.integers(0, 7)) == 0:
        keys = draw(st.permutations(keys))[1:]
    # Mostly what is good, so that whole elements are.
    pairs = [
        f"{key}: {draw(_values[key]) if draw(st.integers(0, 5)) == 0 else _GOOD.get(key, 'a')}"
        for key in keys
    ]
    return "- " + "\n  ".join(pairs) + "\n" if pairs else "- x\n"


_GOOD = {
    "items": "[a, b]",
    "tags": "[t]",
    "priority": "INFO",
    "source": "syscall",
    "enabled": "true",
}
_files = st.lists(_element(), min_size=1, max_size=4).map("".join)


@settings(max_examples=400)
@given(_files)
def test_elements_are_read_the_same(text: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert _same(text.replace("*x", "x"), monkeypatch)


@settings(max_examples=400)
@given(_element())
def test_the_schema_minds_nothing_in_plain_elements(text: str) -> None:
    (root,) = parse_documents(SourceText("rules.yaml", text.replace("*x", "x")), [])
    assert isinstance(root, Sequence)
    for element in root.items:
        found: list[str] = []
        shape._element(element, "", found)
        assert not (found and is_plain(element))


# --- lists

_FILE = SourceText("t.yaml", "")
_words = st.lists(
    st.sampled_from(
        ["a", "b", "ab", "c", " ", "  ", "(", ")", ",", ", ", "=", "'", "\t", "\n", "x in (", "é"]
    ),
    max_size=14,
).map("".join)
_item = st.sampled_from(
    ["c", "d", "x y", "", "'q r'", "d,e", "d", "'t ", "\tu", "a", "b", "k" * 90, "é"]
)


def _span(text: str) -> Span:
    source = SourceText("item", text)
    return source.span(0, len(text))


def _table(lists: dict[str, list[str]]) -> ListTable:
    context = Context(_FILE, None, "rules content")
    made = [
        ListDef(name, _span(name), context, ItemTexts(map(_span, texts)), i, i)
        for i, (name, texts) in enumerate(lists.items())
    ]
    return ListTable(expand_lists(made), {})


def _parts(text: SourceText) -> Any:
    if not isinstance(text, PiecedText):
        return text.text
    inserted = {at: inner.text for at, inner in text.inserted().items()}
    pieces = [
        (_all_of(part), part.insertion and part.insertion.use.source.text) for part in text.parts
    ]
    return text.name, text.text, pieces, text.starts, inserted, text.outer, text.offsets


@settings(max_examples=500)
@given(
    _words,
    st.dictionaries(
        st.sampled_from(["a", "b", "ab", "é"]), st.lists(_item, max_size=3), max_size=4
    ),
)
def test_lists_are_put_in_the_same(condition: str, lists: dict[str, list[str]]) -> None:
    quick, plain = _table(lists), _table(lists)
    span = _span(condition)
    text, _, names = quick.condition("t.yaml", span)
    parts, wanted = plain.substitute([Part(condition, span)])
    assert names == wanted
    assert _parts(text) == _parts(pieced("t.yaml", parts))
    for name, entry in quick.lists.items():
        assert entry.used == plain.lists[name].used


def test_usual_conditions_need_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    table = _table({"l": ["a", "b"], "k": ["c d"], "e": []})
    monkeypatch.setattr(ListTable, "substitute", None)
    for condition in (
        "x in (l, k, l)",
        "x = l",
        "x in ( l )\nand y in (k)",
        "x",
        "lk = kl",
        "x in (e)",
    ):
        table.condition("t.yaml", _span(condition))


def test_equal_keys_mean_equal_texts() -> None:
    table = _table({"l": ["a", "b"], "k": ["a", "b"]})
    span = _span("x in (l)")
    (_, first, _), (_, second, _) = (table.condition("t", span) for _ in range(2))
    assert first == second
    assert table.condition("t", _span("x in (k)"))[1] != first
    parts = [Part("("), Part(span.text, span), Part(")")]
    assert table.condition("t", parts)[1] != first


# --- macros


def _replaced(node: Node, trees: dict[str, Node]) -> Node:
    if isinstance(node, (MacroNode, ComparisonNode)):
        return trees[node.name] if isinstance(node, MacroNode) else node
    if isinstance(node, NotNode):
        return NotNode(_replaced(node.child, trees), node.span)
    return type(node)(tuple(_replaced(child, trees) for child in node.children), node.span)


@given(
    st.recursive(
        st.sampled_from(["m", "n", "evt.type=open", "proc.name=a"]),
        lambda inner: st.tuples(inner, st.sampled_from([" and ", " or ", " and not "]), inner).map(
            lambda of: f"({''.join(of)})"
        ),
        max_leaves=12,
    )
)
def test_macros_are_put_into_trees(condition: str) -> None:
    node = parse_condition(SourceText("t", condition))
    trees = {name: parse_condition(SourceText(name, f"fd.name={name}")) for name in "mn"}
    made = with_macros_put_in(node, trees)
    assert made == _replaced(node, trees)
    pairs = [(node, made)]
    while pairs:
        old, new = pairs.pop()
        if old == new:
            # What holds no macro stays the same object.
            assert old is new
        elif isinstance(old, (AndNode, OrNode)) and isinstance(new, (AndNode, OrNode)):
            pairs += zip(old.children, new.children, strict=True)

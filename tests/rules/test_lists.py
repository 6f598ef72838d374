"""Lists put into conditions as text."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulekit.rules import lists
from rulekit.rules.ast import ComparisonNode, ListNode
from rulekit.rules.bound import BoundComparison
from rulekit.rules.definitions import ListDef
from rulekit.rules.findings import Context
from rulekit.rules.item_texts import ItemTexts
from rulekit.rules.lists import ExpansionTooLarge, ListTable, expand_lists
from rulekit.rules.loader import LoadResult, load_files
from rulekit.rules.unparse import to_sexpr
from rulekit.text.pieced import Part, PiecedText, pieced
from rulekit.text.source import SourceText, Span

_FILE = SourceText("t.yaml", "")


def _span(text: str) -> Span:
    source = SourceText("item", text)
    return source.span(0, len(text))


def _definitions(items: dict[str, list[str]]) -> list[ListDef]:
    context = Context(_FILE, None, "rules content")
    return [
        ListDef(name, _span(name), context, ItemTexts(map(_span, texts)), i, i)
        for i, (name, texts) in enumerate(items.items())
    ]


def _substitute(condition: str, items: dict[str, list[str]]) -> str:
    table = ListTable(expand_lists(_definitions(items)), {})
    parts, _ = table.substitute([Part(condition, _span(condition))])
    return "".join(part.text for part in parts)


@pytest.mark.parametrize(
    ("condition", "items", "text"),
    [
        ("x in (l)", {"l": ["a", "b"]}, "x in ( a, b )"),
        ("x in ( l )", {"l": ["a"]}, "x in ( a )"),
        ("x in (l, k)", {"l": ["a"], "k": ["b"]}, "x in ( a , b )"),
        ("x in (l, a)", {"l": []}, "x in (   a)"),
        ("x in (a, l)", {"l": []}, "x in (a  )"),
        ("x in (a, l, b)", {"l": []}, "x in (a  , b)"),
        ("x in (l)", {"l": [""]}, "x in (  )"),
        ("x=l", {"l": ["a"]}, "x= a "),
        ("x=ll and lx=l", {"l": ["a"]}, "x=ll and lx= a "),
        ('x in ("l")', {"l": ["a"]}, 'x in ("l")'),
        ('x = "a l b"', {"l": ["z"]}, 'x = "a z b"'),
        ("x in (l)", {"l": ["a b", '"c d"', "'e f'"]}, 'x in ( "a b", "c d", \'e f\' )'),
        ("x in (my list)", {"my list": ["a"]}, "x in ( a )"),
        ("l", {"l": ["a"]}, "a "),
        # Falco goes on one character late after a name at the very start.
        ("l l", {"l": ["a"]}, "a l"),
        ("(l l)", {"l": ["a"]}, "( a a )"),
        # Text that a list brings in is searched for later lists only.
        ("x in (k)", {"l": ["a"], "k": ["l", "l"]}, "x in ( a, a )"),
        ("x in (l)", {"l": ["k"], "k": ["a"]}, "x in ( a )"),
        ("x in (a)", {"a": ["b"], "b": ["c"]}, "x in ( c )"),
        ("x in (b)", {"a": ["c"], "b": ["x"]}, "x in ( x )"),
    ],
)
def test_a_name_between_delimiters_is_replaced(
    condition: str, items: dict[str, list[str]], text: str
) -> None:
    assert _substitute(condition, items) == text


def test_lists_nest_one_level() -> None:
    made = expand_lists(_definitions({"l1": ["a"], "l2": ["l1", "b"], "l3": ["l2", "c"]}))
    found = {name: [item.text for item in entry.items] for name, entry in made.items()}
    assert found == {"l1": ["a"], "l2": ["a", "b"], "l3": ["l1", "b", "c"]}


def test_a_list_sees_itself_only_after_a_later_change() -> None:
    (definition,) = _definitions({"l": ["l", "a"]})
    assert [i.text for i in expand_lists([definition])["l"].items] == ["l", "a"]
    definition.visibility = 3
    assert [i.text for i in expand_lists([definition])["l"].items] == ["l", "a", "a"]


def test_text_of_a_list_is_placed_where_it_was_written() -> None:
    condition, items = _span("x in (l)"), ["aa", "b b"]
    table = ListTable(expand_lists(_definitions({"l": items})), {})
    parts, used = table.substitute([Part(condition.text, condition)])
    assert used == {"l"}
    text = pieced("t", parts)
    assert isinstance(text, PiecedText)
    assert text.text == 'x in ( aa, "b b" )'
    at = text.text.index("aa")
    assert text.span(at, at + 2).outermost().text == "aa"
    assert text.span(at, at + 2).outermost().source.name == "item"
    assert text.span(at + 2, at + 3).outermost().text == "l"
    label = text.insertion_label(at)
    assert label is not None
    assert (label.span.text, label.text) == ("l", "list `l` is used here")
    whole = text.span(0, len(text.text)).outermost()
    assert whole.text == "x in (l)"


def test_text_of_a_list_can_go_to_another_process() -> None:
    table = ListTable(expand_lists(_definitions({"l": ["aa", "b b"]})), {})
    parts, _ = table.substitute([Part("x in (l)", _span("x in (l)"))])
    text = pieced("t", parts)
    there = pickle.loads(pickle.dumps(text))
    assert there.text == text.text
    at = text.text.index("aa")
    assert there.span(at, at + 2).outermost().source.name == "item"


def _textbook(condition: str, items: dict[str, list[str]]) -> str:
    """Substitute as the definition says, character by character."""
    blanks, delimiters = " \t\n\r", " \t\n\r(),="
    for name, texts in items.items():
        at = condition.find(name)
        while at >= 0:
            end = at + len(name)
            if (at == 0 or condition[at - 1] in delimiters) and (
                end >= len(condition) or condition[end] in delimiters
            ):
                while at > 0 and condition[at - 1] in blanks:
                    at -= 1
                while end < len(condition) and condition[end] in blanks:
                    end += 1
                inner = ""
                for text in texts:
                    quoted = " " in text and text[0] not in "\"'"
                    inner += (", " if inner else "") + (f'"{text}"' if quoted else text)
                if not inner:
                    if at > 0 and condition[at - 1] == ",":
                        at -= 1
                    elif end < len(condition) and condition[end] == ",":
                        end += 1
                head = condition[:at] + " " if at > 0 else ""
                condition = head + inner + " " + condition[end:]
                at += len(inner) + 1
            at = condition.find(name, at + 1)
    return condition


_names = st.sampled_from(["a", "b", "ab", "a b", "c", "a=b"])
_item = st.sampled_from(["a", "b", "c", "ab", "x y", "", "'q r'", "a,b", "d"])
_condition = st.lists(
    st.sampled_from(["a", "b", "ab", "c", " ", "  ", "(", ")", ",", "=", "'", "\t", "x"]),
    max_size=14,
).map("".join)


@given(_condition, st.dictionaries(_names, st.lists(_item, max_size=3), max_size=4))
def test_substitution_does_what_the_definition_says(
    condition: str, items: dict[str, list[str]]
) -> None:
    made = expand_lists(_definitions(items))
    flat = {name: [item.text for item in entry.items] for name, entry in made.items()}
    assert _substitute(condition, items) == _textbook(condition, flat)


def test_growth_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_ADDED_CHARS", 1000)
    monkeypatch.setattr(lists, "MAX_ADDED_PER_CHAR", 0)
    with pytest.raises(ExpansionTooLarge):
        _substitute("x in (" + ", ".join(["l"] * 30) + ")", {"l": ["a" * 50]})
    monkeypatch.setattr(lists, "MAX_ITEMS", 50)
    monkeypatch.setattr(lists, "MAX_ITEMS_PER_ITEM", 0)
    with pytest.raises(ExpansionTooLarge):
        expand_lists(_definitions({"l": ["a"] * 10, "k": ["l"] * 10}))


def test_growth_of_items_is_bounded_by_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_ADDED_CHARS", 1000)
    monkeypatch.setattr(lists, "MAX_ADDED_PER_CHAR", 0)
    items = {"l": ["a" * 50] * 10}
    assert len(_substitute("x in (" + ", ".join(["l"] * 30) + ")", items)) > 15_000
    for elsewhere in "concat(l, 'x', l, l)", "x in ('(', l, l, l)", "l or l or l":
        with pytest.raises(ExpansionTooLarge):
            _substitute(elsewhere, items)
    monkeypatch.setattr(lists, "MAX_ITEM_CHARS", 1000)
    with pytest.raises(ExpansionTooLarge):
        _substitute("x in (l, l, l)", items)


# Items that are read once for all conditions must be read as if they stood in each of them.

_value = st.sampled_from(
    ["a", "b c", "'q, r'", "x", "open", "8080", "http", "<NA>", "proc.name", "5x", "a,b", "'o", ")"]
)
_named = st.lists(_value, min_size=1, max_size=4)
_use = st.lists(st.sampled_from(["k", "l", "m", "a", "'b'", "k l", "k)", ""]), max_size=4)
_left = st.sampled_from(
    ["proc.name in", "evt.type in", "fd.sport in", "proc.name startswith anyof", "proc.name pmatch"]
)


def _loaded(condition: str, named: dict[str, list[str]]) -> LoadResult:
    lines = []
    for name, items in named.items():
        lines.append(f"- list: {name}\n  items: {json.dumps(items)}\n")
    for i in range(2):
        lines.append(
            f"- rule: r{i}\n  desc: d\n  output: o\n  priority: INFO\n"
            f"  condition: {json.dumps(condition)}\n"
        )
    return load_files([SourceText("rules.yaml", "".join(lines))])


@settings(max_examples=300)
@given(_left, _use, st.fixed_dictionaries({"k": _named, "l": _named, "m": _named}))
def test_items_of_lists_read_as_if_they_stood_there(
    left: str, use: list[str], named: dict[str, list[str]]
) -> None:
    condition = f"{left} ({', '.join(use)})"
    with_lists = _loaded(condition, named)
    parts, _ = ListTable(expand_lists(_definitions(named)), {}).substitute([Part(condition)])
    without = _loaded("".join([part.text for part in parts]), {})
    # What is wrong in a list is told once, and unused lists are not the matter here.
    assert {d.code for d in with_lists.diagnostics} - {"RK331"} == {
        d.code for d in without.diagnostics
    }
    if without.ruleset is None:
        return
    for rule, other in zip(with_lists.require().rules, without.ruleset.rules, strict=True):
        assert to_sexpr(rule.node) == to_sexpr(other.node)
        assert isinstance(rule.bound, BoundComparison)
        assert isinstance(other.bound, BoundComparison)
        assert rule.bound.values == other.bound.values
        assert isinstance(rule.node, ComparisonNode)
        assert isinstance(rule.node.right, ListNode)
        items = rule.node.right.items
        assert [item.text for item in items] == list(rule.node.right.texts())
        assert [items[i] for i in range(-len(items), 0)] == list(items)
        for item in items:
            assert item.span.text.strip("'\"") == item.text

"""Lists put into conditions as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.rules import lists
from rulekit.rules.definitions import ListDef
from rulekit.rules.findings import Context
from rulekit.rules.lists import ExpansionTooLarge, ListTable, expand_lists
from rulekit.text.pieced import Part, PiecedText, pieced
from rulekit.text.source import SourceText, Span

_FILE = SourceText("t.yaml", "")


def _span(text: str) -> Span:
    source = SourceText("item", text)
    return source.span(0, len(text))


def _definitions(items: dict[str, list[str]]) -> list[ListDef]:
    context = Context(_FILE, None, "rules content")
    return [
        ListDef(name, _span(name), context, [_span(text) for text in texts], i, i)
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
    with pytest.raises(ExpansionTooLarge):
        _substitute("x in (" + ", ".join(["l"] * 30) + ")", {"l": ["a" * 50]})
    monkeypatch.setattr(lists, "MAX_ITEMS", 50)
    with pytest.raises(ExpansionTooLarge):
        expand_lists(_definitions({"l": ["a"] * 10, "k": ["l"] * 10}))

"""Trees written as text read back as the same trees."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.rules.ast import (
    AndNode,
    ComparisonNode,
    FieldNode,
    ListNode,
    LiteralNode,
    MacroNode,
    Node,
    NotNode,
    OrNode,
    TransformNode,
    TupleNode,
)
from rulekit.rules.exceptions import MODIFIABLE_OPERATORS, MODIFIERS
from rulekit.rules.loader import load_files
from rulekit.rules.parser import parse_condition
from rulekit.rules.unparse import quote, to_sexpr, unparse
from rulekit.text.source import SourceText

HERE = SourceText("", "").span(0, 0)

texts = st.text(
    alphabet=st.sampled_from("ab \\\"'=,()[]<>\t\n\r\b\f\v\0%xé日\udcff\x7f"), max_size=6
)
names = st.sampled_from(["m", "android", "notable", "in", "exists", "tolower"])
literals = st.builds(LiteralNode, texts, st.just(True), st.just(HERE))
fields = st.builds(
    FieldNode, st.sampled_from(["proc.name", "fd.name"]), st.none() | texts, st.just(HERE)
)
numbers = st.builds(
    LiteralNode, st.sampled_from(["5", "-1", "0x1f", "1.5"]), st.just(False), st.just(HERE)
)
operands = st.recursive(
    fields,
    lambda inner: st.builds(
        TransformNode,
        st.sampled_from(["tolower", "join", "getopt"]),
        st.lists(
            inner
            | literals
            | numbers
            | st.builds(
                TupleNode,
                st.lists(inner | literals | numbers, max_size=2).map(tuple),
                st.just(HERE),
            ),
            min_size=1,
            max_size=2,
        ).map(tuple),
        st.none() | texts,
        st.just(HERE),
    ),
    max_leaves=3,
)
lists = st.builds(ListNode, st.lists(literals, max_size=3).map(tuple), st.just(HERE))
comparisons = st.one_of(
    st.builds(ComparisonNode, operands, st.just("exists"), st.none(), st.none(), st.just(HERE)),
    st.builds(
        ComparisonNode,
        operands,
        st.sampled_from(sorted(MODIFIABLE_OPERATORS)),
        st.none(),
        literals | operands,
        st.just(HERE),
    ),
    st.builds(
        ComparisonNode,
        operands,
        st.sampled_from(sorted(MODIFIABLE_OPERATORS)),
        st.sampled_from(sorted(MODIFIERS)),
        lists,
        st.just(HERE),
    ),
    st.builds(
        ComparisonNode,
        operands,
        st.sampled_from(["in", "pmatch", "intersects"]),
        st.none(),
        lists | operands,
        st.just(HERE),
    ),
    st.builds(
        ComparisonNode,
        operands,
        st.sampled_from(["<", "<=", ">", ">="]),
        st.none(),
        numbers | operands,
        st.just(HERE),
    ),
)
nodes = st.recursive(
    comparisons | st.builds(MacroNode, names, st.just(HERE)),
    lambda inner: st.one_of(
        st.builds(NotNode, inner, st.just(HERE)),
        st.builds(AndNode, st.lists(inner, min_size=2, max_size=3).map(tuple), st.just(HERE)),
        st.builds(OrNode, st.lists(inner, min_size=2, max_size=3).map(tuple), st.just(HERE)),
    ),
    max_leaves=6,
)


@given(nodes)
def test_a_tree_survives_writing_and_reading(node: Node) -> None:
    assert to_sexpr(parse_condition(SourceText("", unparse(node)))) == to_sexpr(node)


@given(texts)
def test_any_text_can_be_quoted(text: str) -> None:
    node = parse_condition(SourceText("", f"proc.name={quote(text)}"))
    assert node.right.text == text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "a and b or c",
        "a and (b or c)",
        "a or (b or c)",
        "not (not a)",
        "not a and b",
        'proc.name = "a b"',
        "proc.name in (a, b)",
        "proc.name in list_name",
        "proc.name startswith anyof (a)",
        'proc.name = "anyof"',
        "fd.num > -3",
        "proc.name = val(proc.pname)",
        "len(proc.args) = 3",
        "proc.aname[2] exists",
    ],
)
def test_canonical_text_is_written_as_it_stands(text: str) -> None:
    assert unparse(parse_condition(SourceText("", text))) == text


def test_deep_trees_are_written_without_recursion() -> None:
    node: Node = MacroNode("m", HERE)
    for _ in range(5000):
        node = NotNode(node, HERE)
    assert unparse(node).count("not") == 5000
    assert to_sexpr(node).count("not") == 5000


def test_named_lists_are_written_item_by_item(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "- list: inner\n  items: [b, '\"c d\"', \"'e'\"]\n"
        "- list: outer\n  items: [a, inner, 5]\n"
        "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n"
        "  condition: proc.name in (outer, z) or proc.name = anyof (inner)"
        " or fd.name in (x, inner)\n"
    )
    (rule,) = load_files([path]).require().rules
    assert unparse(rule.node) == (
        'proc.name in (a, b, "c d", "e", 5, z) or proc.name = anyof (b, "c d", "e")'
        ' or fd.name in (x, b, "c d", "e")'
    )

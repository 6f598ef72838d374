"""Parser of conditions: what reads, what does not, and what is said about it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.rules.ast import Node
from rulekit.rules.parser import ConditionSyntaxError, parse_condition, parse_operand
from rulekit.rules.unparse import to_sexpr
from rulekit.text.source import SourceText


def parse(text: str, max_depth: int = 1000) -> Node:
    return parse_condition(SourceText("condition", text), max_depth=max_depth)


def refusal(text: str, max_depth: int = 1000) -> ConditionSyntaxError:
    with pytest.raises(ConditionSyntaxError) as caught:
        parse(text, max_depth)
    return caught.value


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a or b or c", '(or (macro "a") (macro "b") (macro "c"))'),
        ("a and (b and c)", '(and (macro "a") (and (macro "b") (macro "c")))'),
        ("a and(b) and c", '(and (macro "a") (macro "b") (macro "c"))'),
        ("a and(b or c) or d", '(or (and (macro "a") (or (macro "b") (macro "c"))) (macro "d"))'),
        ("a or(b) or c and d", '(or (macro "a") (macro "b") (and (macro "c") (macro "d")))'),
        ("not not a", '(macro "a")'),
        ("not not not(a)", '(not (macro "a"))'),
        ("not not(a)", '(macro "a")'),
        ("not (not a)", '(not (not (macro "a")))'),
        ("not\fa", '(not (macro "a"))'),
        ("notable and order", '(and (macro "notable") (macro "order"))'),
        ("proc.name=and and a", '(and (= (field proc.name) "and") (macro "a"))'),
        ("evt.dir=<", '(= (field evt.dir) "<")'),
        ("fd.num =>3", '(= (field fd.num) ">3")'),
        ("proc.name inx", '(in (field proc.name) "x")'),
        ("proc.name existsand a", '(and (exists (field proc.name)) (macro "a"))'),
        ("proc.name=tolower", '(= (field proc.name) "tolower")'),
        ("proc.name = anyof", '(= (field proc.name) "anyof")'),
        ("proc.name = anyof (a)", '(=:anyof (field proc.name) (list "a"))'),
        ("proc.name = anyof and a", '(and (= (field proc.name) "anyof") (macro "a"))'),
        ("proc.name = anyof android", '(=:anyof (field proc.name) "android")'),
        ("proc.name contains\tallof\n(a)", '(contains:allof (field proc.name) (list "a"))'),
        ("proc.name in (and, 'or' ,<NA>)", '(in (field proc.name) (list "and" "or" "<NA>"))'),
        ("proc.env[A=B,(C)]=x", '(= (field proc.env "A=B,(C)") "x")'),
        ('proc.env["a]b"]=x', '(= (field proc.env "a]b") "x")'),
        ("fd.num>0x1F", '(> (field fd.num) "0x1F")'),
        ('proc.name="\\x41\\x00\\xff"', '(= (field proc.name) "A\\u0000\xff")'),
        ('proc.name="a\\ b\\/c"', '(= (field proc.name) "a\\\\b/c")'),
        ('proc.name = val( proc.pname )', "(= (field proc.name) (fn val (field proc.pname)))"),
        ('join(",", (proc.name, 5, tolower(fd.name))) = x',
         '(= (fn join "," (tlist (field proc.name) "5" (fn tolower (field fd.name)))) "x")'),
        ('getopt(fd.types, "b:")[b] exists', '(exists (fn getopt (field fd.types) "b:" :arg "b"))'),
        ("proc.name = \u00a0", '(= (field proc.name) "\u00a0")'),
        ("a\x08and\x08b", '(and (macro "a") (macro "b"))'),
    ],
)  # fmt: skip
def test_it_reads(text: str, tree: str) -> None:
    assert to_sexpr(parse(text)) == tree


@pytest.mark.parametrize(
    ("text", "place", "help"),
    [
        ("a or(b) and c", 8,
         "put parentheses around what `and` should join, or a blank after `or`"),
        ("proc.name CONTAINS x", 10, "write `contains`"),
        ("proc.name contians x", 10, "did you mean `contains`?"),
        ("a AND b", 2, "write `and`"),
        ("a && b", 2, "write `and`"),
        ("!a", 0, "write `not`"),
        ("name = cat", 5, "a name without a dot is a macro, not a field"),
        ("proc.name in 'cat'", 13, "put the value in parentheses"),
        ("fd.num > '3'", 9, "take the quotes away"),
        ("proc.name = (a, b)", 12,
         "a list needs `in`, `intersects`, `pmatch` or a modifier such as `anyof`"),
        ('proc.name = "a\\\\"', 12, '`\\"` does not close it, not even as `\\\\"`'),
        ('proc.name = "\\d+"', 13, "write `\\\\d` for a backslash followed by `d`"),
        ('proc.name contains"x"', 10, None),
        ("proc.name = a b", 14, None),
        ("proc.name in (a,)", 16, None),
        ("(a", 1, None),
        ("a)", 1, None),
        ("proc.aname [1] = a", 11, None),
        ("proc.aname[] = a", 10, None),
    ],
)  # fmt: skip
def test_it_says_where_reading_stopped_and_why(text: str, place: int, help: str | None) -> None:
    error = refusal(text)
    assert error.error_class == "syntax"
    found = error.diagnostic
    assert (found.span.start, found.help) == (place, help)
    assert found.falco == "LOAD_ERR_COMPILE_CONDITION"
    assert found.label


def test_an_empty_condition_is_no_syntax_error_but_has_no_shape() -> None:
    assert refusal("").error_class == "shape"
    assert refusal(" \n").error_class == "syntax"


@pytest.mark.parametrize(
    ("open_", "close", "limit", "most"),
    [
        ("(", ")", 1000, 198),
        ("(", ")", 100, 18),
        ("not(", ")", 1000, 248),
        ("tolower(", ")", 1000, 497),
    ],
)
def test_depth_is_counted_as_the_peer_counts(open_: str, close: str, limit: int, most: int) -> None:
    def nested(depth: int) -> str:
        if open_ == "tolower(":
            return open_ * depth + "proc.name" + close * depth + " exists"
        return open_ * depth + "proc.name=a" + close * depth

    parse(nested(most), limit)
    assert refusal(nested(most + 1), limit).error_class == "depth"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "a" + ")" * 10_000,
        "not (" * 10_000,
        "x or(" * 10_000,
        "tolower(" * 10_000,
        'proc.name="' + "a" * 1_000_000,
        'proc.name="' + '\\"' * 500_000,
        "proc.name in (" + "\x08" * 100_000,
        "proc.name in (" + "a, " * 100_000,
        "proc.env[" + "a" * 1_000_000,
        "a." * 200_000,
        "proc.name = " + "anyof " * 100_000,
    ],
)
def test_hostile_text_is_refused_quickly(text: str) -> None:
    start = time.process_time()
    refusal(text)
    assert time.process_time() - start < 20


def test_long_texts_are_read() -> None:
    parse('proc.name = "' + "a" * 1_000_000 + '"')
    parse(" and ".join(["a"] * 10_000))
    parse("proc.name in (" + ",".join(["a"] * 20_000) + ")")


def test_spans_cover_what_was_written() -> None:
    text = "a and (proc.name in (x, y) or b)"
    node = parse(text)
    group = node.children[1]  # type: ignore[union-attr]
    assert node.span.text == text
    assert group.span.text == "proc.name in (x, y) or b"
    assert group.children[0].right.items[1].span.text == "y"  # type: ignore[union-attr]


def test_operands_stand_alone() -> None:
    assert parse_operand(SourceText("x", "tolower(proc.name)")).name == "tolower"
    with pytest.raises(ConditionSyntaxError):
        parse_operand(SourceText("x", "proc.name x"))


PIECES = [
    *("proc.name", "evt.type", "m", " ", "  ", "\t", "(", ")", ",", "=", "!=", "<", ">=", "in"),
    *("exists", "contains", "and", "or", "not", "anyof", "val(", "tolower(", "join(", "[1]", '"'),
    *("'", "\\", "\\x41", "a", "5", "0x1", "-1.5e+3", "\0", "\x08", "\f", "é", "\udce9", "]", "["),
]


@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join) | st.text(max_size=40))
def test_any_text_reads_or_is_refused(text: str) -> None:
    try:
        to_sexpr(parse(text))
    except ConditionSyntaxError as e:
        span = e.diagnostic.span
    else:
        span = SourceText("", text).span(0, 0)
    assert 0 <= span.start <= span.end <= len(text)

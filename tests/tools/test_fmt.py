"""The formatter: goldens, and the properties that make it safe to use."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rulekit.errors import RuleError
from rulekit.rules.parser import ConditionSyntaxError, parse_condition
from rulekit.rules.unparse import to_sexpr
from rulekit.text.source import SourceText
from rulekit.tools.fmt import format_rules, format_text
from rulekit.tools.fmt_condition import (
    condition_tree,
    flat_condition,
    layout_condition,
    same_tokens,
)

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "fmt"


def test_long_conditions_take_no_time() -> None:
    start = time.process_time()
    lines = layout_condition(" and ".join(f"proc.name = a{i}" for i in range(10_000)), 4, 100)
    assert len(lines) == 10_000
    assert time.process_time() - start < 3


@pytest.mark.parametrize("case", sorted(p.stem for p in GOLDEN.glob("*.in")))
def test_golden_file(case: str) -> None:
    given_text = (GOLDEN / f"{case}.in").read_text()
    wanted = (GOLDEN / f"{case}.out").read_text()
    assert format_rules(given_text) == wanted
    assert format_rules(wanted) == wanted


def rule_files(shared: Path) -> list[Path]:
    upstream = sorted((shared / "rules" / "upstream").rglob("*.yaml"))
    return upstream + sorted((shared / "reference" / "conformance" / "rulesets").glob("*.yaml"))


def test_every_reference_file_keeps_its_meaning_and_formats_once(shared: Path) -> None:
    formatted = 0
    for path in rule_files(shared):
        text = path.read_bytes().decode("utf-8", "replace")
        try:
            once = format_text(text, path.name)
        except RuleError as e:
            if e.diagnostics[0].code > "RK009":
                raise
            continue
        assert format_rules(once.text, path.name) == once.text, path
        assert items(once.text) == items(text), path
        formatted += once.left_alone is None
    assert formatted > 250


def items(text: str) -> object:
    """Return a file as data; conditions as trees, everything else as written."""
    documents = []
    for document in yaml.load_all(text, yaml.BaseLoader):
        for item in document if isinstance(document, list) else []:
            if isinstance(item, dict) and isinstance(item.get("condition"), str):
                item["condition"] = tree(item["condition"])
        documents.append(document)
    return documents


def tree(text: str) -> str:
    try:
        return to_sexpr(parse_condition(SourceText("c", text)))
    except ConditionSyntaxError:
        return text


# Conditions with near misses of every kind: keywords as values, glued operators, brackets.

comparisons = st.sampled_from(
    [
        "proc.name=cat",
        "proc.name = and",
        'proc.cmdline contains "a  and ( b"',
        "fd.name startswith '/etc/ or '",
        "proc.name in (a,b ,  c)",
        "proc.name in (and, or, not)",
        "evt.type in (open,openat)",
        "proc.env[A=B,(C)] exists",
        'proc.env["a ] b"] = x',
        "proc.name in ()",
        "proc.name in cat",
        "fd.num>=0",
        "fd.num<>3",
        "proc.name startswith anyof (a,\n b)",
        "tolower( proc.name ) = val( proc.pname )",
        'join(",",(proc.name,5)) != x',
        "notable",
        "order",
        "spawned_process",
        "proc.pname pmatch ( /a , /b )",
    ]
)
blanks = st.sampled_from([" ", "  ", "\n", " \n  ", "\t"])


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return draw(comparisons)
    kind = draw(st.sampled_from(["and", "or", "not", "group", "glued"]))
    if kind == "not":
        return f"not{draw(blanks)}{draw(conditions(depth=depth - 1))}"
    inner = draw(conditions(depth=depth - 1))
    if kind == "group":
        pad = draw(st.sampled_from(["", " ", "\n"]))
        return f"({pad}{inner}{pad})"
    other = draw(conditions(depth=depth - 1))
    if kind == "glued":
        return f"{inner} and({other})"
    return f"{inner}{draw(blanks)}{kind}{draw(blanks)}{other}"


@given(conditions(), st.integers(20, 100))
def test_a_condition_laid_out_reads_the_same(text: str, width: int) -> None:
    lines = layout_condition(text, 4, width)
    laid = "\n".join(lines)
    assert same_tokens(text, laid)
    assert layout_condition(laid, 4, width) == lines
    wanted = condition_tree(text)
    assert condition_tree(laid) == wanted
    assert condition_tree(flat_condition(text)) == wanted


# Rule files in every careless style.

comments = st.sampled_from(["# note", "#", "#- rule: old", "# rulekit: ignore[RK401]"])
words = st.sampled_from(["a", "b c", "null", "x-1", "5", "true", "é"])


@st.composite
def scalars(draw: st.DrawFn, indent: int) -> str:
    """Return a value with the blank or line break before it."""
    pad = " " * (indent + draw(st.integers(1, 4)))
    kind = draw(st.integers(0, 7))
    if kind == 0:
        return f" {draw(words)}"
    if kind == 1:
        return f" '{draw(words)} # no'"
    if kind == 2:
        return f' "{draw(words)} \\" \\\n{pad}  {draw(words)}\n\n{pad}end"'
    if kind == 3:
        return f"\n{pad}{draw(words)}\n{pad}  more of it\n\n{pad}{draw(words)}"
    if kind == 4:
        return f" {draw(words)}  {draw(comments)}"
    if kind == 5:
        return f" # why\n{pad}{draw(comments)}\n{pad}{draw(words)}"
    sign = draw(st.sampled_from([">", ">-", "|", "> # c"]))
    ends = draw(st.sampled_from(["", "\n", "\n\n", "  "]))
    return f" {sign}\n{pad}first\n{pad}  deeper\n\n{pad}last # {draw(words)}{ends}"


@st.composite
def sequences(draw: st.DrawFn, indent: int) -> str:
    values = draw(st.lists(words, max_size=4))
    if draw(st.booleans()):
        between = draw(st.sampled_from([",", ", ", f",\n{' ' * (indent + 1)}", " ,  "]))
        first = draw(st.sampled_from(["", " ", f"\n{' ' * (indent + 3)}", " # c\n   "]))
        return f" [{first}{between.join(values)}{first.replace('# c', '')}]"
    pad = " " * (indent + draw(st.integers(0, 3)))
    lines = [f"{pad}-{draw(st.sampled_from([' ', '   ']))}{v}" for v in values]
    return "".join(f"\n{line}" for line in lines)


@st.composite
def rule_texts(draw: st.DrawFn) -> str:
    lines: list[str] = []
    margin = draw(st.sampled_from([0, 0, 2]))

    def between(most: int = 2) -> None:
        for _ in range(draw(st.integers(0, most))):
            indent = " " * draw(st.sampled_from([0, 0, 2, 4, 5]))
            lines.append(draw(st.one_of(st.just(""), st.just("   "), comments.map(indent.__add__))))

    between()
    for _ in range(draw(st.integers(0, 4))):
        dash = " " * margin + "-" + " " * draw(st.integers(1, 3))
        indent = len(dash)
        kind = draw(st.sampled_from(["rule", "macro", "list"]))
        lines.append(f"{dash}{kind}:{' ' * draw(st.integers(1, 3))}{draw(words)}")
        for key in draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=4)):
            between(1)
            head = " " * indent + key + ":"
            if key == "condition":
                folded = draw(conditions()).replace("\n", f"\n{' ' * (indent + 3)}")
                sign = draw(st.sampled_from([">", "|", ">-"]))
                lines.append(f"{head} {sign}\n{' ' * (indent + 3)}{folded}")
            elif key in ("items", "tags"):
                lines.append(head + draw(sequences(indent)))
            elif key == "override":
                lines.append(f"{head}\n{' ' * (indent + 1)}items:   append # c")
            elif key == "exceptions":
                lines.append(
                    f"{head}\n{' ' * indent}- name: x\n{' ' * indent}  values: [[a,b],[c]]"
                )
            else:
                lines.append(head + draw(scalars(indent)))
        between()
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n\n"]))


KEYS = ["condition", "items", "tags", "override", "exceptions", "output", "desc", "append"]


@settings(max_examples=200)
@given(rule_texts())
def test_formatting_is_idempotent_and_keeps_the_meaning(text: str) -> None:
    try:
        before = items(text)
    except yaml.YAMLError:
        with pytest.raises(RuleError):
            format_rules(text)
        return
    once = format_text(text)
    assert once.left_alone is None
    assert items(once.text) == before
    assert format_rules(once.text) == once.text
    assert sorted(comment_texts(once.text)) == sorted(comment_texts(text))


flow_pieces = st.sampled_from(
    (
        *("a", "b: ", "c:", "d: e", "'q'", '"z": ', "? x", "&k ", "*k", "!t "),
        *("[", "]", "{", "}", ",", ", ", " ", "\n   ", "\n  ", "# c\n   "),
    )
)


@settings(max_examples=500)
@given(st.lists(flow_pieces, min_size=1, max_size=9))
@example(["\n  ", "d:", " "])
@example(["c: ", "!t "])
@example(["!t ", ", "])
@example(["a", "\n   ", ", ", "b: ", "\n   ", ", ", "a"])
def test_any_flow_sequence_formats_once(pieces: list[str]) -> None:
    text = f"- list: x\n  items: [{''.join(pieces)}]\n"
    try:
        before = list(yaml.parse(text, yaml.CSafeLoader))
    except yaml.YAMLError:
        return
    once = format_text(text)
    after = list(yaml.parse(once.text, yaml.CSafeLoader))
    assert [(type(e), getattr(e, "value", None)) for e in after] == [
        (type(e), getattr(e, "value", None)) for e in before
    ]
    assert format_rules(once.text) == once.text


def comment_texts(text: str) -> list[str]:
    return [line[line.index("#") :].strip() for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# only\n\n\n# comments",
        "42",
        "a: b",
        "- !t\n  a: b\n",
        "%YAML 1.1\n---\n- a: b\n",
    ],
)
def test_texts_without_items_survive(text: str) -> None:
    once = format_rules(text)
    assert yaml.load(once, yaml.BaseLoader) == yaml.load(text, yaml.BaseLoader) or "!t" in text
    assert format_rules(once) == once


def test_text_that_is_not_yaml_is_refused_with_its_place() -> None:
    with pytest.raises(RuleError) as caught:
        format_rules("- rule: a\n  tags: [a, b\n- rule: c\n", "x.yaml")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "RK004"
    assert diagnostic.span.source.name == "x.yaml"


@pytest.mark.parametrize("sign", [">2", "|+", "|1-"])
def test_block_scalars_that_count_their_blanks_are_left_alone(sign: str) -> None:
    text = f"- rule: a\n  output: {sign}\n     x\n- rule: b\n"
    assert format_text(text).left_alone
    assert format_rules(text) == text


def test_deep_nesting_is_left_alone_in_bounded_time() -> None:
    text = "- " * 5_000 + "a\n"
    assert format_text(text).left_alone
    parens = f"- macro: a\n  condition: {'(' * 10_000}x{')' * 10_000}\n"
    assert format_rules(parens) == parens

"""Output texts: tokens, widths, what is refused, what is outdated."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.rules.bound import BoundField, BoundTransform
from rulekit.rules.output import parse_output
from rulekit.rules.output_template import OutputTemplate, OutputText, OutputToken
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText


def template(text: str, source: str = "syscall") -> OutputTemplate:
    found = parse_output(SourceText("output", text), source)
    assert isinstance(found, OutputTemplate), found
    return found


def refusal(text: str) -> Diagnostic:
    found = parse_output(SourceText("output", text), "syscall")
    assert isinstance(found, Diagnostic), found
    return found


def shown(found: OutputTemplate) -> list[object]:
    return [p.text if isinstance(p, OutputText) else (p.name, p.width) for p in found.parts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain", ["plain"]),
        ("*%proc.name", [("proc.name", None)]),
        ("**x", ["*x"]),
        ("*", []),
        ("a %proc.name b", ["a ", ("proc.name", None), " b"]),
        ("%proc.name%proc.pid", [("proc.name", None), ("proc.pid", None)]),
        ("%proc.names", [("proc.name", None), "s"]),
        ("%proc.name.x", [("proc.name", None), ".x"]),
        ("%proc.name[0]", [("proc.name", None), "[0]"]),
        ("%proc.aname[2]", [("proc.aname[2]", None)]),
        ("%proc.aname[x]", [("proc.aname", None), "[x]"]),
        ("%proc.aname[2", [("proc.aname", None), "[2"]),
        ('%proc.env["A B"]', [('proc.env["A B"]', None)]),
        ("%evt.arg.flagsx", [("evt.arg.flags", None), "x"]),
        ("%evt.arg[0]", [("evt.arg[0]", None)]),
        ("%10proc.name", [("proc.name", 10)]),
        ("%0proc.name", [("proc.name", None)]),
        ("%toupper(proc.name)x", [("toupper(proc.name)", None), "x"]),
        ("%5tolower( toupper(proc.name) )", [("tolower( toupper(proc.name) )", 5)]),
        ('%tolower(proc.env["a)"])', [('tolower(proc.env["a)"])', None)]),
        ('%concat(proc.name,")")[x]', [('concat(proc.name,")")', None), "[x]"]),
        ('%getopt(fd.types,"a:")[a]', [('getopt(fd.types,"a:")[a]', None)]),
        ("%fd.ip %evt.outputtime", [("fd.ip", None), " ", ("evt.outputtime", None)]),
        ("%k8s.pod.label.app", [("k8s.pod.label.app", None)]),
        ("%proc.name%%container.info", None),
    ],
)
def test_a_token_is_the_longest_text_that_names_something(
    text: str, parts: list[object] | None
) -> None:
    if parts is None:
        assert refusal(text).code == "RK505"
    else:
        assert shown(template(text)) == parts


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("%%", "RK501", 0),
        ("a % b", "RK501", 2),
        ("100%", "RK505", 3),
        ("%5", "RK505", 0),
        ("%nosuch.field", "RK501", 0),
        ("%proc.", "RK501", 0),
        ("%evt.arg", "RK501", 0),
        ("%evt.arg.nosuch", "RK501", 0),
        ("%val(proc.name)", "RK501", 0),
        ("%upper(proc.name)", "RK501", 0),
        ("%(proc.name)", "RK501", 0),
        ("%tolower(proc.name", "RK501", 0),
        ("%tolower(proc.nosuch)", "RK501", 9),
        ("%len(fd.num)", "RK501", 5),
        ("%ka.verb", "RK501", 0),
        ("%99999999999proc.name", "RK506", 1),
        ("", "RK503", 0),
        ("%container.info", "RK503", 0),
    ],
)
def test_other_texts_are_refused(text: str, code: str, place: int) -> None:
    found = refusal(text)
    assert (found.code, found.span.start) == (code, place)
    assert found.falco == "LOAD_ERR_COMPILE_OUTPUT"


def test_tokens_are_bound() -> None:
    plain, call = (
        p for p in template("%proc.aname[2] %toupper(proc.name)").parts if p != OutputText(" ")
    )
    assert isinstance(plain, OutputToken)
    assert isinstance(plain.operand, BoundField)
    assert plain.operand.index == 2
    assert isinstance(call, OutputToken)
    assert isinstance(call.operand, BoundTransform)
    assert call.text == "%toupper(proc.name)"
    assert [key for key, _ in call.fields] == ["proc.name"]


def test_fields_are_listed_once_also_from_calls() -> None:
    found = template('%proc.name %join(",", (proc.name, tolower(fd.name))) %proc.env[A B]')
    assert [key for key, _ in found.fields] == ["proc.name", "fd.name", "proc.env"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("%evt.dir", ["RK504"]),
        ("evt.dir", ["RK504"]),
        ("%evt.latency.ns", ["RK504", "RK504"]),
        ("%proc.name %container.info", ["RK502"]),
        ("%proc.name", []),
    ],
)
def test_outdated_parts_are_told(text: str, codes: list[str]) -> None:
    warnings = template(text).warnings
    assert [w.code for w in warnings] == codes
    assert {w.falco for w in warnings} <= {"LOAD_DEPRECATED_ITEM"}


def test_places_survive_the_removal_of_container_info() -> None:
    found = refusal("a %container.info %nosuch.field")
    assert found.span.outermost().text == "%nosuch.field"


def test_other_sources_have_their_own_fields() -> None:
    assert template("%ka.verb %jevt.value[/a/b]", "k8s_audit").parts
    assert isinstance(parse_output(SourceText("o", "%proc.name"), "k8s_audit"), Diagnostic)


@pytest.mark.parametrize(
    "text",
    [
        "%" + "a." * 100_000,
        "%proc.name." * 1000 + "%proc.name" + ".x" * 100_000,
        "%tolower(" * 20_000,
        "%" + "tolower(" * 20_000 + ")" * 20_000,
        "%proc.env[" + "x" * 1_000_000,
    ],
)
def test_hostile_text_is_answered_quickly(text: str) -> None:
    start = time.process_time()
    parse_output(SourceText("output", text), "syscall")
    assert time.process_time() - start < 20


PIECES = [
    *("%", "proc.name", "proc.aname", "[2]", "[x]", "evt.arg", ".flags", "5", "tolower(", ")", ","),
    *('"', "concat(", " ", "*", "container.info", "val(", "é", "\0", "(", ".", "\\"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join) | st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    found = parse_output(SourceText("output", text), "syscall")
    if isinstance(found, OutputTemplate) and "container.info" not in text:
        # Nothing of the text is lost.
        assert "".join(p.text for p in found.parts) == text.removeprefix("*")

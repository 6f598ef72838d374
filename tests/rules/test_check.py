"""Checker: names, operators, literals, transformers; what is bound and what is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.rules.bound import BoundComparison, BoundField, BoundTransform
from rulekit.rules.check import CheckResult, check_condition, check_one
from rulekit.rules.literals import LiteralError, read_number
from rulekit.rules.parser import parse_condition
from rulekit.rules.regex import RegexError, check_regex
from rulekit.schema.fields import current_fields
from rulekit.schema.types import Kind
from rulekit.text.source import SourceText


def check(text: str, source: str = "syscall", **options: Any) -> CheckResult:
    return check_condition(parse_condition(SourceText("condition", text)), source, **options)


def bound(text: str, source: str = "syscall") -> BoundComparison:
    result = check(text, source)
    assert isinstance(result.bound, BoundComparison), result.diagnostics
    return result.bound


@pytest.mark.parametrize(
    ("text", "index", "key"),
    [
        ("proc.aname[2]=a", 2, None),
        ("proc.aname[+0]=a", 0, None),
        ("proc.aname[-1]=a", None, None),
        ("proc.aname=a", None, None),
        ("proc.env[HOME]=a", None, "HOME"),
        ("proc.env[5]=a", 5, None),
        ("proc.aenv[2]=a", 2, None),
        ("evt.arg.flags=a", None, "flags"),
        ("evt.arg[99]=a", 99, None),
        ("evt.rawarg.res=1", None, "res"),
        ("evt.type.is.open=1", None, "open"),
        ("evt.abspath.src=/a", None, "src"),
        ("thread.cgroup.net_cls=/", None, "net_cls"),
        ("evt.around[7]=1", 7, None),
        ("fd.types[3] in (file)", 3, None),
        ("container.mount[0]=a", 0, None),
        ("container.mount.dest[/proc]=a", None, "/proc"),
        ("k8s.pod.label[app]=a", None, "app"),
        ("k8s.pod.label.app.kubernetes.io=a", None, "app.kubernetes.io"),
    ],
)
def test_arguments_are_understood(text: str, index: int | None, key: str | None) -> None:
    left = bound(text).left
    assert isinstance(left, BoundField)
    assert (left.index, left.key) == (index, key)


@pytest.mark.parametrize(
    ("text", "error_class", "code"),
    [
        ("proc.names=a", "unknown-field", "RK201"),
        ("evt.numx=1", "unknown-field", "RK201"),
        ("evt.arg.nosuch=1", "unknown-field", "RK210"),
        ("evt.arg.flagsx=1", "unknown-field", "RK201"),
        ("evt.argx=1", "field-argument", "RK202"),
        ("evt.arg[x]=1", "field-argument", "RK202"),
        ("evt.rawarg[0]=1", "field-argument", "RK202"),
        ("evt.around.x=1", "field-argument", "RK202"),
        ("evt.type.is=1", "field-argument", "RK202"),
        ("evt.type.is.nosuch=1", "unknown-field", "RK201"),
        ("thread.cgroup=1", "field-argument", "RK202"),
        ("thread.cgroup.cpu2=1", "unknown-field", "RK201"),
        ("fd.types[x] exists", "field-argument", "RK202"),
        ("proc.aname[x]=a", "unknown-field", "RK201"),
        ("proc.name[0]=a", "unknown-field", "RK201"),
        ("syslog.message=a", "unknown-field", "RK201"),
        ("ka.verb=get", "unknown-field", "RK201"),
        ("jevt.value[/a]=b", "unknown-field", "RK201"),
        ("evt.type=nosuch", "event-type", "RK203"),
        ("evt.type contains op", "event-type", "RK203"),
        ("len(evt.type)=4", "event-type", "RK203"),
        ("len(evt.type)=x", "value", "RK205"),
        ('evt.type regex "[a"', "event-type", "RK203"),
        ("fd.num contains 3", "operator", "RK204"),
        ("fd.types = file", "operator", "RK204"),
        ("evt.around[5] != 1", "operator", "RK204"),
        ("evt.rawarg.addr > 0", "operator", "RK204"),
        ("evt.rawarg.sig = 9", "value", "RK205"),
        ("evt.rawarg.data = x", "value", "RK205"),
        ("evt.rawarg.data bcontains 61", "value", "RK205"),
        ("fd.num = 1.5", "value", "RK205"),
        ("fd.sip = ::ffff:1.2.3.4", "value", "RK205"),
        ('proc.name = "a\\x00b"', "value", "RK205"),
        ("proc.name = " + "a" * 256, "value", "RK205"),
        ("proc.pid = val(proc.name)", "field-compare", "RK206"),
        ("fd.snet = val(fd.sip)", "field-compare", "RK206"),
        ("proc.name in val(fd.types)", "field-compare", "RK206"),
        ("proc.name = val(proc.pname)[x]", "transformer", "RK207"),
        ("tolower(fd.num) = 1", "transformer", "RK207"),
        ("tolower(proc.aname) = 1", "transformer", "RK207"),
        ("concat(proc.name) = a", "transformer", "RK207"),
        ("concat(proc.name, fd.types) = a", "transformer", "RK207"),
        ('join(",", getopt(fd.types, "a")) = a', "transformer", "RK207"),
        ('getopt(fd.types, "ab:")[bc] = a', "transformer", "RK207"),
        ("proc.nosuch = a and mymacro", "undefined-macro", "RK208"),
        ("evt.type = val(proc.name)", "event-type-analysis", "RK209"),
        ("tolower(evt.type) exists", "event-type-analysis", "RK209"),
        ("concat(evt.type, proc.name) = a", "event-type-analysis", "RK209"),
    ],
)
def test_the_first_error_is_the_peers(text: str, error_class: str, code: str) -> None:
    result = check(text)
    assert (result.bound, result.error_class) == (None, error_class)
    errors = [d for d in result.diagnostics if d.severity == "error"]
    assert errors[0].code == code
    assert result.skippable == (code in ("RK201", "RK203"))


def test_further_errors_are_told_as_well() -> None:
    result = check("proc.nmae = a and fd.num = x or not evt.type = opne")
    helps = [d.help for d in result.diagnostics]
    assert helps == ["did you mean `proc.name`?", None, "did you mean `open`?"]
    assert [d.span.text for d in result.diagnostics] == ["proc.nmae", "x", "opne"]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("proc.nam = a", "did you mean `proc.name`?"),
        ("PROC.NAME = a", "did you mean `proc.name`?"),
        ("evt.arg.flagz = a", "did you mean `evt.arg.flags`?"),
        ("evt.type.is.opne = 1", "did you mean `evt.type.is.open`?"),
        ("evt.type = OPEN", "did you mean `open`?"),
        ("zzz.zzz = a", None),
        ("ka.verb = get", None),
    ],
)
def test_slips_get_a_suggestion(text: str, help: str | None) -> None:
    assert check(text).diagnostics[0].help == help


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fd.num = 010", (10,)),
        ('fd.num = " +7"', (7,)),
        ("fd.num = 99999999999999999999", ((1 << 63) - 1,)),
        ("evt.num > -1", ((1 << 64) - 1,)),
        ("evt.num = 18446744073709551616", ((1 << 64) - 1,)),
        ("evt.cpu = 65536", (0,)),
        ("evt.cpu = 40000", (40000 - 65536,)),
        ("user.uid = -1", ((1 << 32) - 1,)),
        ("fd.dev = 2147483648", (-2147483648,)),
        ("thread.cpu > 2", (2.0,)),
        ("evt.is_open_read in (true, false)", (True, False)),
        ("fd.sport in (http, 65558, '')", (80, 22, 0)),
        ("fd.sip in (1.2.3.4, ::1)", (b"\1\2\3\4", b"\0" * 15 + b"\1")),
        ("fd.snet = 10.1.2.3/8", ((b"\x0a\0\0\0", 8),)),
        ("fd.snet = 10.1.2.3/256", ((b"\0\0\0\0", 0),)),
        ("fd.snet in (fe80::1/64)", ((b"\xfe\x80" + b"\0" * 14, 64),)),
        ("evt.buffer bcontains 0aFF", (b"\x0a\xff",)),
        ('evt.buffer contains "\\x00\\xff"', (b"\0\xff",)),
        ("proc.name = é", ("é".encode(),)),
        ("proc.name in cat", (b"cat",)),
        ("proc.name in ()", ()),
        ("proc.name startswith anyof (a, b)", (b"a", b"b")),
    ],
)
def test_literals_become_typed_values(text: str, values: tuple[Any, ...]) -> None:
    assert bound(text).values == values


def test_kinds_follow_transformers_and_parameters() -> None:
    assert bound("len(proc.args) > 3").left.kind is Kind.UINT  # type: ignore[union-attr]
    assert bound("evt.rawarg.res = 1").left.kind is Kind.INT  # type: ignore[union-attr]
    assert bound("evt.rawarg.name = x").left.kind is Kind.TEXT  # type: ignore[union-attr]
    options = bound('getopt(fd.types, "a:") in (x)').left
    assert isinstance(options, BoundTransform)
    assert options.is_list
    assert bound("proc.name == a").op == "="
    assert bound("proc.name = val(proc.pname)").other is not None


def test_sources_know_their_own_fields() -> None:
    assert check("ka.verb = get and jevt.value[/a] = b", "k8s_audit").error_class is None
    assert check("proc.name = cat", "k8s_audit").error_class == "unknown-field"
    assert check("evt.num > 1 and evt.time exists", "k8s_audit").error_class is None
    assert check("jevt.value = b", "k8s_audit").error_class == "field-argument"
    assert check("ka.req.pod.containers.image[x] exists", "k8s_audit").error_class


@pytest.mark.parametrize(
    ("text", "source", "codes"),
    [
        ("evt.type = open and proc.name = proc.pname", "syscall", ["LOAD_COMPILE_CONDITION"]),
        ("evt.type = open and proc.name in (proc.name, evt.num)", "syscall",
         ["LOAD_COMPILE_CONDITION"] * 2),
        ('evt.type = open and proc.name = " len ( x ) "', "syscall", ["LOAD_COMPILE_CONDITION"]),
        ("evt.type = open and proc.name = evt.arg", "syscall", []),
        ('evt.type = open and proc.name regex "^.*cat.+$"', "syscall", []),
        ('evt.type = open and proc.name regex "^cat$"', "syscall", ["LOAD_COMPILE_CONDITION"]),
        ("evt.type = open and evt.dir = < and evt.latency > 0 and evt.dir = <", "syscall",
         ["LOAD_DEPRECATED_ITEM"] * 2),
        ("evt.type = open and tolower(evt.dir) = x", "syscall", ["LOAD_DEPRECATED_ITEM"]),
        ("evt.type = open and proc.name = val(evt.dir)", "syscall", []),
        ("proc.name = a", "syscall", ["LOAD_NO_EVTTYPE"]),
        ("ka.verb = <NA> or ka.uri in (a, <NA>)", "k8s_audit", ["LOAD_UNSAFE_NA_CHECK"]),
        ("ka.verb startswith <NA>", "k8s_audit", []),
    ],
)  # fmt: skip
def test_warnings_are_the_peers(text: str, source: str, codes: list[str]) -> None:
    result = check(text, source)
    assert result.bound is not None
    assert [d.falco for d in result.diagnostics] == codes
    assert {d.severity for d in result.diagnostics} <= {"warning"}


def test_a_filter_of_its_own_is_not_asked_for_event_types() -> None:
    assert check("proc.name = a", stand_alone=True).diagnostics == ()
    assert check("evt.type = val(proc.name)", stand_alone=True).error_class is None


def test_shared_subtrees_cost_once_but_tell_each_time() -> None:
    from rulekit.rules.ast import AndNode, Node

    node: Node = parse_condition(SourceText("m", "evt.type = open and proc.name = proc.pname"))
    twice = AndNode((node, node), node.span)
    assert len(check_condition(twice, "syscall").diagnostics) == 2
    for _ in range(60):
        node = AndNode((node, node), node.span)
    result = check_condition(node, "syscall")
    # Counted first: a failing comparison would print the tree, which is endless when written out.
    loaded, n_remarks = result.bound is not None, len(result.diagnostics)
    assert loaded
    assert n_remarks == 200


def test_every_field_can_be_named() -> None:
    for source in ("syscall", "k8s_audit"):
        for field in current_fields(source):
            if field.provider == "json plugin" and source == "syscall":
                continue
            result = check(f"{field.name} exists", source)
            if field.arg == "required":
                assert result.error_class in ("field-argument", "unknown-field"), field.name
            else:
                assert result.error_class is None, field.name


def test_one_condition_is_reported_in_full() -> None:
    assert check_one("evt.dir = <") == {
        "condition": "evt.dir = <",
        "ok": True,
        "class": None,
        "ast": '(= (field evt.dir) "<")',
        "errors": [],
        "warnings": ["LOAD_DEPRECATED_ITEM", "LOAD_NO_EVTTYPE"],
    }
    bad = check_one("proc.name =")
    assert (bad["ok"], bad["class"], bad["ast"]) == (False, "syntax", None)
    assert bad["errors"] == ["LOAD_ERR_COMPILE_CONDITION"]
    assert check_one("m")["errors"] == ["LOAD_ERR_VALIDATE"]


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "a|", "(|a)", "()*", "^*", "a**", "a*?", "[]a]", "[^]a]", "[a-]", "[-a]", "a{,3}"),
        *("a{01}", "a{", "{", "a{1000}", "(a{10}){100}", "[[:alpha:][:^digit:]]", "\\.", "\\n"),
        *("\\x41", "\\x{1F600}", "\\012", "\\12", "[\\]]", "]", "}", "é+", "a{3}{2}", "[[.a]"),
    ],
)
def test_posix_patterns_are_taken(pattern: str) -> None:
    check_regex(pattern.encode())


@pytest.mark.parametrize(
    "pattern",
    [
        *("*a", "(*a)", "a|*", "+", "?", "(", ")", "a)", "(a", "[", "[a", "[]", "[z-a]", "[a-b-c]"),
        *("[[:nosuch:]]", "\\d", "\\b", "\\w", "\\1", "\\8", "\\pL", "\\Q", "\\x4", "\\x{110000}"),
        *("(?i)a", "(?:a)", "(?P<x>a)", "a{1001}", "a{2,1}", "(a{100}){11}", "{2}", "a\\", "\\é"),
    ],
)
def test_other_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(RegexError):
        check_regex(pattern.encode())


def test_patterns_are_utf_8() -> None:
    with pytest.raises(RegexError):
        check_regex(b"\xff")


@given(st.integers(-(1 << 70), 1 << 70))
def test_numbers_clamp_then_wrap(number: int) -> None:
    clamped = max(-(1 << 63), min(number, (1 << 63) - 1))
    assert read_number(str(number), 64, True) == clamped
    low = clamped & 0xFFFFFFFF
    assert read_number(str(number), 32, True) == (low - (1 << 32) if low >> 31 else low)


PIECES = [
    *("proc.name", "evt.type", "fd.sip", "fd.types", "evt.rawarg.", "evt.arg", "[", "]", "1", "x"),
    *("=", " = ", " in ", " regex ", "(", ")", ",", "tolower(", "val(", "open", "1.2.3.4", "::/0"),
    *(" and ", " or ", "not ", '"', "\\x00", "*", "-", "é", "\udcff", " exists", ".is."),
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join) | st.text(max_size=30))
def test_checking_never_fails_in_another_way(text: str) -> None:
    result = check_one(text)
    assert result["ok"] == (result["class"] is None)
    assert result["ok"] or result["errors"]


def test_unreadable_literals_say_why() -> None:
    assert issubclass(LiteralError, ValueError)
    found = check("fd.snet = 10.0.0.0/33").diagnostics[0]
    assert found.label == "the length is a number from 0 to 32"

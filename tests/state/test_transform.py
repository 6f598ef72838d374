"""Transformers, as outputs use them."""

from __future__ import annotations

import pytest

from rulekit.capture.builder import Builder
from rulekit.capture.writer import FdEntry
from tests.state.rendered import render


@pytest.fixture
def b() -> Builder:
    builder = Builder()
    builder.add_process(100, "Ba-Sh", exepath="/usr/bin/bash", cwd="/")
    builder.add_event("chdir", {"res": 0, "path": "/"}, tid=100)
    return builder


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("toupper(proc.name)", "BA-SH"),
        ("tolower(proc.name)", "ba-sh"),
        ("basename(proc.exepath)", "bash"),
        ("basename(proc.cwd)", ""),
        ("basename(proc.name)", "Ba-Sh"),
        ("len(proc.exepath)", "13"),
        ("toupper(basename(proc.exepath))", "BASH"),
        ('concat(proc.name,"-",proc.exepath)', "Ba-Sh-/usr/bin/bash"),
        ("concat(proc.name,fd.name)", "<NA>"),
        ('join("/",(proc.name,proc.pid,"x"))', "Ba-Sh/100/x"),
        ('join("",(proc.name,proc.pid))', "Ba-Sh100"),
        ('join(",",(proc.name,fd.name))', "<NA>"),
        ("toupper(fd.name)", "<NA>"),
    ],
)
def test_calls(b: Builder, call: str, text: str) -> None:
    assert render(b, f"%{call}") == text


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (b"YWJj", "abc"),
        (b"YWI=", "ab"),
        (b"YWI", "ab"),
        (b"YQ==", "a"),
        (b"YQ", "a"),
        (b"", ""),
        (b"YR", "<NA>"),  # bits that belong to no byte
        (b"Y", "<NA>"),
        (b"YW Jj", "<NA>"),
        (b"=", "<NA>"),
        (b"====", "<NA>"),
    ],
)
def test_base64_is_decoded_or_null(b: Builder, encoded: bytes, text: str) -> None:
    b.add_event("chdir", {"res": -2, "path": encoded + b"\0"}, tid=100)
    assert render(b, "%b64(evt.arg.path)") == text


@pytest.mark.parametrize(
    ("words", "options", "text"),
    [
        (["-n"], "n", "n"),
        (["-t", "hello"], "t:", "t,hello"),
        (["-thello"], "t:", "t,hello"),
        (["-nt", "hello"], "nt:", "n,t,hello"),
        (["-n", "--", "-t"], "nt:", "n"),
        (["-x", "-n"], "n", "?,n"),
        (["--exec", "-n"], "n", "n"),
        (["word", "-n"], "n", ""),
        (["-", "-n"], "n", ""),
        (["-t"], "t:", ""),
        (["-t"], ":t:", ""),
        (["-:"], "t:", "?"),
        (["-t", "-x"], "t:x", "t,-x"),
        (["-lpe", "/bin/sh"], "lp:e:", "l,p,e"),
        (["-n", ""], "n", "n"),
    ],
)
def test_getopt_follows_the_habits_of_short_options(
    b: Builder, words: list[str], options: str, text: str
) -> None:
    quoted = ",".join(f'"{w}"' for w in words)
    assert render(b, f'%getopt(({quoted}),"{options}")') == f"({text})"


@pytest.mark.parametrize(
    ("words", "letter", "text"),
    [
        (["-n", "-t", "hello"], "t", "hello"),
        (["-n", "-t", "hello"], "n", "n"),
        (["-t", "v1", "-tv2"], "t", "v2"),
        (["-t", "v1", "-t"], "t", ""),
        (["-n"], "t", "<NA>"),
    ],
)
def test_getopt_picks_one_option(b: Builder, words: list[str], letter: str, text: str) -> None:
    quoted = ",".join(f'"{w}"' for w in words)
    assert render(b, f'%getopt(({quoted}),"nt:")[{letter}]') == text


def test_lists_are_transformed_item_by_item(b: Builder) -> None:
    b.add_fd(100, FdEntry(0, "file", "/dev/null"))
    b.add_event("close", {"res": -9, "fd": 9}, tid=100)
    assert render(b, '%join(",",fd.types) %len(fd.types)') == "file 1"

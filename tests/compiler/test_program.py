"""Programs: what they need, their text, their files."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from rulekit.compiler.dump import dump_graph, dump_program
from rulekit.compiler.lower import lower
from rulekit.compiler.program import Program, compile_ruleset
from rulekit.compiler.saved import FORMAT_VERSION, load_program, save_program
from rulekit.errors import RuleError
from rulekit.testing._probe import Probe
from tests.properties.conditions import bound

CONDITIONS = [
    "evt.type in (open, openat) and proc.name = cat and not fd.name startswith /etc",
    "evt.type = open and fd.name contains x and evt.rawres >= 0",
    "evt.type = open and evt.rawres >= 0 and fd.snet = 10.0.0.0/8",
    'join("-", (proc.name, evt.type)) in (a, b) or proc.aname[2] exists',
    "thread.cpu > 5 or evt.buffer contains abc or fd.ip = 1.2.3.4",
]


def compiled(*conditions: str) -> Program:
    return compile_ruleset([(text, bound(text), None) for text in conditions or CONDITIONS])


def test_a_program_names_the_events_and_fields_it_needs() -> None:
    program = compiled("evt.type = open and proc.aname[2] = cat and len(fd.name) > 3")
    assert program.event_codes() == {1, 2, 3, 402}
    assert program.fields() == {"proc.aname", "fd.name", "evt.type"}


def test_a_saved_program_is_the_same_program(tmp_path: Path) -> None:
    program = compiled()
    save_program(program, tmp_path / "x.rkc")
    loaded = load_program(tmp_path / "x.rkc")
    assert loaded == program
    values = {("proc.name", None, None): b"cat", ("fd.name", None, None): b"/tmp/x"}
    assert Probe(loaded).match(3, values) == [0] == Probe(program).match(3, values)
    assert [p.name for p in tmp_path.iterdir()] == ["x.rkc"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a compiled program"),
        (b"- rule: x\n", "not a compiled program"),
        (b"RKC\n" + struct.pack("<I", 999) + bytes(32), "another version"),
        (b"RKC\n" + struct.pack("<I", FORMAT_VERSION) + bytes(32) + b"x", "damaged"),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.rkc").write_bytes(content)
    with pytest.raises(RuleError, match=message):
        load_program(tmp_path / "x.rkc")


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.rkc"
    save_program(compiled("evt.type = open"), path)
    whole = path.read_bytes()
    for at in range(4, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(RuleError):
            load_program(path)


def test_a_file_with_a_right_checksum_but_wrong_numbers_is_refused_or_harmless(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.rkc"
    save_program(compiled(), path)
    whole = path.read_bytes()
    refused = 0
    for at in range(44, len(whole), 41):
        content = bytearray(whole[40:])
        content[at - 40] = (content[at - 40] + 0x7F) & 0xFF
        path.write_bytes(whole[:8] + hashlib.sha256(content).digest() + bytes(content))
        try:
            program = load_program(path)
            probe = Probe(program)
        except RuleError:
            refused += 1
            continue
        for slot in (1, 3, 307, 402):
            probe.match(slot, {("fd.name", None, None): b"/etc/x", ("proc.name", None, None): b"a"})
    assert refused > 10


def test_the_graph_prints() -> None:
    text = "evt.type = open and (proc.name in (a, b) or not fd.name exists)"
    assert dump_graph(lower([("a rule", bound(text), None)])) == (
        "n2 = evt.type = 'open'\n"
        "n3 = proc.name in ('a', 'b')\n"
        "n4 = fd.name exists\n"
        "n5 = not n4\n"
        "n6 = or n3 n5\n"
        "n7 = and n2 n6\n"
        "rule 'a rule': n7\n"
    )


def test_a_program_prints() -> None:
    lines = dump_program(compiled()).splitlines()
    assert lines[0].startswith("5 rules, ")
    assert any(line.startswith("class ") and line.endswith(": openat") for line in lines)
    assert "signature: proc.name, proc.aname[2]; 0 bits" in lines
    assert any("fd.name startswith '/etc'  [text bit 0]" in line for line in lines)
    assert any("fd.snet = 10.0.0.0/8" in line for line in lines)
    assert any(line.endswith("for 2 rules, early") for line in lines)


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("fd.sip = 127.0.0.1", "fd.sip = 127.0.0.1"),
        ("fd.sip in (127.0.0.1, ::1)", "fd.sip in (::1, 127.0.0.1)"),
        ("fd.snet in (10.0.0.0/8, fe80::/10)", "fd.snet in (10.0.0.0/8, fe80::/10)"),
        ("proc.is_exe_writable = true", "proc.is_exe_writable = true"),
        ("fd.num >= -1", "fd.num >= -1"),
        ("evt.latency < 18446744073709551615", "evt.latency < 18446744073709551615"),
        ("fd.sport in (80, 443)", "fd.sport in (80, 443)"),
        ("proc.name = allof (a, b)", "proc.name = allof ('a', 'b')"),
        ("proc.name contains anyof (a)", "proc.name contains anyof ('a')"),
        ("proc.name startswith a", "proc.name startswith 'a'"),
        ("proc.name = val(proc.pname)", "proc.name = proc.pname"),
    ],
)
def test_literals_print_as_they_are_written(condition: str, shown: str) -> None:
    rules = [("r", bound(condition), None)]
    program = compile_ruleset(rules)
    assert f" = {shown}\n" in dump_graph(lower(rules))
    assert shown.replace(" = proc.pname", " in proc.pname") in dump_program(program)

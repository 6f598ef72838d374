"""Audit rules that rules need, and which rules some starve."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rulekit.rules.loader import load_files
from rulekit.schema.linux_audit import audit_table
from rulekit.text.source import SourceText
from rulekit.tools.linux_audit.lines import lines_for, write
from rulekit.tools.linux_audit.needs import Needs, all_needs
from rulekit.tools.linux_audit.parse import parse
from rulekit.tools.linux_audit.starved import starved


def needs(*conditions: str, output: str = "x") -> list[Needs]:
    text = "".join(
        f"- rule: R{i}\n  desc: d\n  condition: {condition}\n  output: {output}\n  priority: INFO\n"
        for i, condition in enumerate(conditions)
    )
    return all_needs(load_files([SourceText("rules.yaml", text)]).require())


def lines(*conditions: str, output: str = "x", arch: str = "x86_64") -> list[str]:
    """Return the lines for 64-bit programs, without what all have in common."""
    found = lines_for(needs(*conditions, output=output), arch)
    return [
        str(line).removeprefix("-a always,exit -F arch=b64 -S ")
        for line in found
        if line.arch == "b64"
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("evt.type = kill", ["kill -k rulekit-other"]),
        ("evt.type = chmod and evt.rawres >= 0", ["chmod -F success=1 -k rulekit-file"]),
        ("evt.type = chmod and evt.res = SUCCESS", ["chmod -F success=1 -k rulekit-file"]),
        ("evt.type = chmod and evt.failed = false", ["chmod -F success=1 -k rulekit-file"]),
        ("evt.type = chmod and not evt.rawres < 0", ["chmod -F success=1 -k rulekit-file"]),
        ("evt.type = chmod and (evt.rawres = 0 or proc.name = x)", ["chmod -k rulekit-file"]),
        ("evt.type = connect and (evt.rawres >= 0 or evt.res = EINPROGRESS)",
         ["connect -k rulekit-net"]),
        ("evt.type = openat and fd.num >= 0 and evt.is_open_write = true and fd.name = /etc/x",
         ["openat -F success=1 -F a2&0x3 -k rulekit-open"]),
        ("evt.type in (open, openat) and fd.num >= 0 and evt.is_open_write = true",
         ["open -F success=1 -F a1&0x3 -k rulekit-open",
          "openat -F success=1 -F a2&0x3 -k rulekit-open"]),
        ("evt.type = openat and fd.num >= 0", ["openat -F success=1 -k rulekit-open"]),
        ("evt.type = unlinkat and fs.path.name = /x and evt.rawres >= 0",
         ["openat2 -F success=1 -k rulekit-open",
          "open -F success=1 -F a1&0x10000 -k rulekit-open",
          "openat -F success=1 -F a2&0x10000 -k rulekit-open",
          "unlinkat -F success=1 -k rulekit-file"]),
        ("evt.type = unlink and proc.cmdline contains x",
         ["execve,execveat -F success=1 -k rulekit-exec", "unlink -k rulekit-file"]),
        ("evt.type = unlink and proc.pname = x",
         ["execve,execveat -F success=1 -k rulekit-exec",
          "clone,clone3,fork,vfork -F success=1 -k rulekit-process",
          "unlink -k rulekit-file"]),
        ("evt.type = procexit", ["exit_group -k rulekit-process"]),
        ("evt.type = mount_setattr", ["mount_setattr -k rulekit-other"]),
        ("evt.type = open and container.id != host", []),
        ("evt.type = pread and proc.name = x", ["pread64 -k rulekit-file"]),
    ],
)  # fmt: skip
def test_lines(condition: str, expected: list[str]) -> None:
    assert lines(condition) == expected


def test_fields_of_descriptors_need_what_opens_them() -> None:
    text = " ".join(lines("evt.type = write and fd.name = /etc/x"))
    assert all(name in text for name in ("openat", "creat", "socket", "dup2", "pipe2", "clone"))
    text = " ".join(lines("evt.type = dup2 and fd.type in (ipv4, ipv6)"))
    assert "connect" in text
    assert "openat" not in text


def test_outputs_are_looked_at_too() -> None:
    assert "execve" not in " ".join(lines("evt.type = unlink"))
    assert "execve" in " ".join(lines("evt.type = unlink", output="c=%proc.cmdline"))


def test_rules_share_lines() -> None:
    found = lines(
        "evt.type = openat and fd.num >= 0 and evt.is_open_write = true",
        "evt.type = openat and evt.failed = true",
        "evt.type = open and evt.rawres >= 0",
    )
    assert found == ["openat -k rulekit-open", "open -F success=1 -k rulekit-open"]


def test_32_bit_programs_are_no_way_round() -> None:
    found = lines_for(needs("evt.type in (setuid, connect, accept)"))
    narrow = {name for line in found if line.arch == "b32" for name in line.calls}
    assert narrow == {"setuid", "setuid32", "connect", "accept4", "socketcall"}
    assert all(line.arch == "b64" for line in lines_for(needs("evt.type = kill"), narrow=False))


def test_another_machine() -> None:
    found = lines_for(needs("evt.type in (open, openat) and evt.is_open_write = true"), "aarch64")
    assert [str(line) for line in found] == [
        "-a always,exit -F arch=b64 -S openat -F a2&0x3 -k rulekit-open"
    ]


def test_names_of_32_bit_calls_are_known_to_auditctl() -> None:
    if shutil.which("ausyscall") is None:
        pytest.skip("no ausyscall: the Debian package auditd has it")
    dump = subprocess.run(
        ["ausyscall", "i386", "--dump"], capture_output=True, text=True, check=True
    )
    known = {line.split("\t")[1] for line in dump.stdout.splitlines()[1:]}
    for names in audit_table()["i386"]["names"].values():
        assert set(names) - known <= {"fstatat64"} | {n for n in names if n.endswith("_time64")}
    numbers = {line.split("\t")[0]: line.split("\t")[1] for line in dump.stdout.splitlines()[1:]}
    for number, name in audit_table()["i386"]["numbers"].items():
        assert numbers[number].startswith(name.removeprefix("new")[:5])


def gaps(condition: str, audit: str, **options: bool) -> list[str]:
    found = starved(needs(condition), parse(audit), **{"narrow": False, **options})
    return [str(gap) for one in found for gap in one.gaps]


OPEN = "evt.type = openat and fd.name = /x"


@pytest.mark.parametrize(
    ("audit", "expected"),
    [
        ("-a always,exit -F arch=b64 -S openat", []),
        ("-a exit,always -S all -k x", []),
        ("-a always,exit -S 257", []),
        ("-A always,exit -F arch=b64 -S open -S openat -k x", []),
        ("", ["openat: missing"]),
        ("-a always,exit -F arch=b32 -S openat", ["openat: missing"]),
        ("-a always,exit -F arch=b64 -S openat -F auid>=1000 -F auid!=-1",
         ["openat: only where auid>=1000 and auid!=-1"]),
        ("-w /etc/passwd -p wa -k passwd", ["openat: only where path=/etc/passwd and perm=wa"]),
        ("-w /etc/passwd -p x", ["openat: missing"]),
        ("-a always,exit -F arch=b64 -S openat -F success=1", ["openat: only where success=1"]),
        ("-a never,exit -F arch=b64 -S openat\n-a always,exit -S all", ["openat: missing"]),
        ("-a always,exit -F arch=b64 -S openat\n-D", ["openat: missing"]),
        ("-a always,exit -F arch=b64 -S openat\n-e 0",
         ["openat: missing, the file switches auditing off"]),
        ("-a always,exit -S openat\n-a always,exclude -F msgtype=PATH",
         ["PATH: records of this type are excluded (needed for paths)"]),
        ("# nothing\n-b 8192\n-f 1\n--backlog_wait_time 1\n-a task,never", ["openat: missing"]),
    ],
)  # fmt: skip
def test_starved_rules(audit: str, expected: list[str]) -> None:
    assert gaps(OPEN, audit) == expected


def test_filters_that_leave_out_nothing_that_is_wanted() -> None:
    audit = "-a always,exit -F arch=b64 -S openat -F success=1 -F a2&03"
    assert gaps("evt.type = openat and fd.num >= 0 and evt.is_open_write = true", audit) == []
    assert gaps("evt.type = openat and fd.num >= 0", audit) == ["openat: only where a2&03"]


def test_what_the_state_needs() -> None:
    audit = "-a always,exit -F arch=b64 -S unlink"
    assert gaps("evt.type = unlink and proc.cmdline = x", audit) == [
        "execve, execveat: missing (needed for arguments of programs)"
    ]
    (one,) = starved(needs("evt.type = unlink and proc.cmdline = x"), parse(audit), narrow=False)
    assert not one.blind


def test_32_bit_programs_are_asked_for() -> None:
    audit = "-a always,exit -F arch=b64 -S openat"
    assert gaps(OPEN, audit, narrow=True) == ["openat: missing for 32-bit programs"]


@pytest.mark.parametrize("line", ["-x", "-a always -S x", "-a always,exit -F x", "word", "-k 'x"])
def test_lines_that_cannot_be_understood(line: str) -> None:
    found = parse(f"# x\n{line}\n")
    assert [number for number, _ in found.problems] == [2]
    assert found.rules == []


def test_what_is_printed_is_enough_for_every_upstream_rule(shared: Path) -> None:
    folder = shared / "rules" / "upstream"
    names = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
    ruleset = load_files([folder / name for name in names]).require()
    wanted = all_needs(ruleset)
    text = "\n".join(write(lines_for(wanted)))
    assert starved(wanted, parse(text)) == []
    # Each of its lines is needed by some rule.
    rules = [line for line in text.splitlines() if line.startswith("-a")]
    assert len(rules) < 20
    for gone in rules:
        less = "\n".join(line for line in rules if line != gone)
        assert starved(wanted, parse(less)), gone

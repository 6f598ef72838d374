"""``rulekit compile``, and rules that ``rulekit run`` finds compiled."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = "rulesets/persistence/rules.yaml"
HOST = "rulesets/captures/attack-host.scap.gz"


def alerts(cli, *args: object, **options: object) -> str:  # type: ignore[no-untyped-def]
    done = cli("run", "-q", "-e", HOST, *args, **options)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_a_program_runs_as_its_rules_do(cli, tmp_path: Path) -> None:
    program = tmp_path / "p.rkc"
    done = cli("compile", RULES, "-o", program)
    assert done.returncode == 0
    assert "rules compiled into" in done.stderr
    assert done.stdout == ""
    expected = alerts(cli, "-r", RULES)
    assert expected
    assert alerts(cli, "-r", program) == expected
    formatted = alerts(cli, "-r", program, "--format", "json", "--json-extra")
    assert formatted == alerts(cli, "-r", RULES, "--format", "json", "--json-extra")


def test_what_was_chosen_at_compile_time_cannot_be_chosen_again(cli, tmp_path: Path) -> None:
    program = tmp_path / "p.rkc"
    assert cli("compile", RULES, "-o", program, "--min-priority", "error").returncode == 0
    assert alerts(cli, "-r", program) == alerts(cli, "-r", RULES, "--min-priority", "error")
    done = cli("run", "-r", program, "-e", HOST, "--min-priority", "error")
    assert done.returncode == 2
    assert "say this when the rules are compiled: min priority" in done.stderr
    done = cli("run", "-r", program, "-r", RULES, "-e", HOST)
    assert done.returncode == 2
    assert "cannot be joined with other files" in done.stderr


def test_bad_files_are_clear_errors(cli, tmp_path: Path) -> None:
    program = tmp_path / "p.rkc"
    program.write_bytes(b"PK\x03\x04 no program")
    done = cli("run", "-r", program, "-e", HOST)
    assert done.returncode == 2
    assert f"{program}: not a compiled program" in done.stderr
    cli("compile", RULES, "-o", program)
    data = bytearray(program.read_bytes())
    data[-5] ^= 1
    program.write_bytes(data)
    done = cli("run", "-r", program, "-e", HOST)
    assert done.returncode == 2
    assert "damaged (the checksum does not match)" in done.stderr
    done = cli("compile", RULES, "-o", tmp_path / "nowhere" / "p.rkc")
    assert done.returncode == 2
    assert "nowhere" in done.stderr


def test_rules_with_errors_are_explained(cli, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("- rule: r\n  desc: d\n  condition: nothing.known = 1\n  output: o\n"
                   "  priority: INFO\n")  # fmt: skip
    done = cli("compile", bad, "-o", tmp_path / "p.rkc")
    assert done.returncode == 1
    assert "nothing.known" in done.stderr
    assert not (tmp_path / "p.rkc").exists()
    assert cli("compile", RULES).returncode == 2


def test_every_stage_can_be_seen(cli, tmp_path: Path) -> None:
    rules = tmp_path / "r.yaml"
    rules.write_text("- macro: m\n  condition: evt.type = open\n"
                     "- rule: r\n  desc: d\n  condition: m and not proc.name in (a, b)\n"
                     "  output: o\n  priority: INFO\n")  # fmt: skip
    tree = cli("compile", rules, "--dump=ast").stdout
    assert tree.startswith("rule 'r': (")
    assert "evt.type" in tree
    assert "(m)" not in tree
    graph = cli("compile", rules, "--dump=ir").stdout
    assert "proc.name in ('a', 'b')" in graph
    assert "rule 'r': n" in graph
    program = cli("compile", rules, "--dump", "program").stdout
    assert program.startswith("1 rules, ")
    assert "class 0: open" in program


def test_run_keeps_what_it_compiled(cli, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    environment = {**os.environ, "TZ": "UTC", "PYTHONPATH": str(ROOT), "RULEKIT_CACHE": str(folder)}
    first = alerts(cli, "-r", RULES, env=environment)
    (kept,) = folder.iterdir()
    before = kept.stat().st_ino
    assert alerts(cli, "-r", RULES, env=environment) == first
    assert [each.stat().st_ino for each in folder.iterdir()] == [before]
    kept.write_bytes(b"damaged")
    assert alerts(cli, "-r", RULES, env=environment) == first
    assert kept.stat().st_size > 1000
    # Another choice of rules is another program.
    fewer = alerts(cli, "-r", RULES, "--min-priority", "error", env=environment)
    assert fewer != first
    assert len(list(folder.iterdir())) == 2
    quiet = alerts(cli, "-r", RULES, env={**environment, "RULEKIT_CACHE": ""})
    assert quiet == first


def test_warnings_are_counted_also_of_rules_that_were_kept(cli, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- macro: unused\n  condition: evt.type = open\n"
                     "- rule: r\n  desc: d\n  condition: evt.type = open and proc.name = nosuch\n"
                     "  output: o\n  priority: INFO\n")  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RULEKIT_CACHE": str(tmp_path / "cache")}
    told = [cli("run", "-r", rules, "-e", HOST, env=environment).stderr for _ in range(2)]
    assert "the rules have 1 warning: see `rulekit check`" in told[0]
    assert "the rules have 1 warning: see `rulekit check`" in told[1]
    assert len(list((tmp_path / "cache").iterdir())) == 1

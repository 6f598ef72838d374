"""Compiled rules: in a file, in the folder of programs; the same alerts, and never a wrong one."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

import rulekit
from rulekit.compiler.saved import load_saved, save_program
from rulekit.engine import program_cache
from rulekit.engine.compiled import CompiledRules, is_compiled, load_compiled
from rulekit.engine.pipeline import Engine
from rulekit.engine.program_cache import ProgramCache, cache_folder
from rulekit.errors import RuleError
from rulekit.rules.loader import load_files

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = ROOT / "rulesets" / "captures" / "attack-host.scap.gz"
RULES = [ROOT / "rulesets" / name / "rules.yaml" for name in ("persistence", "credential_access")]
ODD = """\
- rule: Odd output
  desc: "text 😀 of any kind"
  condition: evt.type in (execve, execveat) and proc.name != ""
  output: >
    %20proc.name|%toupper(proc.name)|%join(" - ", (proc.name, proc.pname, "lit"))|%proc.aname[1]
    %evt.arg.res %proc.env[HOME] %proc.pid %5fd.name
  priority: ERROR
  tags: [a, b]
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_files(RULES).require(), matching="all")


def test_the_file_gives_the_same_alerts(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "x.rkc"
    engine.compiled().save(path)
    assert is_compiled(path)
    assert not is_compiled(RULES[0])
    again = Engine(load_compiled(path), matching="all")
    expected = list(engine.run(HOST))
    assert list(again.run(HOST)) == expected
    assert len(expected) > 10
    assert [rule.name for rule in again.rules] == [rule.name for rule in engine.rules]
    # What was read may be written again.
    again.compiled().save(tmp_path / "y.rkc")
    assert (tmp_path / "y.rkc").read_bytes() == path.read_bytes()


def test_outputs_of_every_form_survive(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(ODD)
    engine = Engine(load_files([tmp_path / "odd.yaml"]).require())
    engine.compiled().save(tmp_path / "odd.rkc")
    expected = list(engine.run(HOST))
    assert list(Engine(load_compiled(tmp_path / "odd.rkc")).run(HOST)) == expected
    assert "|" in expected[0].message
    assert " - " in expected[0].message


def test_static_fields_and_documents_survive(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        json.dumps(
            [{"rule": "r", "desc": "d", "condition": "ka.verb exists", "priority": "INFO",
              "output": "%ka.verb at %static.site", "source": "k8s_audit"}]
        )
    )  # fmt: skip
    loaded = load_files(
        [path], sources=("syscall", "k8s_audit"), static_fields={"site": "here"}
    ).require()
    engine = Engine(loaded, source="k8s_audit")
    engine.compiled().save(tmp_path / "x.rkc")
    again = Engine(load_compiled(tmp_path / "x.rkc"), source="k8s_audit")
    text = b'{"kind": "Event", "auditID": "a", "verb": "get"}'
    assert [alert.message for alert in again.evaluate(text).alerts] == ["get at here"]
    assert again.decide(text).rules == ("r",)
    with pytest.raises(RuleError, match="compiled for the source k8s_audit, not syscall"):
        Engine(load_compiled(tmp_path / "x.rkc"))


def test_bad_and_foreign_files_are_told_apart(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.rkc"
    path.write_bytes(b"- rule: x")
    with pytest.raises(RuleError, match="not a compiled program"):
        load_compiled(path)
    engine.compiled().save(path)
    good = path.read_bytes()
    for at in range(4, len(good), len(good) // 60):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        with pytest.raises(RuleError, match=r"damaged|another version"):
            load_compiled(path)
    for length in (0, 3, 20, 44, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(RuleError, match=r"damaged|not a compiled program"):
            load_compiled(path)
    path.write_bytes(good)
    monkeypatch.setattr("rulekit.engine.compiled.__version__", "9.9")
    with pytest.raises(RuleError, match=r"compiled by rulekit .*, this is 9\.9: compile"):
        load_compiled(path)


def test_a_program_saved_without_rules_cannot_be_run(engine: Engine, tmp_path: Path) -> None:
    save_program(engine.program, tmp_path / "x.rkc")
    with pytest.raises(RuleError, match="inconsistent"):
        load_compiled(tmp_path / "x.rkc")


def test_outputs_of_the_same_words_are_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    words = "%proc.name opened %fd.name"
    path.write_text(
        json.dumps(
            [{"rule": f"r{i}", "desc": "d", "condition": f"evt.type = open and fd.num = {i}",
              "priority": "INFO", "output": words if i else "%evt.deltatime"}
             for i in range(200)]
        )
    )  # fmt: skip
    compiled = Engine(load_files([path]).require()).compiled()
    compiled.save(tmp_path / "x.rkc")
    assert (tmp_path / "x.rkc").read_bytes().count(b" opened ") == 1
    again = load_compiled(tmp_path / "x.rkc")
    assert len({id(rule.template) for rule in again.rules}) == 2
    assert [rule.rule_hash for rule in again.rules] == [rule.rule_hash for rule in compiled.rules]


@pytest.mark.parametrize("number", [-1, 10_000, "0", None])
def test_a_rule_whose_output_is_missing_is_refused(
    engine: Engine, tmp_path: Path, number: object
) -> None:
    path = tmp_path / "x.rkc"
    engine.compiled().save(path)
    program, about = load_saved(path)
    about["rules"][0][-1] = number
    save_program(program, path, about)
    with pytest.raises(RuleError, match="inconsistent"):
        load_compiled(path)


# ---- the folder of programs ---------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "programs"


def kept(engine: Engine, folder: Path, files: list[Path] = RULES, chosen: object = "x") -> Path:
    ProgramCache(files, chosen, folder).keep(engine.compiled())
    (path,) = folder.iterdir()
    return path


def test_a_kept_program_is_found_by_content(engine: Engine, folder: Path, tmp_path: Path) -> None:
    copies = []
    for number, each in enumerate(RULES):
        copies.append(tmp_path / f"{number}.yaml")
        copies[-1].write_bytes(each.read_bytes())
    kept(engine, folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    found = ProgramCache(copies, "x", folder).find()
    assert isinstance(found, CompiledRules)
    assert list(Engine(found, matching="all").run(HOST)) == list(engine.run(HOST))
    assert ProgramCache(copies[::-1], "x", folder).find() is None
    assert ProgramCache(copies, "y", folder).find() is None
    copies[0].write_bytes(copies[0].read_bytes() + b"\n")
    assert ProgramCache(copies, "x", folder).find() is None


def test_another_build_finds_nothing(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kept(engine, folder)
    monkeypatch.setattr(program_cache, "build_id", lambda: "another")
    assert ProgramCache(RULES, "x", folder).find() is None
    # Also where the names of files collide.
    monkeypatch.undo()
    monkeypatch.setattr("rulekit.engine.compiled.build_id", lambda: "another")
    assert path.exists()
    assert ProgramCache(RULES, "x", folder).find() is None


def test_damage_is_compiled_over(engine: Engine, folder: Path) -> None:
    path = kept(engine, folder)
    good = path.read_bytes()
    for bad in (b"", b"x" * 100, good[:-1], good[:500] + b"\0" + good[501:]):
        path.write_bytes(bad)
        cache = ProgramCache(RULES, "x", folder)
        assert cache.find() is None
        cache.keep(engine.compiled())
        assert path.read_bytes() == good


def test_what_belongs_to_somebody_else_is_not_read(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(engine, folder)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert ProgramCache(RULES, "x", folder).find() is None


def test_what_cannot_be_kept_does_no_harm(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for folder in (tmp_path / "file" / "programs", Path("/proc/nowhere"), None):
        cache = ProgramCache(RULES, "x", folder)
        cache.keep(engine.compiled())
        assert cache.find() is None
    missing = ProgramCache([tmp_path / "none.yaml"], "x", tmp_path / "programs")
    missing.keep(engine.compiled())
    assert not (tmp_path / "programs").exists()


def test_many_write_and_read_at_the_same_time(engine: Engine, folder: Path) -> None:
    compiled = engine.compiled()
    names = tuple(rule.name for rule in compiled.rules)
    failures: list[object] = []

    def work() -> None:
        for _ in range(10):
            cache = ProgramCache(RULES, "x", folder)
            found = cache.find()
            if found is not None and tuple(rule.name for rule in found.rules) != names:
                failures.append(found)
            cache.keep(compiled)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(list(folder.iterdir())) == 1


def test_the_folder_does_not_grow_without_end(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_cache, "KEPT", 3)
    compiled = engine.compiled()
    for number in range(6):
        ProgramCache(RULES, number, folder).keep(compiled)
        # What counts is the last use; times of files may be as coarse as this machine likes.
        path = ProgramCache(RULES, number, folder)._path
        assert path is not None
        os.utime(path, (number, number))
    found = [ProgramCache(RULES, n, folder).find() is not None for n in range(6)]
    assert found == [False, False, False, True, True, True]


def test_where_programs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RULEKIT_CACHE", "/x")
    assert cache_folder() == Path("/x")
    monkeypatch.setenv("RULEKIT_CACHE", "")
    assert cache_folder() is None
    monkeypatch.delenv("RULEKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/y")
    assert cache_folder() == Path("/y/rulekit/programs")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/.cache/rulekit/programs")


def test_reading_compiled_rules_imports_nothing_of_the_language(
    engine: Engine, tmp_path: Path
) -> None:
    import subprocess
    import sys

    engine.compiled().save(tmp_path / "x.rkc")
    code = (
        "import sys\n"
        "from rulekit.engine.compiled import load_compiled\n"
        "from rulekit.engine.pipeline import Engine\n"
        f"engine = Engine(load_compiled({str(tmp_path / 'x.rkc')!r}))\n"
        f"n = sum(1 for _ in engine.run({str(HOST)!r}))\n"
        "print(n, [m for m in sys.modules if m in ('lark', 'yaml', 're2', 'rulekit.rules.parser',"
        " 'rulekit.compiler.lower', 'rulekit.sources.linux_audit.log')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    n, rest = done.stdout.split(maxsplit=1)
    assert int(n) > 5
    assert rest.strip() == "[]"


def test_the_library_takes_compiled_rules(engine: Engine, tmp_path: Path) -> None:
    engine.compiled().save(tmp_path / "x.rkc")
    fresh = rulekit.Engine(load_compiled(tmp_path / "x.rkc"))
    before = len(fresh.rules)
    fresh.reload(load_files(RULES[:1]).require())
    assert 0 < len(fresh.rules) < before

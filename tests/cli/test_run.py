"""``rulekit run``: alerts of a capture, and what happens when something is wrong."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from rulekit.capture.builder import Builder
from tests.fuzz.mutate import block_starts, plain

ROOT = Path(__file__).resolve().parent.parent.parent
CAPTURES = ROOT / "rulesets" / "captures"
HOST = CAPTURES / "attack-host.scap.gz"
TINY = CAPTURES / "tiny-host.scap.gz"

RULES = """\
- macro: started
  condition: evt.type = execve and evt.arg.res = 0

- rule: Cat started
  desc: d
  condition: started and proc.name = cat
  output: "cat (command=%proc.cmdline tty=%proc.tty)"
  priority: WARNING
  tags: [b, a]

- rule: Anything started
  desc: d
  condition: started
  output: started %proc.name
  priority: INFO

- rule: Switched off
  desc: d
  condition: started and proc.name = id
  output: id
  priority: ERROR
  enabled: false
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def names(done) -> list[str]:
    return [json.loads(line)["rule"] for line in done.stdout.splitlines()]


def test_alerts_come_in_the_order_of_events_and_of_definition(cli, rules: Path) -> None:
    done = cli("run", "-r", rules, "-e", TINY, "--format", "json")
    assert done.returncode == 0
    found = names(done)
    assert set(found) == {"Cat started", "Anything started"}
    at = found.index("Cat started")
    assert found[at + 1] == "Anything started"
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["time"] for a in alerts] == sorted(a["time"] for a in alerts)
    cat = alerts[at]
    assert cat["priority"] == "Warning"
    assert cat["source"] == "syscall"
    assert cat["tags"] == ["a", "b"]
    assert cat["output"].endswith(": Warning cat (command=cat /etc/shadow tty=0)")
    assert set(cat["output_fields"]) == {"evt.time", "proc.cmdline", "proc.tty"}
    assert cat["output_fields"]["proc.tty"] == 0


def test_text_is_one_line_per_alert(cli, rules: Path) -> None:
    done = cli("run", "-r", rules, "-e", TINY)
    assert "Warning cat (command=cat /etc/shadow tty=0)\n" in done.stdout
    first = done.stdout.splitlines()[0]
    assert first[2] == first[5] == ":"
    assert ": Informational started " in done.stdout
    utc = cli("run", "-r", rules, "-e", TINY, "--iso8601").stdout.splitlines()[0]
    assert "T" in utc.split(": ")[0]
    assert "+0000: " in utc


def test_the_summary_is_on_stderr(cli, rules: Path) -> None:
    done = cli("run", "-r", rules, "-e", TINY)
    assert " events in " in done.stderr
    assert "events/s), 0 drops, " in done.stderr
    assert "  1  Cat started\n" in done.stderr
    assert cli("run", "-q", "-r", rules, "-e", TINY).stderr == ""


def test_first_reports_one_rule_per_event(cli, rules: Path) -> None:
    both = names(cli("run", "-r", rules, "-e", TINY, "--format", "json", "--matching", "all"))
    one = names(cli("run", "-r", rules, "-e", TINY, "--format", "json"))
    assert one.count("Cat started") == both.count("Cat started")
    assert len(both) - len(one) == both.count("Cat started")


def test_less_urgent_rules_can_be_left_out(cli, rules: Path) -> None:
    done = cli("run", "-r", rules, "-e", TINY, "--format", "json", "--min-priority", "Warning")
    assert set(names(done)) == {"Cat started"}


def test_disabled_rules_run_on_demand(cli, rules: Path) -> None:
    done = cli(
        "run", "-r", rules, "-e", TINY, "--format", "json", "--all-rules", "--matching", "all"
    )
    assert "Switched off" in names(done)


def test_fail_on_gives_findings_as_exit_code(cli, rules: Path) -> None:
    assert cli("run", "-r", rules, "-e", TINY, "--fail-on", "warning").returncode == 1
    assert cli("run", "-r", rules, "-e", TINY, "--fail-on", "error").returncode == 0


def test_later_files_change_earlier_rules(cli, rules: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.yaml"
    more.write_text("- rule: Anything started\n  enabled: false\n  override: {enabled: replace}\n")
    done = cli("run", "-r", rules, "-r", more, "-e", TINY, "--format", "json")
    assert set(names(done)) == {"Cat started"}


def test_output_goes_to_a_file(cli, rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    done = cli("run", "-r", rules, "-e", TINY, "--format", "json", "-o", path)
    assert done.stdout == ""
    assert len(path.read_text().splitlines()) > 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_said(cli, rules: Path) -> None:
    done = cli("run", "-r", rules, "-e", TINY, "-o", "/dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "rulekit: /dev/full: no space left on device; the output is partial"
    )
    assert "(partial)" in done.stderr


def test_an_output_that_cannot_be_made_is_said(cli, rules: Path, tmp_path: Path) -> None:
    done = cli("run", "-r", rules, "-e", TINY, "-o", tmp_path / "no" / "file")
    assert done.returncode == 2
    assert done.stderr.endswith("no/file: no such file or directory\n")


def test_a_capture_that_breaks_off_keeps_what_was_found(cli, rules: Path, tmp_path: Path) -> None:
    data = plain(TINY)
    whole = cli("run", "-r", rules, "-e", TINY, "-q").stdout
    path = tmp_path / "cut.scap"
    starts = block_starts(data)
    path.write_bytes(data[: starts[-20] + 13])
    done = cli("run", "-r", rules, "-e", path)
    assert done.returncode == 2
    assert done.stdout
    assert whole.startswith(done.stdout)
    assert f"{path}: byte " in done.stderr
    assert "partial" in done.stderr


def test_a_gzip_that_breaks_off_keeps_what_was_found(cli, rules: Path, tmp_path: Path) -> None:
    data = HOST.read_bytes()
    path = tmp_path / "cut.scap.gz"
    path.write_bytes(data[: len(data) // 2])
    done = cli("run", "-r", rules, "-e", path)
    assert done.returncode == 2
    assert done.stdout
    assert str(path) in done.stderr
    assert "partial" in done.stderr


BAD_CAPTURES = {
    "missing": None,
    "empty": b"",
    "text": b"this is no capture, but it is long enough to look like one\n" * 10,
    "zeros": bytes(4096),
    "gzip of text": gzip.compress(b"hello " * 1000),
    "gzip of nothing": gzip.compress(b""),
    "gzip magic only": b"\x1f\x8b",
    "one byte": b"\x0a",
    "newer version": plain(TINY)[:8]
    + plain(TINY)[8:12]
    + (200).to_bytes(2, "little")
    + plain(TINY)[14:],
}


@pytest.mark.parametrize("kind", BAD_CAPTURES)
def test_a_capture_that_cannot_be_read_is_one_clear_line(
    kind: str, cli, rules: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.scap"
    content = BAD_CAPTURES[kind]
    if content is not None:
        path.write_bytes(content)
    done = cli("run", "-q", "-r", rules, "-e", path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"rulekit: {path}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", ["run", "events", "test"])
def test_a_capture_in_which_nothing_happened_is_clean(
    verb: str, cli, rules: Path, tmp_path: Path
) -> None:
    quiet = tmp_path / "quiet.scap"
    Builder().save(quiet)
    if verb == "test":
        case = f"- case: quiet\n  rules: {rules}\n  capture: {quiet}\n  only: true\n"
        (tmp_path / "tests.yaml").write_text(case)
        done = cli("test", tmp_path / "tests.yaml")
        assert "1 passed" in done.stdout
    else:
        done = cli(verb, "-e", quiet, *(["-r", rules] if verb == "run" else []))
        assert done.stdout == ""
        assert done.stderr.startswith("0 events in" if verb == "run" else "")
    assert done.returncode == 0


def test_a_folder_is_no_capture(cli, rules: Path, tmp_path: Path) -> None:
    done = cli("run", "-q", "-r", rules, "-e", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"rulekit: {tmp_path}: ")


BAD_RULES = {
    "not yaml": ("- rule: [", "1"),
    "not a list": ("rule: x", "1"),
    "unknown field": (RULES.replace("proc.name = cat", "proc.nmae = cat"), "6"),
    "unknown macro": (RULES.replace("started and proc.name = cat", "strated"), "6"),
    "cycle": ("- macro: a\n  condition: b\n- macro: b\n  condition: a\n" + RULES, "1"),
    "bad output": (RULES.replace("%proc.cmdline", "%proc.nosuch"), "7"),
    "no priority": (RULES.replace("  priority: WARNING\n", ""), "4"),
}


@pytest.mark.parametrize("kind", BAD_RULES)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_bad_rules_are_shown_with_their_place(verb: str, kind: str, cli, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    text, _ = BAD_RULES[kind]
    path.write_text(text)
    done = cli("run", "-r", path, "-e", TINY) if verb == "run" else cli("check", path)
    assert done.returncode == (2 if verb == "run" else 1)
    printed = done.stderr if verb == "run" else done.stdout
    assert f"{path}:" in printed
    if verb == "run":
        assert done.stdout == ""


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"\x80abc"])
def test_rules_that_cannot_be_read_are_said(content: bytes | None, cli, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    if content is not None:
        path.write_bytes(content)
    done = cli("run", "-r", path, "-e", TINY)
    assert done.returncode == 2
    assert str(path) in done.stderr
    done = cli("check", path)
    assert done.returncode == (2 if content is None else 1)


def test_all_rules_switched_off_is_said(cli, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("[]\n")
    done = cli("run", "-r", path, "-e", TINY)
    assert done.returncode == 0
    assert "no rule is left to run" in done.stderr

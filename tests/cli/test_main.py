"""What all commands have in common: help, exit codes, no tracebacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rulekit.cli import main as main_module
from rulekit.cli.main import COMMANDS, command
from rulekit.errors import SinkError
from tests.sources.ebpf.live import require_probe

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_complete(name: str, cli) -> None:
    module = command(name)
    assert "\n" not in module.HELP
    assert len(module.EXAMPLES) >= 2
    done = cli(*name.split(), "--help")
    assert done.returncode == 0
    for line, why in module.EXAMPLES:
        assert f"  # {why}\n  {line}\n" in done.stdout


EXAMPLES = [(name, line) for name in COMMANDS for line, _ in command(name).EXAMPLES]


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_examples_in_the_help_run(name: str, line: str, tmp_path: Path) -> None:
    if name == "record":
        require_probe()
    # Some write files: beside the rulesets, but not into the checkout.
    for folder in ("rulesets", "examples"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    script = f'rulekit() {{ "{sys.executable}" -m rulekit "$@"; }}\n{line}\n'
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout or " -w " in line or " -o " in line  # those say on stderr what they wrote


def test_no_command_is_a_usage_error(cli) -> None:
    done = cli()
    assert done.returncode == 2
    assert "COMMAND" in done.stderr


def test_an_unknown_option_is_a_usage_error(cli) -> None:
    done = cli("fields", "--nosuch")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 2
    assert "rulekit --help" in done.stderr


def test_the_version_is_printed(cli) -> None:
    assert cli("--version").stdout == "rulekit 0.1.0\n"


def test_a_reader_that_leaves_is_no_error() -> None:
    script = f'set -o pipefail; "{sys.executable}" -m rulekit fields | head -1'
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_standard_output_is_one_line() -> None:
    script = f'"{sys.executable}" -m rulekit fields > /dev/full'
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "rulekit: no space left on device\n"


@pytest.mark.parametrize("command", ["fields", "--help", "--version", "config schema"])
@pytest.mark.parametrize("stream", [">&-", "> /dev/full"])
def test_standard_output_that_takes_nothing_is_an_error(command: str, stream: str) -> None:
    script = f'"{sys.executable}" -m rulekit {command} {stream}'
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("rulekit: ")
    assert done.stderr.count("\n") == 1


def test_closed_streams_are_as_good_as_empty_ones(tmp_path: Path) -> None:
    rules = ROOT / "rulesets" / "persistence" / "rules.yaml"
    rulekit = f'"{sys.executable}" -m rulekit'
    script = f'{rulekit} check "{rules}" 2>&-; {rulekit} fmt - <&-'
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == f"{rules}: good"
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_names_that_no_terminal_can_show(form: str, cli, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xe9.yaml")
    path.write_text("- list: \u00e9t\u00e9\n  items: [a]\n", "utf-8")
    done = cli("check", "--format", form, path)
    assert done.returncode == 0
    assert done.stdout
    if form in ("json", "sarif"):
        json.loads(done.stdout)
    ascii_only = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    assert cli("check", "--format", form, path, env=ascii_only).returncode == 0


def test_files_and_names_may_follow_options(cli, tmp_path: Path) -> None:
    first, second = "rulesets/persistence/rules.yaml", "rulesets/containers/rules.yaml"
    done = cli("check", first, "--format", "text", second)
    assert f"{first}: good" in done.stdout
    assert f"{second}: good" in done.stdout
    example = "examples/rulekit.yaml"
    assert json.loads(cli("config", "check", "--format", "json", example).stdout)["file"] == example
    assert "has no sink other" in cli("sink", "test", "-c", example, "other").stderr
    for arguments in (("config", "check", "a", "b"), ("fields", "a", "--nosuch", "b")):
        done = cli(*arguments)
        assert done.returncode == 2
        assert "unrecognized arguments" in done.stderr


def test_what_documents_say_is_nothing_that_a_terminal_obeys(cli, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\x1b[31mred\n\xc2\x9b31m\n")
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        '- rule: "a\\e[31m"\n  desc: d\n  source: k8s_audit\n  condition: jevt.value[/a] exists\n'
        "  output: x\n  priority: INFO\n"
    )
    with open(log, "ab") as more:
        more.write(b'{"kind":"Event","auditID":"x","stage":"ResponseComplete","a":1,')
        more.write(b'"stageTimestamp":"2026-01-01T00:00:00.000000Z"}\n')
    done = cli("run", "-r", rules, "-e", log, "--source", "k8s_audit")
    assert "red" in done.stderr
    assert "1  a\\u001b[31m" in done.stderr
    assert "\x1b" not in done.stderr
    assert "\x9b" not in done.stderr


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (SinkError("disk full"), "disk full", 2),
        (FileNotFoundError(2, "No such file or directory", "x"), "x: no such file", 2),
        (RuntimeError("a\nb"), "internal error: RuntimeError: a b", 2),
        (KeyboardInterrupt(), "interrupted", 130),
    ],
)
def test_every_error_is_one_line(
    error: BaseException,
    line: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("RULEKIT_TRACEBACK", raising=False)

    def run(args: object) -> int:
        raise error

    monkeypatch.setattr(command("fields"), "run", run)
    assert main_module.main(["fields"]) == code
    printed = capsys.readouterr().err
    assert printed.startswith(f"rulekit: {line}")
    assert printed.count("\n") == 1


def test_start_up_loads_neither_engine_nor_grammar() -> None:
    script = (
        "import sys; from rulekit.cli.main import build_parser; build_parser();"
        "print([m for m in ('lark', 'yaml', 'rich', 'rulekit._fastmatch', 'rulekit.rules.parser')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n"

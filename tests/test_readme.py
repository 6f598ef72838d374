"""The README is run: its commands, its output, its library lines, its figures, its links."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.S | re.M)


def blocks(kind: str) -> list[str]:
    return [body for name, body in BLOCKS if name == kind]


def after(body: str) -> str:
    """Return the block that follows a block."""
    bodies = [b for _, b in BLOCKS]
    return bodies[bodies.index(body) + 1]


def run_here(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line with this interpreter in place of the environment that it names."""
    here = f"{sys.executable} -m rulekit"
    line = re.sub(r"(?<![\w/.-])(?:\.venv/bin/)?rulekit(?= )", lambda _: here, line)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC"}
    return subprocess.run(
        ["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_it_is_short() -> None:
    assert TEXT.count("\n") <= 120


def test_both_commands_make_an_environment_of_their_own() -> None:
    commands = [body for body in blocks("sh") if "-m venv" in body]
    assert len(commands) == 2
    for body in commands:
        assert body.startswith("python3 -m venv .venv")
        assert "pip install" in body
    assert "rulekit run" in commands[0]
    assert "-m pytest" in commands[1]


def test_the_main_command_prints_what_the_readme_shows() -> None:
    (first, _) = (body for body in blocks("sh") if "-m venv" in body)
    line = first.replace("\\\n", " ").strip().splitlines()[-1].rpartition("&&")[2]
    done = run_here(line)
    assert done.returncode == 0, done.stderr
    assert done.stdout == after(first)


def test_the_rule_is_the_one_that_runs() -> None:
    (rule,) = blocks("yaml")
    assert any(rule in path.read_text("utf-8") for path in ROOT.glob("rulesets/*/rules.yaml"))


def test_the_library_lines_run() -> None:
    (code,) = blocks("python")
    assert len(code.strip().splitlines()) <= 10
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == after(code)


TABLE_COMMANDS = re.findall(r"^\|[^|]*\| `(rulekit [^`]*)`", TEXT, re.M)


@pytest.mark.parametrize("line", TABLE_COMMANDS)
def test_commands_in_the_table_run(line: str) -> None:
    done = run_here(line)
    # The manifests are there to have findings.
    assert done.returncode == (1 if " scan " in line else 0), done.stderr
    assert done.stdout


def test_the_table_names_commands() -> None:
    assert len(TABLE_COMMANDS) >= 4


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT)
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert links
    assert not missing


def test_figures_are_in_their_record() -> None:
    (link,) = re.findall(r"\]\((benchmarks/record/[^)]+\.json)\)", TEXT)
    record = json.loads((ROOT / link).read_text("utf-8"))
    assert f"{record['events']:,} events" in TEXT
    assert f"{record['elapsed_s']:.2f} s" in TEXT
    assert f"{record['peak_rss_mb']:.0f} MB" in TEXT

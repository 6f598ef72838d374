"""Commands of the guides print what the guides show under them."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import pytest

from rulekit.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
PAIR = re.compile(r"^```sh\nrulekit ([^\n]*)\n```\n\n```text\n(.*?)```$", re.M | re.S)
SHOWN = [
    pytest.param(command, output, id=f"{page.stem}-{i}")
    for page in sorted((ROOT / "docs" / "guide").glob("*.md"))
    for i, (command, output) in enumerate(PAIR.findall(page.read_text("utf-8")))
]


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_the_output_is_the_one_shown(
    command: str,
    output: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert main(shlex.split(command)) == 0
    assert capfd.readouterr().out == output


def test_the_guide_to_events_shows_what_it_speaks_of() -> None:
    commands = [str(param.values[0]) for param in SHOWN]
    for option in ("-p ", "-X ", "-c topprocs_net", "-c lsof", "--tree", "-j "):
        assert any(option in command for command in commands), option

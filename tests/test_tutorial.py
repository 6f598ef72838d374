"""The tutorials: their files are written, their commands run, their output comes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command: str, folder: Path) -> str:
    words = shlex.split(command)
    assert words[0] == "rulekit"
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", *words[1:]],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tutorial_happens_as_told(page: Path, tmp_path: Path) -> None:
    commands = 0
    for kind, text in BLOCK.findall(page.read_text("utf-8")):
        if kind == "yaml":
            name = text.partition("\n")[0].removeprefix("# ")
            (tmp_path / name).write_text(text)
            continue
        output, at = "", 0
        for line in text.splitlines():
            if line.startswith("$ "):
                output, at = run(line[2:], tmp_path), 0
                commands += 1
                continue
            # Lines stand for parts of the output, in its order; blanks do not matter.
            wanted = " ".join(line.split())
            found = " ".join(output.split()).find(wanted, at)
            assert found >= 0, f"{wanted!r} is not in\n{output}"
            at = found + len(wanted)
    assert commands > 3

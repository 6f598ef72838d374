"""Holds the SARIF of failed cases and of findings in rules against Microsoft's validator.

python tests/testing/check_sarif.py

Wants `npm`, and its registry: the validator is the package `@microsoft/sarif-multitool`. Exits with
1 when it finds anything, with 2 when it cannot be had. `.ci/long` runs this.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "@microsoft/sarif-multitool"

RULES = """\
- rule: File opened
  desc: A file was opened.
  condition: evt.type = open and fd.name = /etc/shadow and fd.name = /etc/shadow
  output: opened %fd.name
  priority: WARNING
"""
CASES = """\
- case: fails
  events: [{proc: cat}, {open: /etc/hosts}]
  fires: File opened
- case: names nobody
  events: [{proc: cat}, {open: /etc/hosts}]
  fires: File opend
- case: passes although it should not
  events: [{proc: cat}, {open: /etc/shadow}]
  fires: File opened
  xfail: not yet
"""


def rulekit(folder: Path, *arguments: str) -> str:
    """Run the command line in a folder and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


def validator(folder: Path) -> Path | None:
    """Install the validator and return its program."""
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", PACKAGE], cwd=folder)
    except FileNotFoundError:
        return None
    if done.returncode:
        return None
    program = folder / f"node_modules/{PACKAGE}-linux/Sarif.Multitool"
    program.chmod(0o755)  # its own script for that is not run
    return program


def main() -> int:
    """Make both logs and have them validated."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules.yaml").write_text(RULES)
        (folder / "tests.yaml").write_text(CASES)
        rulekit(folder, "test", "-q", "--sarif", "tests.sarif")
        (folder / "rules.sarif").write_text(
            rulekit(folder, "check", "--format", "sarif", "rules.yaml")
        )
        program = validator(folder)
        if program is None:
            print(f"{PACKAGE} cannot be installed", file=sys.stderr)
            return 2
        bad = 0
        for log in ("tests.sarif", "rules.sarif"):
            done = subprocess.run(
                [program, "validate", log, "--rule-kind", "Sarif;Ghas"],
                cwd=folder, capture_output=True, text=True,
                env={**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
            )  # fmt: skip
            found = [line for line in done.stdout.splitlines() if ": error " in line]
            found += [line for line in done.stdout.splitlines() if ": warning " in line]
            good = done.returncode == 0 and "completed successfully" in done.stdout and not found
            print(f"{log}: {'valid' if good else 'NOT VALID'}", *found, sep="\n")
            bad += not good
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())

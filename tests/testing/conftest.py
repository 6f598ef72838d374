"""A folder with rules, and a way to write test files into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

RULES = """\
- list: secrets
  items: [/etc/shadow, /etc/gshadow]

- macro: opened
  condition: evt.type in (open, openat) and fd.num >= 0

- rule: Secret opened
  desc: A file with secrets was opened.
  condition: opened and fd.name in (secrets) and not proc.name in (login, sshd)
  output: secret opened (file=%fd.name program=%proc.name user=%user.name)
  priority: WARNING

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and evt.arg.res = 0 and proc.name in (sh, bash)
  output: shell started (command=%proc.cmdline)
  priority: NOTICE
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `rules.yaml`; it is the current one."""
    (tmp_path / "rules.yaml").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Write a test file."""

    def put(text: str, name: str = "tests.yaml") -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return put

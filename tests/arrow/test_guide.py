"""The page on analysis: its blocks run, one after the other, and print what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "guide" / "analyse.md"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.S | re.M)


def test_the_blocks_of_the_page_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("pyarrow", "duckdb", "pandas", "polars"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[examples]'")
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {"__name__": "guide"}
    printed: str | None = None
    blocks = BLOCK.findall(PAGE.read_text("utf-8"))
    assert sum(kind == "text" for kind, _ in blocks) >= 4
    for kind, text in blocks:
        if kind == "text":
            assert printed == text
            printed = None
        else:
            assert not printed, f"the page does not show what this prints: {printed}"
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(text.replace("/tmp/", f"{tmp_path}/"), str(PAGE), "exec"), names)
            printed = out.getvalue()
    assert not printed

"""What exists is documented, and what is documented exists."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rulekit
from rulekit.cli.main import COMMANDS
from rulekit.delivery.kinds import SINKS, kinds

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def test_reference_pages_are_made_from_the_tables() -> None:
    done = subprocess.run(
        [sys.executable, "docs/_generate.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [n for n in rulekit.__all__ if n != "__version__"])
def test_public_names_have_a_docstring(name: str) -> None:
    text = inspect.getdoc(getattr(rulekit, name))
    assert text
    assert text.splitlines()[0].endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_place_in_the_reference(name: str) -> None:
    assert f"## rulekit {name}\n" in (DOCS / "reference" / "cli.md").read_text("utf-8")


@pytest.mark.parametrize("kind", kinds(SINKS, plugins=False))
def test_every_kind_of_sink_has_a_page(kind: str) -> None:
    page = (DOCS / "guide" / "sinks" / f"{kind}.md").read_text("utf-8")
    assert f"type: {kind}" in page


def test_every_page_is_in_the_table_of_contents() -> None:
    listed: set[str] = set()
    for index in DOCS.rglob("index.md"):
        names = re.findall(r"^([\w/-]+)$", index.read_text("utf-8"), re.M)
        listed.update(str((index.parent / name).relative_to(DOCS)) for name in names)
    pages = {str(p.relative_to(DOCS).with_suffix("")) for p in DOCS.rglob("*.md")}
    assert listed == pages - {"index"}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: p.stem)
def test_commands_in_the_pages_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    named = set(re.findall(r"`rulekit (\w+)", text)) - {"COMMAND"}
    if "internals" not in page.parts:  # those speak of what is to come as well
        assert named <= {name.split()[0] for name in COMMANDS}


@pytest.mark.parametrize("folder", sorted(p.parent for p in ROOT.glob("rulesets/*/rules.yaml")))
def test_every_ruleset_has_cases_and_a_line(folder: Path) -> None:
    assert (folder / "tests.yaml").is_file()
    assert f"`{folder.name}`" in (ROOT / "rulesets" / "README.md").read_text("utf-8")

"""Holds the architecture: a module imports only from layers below its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "rulekit"

# Lowest first, as in docs/internals/architecture.md. Units in one row are siblings: they must not
# import each other.
LAYERS = [
    {"text"},
    {"errors"},  # errors of rules carry the diagnostics of text
    {"schema"},
    {"native"},
    {"alert", "rules", "state"},
    {"capture", "compiler", "_fastmatch", "_evaluate", "_unobserved"},
    {"sources", "formats", "sinks"},
    {"delivery"},
    {"config"},
    {"engine"},
    {"explain"},
    {"testing", "tools", "kubernetes"},
    {"server", "service"},
    {"cli"},
]
RANK = {unit: rank for rank, row in enumerate(LAYERS) for unit in row}
PATTERNS = ("*.py", "*.pyx", "*.pxd", "*.pxi", "*.pyi")

# Read as text, not as syntax tree, so that Cython's files are held to the same rule.
IMPORT = re.compile(
    r"^\s*(?:from|import|cimport)\s+(rulekit\b|\.)(?:\.(\w+))?(?:[.\w]*\s+c?import\s+([^#\n]*))?",
    re.MULTILINE,
)


def unit_of(path: Path) -> str:
    """Return what a file belongs to: ``rules/ast.py`` to rules, ``alert.py`` to alert."""
    return path.relative_to(PACKAGE).parts[0].partition(".")[0]


def modules() -> list[Path]:
    """List the files of the package, leaving out ``__init__`` and ``__main__`` at its top."""
    found = (path for pattern in PATTERNS for path in PACKAGE.rglob(pattern))
    return sorted(path for path in found if not unit_of(path).startswith("__"))


def upward_imports(text: str, own: str, name: str) -> list[str]:
    """Return a message for each import in `text` that does not point down from unit `own`."""
    wrong = []
    for match in IMPORT.finditer(text):
        where = f"{name}:{text.count(chr(10), 0, match.start(1)) + 1}"
        unit = match.group(2)
        if match.group(1) == ".":
            wrong.append(f"{where}: import from the module that defines the name")
        elif unit is None:
            if (match.group(3) or "").strip() != "__version__":
                wrong.append(f"{where}: import from the module that defines the name")
        elif unit != own and RANK.get(unit, len(LAYERS)) >= RANK[own]:
            wrong.append(f"{where}: {own} must not import {unit}")
    return wrong


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    own = unit_of(path)
    assert own in RANK, f"{own} has no place in LAYERS: decide where it belongs"
    wrong = upward_imports(path.read_text("utf-8"), own, str(path))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("own", "line"),
    [
        ("rules", "from rulekit.engine.pipeline import Engine"),
        ("rules", "    from rulekit.alert import Alert"),
        ("state", "from rulekit.capture._blocks cimport Decoder"),
        ("errors", "import rulekit.schema.types"),
        ("rules", "from .ast import Node"),
        ("cli", "from rulekit import load"),
        ("cli", "import rulekit"),
        ("compiler", "from rulekit._fastmatch import Matcher"),
    ],
)
def test_an_import_that_points_up_or_sideways_is_seen(own: str, line: str) -> None:
    assert len(upward_imports(f"'''doc'''\n{line}\n", own, "x")) == 1


def test_packages_have_empty_init_files() -> None:
    full = [p for p in PACKAGE.rglob("__init__.py") if p.parent != PACKAGE and p.stat().st_size]
    # People look for these under the package: the path of a rule, and what builds captures.
    assert sorted(str(p.relative_to(PACKAGE)) for p in full) == [
        "capture/__init__.py",
        "compiler/__init__.py",
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_readable_in_size(path: Path) -> None:
    limit = 400 if path.suffix in (".py", ".pyi") else 900
    assert path.read_text("utf-8").count("\n") <= limit

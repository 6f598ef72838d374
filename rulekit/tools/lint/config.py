"""Which checks a project wants: ``rulekit.toml``, or ``[tool.rulekit]`` in ``pyproject.toml``.

::

    [lint]                      # [tool.rulekit.lint] in pyproject.toml
    select = ["RK4"]            # beginnings of codes, or names of checks; all by default
    ignore = ["missing-tags"]

    [lint.per-file-ignores]     # patterns over paths, from the folder of this file
    "third_party/*.yaml" = ["RK"]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rulekit.errors import RulekitError, reason
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.whole import read_text
from rulekit.tools.lint.selection import Selection, parse_codes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KEYS = {"select", "ignore", "per-file-ignores"}


@dataclass(frozen=True, slots=True)
class LintConfig:
    """What a configuration file says; `folder` is where it stands."""

    selection: Selection = field(default_factory=Selection)
    per_file: tuple[tuple[str, Selection], ...] = ()
    folder: Path = Path()

    def silences(self, found: Diagnostic) -> bool:
        """Tell whether a warning of this file is not wanted."""
        if found.severity == "error" or not self.per_file:
            return False
        path = Path(found.span.outermost().source.name)
        try:
            name = path.resolve().relative_to(self.folder.resolve()).as_posix()
        except ValueError:
            name = path.as_posix()
        return any(
            fnmatchcase(name, pattern) and selection.wants(found.code)
            for pattern, selection in self.per_file
        )


def find_config(start: Path) -> LintConfig:
    """Return the configuration of the nearest folder from `start` upwards that has one.

    Raises:
        RulekitError: A file cannot be read or says something unknown; names the file.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        own, project = folder / "rulekit.toml", folder / "pyproject.toml"
        if own.is_file():
            return _config(own, _read(own))
        if project.is_file():
            table = _table(project, _read(project), "tool").get("rulekit")
            if table is not None:
                return _config(project, table)
    return LintConfig()


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise RulekitError(f"{path}: {reason(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulekitError(f"{path}: not TOML: {error}") from None


def _table(path: Path, parent: Any, key: str) -> dict[str, Any]:
    found = parent.get(key, {}) if isinstance(parent, dict) else None
    if not isinstance(found, dict):
        raise RulekitError(f"{path}: `{key}` must be a table")
    return found


def _config(path: Path, table: Any) -> LintConfig:
    lint = _table(path, table, "lint")
    unknown = sorted(set(lint) - _KEYS)
    if unknown:
        raise RulekitError(f"{path}: unknown key `{unknown[0]}` in `lint`")
    selection = Selection(
        _codes(path, lint.get("select", []), "select"),
        _codes(path, lint.get("ignore", []), "ignore"),
    )
    per_file = tuple(
        (pattern, Selection(select=_codes(path, codes, pattern)))
        for pattern, codes in _table(path, lint, "per-file-ignores").items()
    )
    return LintConfig(selection, per_file, path.parent)


def _codes(path: Path, value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise RulekitError(f"{path}: `{key}` must be a list of codes")
    try:
        return parse_codes(",".join(value))
    except RulekitError as error:
        raise RulekitError(f"{path}: {error}") from None

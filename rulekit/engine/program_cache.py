"""Programs kept from one start to the next, by the content of the rules that they were made from.

Files as `CompiledRules.save` writes them, in ``$RULEKIT_CACHE`` or else ``rulekit/programs`` in
``$XDG_CACHE_HOME`` (``~/.cache``); an empty ``RULEKIT_CACHE`` means none. The name of a file is a
digest of everything that decides the program: the content of the rule files, what is chosen of
them, and the build of rulekit. Nothing here ever fails: what cannot be read is compiled anew and
written again, what cannot be written is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rulekit.engine.compiled import SUFFIX, CompiledRules, build_id, load_compiled
from rulekit.errors import RuleError
from rulekit.text.whole import read_whole

KEPT = 64
"""Programs in the folder; those not used for the longest time go first."""


def cache_folder() -> Path | None:
    """Return where programs are kept, or None."""
    named = os.environ.get("RULEKIT_CACHE")
    if named is not None:
        return Path(named) if named else None
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths ignored.
    if os.path.isabs(base):
        return Path(base, "rulekit", "programs")
    home = os.path.expanduser("~")
    return Path(home, ".cache", "rulekit", "programs") if os.path.isabs(home) else None


class ProgramCache:
    """Finds and keeps the program of one set of rule files; for one thread.

    Args:
        files: Rule files, in order; a folder stands for the YAML files in it, as in `load_files`.
        chosen: Everything else that decides what becomes of them, as values that become JSON.
        folder: Where programs are kept; None keeps nothing.
    """

    def __init__(
        self, files: Sequence[str | os.PathLike[str]], chosen: Any, folder: Path | None
    ) -> None:
        self._path: Path | None = None
        if folder is None:
            return
        digest = hashlib.sha256(json.dumps([build_id(), chosen], default=repr).encode())
        try:
            for file in _spread(files):
                if not file.is_file():
                    return  # a pipe gives its content only once
                data = read_whole(file)
                # Messages about rules name their file, programs do not: its name does not count.
                digest.update(b"%d " % len(data) + data)
        except (OSError, ValueError):
            return  # whoever loads the files says what is wrong with them
        self._path = folder / f"{digest.hexdigest()}{SUFFIX}"

    def find(self) -> CompiledRules | None:
        """Return the program, or None when it is not there or cannot be trusted."""
        path = self._path
        if path is None:
            return None
        try:
            status = path.stat()
            if status.st_uid != os.geteuid():
                return None  # somebody else's
            found = load_compiled(path, same_build=True)
        except (OSError, RuleError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return found

    def keep(self, rules: CompiledRules) -> None:
        """Write the program for the next start."""
        path = self._path
        if path is None:
            return
        with contextlib.suppress(OSError, ValueError, TypeError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            rules.save(path)
            _prune(path.parent)


def _spread(files: Iterable[str | os.PathLike[str]]) -> Iterable[Path]:
    for file in map(Path, files):
        if file.is_dir():
            names = (each for each in os.listdir(file) if each.endswith((".yaml", ".yml")))
            yield from (file / name for name in sorted(names))
        else:
            yield file


def _prune(folder: Path) -> None:
    entries = []
    for entry in os.scandir(folder):
        # Also what a process left behind that was killed while it wrote.
        if entry.is_file(follow_symlinks=False) and SUFFIX in entry.name:
            with contextlib.suppress(OSError):
                entries.append((entry.stat().st_mtime_ns, entry.path))
    for _, path in sorted(entries, reverse=True)[KEPT:]:
        with contextlib.suppress(OSError):
            os.unlink(path)

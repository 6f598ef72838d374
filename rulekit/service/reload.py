"""Reloads when it is told to, and when files change."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from rulekit.errors import RulekitError
from rulekit.service.notify import notify
from rulekit.service.status import Status

Stamp = tuple[tuple[str, int, int, int], ...]
_SUFFIXES = (".yaml", ".yml")


def stamp_of(paths: Iterable[Path]) -> Stamp:
    """Return what tells whether files were changed or replaced.

    Links are followed, so that files of a Kubernetes ConfigMap are seen to change. Of a folder, all
    rule files in it count. What is not there, or cannot be looked at, counts as that.
    """
    found = []
    for path in paths:
        parts = [path]
        with contextlib.suppress(OSError):
            if path.is_dir():
                parts += sorted(each for each in path.iterdir() if each.suffix in _SUFFIXES)
        for part in parts:
            try:
                s = os.stat(part)
            except OSError:
                found.append((str(part), 0, 0, -1))
            else:
                found.append((str(part), s.st_ino, s.st_mtime_ns, s.st_size))
    return tuple(found)


class Reloader:
    """Calls `reload` in a thread of its own, never twice at a time.

    Args:
        reload: Reads everything again and brings it into force; raises `RulekitError` when it
            cannot be used, and then nothing has changed.
        files: Names what is looked at for changes; asked again after each reload.
        stamp: Of the files as they were when they were read the first time.
        every_s: How often; None never.
        on_problem: Called with a message when a reload fails.
        on_reload: Called after one that went well.
    """

    def __init__(
        self,
        reload: Callable[[], None],
        files: Callable[[], Iterable[Path]],
        status: Status,
        *,
        stamp: Stamp,
        every_s: float | None,
        on_problem: Callable[[str], None],
        on_reload: Callable[[], None] = lambda: None,
    ) -> None:
        self._reload = reload
        self._files = files
        self._status = status
        self._stamp = stamp
        self._every_s = every_s
        self._tell = on_problem
        self._on_reload = on_reload
        self._wanted = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def ask(self) -> None:
        """Have everything read again. Safe in signal handlers."""
        self._wanted.set()

    def close(self) -> None:
        """Stop watching; a reload that is under way comes to its end."""
        self._stopping = True
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        seen = self._stamp
        while True:
            asked = self._wanted.wait(self._every_s)
            if self._stopping:
                return
            now = stamp_of(self._files())
            if not asked:
                # A file may be half written: it counts when it was the same twice.
                settled, seen = now == seen, now
                if now == self._stamp or not settled:
                    continue
            self._wanted.clear()
            self._once()
            seen = self._stamp = now if asked else seen

    def _once(self) -> None:
        notify("RELOADING=1")
        problem = ""
        try:
            self._reload()
        except RulekitError as error:
            problem = str(error)
        except Exception as error:  # the service goes on with what it has
            problem = f"{type(error).__name__}: {error}"
        self._status.reloaded(problem)
        if problem:
            self._tell(f"reload failed, everything stays as it was: {problem}")
        else:
            self._on_reload()
        notify("READY=1")

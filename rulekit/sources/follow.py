"""Lines of files that grow and are rotated: as ``tail -F``, and on from where it stopped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from rulekit.errors import SourceError, reason
from rulekit.sources.checkpoint import Checkpoint, Position
from rulekit.sources.followed import FollowedFile
from rulekit.sources.lines import Block, LineReader
from rulekit.sources.rotation import are_related, is_rotated, oldest_first

MAX_LINE_BYTES = 64 << 20
"""Longer lines are left out and counted."""

POLL_S = 0.1
_MAX_OPEN = 64  # files at their end that stay open
_MAX_LOST = 256  # positions kept of files that are nowhere to be seen
_WHOLE_AFTER_S = 1.0  # a line without its end is taken for whole, where `is_whole` says so
_REST_AFTER_S = 5.0  # and in a rotated file, whose writer has gone on to another
_CLOCK_S = 2.0  # by which times of files may be behind
_SCAN_SHARE = 50  # times as long as it takes to list a folder, until it is done again


class LineFollower(LineReader):
    """Lines of a file, or of the files of a folder, as they are written; plain, gzip or zstd.

    A file that is renamed is read to its end under its new name while its successor is read from
    the beginning; one that is emptied is read anew, and what was in it is searched in the copy that
    rotation made. What was written while nobody looked is found by the checkpoint, in rotated and
    compressed files, too. No line is left out; after a crash some may come twice.

    Args:
        path: A file, which need not exist yet when it is followed, or a folder.
        follow: Wait for more at the end, until `stop`; False ends there.
        checkpoint: Where to start; `save` keeps in it how far everything was dealt with, also
            after `close`. Whoever opened it closes it.
        from_end: Without a checkpoint: leave out what is there at the start.
        max_line_bytes: Longer lines are left out and counted.
        is_whole: Whether the last line of a file, which has no line feed, is all there; asked when
            it has not grown for a second.
        on_notice: Called with a message when something unusual happens to a file.

    Raises:
        SourceError: The path cannot be followed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        follow: bool = True,
        checkpoint: Checkpoint | None = None,
        from_end: bool = False,
        max_line_bytes: int = MAX_LINE_BYTES,
        is_whole: Callable[[bytes], bool] | None = None,
        on_notice: Callable[[str], None] | None = None,
    ) -> None:
        self._path = os.fspath(path)
        self._follow = follow
        self._checkpoint = checkpoint
        self._from_end = from_end
        self._max_line_bytes = max_line_bytes
        self._is_whole = is_whole
        self._notice = on_notice or (lambda _: None)
        self._stopped = threading.Event()
        self._files: dict[tuple[int, int], FollowedFile] = {}
        self._order: list[FollowedFile] = []
        self._lost: list[Position] = []
        self._dealt_with: Position | None = None  # of the file of the last block dealt with
        # Rotated before the first start, with size and time: another file may get the inode.
        self._from_before: dict[tuple[int, int], tuple[int, int]] = {}
        self._told: set[str] = set()
        self._truncated = self._unfinished = self._too_long = 0
        self._next_scan_s = 0.0
        self._is_first = True
        self._since_ns = time.time_ns()
        if checkpoint is not None and checkpoint.saved_ns:
            self._since_ns = checkpoint.saved_ns
            self._lost = list(checkpoint.positions)
            self._from_end = False
        self._since_ns -= int(_CLOCK_S * 1e9)
        self._check_path()
        self._blocks = self._run()

    # ---- what the owner does -----------------------------------------------------------------

    def read(self) -> Block | None:
        """Return the next block, an empty one when there is nothing new; None at the end."""
        return next(self._blocks, None)

    def stop(self) -> None:
        """End at the next block; may be called by any thread, and by signal handlers."""
        self._stopped.set()

    def positions(self) -> list[Position]:
        """Return how far every file was dealt with."""
        return [*self._lost, *(file.position for file in self._order)]

    def mark(self) -> tuple[list[Position], int]:
        """Return a copy of `positions`, and which of them the last block dealt with came from; -1:
        none."""
        found = self.positions()
        at = next((i for i, each in enumerate(found) if each is self._dealt_with), -1)
        return [replace(each) for each in found], at

    def save(self, positions: Sequence[Position] | None = None) -> None:
        """Keep in the checkpoint how far the lines were dealt with that `read` returned before.

        To be called when whatever was made of those lines is safe.

        Args:
            positions: What to keep in the place of `positions`.

        Raises:
            SourceError: The checkpoint cannot be written.
        """
        if self._checkpoint is not None:
            self._checkpoint.save(self.positions() if positions is None else positions)

    def stats(self) -> dict[str, int]:
        """Return counters by name."""
        files = self._files.values()
        return {
            "lines_too_long": self._too_long + sum(file.too_long for file in files),
            "lines_unfinished": self._unfinished,
            "files_emptied": self._truncated,
            "files_cut_short": sum(bool(file.damaged) for file in files),
            "files_unreadable": len(self._told),
        }

    def close(self) -> None:
        """Give back the files; the checkpoint is not saved. Idempotent."""
        self._blocks.close()
        for file in self._files.values():
            file.close()

    # ---- the loop ----------------------------------------------------------------------------

    def _run(self) -> Generator[Block, None, None]:
        while not self._stopped.is_set():
            if time.monotonic() >= self._next_scan_s:
                self._scan()
            grown = False
            for file in list(self._order):
                for block in self._read(file):
                    grown = True
                    yield block
                    # Asking for the next block says that this one has been dealt with.
                    file.commit()
                    self._dealt_with = file.position
                    if self._stopped.is_set():
                        return
                self._tidy(file)
            if not grown and not self._follow:
                return
            if not grown:
                self._stopped.wait(POLL_S)
                yield Block(b"", self._path)

    def _read(self, file: FollowedFile) -> Iterator[Block]:
        try:
            if file.is_replaced():
                self._next_scan_s = 0.0
                return
            yield from file.read()
        except OSError as error:
            self._tell_once(file.path, reason(error))
            self._drop(file)
            return
        if file.damaged:
            self._tell_once(file.path, file.damaged)
        elif self._ends(file) and (block := file.rest()) is not None:
            yield block

    def _ends(self, file: FollowedFile) -> bool:
        """Return whether a line without its end is to be taken as it is."""
        held = file.held
        if not held or not file.is_open:
            return False
        if not self._follow:
            whole = file.compressed or self._is_final(file) or self._says_whole(held)
            if whole or self._checkpoint is None:
                return True
            # Its rest is for the next run.
            self._unfinished = sum(bool(each.held) for each in self._order)
            return False
        idle_s = time.monotonic() - file.grown_s
        if self._is_final(file):
            return idle_s >= _REST_AFTER_S
        return idle_s >= _WHOLE_AFTER_S and self._says_whole(held)

    def _is_final(self, file: FollowedFile) -> bool:
        """Return whether nobody writes to a file any more."""
        return (
            file.gone
            or file.compressed
            or is_rotated(os.path.basename(file.path), os.path.basename(self._path))
        )

    def _says_whole(self, line: bytes) -> bool:
        return self._is_whole is not None and self._is_whole(line)

    def _tidy(self, file: FollowedFile) -> None:
        """Let go of a file that was read to its end, where there is reason to."""
        idle_s = time.monotonic() - file.grown_s
        if file.gone and not file.held and (idle_s >= _REST_AFTER_S or not self._follow):
            self._drop(file)
        elif file.is_open and len(self._order) > _MAX_OPEN and not file.held:
            file.close()

    # ---- which files -------------------------------------------------------------------------

    def _check_path(self) -> None:
        if self._path == "-":
            raise SourceError("standard input has no positions to keep and cannot be followed", "-")
        if os.path.exists(self._path):
            if not os.path.isdir(self._path) and not os.path.isfile(self._path):
                raise SourceError("only files and folders can be followed", self._path)
        elif not self._follow:
            raise SourceError("cannot be opened: no such file or directory", self._path)
        else:
            self._notice(f"{self._path}: not there yet: waiting for it")

    def _scan(self) -> None:
        """Take notice of names that appeared, went away, or lead to other files than before."""
        started_s = time.monotonic()
        found = self._list()
        took_s = time.monotonic() - started_s
        first, self._is_first = self._is_first, False
        fresh: list[tuple[str, os.stat_result]] = []
        seen = set()
        for path, status in found:
            key = (status.st_dev, status.st_ino)
            if key in seen:
                continue
            seen.add(key)
            if self._from_before.get(key) == (status.st_size, status.st_mtime_ns):
                continue
            file = self._files.get(key)
            if file is None or not self._still_the_same(file, path, status):
                fresh.append((path, status))
        for key, file in self._files.items():
            file.gone = key not in seen
        self._from_before = {k: v for k, v in self._from_before.items() if k in seen}
        for path, status in fresh:
            self._admit(path, status, first)
        places = {(s.st_dev, s.st_ino): i for i, (_, s) in enumerate(found)}
        main = os.path.realpath(self._path)
        self._order = sorted(
            self._files.values(),
            key=lambda file: (file.path == main, places.get(file.key, -1), file.path),
        )
        self._next_scan_s = time.monotonic() + max(POLL_S, _SCAN_SHARE * took_s)

    def _list(self) -> list[tuple[str, os.stat_result]]:
        """Return the files that may have lines, oldest first."""
        single = not os.path.isdir(self._path)
        main = os.path.realpath(self._path)
        folder, name = os.path.split(main) if single else (main, "")
        found = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if single and entry.name != name and not is_rotated(entry.name, name):
                        continue
                    # Hidden files are being written by somebody who will rename them.
                    if not single and entry.name.startswith("."):
                        continue
                    if self._checkpoint is not None and self._checkpoint.owns(entry.path):
                        continue
                    status = self._status(entry)
                    if status is not None:
                        found.append((entry.path, status))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._tell_once(folder, reason(error))
            return []
        statuses = dict(found)
        ordered = oldest_first((path, status.st_mtime_ns) for path, status in found)
        return [(path, statuses[path]) for path in sorted(ordered, key=lambda path: path == main)]

    def _status(self, entry: os.DirEntry[str]) -> os.stat_result | None:
        try:
            return entry.stat() if entry.is_file() else None
        except OSError:
            return None  # removed a moment ago

    def _still_the_same(self, file: FollowedFile, path: str, status: os.stat_result) -> bool:
        try:
            file.wake(path, status)
            if not file.is_replaced():
                return True
        except OSError as error:
            self._tell_once(path, reason(error))
            return True
        self._truncated += 1
        self._notice(f"{path}: emptied or overwritten: reading it from its beginning")
        self._drop(file)
        return False

    def _admit(self, path: str, status: os.stat_result, first: bool) -> None:
        """Take up a file: from its beginning, or from where one was left that it is a copy of."""
        try:
            file = FollowedFile(path, self._max_line_bytes)
        except (OSError, SourceError) as error:
            text = reason(error) if isinstance(error, OSError) else str(error)
            self._tell_once(path, text.removeprefix(f"{path}: "))
            return
        self._told.discard(path)
        position = self._position_of(file)
        if position is not None:
            self._lost.remove(position)
            file.start_at(position)
        elif self._is_copy(file) or self._is_unfinished(file, status):
            file.close()
            return
        elif self._is_old(file, status):
            self._from_before[file.key] = (status.st_size, status.st_mtime_ns)
            file.close()
            return
        elif first and self._from_end:
            file.start_at_end()
        self._files[file.key] = file

    def _position_of(self, file: FollowedFile) -> Position | None:
        """Return where a file, or the one it is a copy of, was left."""
        for position in reversed(self._lost):  # the latest
            if file.is_at(position):
                return position
        name = os.path.basename(file.path)
        copies = [
            position
            for position in self._lost
            if position.name != file.path
            and are_related(name, os.path.basename(position.name))
            and file.begins_like(position)
            and (file.compressed or file.size_bytes >= position.offset)
        ]
        return max(copies, key=lambda each: (each.head_bytes, each.offset), default=None)

    def _is_copy(self, file: FollowedFile) -> bool:
        """Return whether a file is a copy of one that is there still, which rotation just made."""
        name = os.path.basename(file.path)
        return any(
            are_related(name, os.path.basename(each.path))
            and file.begins_like(each.position)
            and (file.compressed or file.size_bytes <= each.size_bytes)
            for each in self._files.values()
        )

    def _is_unfinished(self, file: FollowedFile, status: os.stat_result) -> bool:
        """Return whether a file is being compressed and cannot be recognised yet."""
        young = time.time() - status.st_mtime < _REST_AFTER_S
        empty = not file.size_bytes and file.path.endswith((".gz", ".zst"))
        return self._follow and young and (file.unfinished or empty)

    def _is_old(self, file: FollowedFile, status: os.stat_result) -> bool:
        """Return whether a rotated file was complete before anybody asked for it."""
        return (
            not os.path.isdir(self._path)
            and file.path != os.path.realpath(self._path)
            and status.st_mtime_ns < self._since_ns
        )

    def _drop(self, file: FollowedFile) -> None:
        """Let go of a file; how far it was read is kept for a copy of it."""
        self._too_long += file.too_long
        self._files.pop(file.key, None)
        self._order = [each for each in self._order if each is not file]
        self._lost = [*self._lost, file.let_go()][-_MAX_LOST:]

    def _tell_once(self, path: str, message: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._notice(f"{path}: {message}")

"""Where reading goes on after a restart: positions in files, kept in a file."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rulekit.errors import SourceError, reason

_VERSION = 1


@dataclass(slots=True)
class Position:
    """How far a file was dealt with, and what it is recognised by whatever it is called by then.

    Attributes:
        name: Its path when it was last seen.
        device, inode: Of the file.
        head_bytes: Length of its beginning that `head` is the SHA-256 of, in hexadecimal; inflated
            where the file is compressed.
        head: Tells it from another file that got its inode, and finds it in a compressed copy.
        offset: Bytes dealt with, always up to the end of a line; inflated.
        line: Lines dealt with.
    """

    name: str
    device: int
    inode: int
    head_bytes: int = 0
    head: str = ""
    offset: int = 0
    line: int = 0


class Checkpoint:
    """A file that keeps positions; one process at a time may use it.

    Half of it is never seen, and a machine that stops finds the old state or the new one.

    Args:
        path: The file; it need not exist.

    Attributes:
        positions: What it held when it was opened.
        saved_ns: When that was written, ns since the Unix epoch; 0 for a new one.

    Raises:
        SourceError: It is in use, cannot be read or written, or is no checkpoint.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.positions: tuple[Position, ...] = ()
        self.saved_ns = 0
        self._written: tuple[Position, ...] | None = None
        if self.path.exists() and not self.path.is_file():
            # It would be read without end, or replaced: /dev/null is a name as well.
            raise SourceError("checkpoint: not a regular file", str(self.path))
        self._lock = self._take_lock()
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def save(self, positions: Sequence[Position]) -> None:
        """Keep these positions; nothing is written when they are the ones already kept.

        Raises:
            SourceError: It cannot be written; the old state is still there.
        """
        found = tuple(Position(**asdict(each)) for each in positions)
        if found == self._written:
            return
        state = {
            "rulekit_checkpoint": _VERSION,
            "saved_ns": time.time_ns(),
            "files": [asdict(each) for each in found],
        }
        folder = self.path.absolute().parent
        try:
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{self.path.name}.")
            try:
                with open(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
                    json.dump(state, stream, indent=1, ensure_ascii=False)
                    stream.write("\n")
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(temporary, self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SourceError(f"checkpoint: {reason(error)}", str(self.path)) from error
        self._written = found

    def owns(self, path: str) -> bool:
        """Return whether this is the checkpoint itself or its lock."""
        whole = os.path.abspath(path)
        own = os.path.abspath(self.path)
        return whole in (own, f"{own}.lock")

    def close(self) -> None:
        """Let other processes use it. Idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take_lock(self) -> int:
        # Of a file beside it: the file itself is replaced again and again.
        name = f"{self.path}.lock"
        try:
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SourceError(f"checkpoint: {reason(error)}", name) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise SourceError(
                "checkpoint: another process uses it; give each its own", str(self.path)
            ) from error
        return descriptor

    def _load(self) -> None:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise SourceError(f"checkpoint: {reason(error)}", str(self.path)) from error
        try:
            state: Any = json.loads(data.decode("utf-8", "surrogateescape"))
            if state["rulekit_checkpoint"] != _VERSION:
                raise ValueError
            self.saved_ns = int(state["saved_ns"])
            self.positions = tuple(Position(**each) for each in state["files"])
            if not all(map(_is_sound, self.positions)):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SourceError(
                "no checkpoint of rulekit; remove it to read everything from the beginning",
                str(self.path),
            ) from error
        self._written = self.positions


def _is_sound(position: Position) -> bool:
    numbers = (
        position.device,
        position.inode,
        position.head_bytes,
        position.offset,
        position.line,
    )
    return (
        isinstance(position.name, str)
        and isinstance(position.head, str)
        and all(type(number) is int and number >= 0 for number in numbers)
    )

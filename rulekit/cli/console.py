"""What commands write besides their data: messages, progress, summaries; all on stderr."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rulekit.engine._slice import SliceLoop
    from rulekit.engine.alerts import Loop
    from rulekit.engine.stats import Stats

_SHOW_AFTER_S = 1.0
_REDRAW_S = 0.1


def say(message: str) -> None:
    """Write one message, named after the program; nothing happens when stderr is gone."""
    try:
        print(f"rulekit: {_safe(message)}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return


def _safe(text: str) -> str:
    """Return text, in which a document may be quoted, so that no terminal obeys it."""
    if all(line.isprintable() for line in text.split("\n")):
        return text
    from rulekit.formats.base import escape_controls

    return "\n".join(map(escape_controls, text.split("\n")))


class Progress:
    """A bar on the terminal, drawn only when the work lasts longer than a second.

    Args:
        size_bytes: Of the capture, inflated; None when unknown or there is none.
        enabled: False draws nothing; the default draws on a terminal only.
    """

    def __init__(self, size_bytes: int | None = None, enabled: bool | None = None) -> None:
        self._size_bytes = size_bytes
        self._enabled = sys.stderr.isatty() if enabled is None else enabled
        self._started_s = time.monotonic()
        self._drawn_s = self._started_s + _SHOW_AFTER_S - _REDRAW_S
        self._visible = False

    def update(self, loop: Loop | SliceLoop) -> None:
        """Redraw when it is time."""
        now_s = time.monotonic()
        if not self._is_time(now_s):
            return
        events = loop.n_events
        rate = events / (now_s - self._started_s)
        share = min(loop.n_bytes / self._size_bytes, 1.0) if self._size_bytes else None
        text = f"{events:,} events  {rate:,.0f}/s"
        if loop.n_drops:
            text += f"  {loop.n_drops:,} drops"
            if reasons := loss_reasons(loop.losses):
                text += f" ({reasons})"
        self._draw(text, share)

    def count(self, done: int, total: int, noun: str) -> None:
        """Redraw, when it is time, for work that consists of so many parts."""
        if self._is_time(time.monotonic()):
            self._draw(f"{done} of {total} {noun}", done / max(total, 1))

    def _is_time(self, now_s: float) -> bool:
        if not self._enabled or now_s - self._drawn_s < _REDRAW_S:
            return False
        self._drawn_s = now_s
        return True

    def _draw(self, text: str, share: float | None) -> None:
        if share is not None:
            width = max(10, min(40, shutil.get_terminal_size().columns - len(text) - 12))
            full = int(share * width)
            text = f"[{'#' * full}{'.' * (width - full)}] {share:4.0%}  {text}"
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()
        self._visible = True

    def clear(self) -> None:
        """Take the bar away, so that other lines can be written."""
        if self._visible:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._visible = False


def size_of(capture: str) -> int | None:
    """Return the inflated size of a capture in bytes as far as it can be told at once, or None.

    Gzip ends with the size modulo 4 GiB; a wrong one only makes the bar wrong.
    """
    try:
        # A named pipe must not be opened twice: its writer would see a reader go away.
        if not stat.S_ISREG(os.stat(capture).st_mode):
            return None
        with open(capture, "rb") as file:
            magic = file.read(2)
            size_bytes = file.seek(0, os.SEEK_END)
            if magic != b"\x1f\x8b":
                return size_bytes
            file.seek(-4, os.SEEK_END)
            inflated: int = struct.unpack("<I", file.read(4))[0]
            return inflated if inflated > size_bytes else None
    except (OSError, ValueError, struct.error):
        return None


def count(number: int, noun: str) -> str:
    """Return ``1 alert``, ``2 alerts``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def loss_reasons(losses: Mapping[str, int]) -> str:
    """Return ``ring full 12, too long 1``; nothing when nothing was lost."""
    return ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in losses.items() if n)


def summary(stats: Stats) -> str:
    """Return the summary of a run, one line and then one per rule that matched."""
    matches = sum(stats.alerts.values())
    head = (
        f"{count(stats.events, 'event')} in {stats.elapsed_s:.2f} s"
        f" ({stats.events_per_s:.0f} events/s), {count(stats.drops, 'drop')},"
        f" {matches} {'match' if matches == 1 else 'matches'}"
    )
    if not stats.complete:
        head += " (partial)"
    lines = [head]
    width = len(str(max(stats.alerts.values(), default=0)))
    for rule, number in sorted(stats.alerts.items(), key=lambda item: (-item[1], item[0])):
        lines.append(f"  {number:>{width}}  {_safe(rule)}")
    for name, number in sorted(stats.counters.items()):
        lines.append(f"  note: {name.replace('_', ' ')}: {number}")
    return "\n".join(lines)

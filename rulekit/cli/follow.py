"""``--follow`` and ``--checkpoint``: documents as they are written, and on from the last time."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rulekit.cli.live import LIVE
from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from types import FrameType

FOLLOW_HELP = """\
--follow reads on as the log grows and is rotated, like tail -F, until SIGINT or SIGTERM. With
--checkpoint FILE the next run goes on where this one ended, also in files that were rotated or
compressed meanwhile; after a crash some alerts may come twice, none is lost."""

_SAVE_EVERY_S = 1.0


def add_follow(group: argparse._ActionsContainer) -> None:
    """Declare the arguments."""
    group.add_argument(
        "--follow",
        nargs="?",
        choices=("all", "new"),
        const="all",
        metavar="all|new",
        help="wait for more at the end of the log; `new` leaves out what is in it at the start",
    )
    group.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="remember in FILE how far the log was read, and go on from there",
    )


class Follower(Protocol):
    """What is read, and knows how far."""

    def save(self) -> None:
        """Keep in the checkpoint how far everything was dealt with."""

    def stop(self) -> None:
        """End in order."""


class Following:
    """Keeps the checkpoint of a run: saved only after the alerts of what was read.

    Args:
        follower: What is read.
        flush: Makes the alerts given so far safe.
    """

    def __init__(self, follower: Follower, flush: Callable[[], None]) -> None:
        self._follower = follower
        self._flush = flush
        self._saved_s = time.monotonic()

    def beat(self) -> None:
        """Take note that the reader was asked for more: all alerts of what came before are out."""
        now_s = time.monotonic()
        if now_s - self._saved_s >= _SAVE_EVERY_S:
            self._saved_s = now_s
            self._flush()
            self._follower.save()


@contextmanager
def follow(args: argparse.Namespace, kind: str, tell: Callable[[str], None]) -> Iterator[Any]:
    """Yield the reader for the arguments, None when they ask for neither; signals stop it.

    It is a `Follower`, and what an engine for `kind` can run.

    Raises:
        RulekitError: The source cannot be followed.
    """
    if args.follow is None and args.checkpoint is None:
        yield None
        return
    option = "--checkpoint" if args.follow is None else "--follow"
    from rulekit.sources.checkpoint import Checkpoint
    from rulekit.sources.detect import CAPTURE, LINUX_AUDIT
    from rulekit.sources.follow import LineFollower

    if kind in (CAPTURE, LIVE):
        raise RulekitError(f"{option} is for logs of documents, not for captures")
    if args.capture is None:
        raise RulekitError(f"{option} is for logs in files: name one with -e")
    checkpoint = None if args.checkpoint is None else Checkpoint(args.checkpoint)
    try:
        follower = LineFollower(
            args.capture,
            follow=args.follow is not None,
            checkpoint=checkpoint,
            from_end=args.follow == "new",
            is_whole=_is_whole_json,
            on_notice=tell,
        )
        reader: Follower = follower
        if kind == LINUX_AUDIT:
            from rulekit.sources.linux_audit.followed import FollowedAuditSource

            is_kept = checkpoint is not None
            reader = FollowedAuditSource(follower, args.capture, is_kept=is_kept)
        if args.follow is None:
            yield reader
        else:
            with _stopped_by_signals(reader):
                yield reader
    finally:
        if checkpoint is not None:
            checkpoint.close()


def _is_whole_json(line: bytes) -> bool:
    from rulekit.engine._documents import json_validator

    try:
        json_validator()(line)
    except (ValueError, RecursionError):
        return False
    return True


@contextmanager
def _stopped_by_signals(follower: Follower) -> Iterator[None]:
    """End in order at the first signal; a second one is what it always was."""
    former: dict[int, Any] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        follower.stop()
        signal.signal(number, former[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        former[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)

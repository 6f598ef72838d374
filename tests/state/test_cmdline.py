"""The command line is put together once, and again when what it is made of changes."""

from __future__ import annotations

import io

import pytest

import rulekit
from rulekit.capture import Builder
from tests.state.state_events import CLONE_THREAD, clone_params, execve_params, parts, text

# Of whom it is asked, what then happens on which thread, and what it is before and after.
TOLD = {"comm": b"cc", "args": parts(b"-x")}
CASES: dict[str, tuple[int, int, int, list[bytes], tuple[str, str]]] = {
    "execve": (200, 293, 200, execve_params(200), ("sh -i", "ls -l")),
    "unknown caller of clone": (
        500, 223, 500, clone_params(501, 500, 500, 1, **TOLD), ("<NA>", "cc -x")),
    "unknown main thread": (
        600, 223, 601, clone_params(0, 601, 600, 1, flags=CLONE_THREAD, **TOLD), ("<NA>", "cc -x")),
    "arguments of a task": (
        200, 430, 200, [b""] * 5 + [parts(b"sh", b"-c")], ("sh -i", "sh -c")),
    "name of a task": (200, 430, 200, [b""] * 4 + [text(b"new")], ("sh -i", "new -i")),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_changes_the_command_line_has_it_made_anew(case: str) -> None:
    asked, kind, tid, params, lines = CASES[case]
    b = Builder()
    b.add_process(200, "sh", args=("-i",))
    b.add_event("futex", tid=asked)
    b.add_raw(kind, params + [b""] * (32 - len(params)) if kind == 430 else params, tid=tid)
    b.add_event("futex", tid=asked)
    events = rulekit.open_source(io.BytesIO(b.build()))
    assert tuple(e["proc.cmdline"] for e in events if e["evt.type"] == "futex") == lines

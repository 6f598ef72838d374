"""Output texts of the events of a built capture."""

from __future__ import annotations

import io
from typing import Any

from rulekit.capture._reader import CaptureReader
from rulekit.capture.builder import Builder
from rulekit.engine._loop import EventLoop
from rulekit.rules.output import OutputTemplate, parse_output
from rulekit.state._outputs import OutputProgram
from rulekit.text.source import SourceText


def program(text: str, *, buffers: str = "dots") -> OutputProgram:
    template = parse_output(SourceText("test", text), "syscall")
    assert isinstance(template, OutputTemplate), template
    return OutputProgram(template, buffers=buffers)


def render_all(
    builder: Builder, text: str, *, buffers: str = "dots"
) -> list[tuple[str, dict[str, Any]]]:
    """Return message and fields of every shown event."""
    output = program(text, buffers=buffers)
    loop = EventLoop(CaptureReader(io.BytesIO(builder.build())))
    found = []
    while (step := loop.next()) is not None:
        if step:
            found.append(loop.render(output))
    return found


def render(builder: Builder, text: str, *, buffers: str = "dots") -> str:
    """Return the message for the last event."""
    return render_all(builder, text, buffers=buffers)[-1][0]


def fields(builder: Builder, text: str) -> dict[str, Any]:
    """Return the typed fields of the last event."""
    return render_all(builder, text)[-1][1]

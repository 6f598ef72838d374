"""Events as lines: the format, the form of time, the form of byte buffers, text or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.engine.limits import StateLimits
from rulekit.engine.pipeline import CapturePath
from rulekit.engine.stats import Stats
from rulekit.engine.window import Window
from rulekit.formats.base import encode
from rulekit.state._outputs import OutputProgram
from rulekit.tools.look import open_loop

# What sysdig prints: number, time, cpu, process, thread, direction, type, arguments.
_HEAD = "*%evt.num %evt.outputtime %evt.cpu "
_TAIL = "%evt.dir %evt.type %evt.info"
_THREADS = "%proc.name (%thread.tid:%thread.vtid) "
DEFAULT_FORMAT = f"{_HEAD}%proc.name (%thread.tid) {_TAIL}"
CONTAINER_FORMAT = f"{_HEAD}%container.name (%container.id) {_THREADS}{_TAIL}"
KUBERNETES_FORMAT = f"{_HEAD}%k8s.pod.name (%container.id) {_THREADS}{_TAIL}"
NAMED_FORMATS = {
    "c": CONTAINER_FORMAT,
    "container": CONTAINER_FORMAT,
    "k": KUBERNETES_FORMAT,
    "kubernetes": KUBERNETES_FORMAT,
}

# What `%evt.outputtime` prints, by the letter of -t; `d` is no field, see `_LATENCY`.
TIME_FORMS = {
    "h": "%evt.outputtime",
    "a": "%evt.rawtime.s.%evt.rawtime.ns",
    "r": "%evt.reltime.s.%evt.reltime.ns",
    "d": "",
    "D": "%evt.deltatime.s.%evt.deltatime.ns",
}
_TIME = TIME_FORMS["h"]
# Stands where the time that a call took will be put: no field prints this byte.
_LATENCY = "\0"


@dataclass(frozen=True, slots=True)
class LineForm:
    """How an event is printed.

    Attributes:
        template: Text with fields, or one of `NAMED_FORMATS`. Unless it begins with ``*``, events
            for which one of its fields is null are left out.
        time: A letter of `TIME_FORMS`: local time of day (h), seconds since the epoch (a), since
            the first event (r), spent in the call (d), since the event shown before (D).
        buffers: How byte buffers are printed, one of `rulekit.state._outputs.BUFFER_STYLES`.
        json: One object per event, fields by name, instead of text. Times are ns since the epoch.
    """

    template: str | None = None
    time: str = "h"
    buffers: str = "dots"
    json: bool = False


def event_lines(
    capture: CapturePath,
    form: LineForm,
    condition: str | None = None,
    *,
    window: Window | None = None,
    most: int | None = None,
    limits: StateLimits | None = None,
    stats: Stats | None = None,
) -> Iterator[bytes]:
    """Yield one line per event that `condition` holds for, without its line feed.

    Args:
        capture: A path, ``-`` for standard input.
        form: How an event is printed.
        condition: As in a rule; None is every event.
        window: The part of the capture to look at; None is all of it.
        most: Stop after so many lines.
        limits: How much to remember of processes and files; None is the defaults.
        stats: Filled at the end.

    Raises:
        RuleError: The condition or the format cannot be understood.
        SourceError: The capture cannot be read; what was before the damage was yielded.
    """
    if most == 0:
        return
    render = _renderer(form)
    with closing(open_loop(capture, condition, window=window, limits=limits, stats=stats)) as loop:
        if form.time == "d":
            loop.time_calls()
        while (found := loop.next()) is not None:
            line = render(loop) if found else None
            if line is None:
                continue
            yield line
            if most is not None:
                most -= 1
                if most == 0:
                    return


def _renderer(form: LineForm) -> Callable[[EventLoop], bytes | None]:
    text = NAMED_FORMATS.get(form.template or "", form.template)
    if text is None:
        text = DEFAULT_FORMAT
    keep_nulls = text.startswith("*")
    text = text[keep_nulls:]
    if form.json:
        return _json(compile_output(text, buffers=form.buffers), keep_nulls)
    if form.time == "d":
        output = compile_output(text.replace(_TIME, _LATENCY), buffers=form.buffers)
        return lambda loop: _timed(loop, output, keep_nulls)
    output = compile_output(text.replace(_TIME, TIME_FORMS[form.time]), buffers=form.buffers)
    return lambda loop: loop.render_line(output, keep_nulls)


def _timed(loop: EventLoop, output: OutputProgram, keep_nulls: bool) -> bytes | None:
    line = loop.render_line(output, keep_nulls)
    if line is None:
        return None
    seconds, ns = divmod(loop.latency_ns or 0, 1_000_000_000)
    return line.replace(_LATENCY.encode(), b"%d.%09d" % (seconds, ns))


def _json(output: OutputProgram, keep_nulls: bool) -> Callable[[EventLoop], bytes | None]:
    encoder = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def render(loop: EventLoop) -> bytes | None:
        fields = loop.fields(output)
        if not keep_nulls and None in fields.values():
            return None
        return encode(encoder.encode(fields))

    return render

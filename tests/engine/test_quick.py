"""The short way of events that only their thread notices leaves all as the long one does."""

from __future__ import annotations

import gzip
import io
import random
from pathlib import Path

import pytest

from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._loop import EventLoop
from rulekit.engine.pipeline import bind
from rulekit.engine.stats import Stats
from rulekit.engine.window import window
from rulekit.errors import SourceError
from rulekit.tools.summaries.base import fields_output

BUNDLED = Path(__file__).parents[2] / "rulesets" / "captures"
CAPTURES = ("tiny-host", "attack-host", "attack-docker")
# One rule for every type of event, one of a few; what their comparisons hold for comes and goes.
RULES = (
    "proc.name = nosuch_zzz or fd.name = /nosuch_zzz",
    "fd.name startswith /etc or proc.name in (sh, bash)",
    "evt.type in (read, close, brk) and fd.name contains so and proc.pname exists",
    "evt.type = openat and fd.name = /etc/passwd",
)
FIELDS = (
    "thread.tid", "proc.cmdline", "proc.cwd", "fd.num", "fd.name", "fd.type", "fd.connected",
    "fd.name_changed", "evt.cpu", "evt.num", "evt.rawtime", "thread.exectime",
)  # fmt: skip
ALL = window("1", None)  # with a window, every event goes all the way


def run(data: bytes, rules: tuple[str, ...], careful: bool) -> dict[str, object]:
    """Return all that a run over a capture leaves behind."""
    program = compile_ruleset([(text, bind(text), None) for text in rules])
    stats = Stats()
    loop = EventLoop(
        CaptureReader(io.BytesIO(data)),
        Matcher(program),
        window=ALL if careful else None,
        stats=stats,
    )
    matches: list[object] = []
    error = ""
    try:
        while (found := loop.next()) is not None:
            if found:
                matches.append((loop.raw, loop.num, loop.ts_ns, loop.tid, loop.matched()))
    except SourceError as at:
        error = str(at)
    seen = (loop.raw, loop.num, loop.ts_ns, loop.tid, loop.span_ns, loop.n_events)
    output = fields_output(FIELDS)
    tables = (loop.tables(), loop.threads(output), loop.descriptors(output))
    loop.close()
    return {
        "matches": matches, "error": error, "seen": seen, "tables": tables,
        "stats": (stats.events, stats.delivered, stats.visible, stats.drops, stats.counters),
    }  # fmt: skip


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("rules", [RULES[:1], RULES[1:], RULES])
def test_short_way_leaves_the_same(name: str, rules: tuple[str, ...]) -> None:
    data = gzip.decompress((BUNDLED / f"{name}.scap.gz").read_bytes())
    assert run(data, rules, careful=False) == run(data, rules, careful=True)


def test_damage_is_met_the_same_way() -> None:
    data = gzip.decompress((BUNDLED / "tiny-host.scap.gz").read_bytes())
    dice = random.Random(5)
    met = set()
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(3):
            at = dice.randrange(len(data) // 3, len(data))
            damaged[at] = dice.choice((0, 1, 8, 0x40, 0xFF, damaged[at] ^ 1 << dice.randrange(8)))
        quick = run(bytes(damaged), RULES[:2], careful=False)
        assert quick == run(bytes(damaged), RULES[:2], careful=True)
        met.add(quick["error"] != "")
    assert met == {False, True}

"""Profiles in forms that people look at: text, a speedscope file, a flame graph."""

from __future__ import annotations

import zlib
from html import escape
from typing import Any

from rulekit import __version__
from rulekit.tools.profile import Cost, Profile, Stack

_WIDTH, _ROW, _LEFT, _CHAR = 1200, 17, 10, 6.2
_SMALLEST = 0.4  # pixels; what is narrower is left out


def text(profile: Profile, rows: int) -> str:
    """Return tables of stages, rules, comparisons and caches, then the advice."""
    events = max(profile.events, 1)
    total = sum(profile.stages.values())
    lines = [
        f"{profile.events:,} events, {profile.shown:,} shown to rules, {profile.gated:,} of a type"
        f" that some rule names; {total / 1e6:,.1f} ms of CPU, {total / events:.1f} ns per event",
        "",
        f"{'ns/event':>9} {'share':>6}  stage",
    ]
    for name, ns in profile.stages.items():
        lines.append(f"{ns / events:9.1f} {ns / total if total else 0.0:6.1%}  {name}")
    matching = sum(profile.matching.values())
    lines += ["", f"{'ns/event':>9} {'share':>6}  of matching"]
    for name, ns in profile.matching.items():
        lines.append(f"{ns / events:9.1f} {ns / matching if matching else 0.0:6.1%}  {name}")
    lines += ["", f"{'us':>10} {'share':>6} {'tried':>9} {'matches':>8}  rule (share of matching)"]
    lines += [
        f"{cost.ns / 1e3:10,.1f} {cost.share:6.1%} {cost.evaluations:9,}"
        f" {cost.matches:8,}  {cost.name}"
        for cost in profile.rules[:rows]
    ]
    lines += _left_out(profile.rules, rows, "rules")
    lines += [
        "",
        f"{'us':>10} {'share':>6} {'tried':>9} {'true':>8}  comparison (share of matching)",
    ]
    lines += [
        f"{cost.ns / 1e3:10,.1f} {cost.share:6.1%} {cost.evaluations:9,}"
        f" {cost.held / max(cost.evaluations, 1):8.1%}  {cost.name}"
        for cost in profile.comparisons[:rows]
    ]
    lines += _left_out(profile.comparisons, rows, "comparisons")
    lines.append("")
    for name, (hits, asked) in profile.caches.items():
        share = f"{hits / asked:.1%}" if asked else "-"
        lines.append(f"{share:>6} of {asked:,} times {name} was known")
    if profile.advice:
        lines += ["", "advice", *(f"  {line}" for line in profile.advice)]
    return "\n".join(lines) + "\n"


def _left_out(costs: tuple[Cost, ...], rows: int, noun: str) -> list[str]:
    return [f"{'':>10} and {len(costs) - rows} {noun} more"] if len(costs) > rows else []


def speedscope(profile: Profile, name: str) -> dict[str, Any]:
    """Return a profile as https://www.speedscope.app reads it: one sample per place, in ns."""
    numbers: dict[str, int] = {}
    samples: list[list[int]] = []
    weights: list[float] = []
    for stack in profile.stacks:
        if stack.self_ns > 0:
            samples.append([numbers.setdefault(each, len(numbers)) for each in stack.names])
            weights.append(round(stack.self_ns, 1))
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": name,
        "exporter": f"rulekit {__version__}",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": each} for each in numbers]},
        "profiles": [
            {
                "type": "sampled",
                "name": name,
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": round(sum(weights), 1),
                "samples": samples,
                "weights": weights,
            }
        ],
    }


class _Box:
    """A name at one place of the flame graph; `ns` is with everything above it."""

    def __init__(self) -> None:
        self.ns = 0.0
        self.calls = 0
        self.children: dict[str, _Box] = {}

    def add(self, stack: Stack) -> None:
        box = self
        box.ns += stack.self_ns
        for name in stack.names:
            box = box.children.setdefault(name, _Box())
            box.ns += stack.self_ns
        box.calls += stack.calls

    def height(self) -> int:
        return 1 + max((child.height() for child in self.children.values()), default=0)


def flame_graph(profile: Profile, name: str) -> str:
    """Return an SVG picture: widths are times, callers lie below; pointing at a box tells more."""
    root = _Box()
    for stack in profile.stacks:
        root.add(stack)
    rows = root.height()
    height = rows * _ROW + 60
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}" font-family="DejaVu Sans, sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fffdf8"/>',
        f'<text x="{_WIDTH / 2}" y="22" font-size="15" text-anchor="middle">{escape(name)}:'
        f" {root.ns / max(profile.events, 1):.1f} ns per event</text>",
    ]
    _boxes(out, root, "all", 0, _LEFT, (_WIDTH - 2 * _LEFT) / (root.ns or 1.0), height, root.ns)
    return "\n".join([*out, "</svg>", ""])


def _boxes(
    out: list[str],
    box: _Box,
    name: str,
    depth: int,
    left: float,
    scale: float,
    height: int,
    total: float,
) -> None:
    width = box.ns * scale
    if width < _SMALLEST:
        return
    y = height - 20 - (depth + 1) * _ROW
    shade = zlib.crc32(name.encode())
    colour = f"#{225 + shade % 30:02x}{140 + shade // 30 % 80:02x}{70 + shade // 2400 % 50:02x}"
    share = box.ns / total if total else 0.0
    calls = f", {box.calls:,} times" if box.calls else ""
    shown = name if len(name) * _CHAR <= width - 6 else name[: max(int((width - 6) / _CHAR) - 1, 0)]
    label = shown if shown == name else f"{shown}…" if len(shown) > 2 else ""
    out.append(
        f"<g><title>{escape(name)}: {box.ns / 1e6:,.3f} ms, {share:.1%}{calls}</title>"
        f'<rect x="{left:.2f}" y="{y}" width="{width:.2f}" height="{_ROW - 1}" rx="1"'
        f' fill="{colour}"/>'
        f'<text x="{left + 3:.2f}" y="{y + 12}">{escape(label)}</text></g>'
    )
    for child_name, child in sorted(box.children.items()):
        _boxes(out, child, child_name, depth + 1, left, scale, height, total)
        left += child.ns * scale

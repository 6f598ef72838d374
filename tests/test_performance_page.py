"""What the pages say about speed is what the records hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "benchmarks" / "record"
PAGE = (ROOT / "docs/reference/performance.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
ROW = re.compile(
    r"^\| ([^|]+) \| ([\d.]+) ns \| ([\d.]+) ns \| ([\d.]+) \|(?: `([^`]+)` \|)?$", re.M
)


def test_every_record_that_is_named_exists() -> None:
    names = re.findall(r"`(20[\w.-]+\.json)`", PAGE)
    assert len(names) >= 6
    for name in names:
        assert (RECORD / name).exists(), name


def test_figures_beside_the_peer_are_those_of_the_records() -> None:
    rows = ROW.findall(PAGE)
    assert len(rows) == 3
    for _, ours, theirs, ratio, name in rows:
        found = json.loads((RECORD / name).read_text("utf-8"))
        assert f"{found['ns_per_event']['rulekit']:.1f}" == ours
        assert f"{found['ns_per_event']['sysdig']:.1f}" == theirs
        assert f"{found['ratio']:.1f}" == ratio
    assert [row[:4] for row in ROW.findall(README)] == [row[:4] for row in rows]


def test_many_rules_are_those_of_the_record() -> None:
    (name,) = set(re.findall(r"`([\w.-]+-speed\.json)`", PAGE))
    works = json.loads((RECORD / name).read_text("utf-8"))["works"]
    few = works["all rules"]["ns_per_event"]
    for rules, work in (("93", "all rules"), ("1,000", "1000 rules"), ("10,000", "10000 rules")):
        ns, memory = works[work]["ns_per_event"], works[work]["peak_rss_mb"]
        times = "1" if work == "all rules" else f"{ns / few:.1f}"
        assert f"| {rules} | {ns:.1f} ns | {times} | {memory:.0f} MB |" in PAGE


def test_no_figure_is_from_a_tree_that_nobody_can_check_out() -> None:
    assert "dirty" not in PAGE + README


def test_figures_of_the_start_are_those_of_the_record() -> None:
    (name,) = set(re.findall(r"`([\w.-]+-start\.json)`", PAGE))
    found = json.loads((RECORD / name).read_text("utf-8"))
    for key in ("import_to_first_event_s", "cold_s", "compile_s", "cached_s"):
        assert f"| {found[key] * 1000:.0f} ms |" in PAGE
    assert f"| {found['many_compile_s']:.1f} s |" in PAGE


def test_nothing_differed_in_the_net() -> None:
    (name,) = set(re.findall(r"`([\w.-]+-net\.json)`", PAGE))
    found = json.loads((RECORD / name).read_text("utf-8"))
    assert f"{found['pairs']:,} generated pairs" in PAGE
    assert found["pairs"] >= 1_000_000
    assert found["differences"] == sum(c["differences"] for c in found["captures"]) == 0


def test_instructions_and_long_lists_are_those_of_the_records() -> None:
    (name,) = set(re.findall(r"`([\w.-]+-instructions\.json)`", PAGE))
    found = json.loads((RECORD / name).read_text("utf-8"))
    for work, count in found["per_event"].items():
        assert f"| {count:.0f} | {found['per_further_event'][work]:.0f} |" in PAGE
    (name,) = set(re.findall(r"`([\w.-]+-long-list\.json)`", PAGE))
    found = json.loads((RECORD / name).read_text("utf-8"))
    assert f"{found['bytes_per_item']:.0f} bytes of memory per item" in PAGE
    few, many = (each["instructions_per_event"] for each in found["lists"])
    assert f"takes {many:.0f} instructions per event" in PAGE
    assert many < 1.01 * few

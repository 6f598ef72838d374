"""What the pages say about speed is what the records hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "benchmarks" / "record"
PAGE = (ROOT / "docs/reference/performance.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
ROW = re.compile(
    r"^\| ([^|]+) \| ([\d.]+) ns \| ([\d.]+) ns \| ([\d.]+) \|(?: `([^`]+)` \|)?$", re.M
)


def recorded(name: str) -> Any:
    """Return the one record of a kind that the page names."""
    (file,) = set(re.findall(rf"`([\w.-]+-{name}\.json)`", PAGE))
    return json.loads((RECORD / file).read_text("utf-8"))


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
    works = recorded("speed")["works"]
    few = works["all rules"]["ns_per_event"]
    for rules, work in (("93", "all rules"), ("1,000", "1000 rules"), ("10,000", "10000 rules")):
        ns, memory = works[work]["ns_per_event"], works[work]["peak_rss_mb"]
        times = "1" if work == "all rules" else f"{ns / few:.1f}"
        assert f"| {rules} | {ns:.1f} ns | {times} | {memory:.0f} MB |" in PAGE


def test_no_figure_is_from_a_tree_that_nobody_can_check_out() -> None:
    assert "dirty" not in PAGE + README


def test_figures_of_the_start_are_those_of_the_record() -> None:
    found = recorded("start")
    shown = dict(re.findall(r"^\| ([^|]+) \| ([\d.]+ m?s) \|$", PAGE, re.M))
    assert found["many"] == 10_000
    read_s = found["many_cold_s"] - found["many_compile_s"]
    assert shown == {
        "import to the first event": f"{found['import_to_first_event_s'] * 1000:.0f} ms",
        "93 rules: read, resolved, checked, compiled": f"{found['cold_s'] * 1000:.0f} ms",
        "of it compiling": f"{found['compile_s'] * 1000:.0f} ms",
        "93 rules from the folder of compiled programs": f"{found['cached_s'] * 1000:.0f} ms",
        "10,000 rules (20 MB): read, resolved, checked": f"{read_s:.1f} s",
        "10,000 rules: compiling": f"{found['many_compile_s']:.1f} s",
        "10,000 rules: in all": f"{found['many_cold_s']:.1f} s",
    }
    assert f"Each of the 10,000 rules takes {found['many_cold_s'] / 10:.1f} ms" in PAGE


# What the page calls the inputs of `benchmarks/bad_input.py`.
BAD_INPUTS = {
    "10,000 small rules, {mb:.0f} MB": "10,000 small rules",
    "100,000 small rules, {mb:.0f} MB": "100,000 small rules",
    "600,000 small rules, {mb:.0f} MB": "600,000 small rules, 115 MB",
    "a list of 10,000 items": "a list of 10,000 items",
    "a list of 1,000,000 items, {mb:.0f} MB": "a list of 1,000,000 items",
    "10,000 items named by 300 rules": "10,000 items in 300 rules",
    "a condition 1,000 levels deep": "a condition 1,000 levels deep",
    "a regular expression that explodes when it is tried": "a regex that explodes when it is tried",
    "one that explodes when it is compiled": "a regex that explodes when it is compiled",
    "40 lists that each name the next one twice": "40 lists that double",
    "40 macros that each name the next one twice": "40 macros that double",
}
REFUSED = {
    "a file is at most 64 MiB": "larger than 64 MiB",
    "nested too deeply": "nested too deeply",
    "": "bad value",
    "too much text": "makes too much text",
    "too many comparisons": "comparisons",
}


def test_what_becomes_of_bad_input_is_what_the_record_says() -> None:
    inputs = recorded("bad-input")["inputs"]
    table = PAGE[PAGE.index("| rule file |") : PAGE.index("Imports are in these times.")]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([\d.]+ s) \| ([\d,]+ MB) \|$", table, re.M)
    assert len(rows) == len(BAD_INPUTS) == table.strip().count("\n") - 1
    for (name, outcome, spent, memory), (shown, key) in zip(rows, BAD_INPUTS.items(), strict=True):
        found = inputs[key]
        assert name == shown.format(mb=found["mb"])
        assert (spent, memory) == (f"{found['cpu_s']:.1f} s", f"{found['peak_mb']:,} MB"), name
        word, _, why = outcome.partition(": ")
        assert (found["outcome"] == "runs") == outcome.startswith("runs"), name
        if word == "refused":
            assert REFUSED[why] in found["outcome"], name


def test_nothing_differed_in_the_net() -> None:
    found = recorded("net")
    assert f"{found['pairs']:,} generated pairs" in PAGE
    assert found["pairs"] >= 1_000_000
    assert found["differences"] == sum(c["differences"] for c in found["captures"]) == 0


def test_instructions_and_long_lists_are_those_of_the_records() -> None:
    found = recorded("instructions")
    for work, count in found["per_event"].items():
        assert f"| {count:.0f} | {found['per_further_event'][work]:.0f} |" in PAGE
    found = recorded("long-list")
    assert f"{found['bytes_per_item']:.0f} bytes of memory per item" in PAGE
    few, many = (each["instructions_per_event"] for each in found["lists"])
    assert f"takes {many:.0f} instructions per event" in PAGE
    assert many < 1.01 * few
    peak = recorded("bad-input")["inputs"]["a list of 1,000,000 items"]["peak_mb"]
    load_s = found["lists"][1]["load_cpu_s"]
    words = f"takes {load_s:.1f} s of CPU and {peak} MB at the peak"
    assert words in " ".join(PAGE.split())

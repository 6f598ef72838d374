"""Hostile rule files, and what fuzzing has found: a diagnostic in bounded time and memory.

RULEKIT_FUZZ_LONG=1 takes the large inputs, too (minutes).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rulekit.rules.loader import load_files
from rulekit.text.source import SourceText

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import hostile  # noqa: E402
from loader_target import examine  # noqa: E402

LONG = os.environ.get("RULEKIT_FUZZ_LONG") == "1"
# Those that take seconds or hundreds of megabytes by their size alone.
LARGE = {name for name in hostile.INPUTS if name.startswith(("ten_megabytes", "hundred_thousand"))}
LARGE |= {"exception_tuples", "exception_values", "many_exceptions", "megabyte_item_list"}
LARGE |= {"macro_doubling_many_rules", "thousands_of_bad_rules", "list_appended"}
LARGE |= {"thousands_of_unknown_macros", "megabyte_wrong_values", "rule_appended"}
LARGE |= {"thousands_of_skipped_rules", "megabyte_output_of_odd_names", "remarks_in_many_rules"}
LARGE |= {"exceptions_of_one_name", "exceptions_appended", "list_in_many_calls"}
LARGE |= {"list_that_is_cut_in_many_conditions", "list_in_a_list_in_many_conditions"}
ENDS = {
    "list_in_many_conditions": "ok",
    "macro_in_many_rules": "ok",
    "output_of_odd_names": "ok",
    "alias_bomb_sequences": "refused RK007",
    "deep_parentheses": "refused RK105",
    "deep_parentheses_alone": "refused RK105",
    "deep_negations": "refused RK105",
    "deep_transformers": "refused RK105",
    "deep_yaml_flow": "refused RK009",
    "deep_yaml_maps": "refused RK009",
    "deep_yaml_blocks": "refused RK009",
    "deep_yaml_dashes": "refused RK009",
    "invalid_utf8": "refused RK002",
    "truncated_utf8": "refused RK002",
    "nuls": "refused RK003",
    "nul_in_a_condition": "refused RK003",
    "macro_doubling": "refused RK335",
    "macro_chain_forwards": "refused RK335",
    "list_doubling_forwards": "refused RK334",
    "list_of_itself": "ok",
    "list_doubling": "ok",
    "every_escape": "ok",
}


# Each file is put together with all before it, as in Falco: many of them take more than their size.
# What is meant by a name that nobody knows is looked for among all names.
LEAVE = {"many_files": 4.0, "thousands_of_skipped_rules": 3.0}
# CPU seconds for a hundred kilobytes of rules without a trap, on the machine of the records.
PLAIN_S = 0.03


@pytest.fixture(scope="module")
def slowness() -> float:
    """How much slower this machine is now, with leave to become four times as slow meanwhile."""
    rule = "evt.type = open and fd.name startswith /etc"
    text = "".join(hostile._rule(rule, name=f"r{i}") for i in range(1000))
    times = []
    for _ in range(3):
        started_s = time.process_time()
        assert load_files([SourceText("plain.yaml", text)]).ok
        times.append(time.process_time() - started_s)
    return 4.0 * max(1.0, min(times) / PLAIN_S)


@pytest.mark.parametrize("name", [n for n in hostile.INPUTS if LONG or n not in LARGE])
def test_hostile_input_ends_well(name: str, slowness: float) -> None:
    end = examine(hostile.INPUTS[name](), slowness=slowness * LEAVE.get(name, 1.0))
    assert end.startswith(ENDS.get(name, ""))


@pytest.mark.parametrize("path", sorted((HERE / "regressions").glob("*.bin")), ids=lambda p: p.stem)
def test_what_was_found_stays_mended(path: Path) -> None:
    examine(path.read_bytes(), slowness=8.0, more=True)


@pytest.mark.parametrize("name", ["ten_megabytes_of_brackets", "alias_bomb_items"])
def test_a_gigabyte_is_enough(name: str) -> None:
    command = [sys.executable, str(HERE / "hostile.py"), name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


def test_blind_mutation_finds_nothing(tmp_path: Path) -> None:
    seconds = os.environ.get("RULEKIT_FUZZ_SECONDS", "4")
    command = [sys.executable, str(HERE / "run_loader.py"), "--engine", "own", "--seconds", seconds]
    command += ["--corpus", str(tmp_path), "--log", str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True)
    found = [path.read_text() for path in (tmp_path / "findings").glob("*.txt")]
    assert done.returncode == 0, "\n".join([done.stdout, done.stderr[-500:], *found])

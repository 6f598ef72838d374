"""Options and measuring of the suite; see `test_speed.py`."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.against_sysdig import CONDITION, cpu_seconds, repeat_events
from benchmarks.counted import available, per_event
from benchmarks.machine import ROOT, record
from rulekit.engine.pipeline import Engine
from rulekit.rules.loader import load_files

SHARED = Path(os.environ.get("RULEKIT_SHARED", ROOT.parent / "shared"))
BUNDLED = ROOT / "rulesets/captures/attack-host.scap.gz"
UPSTREAM = tuple(
    SHARED / "rules/upstream" / f"falco{name}_rules.yaml"
    for name in ("", "-incubating", "-sandbox")
)
REPEATS = 3
RESULTS: dict[str, dict[str, Any]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the suite."""
    group = parser.getgroup("rulekit benchmarks")
    group.addoption("--capture-file", help="capture to measure with (default: layout-2025-1m)")
    group.addoption("--rounds", type=int, default=3, help="passes per benchmark (default: 3)")
    group.addoption(
        "--instructions", action="store_true", help="count instructions too (valgrind; minutes)"
    )
    group.addoption("--record", action="store_true", help="write a result to benchmarks/record")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Time in CPU seconds: wall-clock time of a busy machine says nothing."""
    config.option.benchmark_timer = "time.process_time"
    config.option.benchmark_disable_gc = True


@pytest.fixture(scope="session")
def rules() -> tuple[list[Path], list[Path]]:
    """Return the rule files of "stable" and of "all": upstream's, else those of the repository."""
    if UPSTREAM[0].exists():
        return [UPSTREAM[0]], list(UPSTREAM)
    gate = ROOT / "benchmarks/gate_rules.yaml"
    return [gate], [gate]


@pytest.fixture(scope="session")
def zipped(request: pytest.FixtureRequest) -> Path:
    """Return the capture as it is kept."""
    named = request.config.getoption("--capture-file")
    if named:
        return Path(named)
    best = SHARED / "captures/bench/layout-2025-1m.scap.gz"
    return best if best.exists() else BUNDLED


@pytest.fixture(scope="session")
def capture(zipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the capture unzipped."""
    data = zipped.read_bytes()
    path = tmp_path_factory.mktemp("captures") / "capture.scap"
    path.write_bytes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return path


@pytest.fixture(scope="session")
def peers(capture: Path, rules: tuple[list[Path], list[Path]]) -> Iterator[dict[str, float]]:
    """Return CPU nanoseconds per event of the peers that are installed, start-up taken off.

    `sysdig` runs one filter that never matches; `falco` (on PATH, or RULEKIT_PEER_FALCO) the rule
    sets `stable` and `all`.
    """
    found: dict[str, float] = {}
    often = capture.with_name("often.scap")
    n = _events(capture, often)
    if shutil.which("sysdig"):
        found["sysdig"] = _difference(["sysdig", "-r"], [CONDITION], capture, often, n)
    falco = os.environ.get("RULEKIT_PEER_FALCO") or shutil.which("falco")
    if falco:
        for name, files in zip(("stable", "all"), rules, strict=True):
            command = [falco, "-o", "engine.kind=replay", *(a for f in files for a in ("-r", f))]
            command += ["-o", "engine.replay.capture_file"]
            found[f"falco {name}"] = _difference(command, [], capture, often, n, glue="=")
    # One that cannot read the capture is done at once.
    yield {name: ns for name, ns in found.items() if ns > 1}
    often.unlink(missing_ok=True)


def _events(capture: Path, often: Path) -> int:
    once = capture.with_name("once.scap")
    n = repeat_events(capture, once, 1)
    once.replace(capture)
    repeat_events(capture, often, REPEATS)
    return n


def _difference(
    command: list[Any], rest: list[str], once: Path, often: Path, n: int, glue: str = ""
) -> float:
    spent = []
    for path in (often, once):
        words = [str(word) for word in command]
        if glue:
            words[-1] += f"{glue}{path}"
        else:
            words.append(str(path))
        spent.append(min(cpu_seconds([*words, *rest]) for _ in range(2)))
    return (spent[0] - spent[1]) / (n * (REPEATS - 1)) * 1e9


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Path]], Path]:
    """Return a function that compiles rule files into a file, once each."""
    folder = tmp_path_factory.mktemp("programs")
    made: dict[tuple[Path, ...], Path] = {}

    def compiled(files: list[Path]) -> Path:
        key = tuple(files)
        if key not in made:
            made[key] = folder / f"{len(made)}.rkc"
            Engine(load_files(files).require(), all_rules=True).compiled().save(made[key])
        return made[key]

    return compiled


@pytest.fixture
def measured(
    request: pytest.FixtureRequest, benchmark: Any, peers: dict[str, float]
) -> Callable[..., dict[str, Any]]:
    """Return a function that measures a work (`benchmarks/work.py`) and keeps what it found.

    Per event: CPU nanoseconds (smallest of some rounds), instructions when asked for; the peak of
    resident memory of a process that does this alone; the ratio of a peer's time to ours.
    """

    def measure(
        name: str, run: Callable[[], float], work: str, capture: Path, program: Path | None = None,
        peer: str = "sysdig",
    ) -> dict[str, Any]:  # fmt: skip
        rounds = request.config.getoption("--rounds")
        events = benchmark.pedantic(run, rounds=rounds, iterations=1)
        seconds = benchmark.stats.stats.min
        rules = [] if program is None else [program]
        row: dict[str, Any] = {"events": int(events), "ns_per_event": seconds / events * 1e9}
        alone = [sys.executable, str(ROOT / "benchmarks/work.py"), work, str(capture)]
        done = subprocess.run(
            [*alone, *map(str, rules)], capture_output=True, text=True, check=True
        )
        row["peak_rss_mb"] = json.loads(done.stdout)["peak_rss_mb"]
        if request.config.getoption("--instructions") and available() and work != "walk":
            row["instructions_per_event"] = per_event(work, capture, rules)
        peer = peer if peer in peers or not peer else "sysdig"
        if peer in peers:
            row["peer"] = peer
            row["peer_ns_per_event"] = peers[peer]
            row["ratio"] = peers[peer] / row["ns_per_event"]
        benchmark.extra_info.update(row)
        RESULTS[name] = row
        return row

    return measure


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the record."""
    if RESULTS and session.config.getoption("--record"):
        named = session.config.getoption("--capture-file")
        about = {"capture": Path(named).name if named else "layout-2025-1m.scap.gz"}
        print("\n", record("speed", {**about, "load": os.getloadavg()[0], "works": RESULTS}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures as a table."""
    if not RESULTS:
        return
    terminalreporter.section("per event")
    for name, row in RESULTS.items():
        count = row.get("instructions_per_event")
        more = "" if count is None else f"  {count:.0f} instructions"
        ratio = f"  {row['ratio']:.2f}x {row['peer']}" if "ratio" in row else ""
        terminalreporter.write_line(
            f"{name:<22}{row['ns_per_event']:>9.1f} ns{more}  {row['peak_rss_mb']:.0f} MB{ratio}"
        )

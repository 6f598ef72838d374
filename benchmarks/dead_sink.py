"""Whether a sink that is dead slows the matcher: events a second with and without it.

    python benchmarks/dead_sink.py [CAPTURE] [--rules FILE ...] [--rounds 5] [--record]

Runs `rulekit run --config` again and again, the variants in turn so that a load on the machine
meets all of them: `without` has a file sink only; the others have a webhook besides, which takes
everything (`well`), refuses connections (`refused`), or accepts them and never answers (`hangs`).
A ratio is the speed of a variant divided by that of `without`, and by that of `well`, sums over all
rounds, once by CPU seconds of the whole process during the pass, all threads together, and once by
wall clock. With `--flood` a rule is added that is true for every execution and every file opened.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machine import record  # noqa: E402
from tests.receivers.http import HttpReceiver, Response  # noqa: E402

WANTED = 0.95
FLOOD = """\
- rule: flood
  desc: True very often.
  condition: evt.type in (open, openat, execve, execveat, clone, clone3)
  output: "%evt.type of %proc.name %proc.cmdline %fd.name by %user.name"
  priority: NOTICE
"""
VARIANTS = ("without", "well", "refused", "hangs")
# The command as it is, but for its summary: figures in place of words.
CHILD = """\
import json, sys
from rulekit.cli import run
from rulekit.cli.main import main
run.summary = lambda stats: json.dumps({
    "events": stats.events, "elapsed_s": stats.elapsed_s, "cpu_s": stats.cpu_s,
    "matches": sum(stats.alerts.values()),
})
sys.exit(main(sys.argv[1:]))
"""


def configuration(folder: Path, port: int | None) -> str:
    """Return a configuration with a file sink, and a webhook at a port."""
    sinks: dict[str, Any] = {"file": {"type": "file", "path": str(folder / "alerts")}}
    if port is not None:
        sinks["hook"] = {"type": "webhook", "url": f"http://127.0.0.1:{port}/", "body": "array"}
    whole = {"spool": {"path": str(folder / "spool")}, "drain": "0.5s", "sinks": sinks}
    return json.dumps(whole)


def pass_once(folder: Path, port: int | None, rules: list[Path], capture: Path) -> dict[str, Any]:
    """Run the command once; return its figures."""
    folder.mkdir()
    config = folder / "rulekit.yaml"
    config.write_text(configuration(folder, port))
    command = [sys.executable, "-c", CHILD, "run", "--config", str(config), "-e", str(capture)]
    for path in rules:
        command += ["-r", str(path)]
    command += ["--matching", "all", "--all-rules"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    for line in done.stderr.splitlines():
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    raise SystemExit(f"no figures:\n{done.stderr}")


def measure(capture: Path, rules: list[Path], rounds: int) -> dict[str, Any]:
    """Return sums per variant and the ratios."""
    sums = {name: {"events": 0, "matches": 0, "cpu_s": 0.0, "elapsed_s": 0.0} for name in VARIANTS}
    with (
        tempfile.TemporaryDirectory(prefix="dead-sink-") as scratch,
        HttpReceiver(lambda request: Response()) as receiver,
        socket.create_server(("127.0.0.1", 0), backlog=64) as silent,
        socket.socket() as unused,
    ):
        unused.bind(("127.0.0.1", 0))  # taken, and nobody listens
        ports = {
            "without": None,
            "well": receiver.port,
            "refused": unused.getsockname()[1],
            "hangs": silent.getsockname()[1],
        }
        for number in range(rounds):
            # Another one begins each time.
            for name in (*VARIANTS[number % 4 :], *VARIANTS[: number % 4]):
                folder = Path(scratch) / f"{number}-{name}"
                found = pass_once(folder, ports[name], rules, capture)
                receiver.requests.clear()
                for key in sums[name]:
                    sums[name][key] += found[key]
    ratios = {
        f"{name} to {base}": {
            key: round(sums[base][f"{key}_s"] / sums[name][f"{key}_s"], 3)
            for key in ("cpu", "elapsed")
        }
        for name in VARIANTS[1:]
        for base in VARIANTS[:2]
        if name != base
    }
    rounded = {
        name: {key: round(value, 3) for key, value in one.items()} for name, one in sums.items()
    }
    return {"rounds": rounds, "sums": rounded, "ratios": ratios}


def main() -> int:
    """Measure; 1 when a dead sink slows the matcher."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "capture",
        nargs="?",
        type=Path,
        default=ROOT / "rulesets" / "captures" / "attack-host.scap.gz",
    )
    parser.add_argument("--rules", nargs="*", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flood", action="store_true", help="with a rule that is often true")
    parser.add_argument("--record", action="store_true", help="write to benchmarks/record/")
    args = parser.parse_args()
    rules = args.rules or sorted(ROOT.glob("rulesets/*/rules.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        flood = Path(folder) / "flood.yaml"
        flood.write_text(FLOOD)
        result = measure(args.capture, [*rules, *[flood] * args.flood], args.rounds)
    print(json.dumps(result, indent=1))
    if args.record:
        name = "dead-sink-flood" if args.flood else "dead-sink"
        print(record(name, {"capture": args.capture.name, "rules": len(rules), **result}))
    base = "well" if args.flood else "without"
    dead = [result["ratios"][f"{name} to {base}"]["cpu"] for name in ("refused", "hangs")]
    return int(min(dead) < WANTED)


if __name__ == "__main__":
    sys.exit(main())

"""How many alerts a second one core takes through format, spool and file sink.

    python benchmarks/alerts_to_file.py [--alerts 100000] [--record]

The alerts are those of the bundled rules on the bundled capture of a host, over and over, each
with an id of its own. CPU seconds of the whole process count, all threads together: what one
core would need for it. Two paths are measured for every format: `direct`, format and file sink
alone, and `spooled`, what `rulekit run --config` does: noise control, routing, format, spool on
disk, thread of the sink, file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import rulekit  # noqa: E402
from benchmarks.machine import record  # noqa: E402
from rulekit.alert import Alert, priority_number  # noqa: E402
from rulekit.delivery.kinds import FORMATS, format_kind, kinds  # noqa: E402
from rulekit.delivery.pipeline import Delivery  # noqa: E402
from rulekit.delivery.spool import SpoolPlan  # noqa: E402
from rulekit.delivery.worker import SinkPlan  # noqa: E402
from rulekit.formats.base import Formatter  # noqa: E402
from rulekit.sinks.base import Record  # noqa: E402
from rulekit.sinks.file import FileOptions, FileSink  # noqa: E402

WANTED = 50_000
_BATCH = FileSink.max_records


def make_alerts(n: int, context: tuple[str, ...]) -> list[Alert]:
    """Return alerts of the bundled rules, each with an id of its own."""
    rules = rulekit.load(*sorted(ROOT.glob("rulesets/*/rules.yaml")))
    engine = rulekit.Engine(rules, matching="all", all_rules=True, context=context)
    found = list(engine.run(ROOT / "rulesets" / "captures" / "attack-host.scap.gz"))
    replace = msgspec.structs.replace
    return [
        replace(alert, id=f"{number:032x}", event=number, time_ns=alert.time_ns + number * 1000)
        for number, alert in enumerate(islice(cycle(found), n))
    ]


def direct(alerts: list[Alert], formatter: Formatter, folder: Path) -> float:
    """Return the CPU seconds of format and file sink alone."""
    sink = FileSink(FileOptions(path=folder / "alerts"))
    started_s = time.process_time()
    for start in range(0, len(alerts), _BATCH):
        batch = [
            Record(
                alert.id,
                alert.time_ns,
                priority_number(alert.priority),
                alert.rule,
                alert.source,
                alert.hostname,
                formatter.format(alert),
            )
            for alert in alerts[start : start + _BATCH]
        ]
        assert sink.send(batch) is None
    sink.close()
    return time.process_time() - started_s


def spooled(alerts: list[Alert], formatter: Formatter, folder: Path) -> float:
    """Return the CPU seconds of the whole delivery."""
    sink = FileSink(FileOptions(path=folder / "alerts"))
    spool = SpoolPlan(folder / "spool", full="block")
    plan = SinkPlan("file", sink, formatter, spool=spool, max_records=_BATCH)
    delivery = Delivery([plan])
    started_s = time.process_time()
    delivery.start()
    for alert in alerts:
        delivery.submit(alert)
    assert delivery.close(drain_s=600) == {}
    return time.process_time() - started_s


def measure(alerts: list[Alert], name: str, rounds: int) -> dict[str, Any]:
    """Return alerts per CPU second of both paths, the best of some rounds."""
    formatter = format_kind(name)()
    result: dict[str, Any] = {}
    for path in (direct, spooled):
        best_s = float("inf")
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="alerts-") as folder:
                best_s = min(best_s, path(alerts, formatter, Path(folder)))
                data = (Path(folder) / "alerts").read_bytes()
            assert data.count(b"\n") == len(alerts), "alerts are missing in the file"
        result[path.__name__] = round(len(alerts) / best_s)
    result["bytes_per_alert"] = round(len(data) / len(alerts))
    return result


def main() -> int:
    """Measure; 1 when one of Falco's formats is below what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", nargs="*", default=None)
    parser.add_argument("--record", action="store_true", help="write to benchmarks/record/")
    args = parser.parse_args()
    results = {}
    for name in args.formats or kinds(FORMATS, plugins=False):
        alerts = make_alerts(args.alerts, format_kind(name)().context)
        results[name] = measure(alerts, name, args.rounds)
        print(name, json.dumps(results[name]), flush=True)
    if args.record:
        print(record("alerts-to-file", {"alerts": args.alerts, "per_cpu_second": results}))
    wanted = [results[name]["spooled"] for name in ("json", "text") if name in results]
    return int(min(wanted, default=WANTED) < WANTED)


if __name__ == "__main__":
    sys.exit(main())

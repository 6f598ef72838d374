"""How long a verdict takes: `Engine.decide` of the bundled pod_security rules on a pod of 1 kB.

As an object, which is made an audit event first, and as an audit event.

python benchmarks/decide_latency.py [--calls N] [--record]

The pod keeps to every rule, so that all of them are evaluated to their end; the time of each call
is taken by the wall clock, and the median counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import ROOT, record
from rulekit.engine.library import load
from rulekit.engine.pipeline import Engine
from rulekit.sources.kubernetes import object_event

RULES = ROOT / "rulesets" / "pod_security" / "rules.yaml"
SIZE_BYTES = 1000


def document() -> bytes:
    """Return a pod as JSON that keeps to every rule, filled up to `SIZE_BYTES`."""
    container = {
        "name": "web",
        "image": "registry.example/web:1.2",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "ports": [{"containerPort": 8080}],
    }
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "annotations": {"note": ""}},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container, {**container, "name": "side"}],
        },
    }
    missing = SIZE_BYTES - len(json.dumps(pod))
    pod["metadata"]["annotations"]["note"] = "x" * max(missing, 0)
    return json.dumps(pod).encode()


def quantiles(engine: Engine, body: bytes, calls: int) -> dict[str, Any]:
    """Return the quantiles of `calls` verdicts, in µs."""
    verdict = engine.decide(body)
    assert verdict.action == "allow", verdict
    assert not verdict.problem, verdict
    times = []
    for _ in range(calls):
        begun = time.perf_counter_ns()
        engine.decide(body)
        times.append((time.perf_counter_ns() - begun) / 1000)
    cuts = statistics.quantiles(times, n=100)
    return {
        "bytes": len(body),
        "median_us": round(cuts[49], 1),
        "p90_us": round(cuts[89], 1),
        "p99_us": round(cuts[98], 1),
    }


def measure(calls: int) -> dict[str, Any]:
    """Return the quantiles for both forms of the document."""
    engine = Engine(load(RULES), source="k8s_audit")
    body = document()
    return {
        "rules": len(engine.rules),
        "calls": calls,
        "object": quantiles(engine, body, calls),
        "audit_event": quantiles(engine, object_event(body), calls),
        "load_average": os.getloadavg()[0],
    }


def main() -> int:
    """Measure and print; with ``--record`` keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    result = measure(args.calls)
    print(json.dumps(result, indent=2))
    if args.record:
        print(record("decide-latency", result), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

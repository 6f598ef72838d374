"""What every result says about its origin, and where results go."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "benchmarks" / "record"


def origin() -> dict[str, Any]:
    """Return machine, commit and command of this run."""
    cpu = "unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "fast_inflate": importlib.util.find_spec("isal") is not None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": done.stdout.strip() or "unknown",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "command": " ".join(["python", *map(_short, sys.argv)]),
    }


def _short(argument: str) -> str:
    """Return an argument without the folders of this machine."""
    path = Path(argument)
    if not path.is_absolute():
        return argument
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def record(name: str, result: dict[str, Any]) -> Path:
    """Write a result to ``record/<date>-<commit>-<name>.json`` and return the path."""
    where = origin()
    RECORD.mkdir(exist_ok=True)
    path = RECORD / f"{where['date']}-{where['commit']}-{name}.json"
    path.write_text(json.dumps({**where, **result}, indent=2) + "\n", "utf-8")
    return path

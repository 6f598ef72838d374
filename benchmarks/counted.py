"""Instructions per event, by callgrind: the same on a busy machine as on an idle one."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.machine import ROOT
from rulekit.engine.compiled import is_compiled
from rulekit.engine.pipeline import Engine
from rulekit.rules.loader import load_files

_LOOP = "__pyx_f_7rulekit_6engine_5_loop_9EventLoop_advance"


def toolchain() -> str:
    """Return what decides the instructions of a build: compiler, architecture, flags, Cython."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    name = compiler[-1] if compiler[0] == "ccache" else compiler[0]
    done = subprocess.run([name, "-dumpfullversion"], capture_output=True, text=True)
    flags = " ".join(
        flag
        for flag in f"{sysconfig.get_config_var('CFLAGS')} {os.environ.get('CFLAGS', '')}".split()
        if flag.startswith(("-O", "-m", "-f"))
    )
    return (
        f"{Path(name).name} {done.stdout.strip()}, {platform.machine()}, Cython"
        f" {version('Cython')}, {flags}"
    )


def per_event(work: str, capture: Path, rules: Sequence[Path]) -> float:
    """Return the instructions of the loop over events per event header.

    Only the loop is counted, from the state at the start of the capture on, not Python around it.
    Rules are compiled before, so that callgrind need not watch that.
    """
    with tempfile.TemporaryDirectory() as folder:
        if rules and not is_compiled(rules[0]):
            program = Path(folder, "program.rkc")
            Engine(load_files(rules).require(), all_rules=True).compiled().save(program)
            rules = [program]
        out = Path(folder) / "out"
        command = [
            "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
            "--collect-atstart=no", f"--toggle-collect={_LOOP}",
            sys.executable, str(ROOT / "benchmarks/work.py"), work, str(capture), *map(str, rules),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text("utf-8"), re.M)
        count = int(found.group(1)) if found is not None else 0
        if not count:
            raise RuntimeError("callgrind saw nothing of the loop: are symbols stripped?")
        return count / float(json.loads(done.stdout)["events"])


def available() -> bool:
    """Return whether callgrind is there."""
    return shutil.which("valgrind") is not None

"""Builds the probe: tables of the schema as a C header, then clang. Runs at packaging time.

python build.py OUTPUT   writes the object; exit code 3 when clang is not there
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent.resolve()
TABLES = HERE.parents[2] / "schema" / "tables"
ARCHES = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm64", "arm64": "arm64"}
NO_CLANG = 3


def tables_header() -> str:
    """Return the C header with event ids, numbers of parameters and constants of the format."""
    events = json.loads((TABLES / "event_table.json").read_text("utf-8"))["events"]
    constants = json.loads((TABLES / "value_tables.json").read_text("utf-8"))["constants"]
    lines = ["/* Made from the tables of rulekit/schema by build.py. */", "#pragma once", ""]
    lines.append(f"#define N_EVENT_TYPES {len(events)}")
    lines += ["#define PAGE_SIZE 4096", ""]
    for event in events:
        if not {"OLD_VERSION", "UNUSED"} & set(event["flags"]):
            lines.append(f"#define {event['enum']} {event['id']}")
            lines.append(f"#define {event['enum']}_N {len(event['params'])}")
    lines += [f"#define {name} {value & 0xFFFFFFFF}u" for name, value in constants.items()]
    return "\n".join(lines) + "\n"


def build(output: Path, machine: str = "") -> bool:
    """Compile the probe to `output`, by default for this machine; False when there is no clang.

    Raises:
        RuntimeError: This architecture is not supported, or clang refuses the source.
    """
    clang = shutil.which("clang")
    strip = shutil.which("llvm-strip")
    if clang is None or strip is None:
        return False
    machine = machine or platform.machine()
    arch = ARCHES.get(machine)
    if arch is None:
        raise RuntimeError(f"the probe does not know the architecture {machine}")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tables.h").write_text(tables_header(), "utf-8")
        made = Path(folder) / output.name
        command = [
            clang, "-target", "bpf", f"-D__TARGET_ARCH_{arch}", "-O2", "-g", "-mcpu=v3",
            "-std=gnu11", "-Wall", "-Werror", "-I", folder,
            "-c", str(HERE / "probe.bpf.c"), "-o", str(made),
        ]  # fmt: skip
        # Without what only a linker needs.
        drop = [
            f"--remove-section={name}" for name in (".rel.BTF", ".rel.BTF.ext", ".llvm_addrsig")
        ]
        for step in (command, [strip, "-g", "-x", *drop, str(made)]):
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{step[0]} failed:\n{done.stderr}")
        shutil.copyfile(made, output)
    return True


if __name__ == "__main__":
    sys.exit(0 if build(Path(sys.argv[1])) else NO_CLANG)

"""Copies and slices of captures: same bytes, same values of every field, also read by sysdig.

python -m tests.engine.run_round_trips --shared FOLDER [--record]

Whole copies, plain and gzip, are compared byte by byte; slices by every field of every event that
the condition chooses, read here; and, where Debian's sysdig can read the capture, by what it shows
of the capture and of the slice (of what it knows of the capture, where there is newer).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import record
from rulekit.engine.slice import write_slice
from tests.conformance.sysdig import known_part
from tests.engine.slices import CONDITIONS, FIELDS, fingerprint, read_by_sysdig, sysdig
from tests.fuzz.mutate import plain

# Two events a call, in a layout that sysdig 0.29 knows.
FOR_SYSDIG = ("own/attack-docker-2025-falcoset", "own/attack-host-2025-all", "bench/old-layout")
UNREADABLE = ("curl_google_comments.scap", "empty.scap")
# `execve` without a file name in its first half makes sysdig read memory behind the event.
NEWER = tuple(name for name in FIELDS if name not in ("proc.exepath", "evt.args"))


def round_trip(capture: Path, folder: Path, for_sysdig: bool) -> dict[str, int]:
    """Copy and slice a capture; return how many events were compared how.

    Raises:
        AssertionError: Something differs.
    """
    copy, packed, slice = (folder / name for name in ("a.scap", "b.scap.gz", "c.scap"))
    made = write_slice(capture, copy)
    data = plain(capture)
    assert copy.read_bytes() == data, capture
    write_slice(capture, packed)
    with gzip.open(packed) as file:
        assert file.read() == data, capture
    found = {"events": made.events, "bytes": made.bytes, "in_slices": 0, "by_sysdig": 0}
    for condition in CONDITIONS:
        write_slice(capture, slice, condition)
        wanted = fingerprint(capture, condition)
        assert fingerprint(slice) == wanted, (capture, condition)
        found["in_slices"] += wanted[0]
    if for_sysdig:
        fields = NEWER if "2025" in capture.name else FIELDS
        with known_part(capture) as (part, _):
            whole = sysdig(part, fields)
            write_slice(part, copy)
            assert sysdig(copy, fields) == whole, capture
            for condition in CONDITIONS[:3]:
                found["by_sysdig"] += read_by_sysdig(part, slice, condition, whole, fields)
    return found


def main() -> int:
    """Take every capture of the reference material."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    os.environ["TZ"] = "UTC"
    time.tzset()
    captures = given.shared / "captures"
    results: dict[str, dict[str, int]] = {}
    wrong: dict[str, str] = {}
    for folder in ("public", "own", "bench"):
        for capture in sorted((captures / folder).glob("*.scap*")):
            readable = folder == "public" or str(capture.relative_to(captures)).startswith(
                FOR_SYSDIG
            )
            if capture.name == "empty.scap":
                continue
            readable = readable and capture.name not in UNREADABLE and bool(shutil.which("sysdig"))
            with tempfile.TemporaryDirectory() as scratch:
                try:
                    found = round_trip(capture, Path(scratch), readable)
                except AssertionError as reason:
                    wrong[capture.name] = str(reason)[:500]
                    print(capture.name, "differs:", wrong[capture.name], flush=True)
                    continue
            results[capture.name] = found
            print(capture.name, json.dumps(found), flush=True)
    if given.record:
        result = {"conditions": CONDITIONS, "captures": results, "wrong": wrong}
        print("written to", record("round-trips", result).name)
    return 1 if wrong or not results else 0


if __name__ == "__main__":
    sys.exit(main())

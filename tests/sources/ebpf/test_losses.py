"""A reader that does not keep up: what is lost is counted, to the last event, and told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rulekit.schema.events import event_types
from rulekit.sources.ebpf.loader import LOSSES, MIN_RING_BYTES, Probe
from rulekit.sources.ebpf.routes import all_events
from rulekit.sources.ebpf.scope import Scope
from tests.sources.ebpf.live import Command, Decoy
from tests.waiting import PATIENCE_S

N_CALLS = 20_000
CALLING = f"""
import os, sys
print("ready", flush=True)
sys.stdin.readline()
for _ in range({N_CALLS}):
    os.getuid()
"""
(GETUID,) = (e.id for e in event_types() if e.enum == "PPME_SYSCALL_GETUID_X")


@pytest.fixture
def caller(bpf: None) -> Iterator[subprocess.Popen[str]]:
    """Return a process that makes its calls when it gets a line."""
    one = subprocess.Popen(
        [sys.executable, "-c", CALLING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert one.stdout is not None
    assert one.stdout.readline() == "ready\n"
    yield one
    one.kill()
    one.communicate()


def types_of(blocks: memoryview) -> Iterator[int]:
    """Yield the event type of each block."""
    at = 0
    while at < len(blocks):
        yield int.from_bytes(blocks[at + 30 : at + 32], "little")
        at += int.from_bytes(blocks[at + 4 : at + 8], "little")


def test_kept_and_lost_are_all_that_was_produced(caller: subprocess.Popen[str]) -> None:
    probe = Probe(Scope("tree", caller.pid), all_events(), ring_bytes=MIN_RING_BYTES)
    try:
        caller.communicate("go\n", timeout=PATIENCE_S)
        counted, lost = probe.counters(), probe.lost_by_type()
        buffer = bytearray(1 << 20)
        kept = list(types_of(memoryview(buffer)[: probe.ring.drain(buffer)]))
    finally:
        probe.close()
    assert len(kept) == probe.ring.n_records
    assert counted["ring_full"] > N_CALLS / 2
    assert len(kept) + sum(counted[name] for name in LOSSES) == counted["produced"]
    assert sum(lost.values()) == sum(counted[name] for name in LOSSES)
    assert kept.count(GETUID) + lost["getuid"] == N_CALLS
    assert counted["skipped"] == 0


def test_a_stopped_recorder_tells_what_it_lost(
    caller: subprocess.Popen[str], command: Callable[..., Command], decoy: Decoy, tmp_path: Path
) -> None:
    capture = tmp_path / "a.scap"
    watcher = command("record", "--scope", f"tree:{caller.pid}", "-w", str(capture),
                      "--buffer", "64KiB")  # fmt: skip
    os.kill(watcher.pid, signal.SIGSTOP)
    caller.communicate("go\n", timeout=PATIENCE_S)
    os.kill(watcher.pid, signal.SIGCONT)
    code, _, err = watcher.stop()
    assert code == 0, err
    told = re.search(rb": (\d+) events, \d+ bytes, (\d+) drops \(ring full ([\d,]+)\)", err)
    assert told is not None, err
    kept, lost = int(told[1]), int(told[2])
    assert lost == int(told[3].replace(b",", b""))
    assert kept < N_CALLS / 2 < lost
    # The rest of the process, from the line to its end, is some hundred calls.
    assert N_CALLS <= kept + lost < N_CALLS + 2000
    decoy.absent_from_capture(capture)


def test_losses_are_an_alert(
    caller: subprocess.Popen[str], command: Callable[..., Command], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: Asked\n  desc: a process asked who it is\n  condition: evt.type = getuid\n"
        "  output: '%evt.arg.uid'\n  priority: NOTICE\n"
    )
    watcher = command("run", "--source", "ebpf", "-r", str(rules), "--format", "json", "--scope",
                      f"tree:{caller.pid}", "--buffer", "0.0625MiB")  # fmt: skip
    os.kill(watcher.pid, signal.SIGSTOP)
    caller.communicate("go\n", timeout=PATIENCE_S)
    os.kill(watcher.pid, signal.SIGCONT)
    code, out, err = watcher.stop()
    assert code == 0, err
    alerts = [json.loads(line) for line in out.splitlines()]
    kept = sum(alert["rule"] == "Asked" for alert in alerts)
    told = [alert for alert in alerts if alert["source"] == "internal"]
    assert told
    assert {alert["rule"] for alert in told} == {"Falco internal: syscall event drop"}
    fields = [alert["output_fields"] for alert in told]
    assert all(each["n_drops"] == each["n_drops_ring_full"] for each in fields)
    assert b" %d drops" % sum(each["n_drops"] for each in fields) in err
    of_type = re.search(rb"lost of type getuid: (\d+)", err)
    assert of_type is not None, err
    assert kept + int(of_type[1]) == N_CALLS


def test_a_reader_hears_that_the_probe_cannot_be_read(caller: subprocess.Popen[str]) -> None:
    from rulekit.errors import SourceError
    from rulekit.sources.ebpf.stream import RingStream

    probe = Probe(Scope("tree", caller.pid), all_events(), ring_bytes=MIN_RING_BYTES)
    stream = RingStream(probe, b"", "ebpf:test")
    try:
        probe.counters = None  # type: ignore[method-assign,assignment]
        stream.stop()
        with pytest.raises(SourceError, match="the probe cannot be read"):
            all(chunk is not None for chunk in iter(stream.next_chunk, None))
    finally:
        stream.close()
        probe.close()

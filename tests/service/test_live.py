"""A service that watches running processes: what it knows and sees outlives a reload."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from rulekit.service.privileges import CAPABILITIES
from tests.service.running import Running
from tests.sources.ebpf.live import Decoy, Workload
from tests.waiting import wait_until

OPENED = """\
- rule: Opened
  desc: each file by its number
  condition: evt.type in (open, openat) and fd.name contains /n- and evt.arg.fd >= 0
  output: "%fd.name"
  priority: NOTICE
"""
# Needs an event that nothing asked for before, of a descriptor that was opened before.
CHANGED = """\
- rule: Changed
  desc: a call that was not watched until then
  condition: evt.type = fchmod and fd.name endswith /kept
  output: "%fd.name|%proc.name"
  priority: NOTICE
"""
WORK = """\
import os, sys, time
kept = os.open("kept", os.O_CREAT | os.O_WRONLY)
n = 0
while not os.path.exists("stop"):
    os.close(os.open(f"n-{n}", os.O_CREAT | os.O_WRONLY))
    os.fchmod(kept, 0o600)
    n += 1
    time.sleep(0.001)
print(n)
"""


def alerts(path: Path, rule: str) -> list[str]:
    if not path.exists():
        return []
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [each["output_fields"]["fd.name"] for each in found if each["rule"] == rule]


def test_a_reload_keeps_state_and_events_and_asks_for_more(
    run: Callable[..., Running],
    workload: Callable[..., Workload],
    decoy: Decoy,
    tmp_path: Path,
) -> None:
    rules, out, config = tmp_path / "rules.yaml", tmp_path / "out.jsonl", tmp_path / "rulekit.yaml"
    rules.write_text(OPENED)
    work = workload("python3", "-c", WORK)
    config.write_text(
        f"rules: [{rules}]\nsource: ebpf\nmatching: all\nlive: {{scope: 'pidns:{work.pid}'}}\n"
        f"spool: {{path: {tmp_path}/spool}}\nservice: {{listen: '127.0.0.1:0', watch: 100ms}}\n"
        f"sinks: {{out: {{type: file, path: {out}}}}}\n"
    )
    service = run(config)
    # What is needed to attach more of the probe, and nothing else; on every thread.
    expected = 1 << CAPABILITIES["bpf"] | 1 << CAPABILITIES["perfmon"]
    statuses = service.statuses()
    assert len(statuses) > 4
    for status in statuses:
        assert status["NoNewPrivs"] == "1"
        for name in ("CapEff", "CapPrm", "CapBnd"):
            assert int(status[name], 16) == expected
    work.start()
    wait_until(lambda: len(alerts(out, "Opened")) > 20)
    rules.write_text(OPENED + CHANGED)
    changed = wait_until(lambda: alerts(out, "Changed"))
    assert changed[0] == str(tmp_path / "kept"), "opened under the old rules"
    for broken in ("- rule: [", "- rule: x\n  condition: no.such.field = 1\n"):
        before = service.reloads()
        rules.write_text(broken)
        wait_until(lambda before=before: service.reloads() > before)
    rules.write_text(OPENED)
    wait_until(lambda: service.metrics()['rulekit_reloads_total{result="ok"}'] == 2)
    (tmp_path / "stop").touch()
    number = int(work.go())
    figures = service.metrics()
    assert figures['rulekit_state_entries{table="threads"}'] > 0
    assert figures['rulekit_reloads_total{result="failed"}'] == 2
    assert not any(n for name, n in figures.items() if name.startswith("rulekit_drops_total"))
    assert service.stop() == 0
    expected_names = [str(tmp_path / f"n-{n}") for n in range(number)]
    assert alerts(out, "Opened") == expected_names, "each once, in order, under all rules"
    decoy.absent_from(out.read_bytes(), service.said.encode())
    assert os.stat(out).st_size

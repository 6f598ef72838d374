"""A scripted attack: what is told of it live, from its recording, and with fewer events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rulekit.capture._reader import CaptureReader
from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.schema.events import event_types, load_table
from rulekit.schema.fields import current_fields
from rulekit.sources.ebpf.routes import state_events
from tests.sources.ebpf.forms import check_forms
from tests.sources.ebpf.live import Command, Decoy, Workload, make_cgroup, remove_cgroup

ATTACK = Path(__file__).parent / "attack.sh"
ROOT = Path(__file__).resolve().parents[3]
RULES = sorted(
    path for path in ROOT.glob("rulesets/*/rules.yaml") if "source: k8s" not in path.read_text()
)
_REFERENCE = Path(os.environ.get("RULEKIT_SHARED", ROOT.parent / "shared")) / "rules" / "upstream"
UPSTREAM = [
    path
    for name in ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")
    if (path := _REFERENCE / f"{name}.yaml").exists()
]
CONTAINER = "0123456789abcdef" * 4
OF_CONTAINERS = {
    rule["rule"]
    for rule in yaml.safe_load((ROOT / "rulesets/containers/rules.yaml").read_text())
    if "rule" in rule
}
# What differs between two looks at one event: each probe has its own clock.
TIMES = ("evt.time", "evt.rawtime", "evt.datetime")


def arguments(rules: list[Path]) -> list[str]:
    return [arg for path in rules for arg in ("-r", str(path))]


@dataclass
class Attack:
    """What several programs that watched one attack at once have to tell."""

    everything: Path  # the recording
    needed: Path  # the recording of what the rules need
    alerts: bytes  # of the live run
    upstream: bytes  # likewise, of other rules
    contained: bool  # whether it happened in the control group of a container


@pytest.fixture(scope="module")
def attack(bpf: None, tmp_path_factory: pytest.TempPathFactory) -> Attack:
    folder = tmp_path_factory.mktemp("attack")
    # In the control group of a container, as far as its name goes.
    cgroup = make_cgroup(f"rulekit-test-{os.getpid()}/docker/{CONTAINER}")
    workload = Workload(
        ["bash", str(ATTACK), str(folder), sys.executable], folder, mounts=True, cgroup=cgroup
    )
    decoy = Decoy(folder / "decoy-file-of-nobody")
    rules = arguments(RULES)
    scope = ["--scope", f"pidns:{workload.pid}"]
    everything, needed = folder / "everything.scap", folder / "needed.scap"
    watchers = [
        Command("record", *scope, "-w", str(everything)),
        Command("record", *scope, "-w", str(needed), *rules),
        Command("run", "--source", "ebpf", *scope, *rules, "--format", "json"),
        Command("run", "--source", "ebpf", *scope, *arguments(UPSTREAM or RULES[:1]), "--format",
                "json", "--all-rules", "--matching", "all"),
    ]  # fmt: skip
    try:
        workload.go()
        ended = [watcher.stop() for watcher in watchers]
        decoy.absent_from(*(out + err for _, out, err in ended))
        decoy.absent_from_capture(everything)
        decoy.absent_from_capture(needed)
    finally:
        for each in (*watchers, workload, decoy):
            each.end()
        if cgroup is not None:
            remove_cgroup(cgroup, parents=2)
    for code, _, err in ended:
        assert code == 0, err
        assert b" 0 drops" in err
    return Attack(everything, needed, ended[2][1], ended[3][1], cgroup is not None)


def told(alerts: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Return rule and fields of alerts, in the order of rules: events of two cpus have none."""
    found = []
    for line in alerts.splitlines():
        alert = json.loads(line)
        fields = {k: v for k, v in alert["output_fields"].items() if k not in TIMES}
        found.append((alert["rule"], fields))
    return sorted(found, key=repr)


def replay(capture: Path, rules: list[Path] = RULES, *args: str) -> bytes:
    return subprocess.run(
        [sys.executable, "-m", "rulekit", "run", *arguments(rules), "-e", capture, "--format",
         "json", "-q", *args],
        capture_output=True, check=True,
    ).stdout  # fmt: skip


def test_live_and_replay_tell_the_same(attack: Attack) -> None:
    live = told(attack.alerts)
    rules = Counter(rule for rule, _ in live)
    assert len(rules) >= 12, rules
    if attack.contained:
        assert set(rules) & OF_CONTAINERS
    assert live == told(replay(attack.everything))


def test_the_container_is_known_live_and_in_the_recording(attack: Attack) -> None:
    if not attack.contained:
        pytest.skip("no control group of version 2 can be made")
    shown = subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", attack.everything, "-p", "%container.id",
         "evt.type = execve and evt.res = SUCCESS"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    # These tests may run in a container, whose groups of version 1 are looked at first.
    (container,) = set(shown)
    assert container == CONTAINER[:12] or container in Path("/proc/self/cgroup").read_text()


def test_every_event_has_the_form_of_its_type(attack: Attack) -> None:
    assert len(check_forms(attack.everything)) > 40


def test_events_that_no_rule_needs_change_nothing(attack: Attack) -> None:
    assert told(attack.alerts) == told(replay(attack.needed))


FIELDS = " ".join(
    f"%{name}" for name in (
        "evt.type", "evt.res", "proc.name", "proc.pid", "proc.ppid", "proc.pname", "proc.cmdline",
        "proc.exepath", "proc.cwd", "proc.aname[2]", "proc.nthreads", "proc.sid", "proc.vpgid",
        "proc.tty", "proc.is_exe_from_memfd", "user.uid", "group.gid", "thread.tid",
        "thread.cap_effective", "fd.num", "fd.type", "fd.name", "fd.l4proto", "fd.is_server",
        "fs.path.name", "evt.is_open_write",
    )
)  # fmt: skip


def test_fields_are_the_same_with_fewer_events(attack: Attack) -> None:
    """Those of all events that both recordings have."""
    lines = []
    for capture in (attack.everything, attack.needed):
        shown = subprocess.run(
            [sys.executable, "-m", "rulekit", "events", "-e", capture, "-p", f"*{FIELDS}",
             "evt.type in (execve, openat, dup2, connect, accept4, close, procexit, setuid, ptrace,"
             " unlinkat, fcntl, bind, chdir, clone, vfork)"],
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        lines.append(sorted(shown))
    assert len(lines[0]) > 1000
    assert lines[0] == lines[1]


def without(path: Path, kept: frozenset[int], to: Path) -> int:
    """Copy a capture without the events of other types; return how many were left out."""
    data = path.read_bytes()
    parts, at, left_out = [], 0, 0
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        block = data[at : at + size]
        at += size
        if block[:4] == b"\x16\x02\0\0" and int.from_bytes(block[30:32], "little") not in kept:
            left_out += 1
        else:
            parts.append(block)
    to.write_bytes(b"".join(parts))
    return left_out


def all_fields() -> str:
    """Return every field that has no argument, but for those that count or need more events."""
    more = tuple(load_table("state_events")["fields"])
    counts = ("evt.num", "evt.count", "evt.rawnum", "evt.deltatime", "evt.latency", "evt.reltime")
    return " ".join(
        f"%{field.name}"
        for field in current_fields("syscall")
        if field.arg != "required"
        and not field.name.startswith((*more, *counts, "json.", "jevt.", "util."))
    )


def rows(path: Path, types: frozenset[str]) -> list[dict[str, object]]:
    """Return the fields of the events of some types."""
    loop = EventLoop(CaptureReader(str(path)))
    output = compile_output(f"%evt.type {all_fields()}")
    found = []
    while (answer := loop.next()) is not None:
        if answer and (row := loop.fields(output))["evt.type"] in types:
            found.append(row)
    loop.close()
    return found


def test_no_field_of_any_event_needs_more_than_what_the_state_needs(
    attack: Attack, tmp_path: Path
) -> None:
    """Every field of what is left, when all goes that no rule asks for and no state needs."""
    kept = state_events().slots
    named = frozenset(event_types()[slot].name for slot in kept if slot < len(event_types()))
    assert without(attack.everything, kept, tmp_path / "less.scap") > 1000
    more, less = rows(attack.everything, named), rows(tmp_path / "less.scap", named)
    assert len(more) == len(less) > 1000
    assert len(more[0]) > 150
    different = {
        (name, one["evt.type"], str(one[name]), str(other[name]))
        for one, other in zip(more, less, strict=True)
        for name in one
        if one[name] != other[name]
    }
    assert not different


def test_upstream_rules_tell_the_same(attack: Attack) -> None:
    if not UPSTREAM:
        pytest.skip("no reference material with the upstream rules")
    live = told(attack.upstream)
    assert len({rule for rule, _ in live}) >= 8, live
    assert live == told(replay(attack.everything, UPSTREAM, "--all-rules", "--matching", "all"))


def test_alerts_come_while_it_happens(
    workload: Callable[..., Workload], command: Callable[..., Command], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: Program\n  desc: a program was started\n  condition: evt.type = execve\n"
        "  output: '%proc.cmdline'\n  priority: NOTICE\n"
    )
    work = workload("sh", "-c", "sleep 0.1; exec sleep 30")
    watcher = command("run", "--source", "ebpf", "-r", str(rules), "--scope", f"pidns:{work.pid}")
    work.start()
    assert b"sleep 0.1" in watcher.line() + watcher.line()
    work.end()
    watcher.stop()


FORKING = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for _ in range(20):
    one, two = os.pipe()
    child = os.fork()
    os.close(one)
    os.close(two)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_what_a_child_inherited_is_known_though_its_parent_closed_it_before_it_ran(
    workload: Callable[..., Workload], command: Callable[..., Command], tmp_path: Path
) -> None:
    """On one cpu the parent goes on first: it closes before the child returns from its fork."""
    work = workload(sys.executable, "-c", FORKING)
    capture = tmp_path / "a.scap"
    watcher = command("record", "--scope", f"pidns:{work.pid}", "-w", str(capture))
    work.go()
    code, _, err = watcher.stop()
    assert code == 0, err
    shown = subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", capture, "-p", "*%fd.type %proc.vpid",
         "evt.type = close and proc.vpid != 1 and evt.res = SUCCESS"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert len(shown) == 40
    assert {line.split()[0] for line in shown} == {"pipe"}

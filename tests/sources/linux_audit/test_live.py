"""The scripted attack of the eBPF tests, watched by the probe and through Linux audit at once.

Audit is read from the kernel's multicast group, from auditd's raw log and from laurel's; all three
must tell what the probe tells, but for what ``check --source linux_audit`` says cannot be known.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rulekit.capture._reader import iter_events
from rulekit.rules.loader import load_files
from rulekit.schema.linux_audit import partly_known_fields, unknown_fields
from rulekit.tools.linux_audit.knowable import judge_all
from tests.sources.ebpf.live import REQUIRED, Command, Workload, missing
from tests.sources.ebpf.test_agreement import ATTACK, RULES, TIMES, UPSTREAM, arguments
from tests.sources.linux_audit.kernel import KernelAudit, require_audit, status
from tests.sources.linux_audit.logs import decode
from tests.waiting import wait_until

LAUREL = shutil.which("laurel")
EVERYTHING = ["--all-rules", "--matching", "all"]
WAYS = ["multicast", "raw", "laurel"]
_HEAD = re.compile(r"type=(\S+) msg=audit\((\d+\.\d+:\d+)\): (.*)")


def python() -> str:
    """Return a Python that is still there when the attack hides the home of root."""
    own = Path(sys.executable).resolve()
    if not own.is_relative_to("/root"):
        return sys.executable
    return shutil.which("python3", path="/usr/bin") or sys.executable


@dataclass
class Attack:
    """What was told of one attack.

    Attributes:
        loginuid: That its processes carry.
        raw, laurel: The logs.
        alerts: Lines of JSON by way and set of rules.
        errors: What each live run said.
    """

    loginuid: int
    raw: Path
    laurel: Path
    alerts: dict[tuple[str, str], bytes]
    errors: list[bytes]


SETS = {"own": (RULES, []), **({"upstream": (UPSTREAM, EVERYTHING)} if UPSTREAM else {})}


def audit_rules() -> list[str]:
    """Return the audit rules that all rules need, as the command line prints them."""
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "linux", "audit-rules", "--all-rules",
         *arguments(RULES + UPSTREAM)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if not line.startswith("#")]


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Attack:
    require_audit()
    if LAUREL is None and "audit" in REQUIRED:
        pytest.fail("RULEKIT_REQUIRE=audit: laurel is not installed")
    folder = tmp_path_factory.mktemp("audited")
    watchers: dict[tuple[str, str], Command] = {}
    ended: dict[tuple[str, str], tuple[int, bytes, bytes]] = {}
    with KernelAudit(audit_rules()) as audit:
        audit.auditd(folder, laurel=LAUREL is not None)
        workload = Workload(
            audit.command("bash", str(ATTACK), str(folder), python()), folder, mounts=True
        )
        try:
            for name, (rules, options) in SETS.items():
                common = [*arguments(rules), "--format", "json", *options]
                watchers["multicast", name] = Command("run", "--source", "linux_audit", *common)
                if not missing():
                    watchers["ebpf", name] = Command(
                        "run", "--source", "ebpf", "--scope", f"pidns:{workload.pid}", *common
                    )
            workload.go()
            wait_until(lambda: status()["backlog"] == "0")
            assert status()["lost"] == "0"
            ended = {key: watcher.stop() for key, watcher in watchers.items()}
        finally:
            for each in (*watchers.values(), workload):
                each.end()
    alerts = {key: out for key, (_, out, _) in ended.items()}
    found = Attack(
        audit.loginuid,
        folder / "audit.log",
        folder / "laurel" / "laurel.log",
        alerts,
        [err for _, _, err in ended.values()],
    )
    for code, _, err in ended.values():
        assert code == 0, err
    for name, (rules, options) in SETS.items():
        alerts["raw", name] = replay(found.raw, rules, options)
        if LAUREL is not None:
            alerts["laurel", name] = replay(found.laurel, rules, options)
    return found


def replay(log: Path, rules: list[Path], options: list[str]) -> bytes:
    return subprocess.run(
        [sys.executable, "-m", "rulekit", "run", *arguments(rules), "-e", log, "--format", "json",
         "-q", *options],
        capture_output=True, check=True,
    ).stdout  # fmt: skip


def told(attack: Attack, way: str, name: str) -> Counter[str]:
    """Return how often each rule told something."""
    if (way, name) not in attack.alerts:
        pytest.skip("laurel is not installed" if way == "laurel" else missing())
    return Counter(json.loads(line)["rule"] for line in attack.alerts[way, name].splitlines())


def test_every_record_carries_the_loginuid(attack: Attack) -> None:
    """Those of the daemon about itself and that of the login aside."""
    events: dict[str, list[tuple[str, str]]] = {}
    for line in attack.raw.read_text("utf-8", "replace").splitlines():
        match = _HEAD.match(line)
        assert match is not None, line
        if not match[1].startswith("DAEMON_"):
            events.setdefault(match[2], []).append((match[1], match[3]))
    assert len(events) > 1000
    seen: Counter[str] = Counter()
    for records in events.values():
        own = [body for kind, body in records if kind in ("SYSCALL", "LOGIN")]
        assert own, records
        for body in own:
            assert f" auid={attack.loginuid} " in body, records
        seen.update(kind for kind, _ in records)
    assert seen["LOGIN"] == 1
    assert {"SYSCALL", "EXECVE", "PATH", "CWD", "SOCKADDR", "PROCTITLE"} <= seen.keys()


def test_nothing_was_lost(attack: Attack) -> None:
    for err in attack.errors:
        assert b" 0 drops" in err, err
        assert b"lines rejected" not in err, err


def test_the_raw_log_and_laurel_have_the_same_events(attack: Attack) -> None:
    if LAUREL is None:
        pytest.skip("laurel is not installed")
    raw, laurel = (
        [event[2:] for event in iter_events(io.BytesIO(decode(path.read_bytes())[0]))]
        for path in (attack.raw, attack.laurel)
    )
    assert len(raw) > 1000
    assert raw == laurel


def lossy(name: str) -> set[str]:
    """Return the rules that lose meaning on audit, as ``check --source linux_audit`` says."""
    ruleset = load_files(SETS[name][0]).require()
    return {judgement.rule.name for judgement in judge_all(ruleset) if not judgement.is_whole}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("way", WAYS)
def test_audit_tells_what_the_probe_tells(attack: Attack, way: str, name: str) -> None:
    probe, audit = told(attack, "ebpf", name), told(attack, way, name)
    left_out = lossy(name)
    assert {rule: n for rule, n in probe.items() if rule not in left_out} == {
        rule: n for rule, n in audit.items() if rule not in left_out
    }
    assert len(probe.keys() - left_out) >= {"own": 12, "upstream": 8}[name]


def details(attack: Attack, way: str, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return rule and fields of the alerts of rules that keep their meaning, but for the times."""
    told(attack, way, name)
    left_out = lossy(name)
    found = []
    for line in attack.alerts[way, name].splitlines():
        alert = json.loads(line)
        if alert["rule"] not in left_out:
            fields = {k: v for k, v in alert["output_fields"].items() if k not in TIMES}
            found.append((alert["rule"], fields))
    return sorted(found, key=lambda each: (each[0], each[1].get("proc.cmdline") or "", repr(each)))


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("way", WAYS)
def test_fields_are_those_of_the_probe_or_null(attack: Attack, way: str, name: str) -> None:
    # Some of their bits are known, or one of two ends.
    in_part = {*partly_known_fields(), "evt.arg.flags", "proc.stdin.name"}
    for (rule, probe), (same, audit) in zip(
        details(attack, "ebpf", name), details(attack, way, name), strict=True
    ):
        assert rule == same
        for field, value in audit.items():
            if field in unknown_fields():
                assert value is None, field
            elif field not in in_part:
                assert value == probe[field], (rule, field)


@pytest.mark.parametrize("name", SETS)
def test_every_way_tells_the_same(attack: Attack, name: str) -> None:
    ways = [way for way in WAYS if (way, name) in attack.alerts]
    first, *others = (details(attack, way, name) for way in ways)
    assert others
    for other in others:
        assert other == first

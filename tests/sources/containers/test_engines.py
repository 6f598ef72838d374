"""Containers of real engines, live and replayed: what rules say of them is what the engine says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rulekit.sources.containers.engine import EngineSpec, make_engine
from tests.sources.containers import image
from tests.sources.containers.daemons import Daemon
from tests.sources.ebpf.live import Command, Decoy
from tests.waiting import PATIENCE_S

RULES = """\
- macro: in_container
  condition: container.id != host
- rule: Drift
  desc: a program that is not of the image
  condition: evt.type in (execve, execveat) and evt.arg.res = 0 and in_container
    and proc.is_exe_upper_layer = true
  output: drift
  priority: CRITICAL
- rule: Program
  desc: a program of the image
  condition: evt.type in (execve, execveat) and evt.arg.res = 0 and in_container
    and container.image.repository = localhost/rk/app
  output: program
  priority: NOTICE
- rule: Container
  desc: the engine told of it
  condition: evt.type = container or evt.is_async = true
  output: container
  priority: NOTICE
"""
FIELDS = [
    "proc.cmdline",
    "evt.type",
    "container.id",
    "container.full_id",
    "container.name",
    "container.type",
    "container.image",
    "container.image.id",
    "container.image.repository",
    "container.image.tag",
    "container.image.digest",
    "container.privileged",
    "container.host_network",
    "container.label[app]",
    "container.labels",
    "container.mounts",
    "k8s.pod.name",
    "k8s.ns.name",
    "k8s.pod.uid",
    "k8s.pod.label[tier]",
    "k8s.pod.labels",
    "k8s.pod.sandbox_id",
]
SCRIPT = "cp /bin/busybox /tmp/true; /tmp/true; /bin/ls /data; while true; do sleep 0.2; done"


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return str(path)


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Return a configuration that adds every field to every alert, for `--falco-config`."""
    path = tmp_path / "falco.yaml"
    fields = "".join(f"      - {field}\n" for field in FIELDS)
    path.write_text(f"append_output:\n  - match: {{}}\n    extra_fields:\n{fields}")
    return str(path)


def read(out: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Return rule and fields of the alerts of lines of JSON."""
    found = []
    for each in map(json.loads, out.splitlines()):
        del each["output_fields"]["evt.time"]  # of each probe's own clock
        found.append((each["rule"], each["output_fields"]))
    return found


def of(alerts: list[tuple[str, dict[str, Any]]], rule: str, text: str) -> dict[str, Any]:
    """Return the fields of the only alert of a rule about a command."""
    (found,) = [f for name, f in alerts if name == rule and f["proc.cmdline"] == text]
    return found


def until(watcher: Command, text: bytes) -> bytes:
    """Read lines of a watcher until one has a text in it, and return that one."""
    guard = threading.Timer(PATIENCE_S, watcher.kill)
    guard.start()
    try:
        while line := watcher.line():
            watcher.seen += line
            if text in line:
                return line
    finally:
        guard.cancel()
    raise AssertionError(f"{text!r} did not come: {watcher.stop()[2]!r} {watcher.seen!r}")


@pytest.mark.parametrize("kind", ["docker", "podman", "cri"])
def test_fields_of_real_containers(
    kind: str,
    bpf: None,
    engines: Callable[[str], Daemon],
    command: Callable[..., Command],
    decoy: Decoy,
    rules: str,
    config: str,
    tmp_path: Path,
) -> None:
    engine = engines(kind)
    mount = tmp_path / "mounted"
    mount.mkdir()
    before = engine.run("before", "while true; do sleep 0.2; done")
    scope = ["--scope", f"cgroup:{engine.group.path}"]
    asked = [
        "--containers",
        f"{kind}:{engine.socket}",
        "--container-wait",
        "60s",
        "--buffer",
        "64MiB",
    ]
    capture = tmp_path / "all.scap"
    recorder = command("record", "-w", str(capture), *scope, *asked)
    watcher = command("run", "--source", "ebpf", "-r", rules, *scope, *asked, "--matching", "all",
                      "--format", "json", "--falco-config", config)  # fmt: skip
    web = engine.run("web", SCRIPT, mount)
    engine.execute(before, "id")
    until(watcher, b'"ls /data"')
    client = make_engine(EngineSpec(engine.kind, engine.socket))  # type: ignore[arg-type]
    try:
        truth = client.find(web)
    finally:
        client.close()
    engine.remove(web)
    engine.remove(before)
    if kind != "cri":  # containerd 1.6 does not tell
        until(watcher, b"container_removed")
    code, out, err = watcher.stop()
    assert code == 0, err
    assert recorder.stop()[0] == 0
    assert truth is not None

    # What is known of a container that started under watch, from its first program on.
    live = read(watcher.seen + out)
    started = of(live, "Program", f"sh -c {SCRIPT}")
    assert started["container.id"] == web[:12]
    assert started["container.full_id"] == web
    assert started["container.name"] == "web"
    assert started["container.type"] == engine.type
    assert started["container.image"] == f"{image.NAME}:{image.TAG}"
    assert started["container.image.repository"] == image.NAME
    assert started["container.image.tag"] == image.TAG
    assert started["container.image.id"] == truth.image_id
    assert re.fullmatch("[0-9a-f]{64}", truth.image_id)
    assert started["container.label[app]"] == "shop"
    assert "app:shop" in started["container.labels"]
    assert started["container.privileged"] == truth.privileged == (kind != "docker")
    assert started["container.mounts"].startswith(f"{mount}:/data:")
    assert ":false:" in started["container.mounts"]
    # A binary written after the start; its image is as known as that of all others.
    drift = of(live, "Drift", "true")
    assert drift["container.name"] == "web"
    assert drift["container.image.repository"] == image.NAME
    # A container that was there before.
    earlier = of(live, "Program", "id")
    assert earlier["container.name"] == "before"
    assert earlier["container.full_id"] == before
    if kind == "cri":
        from tests.sources.containers.pods import NAMESPACE, UID

        assert started["k8s.pod.name"] == "web-0"
        assert started["k8s.ns.name"] == NAMESPACE
        assert started["k8s.pod.uid"] == UID
        assert started["k8s.pod.label[tier]"] == "front"
        assert started["k8s.pod.labels"] == "team:blue, tier:front"
        assert started["k8s.pod.sandbox_id"] == truth.sandbox_id[:12]
        assert started["container.host_network"] is True
    told = [f["container.name"] for _, f in live if f["evt.type"] == "container"]
    assert "web" in told
    assert "before" not in told, "what runs at the start is known, and no event"

    # The recording knows the same.
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "run", "-r", rules, "-e", str(capture), "--matching",
         "all", "--format", "json", "--falco-config", config, "-q"],
        capture_output=True, check=True,
    )  # fmt: skip
    replayed = read(done.stdout)
    for rule, text in (("Program", f"sh -c {SCRIPT}"), ("Drift", "true"), ("Program", "id")):
        assert of(replayed, rule, text) == of(live, rule, text)
    decoy.absent_from(watcher.seen, out, err, done.stdout)
    decoy.absent_from_capture(capture)


def test_the_upstream_rule_for_drift(
    bpf: None,
    engines: Callable[[str], Daemon],
    command: Callable[..., Command],
    decoy: Decoy,
    shared: Path,
) -> None:
    engine = engines("docker")
    upstream = shared / "rules" / "upstream" / "falco_rules.yaml"
    watcher = command("run", "--source", "ebpf", "-r", str(upstream), "--scope",
                      f"cgroup:{engine.group.path}", "--containers", f"docker:{engine.socket}",
                      "--container-wait", "60s", "--format", "json")  # fmt: skip
    id = engine.run("dropper", "cp /bin/busybox /tmp/true; /tmp/true; sleep 60")
    try:
        line = until(watcher, b"Drop and execute")
    finally:
        engine.remove(id)
    alert = json.loads(line)
    assert alert["output_fields"]["proc.cmdline"] == "true"
    code, out, err = watcher.stop()
    assert code == 0, err
    decoy.absent_from(watcher.seen, out, err)


def test_an_engine_that_is_not_there(
    bpf: None, command: Callable[..., Command], rules: str, tmp_path: Path
) -> None:
    if shutil.which("true") is None:
        pytest.skip("no true")
    socket = tmp_path / "nobody"
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "run", "--source", "ebpf", "-r", rules, "--containers",
         f"docker:{socket}", "--containers", f"cri:{socket}", "--", "sh", "-c", "ls /; sleep 1"],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"docker:{socket} does not answer" in done.stderr
    assert f"cri:{socket} does not answer" in done.stderr

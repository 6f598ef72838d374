"""The upstream rules raise on real captures exactly the alerts that the real peers raise."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rulekit.alert import Alert
from rulekit.engine.pipeline import Engine
from rulekit.errors import SourceError
from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Ruleset

FILES = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")

CAPTURES = (
    *("attack-docker-2025-falcoset", "attack-docker-all", "attack-docker-falcoset"),
    *("attack-host-2025-all", "attack-host-all", "attack-host-falcoset", "cat_write"),
    *("connect_localhost", "curl_google", "curl_google_comments", "current-1m"),
    *("current-786k-ruletypes", "empty", "layout-2025-1m", "old-layout-573k"),
    *("open-multiple-files", "ping_sendto", "psp_privileged", "psp_run_as_user_0_container"),
    *("psp_run_as_user_65534_container", "psp_write_tmp_test", "sf_alpine_alpine"),
    *("sf_download_objectstore", "sf_files", "sf_full_capture_mpm-event", "sf_ls"),
    *("sf_nginx_nginx", "sf_rename2at", "sf_setns", "sf_tcp-client-server"),
    *("single_ipv6_conn", "syscall", "tiny-host"),
)


@pytest.fixture(scope="module")
def upstream(shared: Path) -> Ruleset:
    """The three upstream rule files in their order."""
    result = load_files([shared / "rules" / "upstream" / f"{name}.yaml" for name in FILES])
    assert result.ruleset is not None, result.diagnostics
    return result.ruleset


def find_capture(shared: Path, name: str) -> Path:
    """Return the capture called `name`, plain or gzipped, wherever it stands."""
    for folder in ("public", "own", "bench"):
        for ending in (".scap", ".scap.gz"):
            path = shared / "captures" / folder / (name + ending)
            if path.exists():
                return path
    pytest.skip(f"no capture called {name}")


# Two peers answered these, each for the rules that it knows, each with the first match of an event
# only: the file holds two first matches of one event, where one engine has one.
TWO_PEERS = {"old-layout-573k", "sf_full_capture_mpm-event"}
# 0.40.0 finds no name for an id in a container, the newer peer takes the host's as we do.
NAMED_BY_HOST = {"Non sudo setuid"}


@pytest.mark.parametrize("name", CAPTURES)
def test_upstream_rules_raise_the_peers_alerts(shared: Path, upstream: Ruleset, name: str) -> None:
    expected = shared / "captures" / "expected" / f"{name}.scap.alerts.jsonl"
    lines = [json.loads(line) for line in expected.read_text("utf-8").splitlines()]
    want = Counter((a["time_ns"], a["rule"], a["priority"]) for a in lines)
    # 0.40.0 answered some lines; its field values can differ from those of the converted event.
    want_fields = {
        (a["time_ns"], a["rule"]): a["fields"]
        for a in lines
        if not a["peer"].startswith("falco 0.40")
    }
    capture = find_capture(shared, name)
    alerts = run(upstream, capture, "first")
    got = count(alerts)
    if name in TWO_PEERS:
        assert {rule for _, rule, _ in got - want} <= NAMED_BY_HOST
        alerts = run(upstream, capture, "all")
        assert not want - count(alerts)
    else:
        assert got == want
    for alert in alerts:
        for key, value in want_fields.get((alert.time_ns, alert.rule), {}).items():
            assert alert.output_fields[key] == value, (alert.rule, key)


def run(rules: Ruleset, capture: Path, matching: str) -> list[Alert]:
    """Return the alerts of a capture, also those of disabled rules; an empty one has none."""
    try:
        return list(Engine(rules, all_rules=True, matching=matching).run(capture))
    except SourceError:
        assert capture.stem == "empty"
        return []


def count(alerts: list[Alert]) -> Counter[tuple[int, str, str]]:
    """Return what is compared of alerts, with how often it occurs."""
    return Counter((a.time_ns, a.rule, a.priority) for a in alerts)

"""Debian's sysdig shows the same values, but for what sysdig_differences.py allows.

RULEKIT_SYSDIG=all takes every capture, a quarter of an hour; else a sample of a few seconds.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.sysdig import Result, common_fields, compare
from tests.conformance.sysdig_differences import TABLE

ROOT = Path(__file__).resolve().parents[2]
ALL = os.environ.get("RULEKIT_SYSDIG") == "all"
UNREADABLE = {
    "curl_google_comments.scap": "sysdig 0.29 cannot read pcapng options",
    "empty.scap": "holds no event",
}
OLD_LAYOUTS = (
    "own/attack-docker-2025-falcoset.scap.gz",
    "own/attack-host-2025-all.scap.gz",
    "bench/old-layout-573k.scap.gz",
    "bench/layout-2025-1m.scap.gz",
)
SAMPLE = (
    "attack-docker-2025-falcoset",
    *("cat_write", "connect_localhost", "curl_google", "ping_sendto", "psp_privileged"),
    *("sf_alpine_alpine", "sf_files", "sf_nginx_nginx", "sf_tcp-client-server"),
    *("single_ipv6_conn", "syscall"),
)


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ", None)
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def test_every_allowed_difference_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "compatibility.md").read_text("utf-8")
    missing = [rule for rule in TABLE if f"| {rule.name} | " not in text or rule.why not in text]
    assert missing == []


def test_the_values_are_those_of_sysdig(shared: Path) -> None:
    if shutil.which("sysdig") is None:
        pytest.skip("sysdig is not installed (apt-get install sysdig)")
    captures = sorted((shared / "captures" / "public").glob("*.scap*"))
    captures += [shared / "captures" / name for name in OLD_LAYOUTS]
    captures = [c for c in captures if c.exists() and c.name not in UNREADABLE]
    if not ALL:
        captures = [c for c in captures if c.name.split(".")[0] in SAMPLE]
    if not captures:
        pytest.skip(f"no captures at {shared}; sysdig cannot read the bundled ones")
    result = Result()
    for capture in captures:
        compare(capture, common_fields(), result)
    assert result.wrong.most_common(10) == [], result.where
    assert result.events > (800_000 if ALL else 10_000)
    if ALL:
        # A rule that nothing needs would hide what comes next. Which services have a name, the
        # machine says.
        unused = {rule.name for rule in TABLE} - set(result.causes)
        assert unused <= {"service names"}


def test_a_wrong_value_is_not_explained_away(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("sysdig") is None:
        pytest.skip("sysdig is not installed (apt-get install sysdig)")
    capture = shared / "captures/public/cat_write.scap"
    fields = common_fields()
    result = Result()
    compare(capture, fields, result)
    assert result.wrong.total() == 0
    for name in ("proc.name", "fd.name", "user.name", "evt.arg[0]", "proc.cmdline"):
        result = Result()
        _compare_with_damage(capture, fields, name, result, monkeypatch)
        assert result.wrong.total() > 10, name


def _compare_with_damage(
    capture: Path,
    fields: list[str],
    damaged: str,
    result: Result,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.conformance import sysdig

    real = sysdig.pairs

    def wrong(*given: object) -> Iterator[sysdig.Pair]:
        for pair in real(*given):  # type: ignore[arg-type]
            pair.mine[fields.index(damaged)] += "x"
            yield pair

    with monkeypatch.context() as patch:
        patch.setattr(sysdig, "pairs", wrong)
        sysdig.compare(capture, fields, result)

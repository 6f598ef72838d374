"""ECS documents against the published table of fields: names, types, allowed values."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rulekit.alert import Alert
from rulekit.formats.ecs import ECS_VERSION, EcsFormatter
from tests.formats import examples

ROOT = Path(__file__).resolve().parent.parent.parent
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z").fullmatch


@cache
def published() -> dict[str, dict[str, Any]]:
    """Return the published fields by name."""
    path = ROOT / "tests" / "data" / f"ecs-{ECS_VERSION}.json"
    table: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
    del table["_about"]
    return table


def flat(item: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a document with their dotted names."""
    for name, value in item.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def problems(document: dict[str, Any]) -> list[str]:
    """Return what of a document is not as ECS says; our own part stands below `rulekit`."""
    found = []
    for name, value in flat({k: v for k, v in document.items() if k != "rulekit"}):
        field = published().get(name)
        if field is None:
            found.append(f"{name} is no field of ECS")
            continue
        if isinstance(value, list) != bool(field.get("array")):
            found.append(f"{name}: {value!r} should{' not' * (not field.get('array'))} be a list")
        values = value if isinstance(value, list) else [value]
        for one in values:
            if not _fits(field["type"], one):
                found.append(f"{name}: {one!r} is no {field['type']}")
            if "values" in field and one not in field["values"]:
                found.append(f"{name}: {one!r} is not allowed")
    types = document["event"]["type"]
    for category in document["event"]["category"]:
        expected = published()["event.category"]["values"].get(category, [])
        found += [f"{kind} is not expected of {category}" for kind in types if kind not in expected]
    return found


def _fits(kind: str, value: Any) -> bool:
    if kind in ("keyword", "constant_keyword", "wildcard", "match_only_text", "text"):
        return isinstance(value, str) and value != ""
    if kind == "long":
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    if kind == "date":
        return isinstance(value, str) and _DATE(value) is not None
    if kind == "ip":
        try:
            ipaddress.ip_address(value)
        except ValueError:
            return False
        return True
    raise AssertionError(f"no check for {kind}")


def check(alerts: Iterable[Alert]) -> int:
    """Fail on the first alert whose document is not right; return how many there were."""
    formatter = EcsFormatter()
    n = 0
    for alert in alerts:
        n += 1
        line = formatter.format(alert)
        assert line.count(b"\n") == 1
        document = json.loads(line)
        assert problems(document) == [], line
        own = document["rulekit"]
        assert own["id"] == document["event"]["id"] == alert.id
        assert {"rule_hash", "engine", "source", "position", "drops", "enrichment"} <= set(own)
    return n


def test_alerts_of_the_repository() -> None:
    assert check(examples.bundled()) > 50


@pytest.mark.parametrize("folder", ["own", "public"])
def test_alerts_of_the_reference(shared: Path, folder: str) -> None:
    assert check(examples.reference(shared, folder)) > 20


def test_alerts_of_audit_logs(shared: Path) -> None:
    assert check(examples.audit(shared)) > 20


def test_odd_alerts() -> None:
    documents = [json.loads(EcsFormatter().format(alert)) for alert in examples.odd()]
    for document in documents:
        # Texts that are empty are left out, where ECS wants one there is none.
        assert [p for p in problems(document) if "''" not in p] == []
    first = documents[0]
    assert first["threat"]["technique"]["subtechnique"]["id"] == ["T1059.004"]
    assert first["threat"]["tactic"]["id"] == ["TA0002"]
    assert first["rulekit"]["fields"]["n"] == 2**64 - 1


def test_the_check_sees_mistakes() -> None:
    document = json.loads(EcsFormatter().format(examples.odd()[2]))
    document["event"]["kind"] = "finding"
    document["event"]["category"] = "process"
    document["proces"] = {"pid": 1}
    document["source"] = {"ip": "localhost", "port": "80"}
    assert len(problems(document)) >= 5

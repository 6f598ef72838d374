"""OCSF findings against the published schemas, five versions of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from rulekit.alert import Alert
from rulekit.formats.ocsf import OCSF_VERSIONS, OcsfFormatter
from tests.formats import examples


@cache
def validator(version: str) -> Any:
    """Return what checks findings by the published schema of a version."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
    return jsonschema.Draft202012Validator(
        schema.get_class_schema(class_name="detection_finding", profiles=[])
    )


def problems(finding: Any, version: str) -> list[str]:
    return [
        f"{error.json_path}: {error.message[:300]}"
        for error in validator(version).iter_errors(finding)
    ]


def check(alerts: Iterable[Alert], *versions: str) -> int:
    """Fail on the first alert whose finding does not fit; return how many there were."""
    formatters = [(version, OcsfFormatter(version=version)) for version in versions]
    n = 0
    for alert in alerts:
        n += 1
        for version, formatter in formatters:
            finding = json.loads(formatter.format(alert))
            assert problems(finding, version) == [], finding
            assert finding["metadata"]["version"] == version
            own = finding["unmapped"]["rulekit"]
            assert own["id"] == finding["finding_info"]["uid"] == alert.id
            assert {"rule_hash", "engine", "source", "position", "drops", "enrichment"} <= set(own)
    return n


def test_alerts_of_the_repository_fit_every_version() -> None:
    assert check(examples.bundled(), *OCSF_VERSIONS) > 50


@pytest.mark.parametrize("folder", ["own", "public"])
def test_alerts_of_the_reference(shared: Path, folder: str) -> None:
    assert check(examples.reference(shared, folder), "1.5.0") > 20


def test_alerts_of_audit_logs(shared: Path) -> None:
    assert check(examples.audit(shared), "1.5.0") > 20


def test_odd_alerts() -> None:
    assert check(examples.odd(), *OCSF_VERSIONS) == 4


def test_the_check_sees_mistakes() -> None:
    finding = json.loads(OcsfFormatter().format(examples.odd()[2]))
    finding["severity_id"] = "high"
    finding["nosuch"] = 1
    del finding["finding_info"]["uid"]
    assert len(problems(finding, "1.5.0")) >= 3

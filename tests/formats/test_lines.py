"""CEF, RFC 5424 and CIM: what parsers of these get back is what went in."""

from __future__ import annotations

import json
import re

import pytest

from rulekit import __version__
from rulekit.alert import Alert, priority_number
from rulekit.formats.cef import CefFormatter
from rulekit.formats.cim import CimFormatter
from rulekit.formats.json import JsonFormatter
from rulekit.formats.rfc5424 import Rfc5424Formatter
from tests.formats import examples

ALERTS = [*examples.bundled()][:200]


def parse_cef(line: str) -> tuple[list[str], dict[str, str]]:
    """Read a line as the CEF guide says."""
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    assert len(parts) == 8
    *header, extension = parts
    keys = list(re.finditer(r"(?:^| )(\w+)=", re.sub(r"\\.", "__", extension)))
    found = {}
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        value = extension[key.end() : following.start() if following else None]
        found[key[1]] = re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), value)
    return header, found


def parse_rfc5424(line: str) -> tuple[list[str], dict[str, dict[str, str]], str]:
    """Read a message as the RFC says: header, structured data, text."""
    header = re.match(r"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) ", line)
    assert header is not None
    at = header.end()
    data: dict[str, dict[str, str]] = {}
    element = re.compile(
        r'\[([!#-<>-\\^-~]{1,32})((?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\.)*")*)\]'
    )
    while found := element.match(line, at):
        params = re.findall(r' ([^ =]+)="((?:[^"\\\]]|\\.)*)"', found[2])
        data[found[1]] = {key: re.sub(r"\\([\"\\\]])", r"\1", value) for key, value in params}
        at = found.end()
    assert line[at] == " "
    return list(header.groups()), data, line[at + 1 :]


@pytest.mark.parametrize("alert", [*ALERTS[::10], *examples.odd()], ids=lambda a: a.rule[:20])
def test_cef_reads_back(alert: Alert) -> None:
    line = CefFormatter().format(alert).decode()
    assert line.endswith("\n")
    assert "\n" not in line[:-1]
    header, found = parse_cef(line[:-1])
    assert header[:4] == ["CEF:0", "rulekit", "rulekit", __version__]
    assert 0 <= int(line[:-1].replace("\\|", "").split("|")[6]) <= 10
    assert found["rt"] == str(alert.time_ns // 1_000_000)
    assert found.get("externalId", "") == alert.id
    assert found["cn1Label"] == "eventPosition"
    assert found["cn1"] == str(alert.event)
    assert found.get("cs1", "") == alert.rule_hash
    assert found["cs2"] in ("complete", "partial", "unknown")
    if alert.message.isprintable() and alert.message:
        assert found["msg"] == alert.message


@pytest.mark.parametrize("alert", [*ALERTS[::10], *examples.odd()], ids=lambda a: a.rule[:20])
def test_rfc5424_reads_back(alert: Alert) -> None:
    line = (
        Rfc5424Formatter(facility="auth", extra={"team": 'a"b', "two words]": "x"})
        .format(alert)
        .decode()
    )
    assert "\n" not in line[:-1]
    header, data, text = parse_rfc5424(line[:-1])
    assert int(header[0]) == 4 * 8 + priority_number(alert.priority)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", header[1])
    assert all(32 < ord(char) < 127 for part in header for char in part)
    facts = data["rulekit@32473"]
    assert facts["engine"] == __version__
    assert facts["position"] == str(alert.event)
    assert facts["team"] == 'a"b'
    assert facts["two_words_"] == "x"
    assert {"drops", "enrichment"} <= set(facts)
    if alert.message.isprintable():
        assert text == "\ufeff" + alert.message
        assert facts.get("rule", "") == alert.rule
    for key, value in alert.output_fields.items():
        if isinstance(value, str) and value.isprintable() and value:
            assert data["fields@32473"][key] == value


def test_a_facility_must_exist() -> None:
    with pytest.raises(ValueError, match="`nosuch` is no syslog facility"):
        Rfc5424Formatter(facility="nosuch")


def test_cim_has_the_fields_of_the_data_models() -> None:
    for alert in (*ALERTS, *examples.odd()):
        event = json.loads(CimFormatter().format(alert))
        assert {"time", "type", "app", "severity", "severity_id", "drops", "enrichment"} <= set(
            event
        )
        assert event["severity"] in ("critical", "high", "medium", "low", "informational")
        assert abs(event["time"] - alert.time_ns / 1e9) < 1e-5
        assert event.get("id", "") == alert.id
        assert event["falco"].keys() == alert.output_fields.keys()
    by_rule = {alert.rule: json.loads(CimFormatter().format(alert)) for alert in ALERTS}
    cron = by_rule["Scheduled job written"]
    assert cron["file_path"] == "/etc/cron.d/evil"
    assert cron["process_name"] == "bash"
    assert cron["mitre_technique_id"] == ["T1053.003"]
    assert cron["mitre_tactic_id"] == ["TA0003"]


def test_json_extra_adds_one_key_and_changes_no_other() -> None:
    for alert in ALERTS[:20]:
        plain = json.loads(JsonFormatter().format(alert))
        extra = json.loads(JsonFormatter(extra=True).format(alert))
        own = extra.pop("rulekit")
        assert extra == plain
        assert own["id"] == alert.id
        assert own["engine"] == __version__

"""A falco.yaml means here what it means to Falco, as far as rules and alerts go."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulekit.rules.falco_config import AppendOutput, ConfigError, Selector, read_falco_config

CONFIG = """\
rules_files: [/etc/falco/falco_rules.yaml, /etc/falco/rules.d]
rules:
  - disable: {tag: network}
  - enable: {rule: "Read *"}
priority: notice
rule_matching: all
append_output:
  - match: {source: syscall, tags: [persistence]}
    extra_output: "on %evt.hostname"
    extra_fields: [evt.hostname, {cmd: "%proc.name/%fd.name"}]
static_fields: {env: prod}
engine: {kind: modern_ebpf}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "falco.yaml"
    path.write_text(CONFIG)
    return path


def test_reads_rules_and_alert_settings(config: Path) -> None:
    found = read_falco_config(config)
    assert found.rules_files == (Path("/etc/falco/falco_rules.yaml"), Path("/etc/falco/rules.d"))
    assert found.selectors == (Selector(False, tag="network"), Selector(True, rule="Read *"))
    assert (found.priority, found.rule_matching) == ("notice", "all")
    assert found.static_fields == {"env": "prod"}
    assert found.append_output == (
        AppendOutput(
            source="syscall",
            tags=("persistence",),
            extra_output="on %evt.hostname",
            extra_fields=(("evt.hostname", None), ("cmd", "%proc.name/%fd.name")),
        ),
    )
    assert found.ignored == ("engine",)


def test_an_absent_key_keeps_falcos_default(tmp_path: Path) -> None:
    path = tmp_path / "falco.yaml"
    path.write_text("")
    found = read_falco_config(path)
    assert found.rule_matching == "first"
    assert found.json_include_tags
    assert not found.json_output


@pytest.mark.parametrize(
    ("override", "check"),
    [
        ("json_output=true", lambda c: c.json_output),
        ("priority=error", lambda c: c.priority == "error"),
        ("rules_files[]=more.yaml", lambda c: c.rules_files[-1] == Path("more.yaml")),
        ("rules[0].disable.tag=host", lambda c: c.selectors[0].tag == "host"),
        ("append_output[0].extra_output=x", lambda c: c.append_output[0].extra_output == "x"),
        ("static_fields.site=lab", lambda c: c.static_fields["site"] == "lab"),
    ],
)
def test_overrides_reach_into_maps_and_lists(config: Path, override: str, check: object) -> None:
    assert check(read_falco_config(config, [override]))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rules_files: 5", "rules_files"),
        ("rules: [{forbid: {tag: x}}]", "rules[0].forbid"),
        ("rules: [{enable: {tag: x, rule: y}}]", "rules[0].enable"),
        ("rule_matching: some", "rule_matching"),
        ("json_output: maybe", "json_output"),
        ("append_output: {a: b}", "append_output"),
        ("[1]", "map of keys"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "falco.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_falco_config(path)
    assert named in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("override", ["noequals", "=x", "rules_files[7]=a", "priority.x=1", "a[=1"])
def test_a_wrong_override_is_named(config: Path, override: str) -> None:
    with pytest.raises(ConfigError, match="-o"):
        read_falco_config(config, [override])

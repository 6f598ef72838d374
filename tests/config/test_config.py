"""`rulekit.yaml`: everything checked, nothing secret shown, the schema says the same."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rulekit.alert import Alert
from rulekit.config.build import build_delivery, default_spool_folder, spool_plan
from rulekit.config.options import ServiceOptions
from rulekit.config.read import Config, parse_config, read_config
from rulekit.config.schema import make_schema, published, schema_text
from rulekit.errors import RuleError, RulekitError
from rulekit.sinks.prometheus import PrometheusOptions
from rulekit.sinks.webhook import WebhookOptions
from rulekit.text.render import render
from rulekit.text.source import SourceText

FULL = """\
rules: [a.yaml, /etc/b.yaml]
capture: c.scap
source: syscall
select:
  - disable: Noisy*
  - enable_tag: mitre
min_priority: notice
matching: all
static_fields: {team: blue}
append_output:
  - match: {source: syscall, tags: [a]}
    extra_output: "x=%evt.num"
    extra_fields: [evt.type, {key: "%proc.name"}]
host: sensor-1
drain: 2m
spool: {path: /tmp/spool, max_bytes: 1GiB, full: block, sync: 1s}
routes:
  - when: alert.tags intersects (mitre_execution)
    to: [file, hook]
    go_on: true
  - min_priority: error
    to: []
sinks:
  file: {type: file, path: x.log, max_bytes: 10MB, keep: 3, fsync: batch, format: text}
  hook:
    type: webhook
    url: https://siem.example/x
    bearer: {env: TOKEN}
    headers: {X-A: plain, X-B: {env: TOKEN}}
    timeout: 500ms
    format: {type: json, message: true}
    when: alert.source = syscall
    batch: {max_records: 10, max_bytes: 100k, linger: 0s}
    retry: {first: 1s, most: 1m, jitter: 0s, failures: 2, cooldown: 1h}
    spool: {memory: true, full: drop_oldest}
  off: {type: stdout, enabled: false}
"""


def parsed(text: str, **environ: str) -> Config:
    return parse_config(SourceText("dir/rulekit.yaml", text), environ)


def refused(text: str, **environ: str) -> str:
    with pytest.raises(RuleError) as caught:
        parsed(text, **environ)
    return render(caught.value.diagnostics)


def test_everything_that_can_be_said_is_read() -> None:
    config = parsed(FULL, TOKEN="t0ken")
    assert [str(path) for path in config.options.rules] == ["dir/a.yaml", "/etc/b.yaml"]
    assert config.options.drain == 120
    assert [sink.name for sink in config.sinks] == ["file", "hook"]
    falco = config.falco()
    assert [(s.enable, s.rule, s.tag) for s in falco.selectors] == [
        (False, "Noisy*", None),
        (True, None, "mitre"),
    ]
    assert falco.append_output[0].extra_fields == (("evt.type", None), ("key", "%proc.name"))
    file, hook = config.sinks
    assert file.own.max_bytes == 10_000_000  # type: ignore[attr-defined]
    assert isinstance(hook.own, WebhookOptions)
    assert hook.own.timeout == 0.5
    assert hook.own.bearer is not None
    assert hook.own.bearer.reveal() == "t0ken"
    assert {k: v.reveal() for k, v in hook.own.headers.items()} == {"X-A": "plain", "X-B": "t0ken"}
    assert "t0ken" not in repr(config)
    plan = spool_plan("file", file.options.spool, config.options.spool)
    assert (str(plan.folder), plan.max_bytes, plan.full, plan.sync_s) == (
        "/tmp/spool/file",
        1 << 30,
        "block",
        1.0,
    )
    assert spool_plan("hook", hook.options.spool, config.options.spool).folder is None


def test_formats_are_shared_by_sinks_that_have_the_same() -> None:
    config = parsed(
        "sinks:\n  a: {type: stdout}\n  b: {type: stdout, format: text}\n"
        "  c: {type: stdout, format: {type: text, iso8601: true}}\n"
    )
    a, b, c = (sink.formatter for sink in config.sinks)
    assert a is b
    assert a is not c


def test_all_mistakes_are_shown_with_their_places() -> None:
    text = refused(
        "spol: {}\nrules: a.yaml\ndrain: soon\nsinks:\n  a: {type: file, path: x, keep: -1}\n"
        "  b: {type: file}\n  c: {type: stdout, when: alert.rule = }\n  'd e': {type: stdout}\n"
        "routes:\n  - {to: [z], when: alert.nosuch = x}\n"
    )
    for line in (
        "the configuration has no key `spol`",
        "did you mean `spool`?",
        "dir/rulekit.yaml:2:8",
        "`rules` must be a list",
        "a time is written",
        "`keep` must be at least 0",
        "sink `b` lacks `path`",
        "dir/rulekit.yaml:7:38",
        "the name of a sink is letters",
        "alerts have no field `alert.nosuch`",
        "no sink is called `z`",
        "dir/rulekit.yaml:10:11",
    ):
        assert line in text


@pytest.mark.parametrize(
    "line",
    [
        "password: hunter2",
        "{url: 'https://u:hunter2@h/', type: webhook}",
        "bearer: [hunter2]",
        "pasword: hunter2",
        "bearer: {file: x, value: hunter2}",
    ],
)
def test_secrets_in_the_file_are_refused_and_not_shown(line: str) -> None:
    entry = line if line.startswith("{") else f"{{type: webhook, url: 'https://h/', {line}}}"
    text = refused(f"sinks:\n  a: {entry}\n")
    assert "hunter2" not in text
    assert "RK70" in text


def test_secrets_in_overrides_are_refused_and_not_shown() -> None:
    text = refused(
        "sinks: {a: {type: webhook, url: 'https://h/'}}", RULEKIT__SINKS__A__PASSWORD="hunter2"
    )
    assert "hunter2" not in text
    assert "RULEKIT__SINKS__A__PASSWORD" in text


def test_secrets_come_from_files_and_variables(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from file\n")
    path = tmp_path / "rulekit.yaml"
    path.write_text("sinks: {a: {type: webhook, url: 'https://h/', bearer: {file: token}}}\n")
    (sink,) = read_config(path).sinks
    assert isinstance(sink.own, WebhookOptions)
    assert sink.own.bearer is not None
    assert sink.own.bearer.reveal() == "from file"
    (tmp_path / "token").unlink()
    with pytest.raises(RuleError, match="token: no such file or directory"):
        read_config(path)
    with pytest.raises(RuleError, match="no variable NOPE"):
        parsed("sinks: {a: {type: webhook, url: 'https://h/', bearer: {env: NOPE}}}")


def test_the_environment_changes_values() -> None:
    text = "rules: [a]\nsinks:\n  my-siem: {type: webhook, url: 'https://a/'}\n"
    config = parsed(
        text,
        RULEKIT__SINKS__MY_SIEM__URL="https://b/",
        RULEKIT__SINKS__MORE="{type: stdout}",
        RULEKIT__SINKS__MY_SIEM__SPOOL__FULL="block",
        RULEKIT__RULES__0="z",
        RULEKIT__HOST="12",
        RULEKIT_OTHER="ignored",
    )
    first, second = config.sinks
    assert first.own.url == "https://b/"  # type: ignore[attr-defined]
    assert first.options.spool.full == "block"
    assert (second.name, second.options.type) == ("more", "stdout")
    assert config.options.rules == [Path("dir/z")]
    assert config.options.host == "12"
    assert "RULEKIT__HOST__X leads nowhere" in refused("host: a", RULEKIT__HOST__X="1")
    assert "no key `hosst`" in refused("host: a", RULEKIT__HOSST="1")


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n", "~\n"])
def test_nothing_is_a_configuration_too(text: str) -> None:
    assert parsed(text).sinks == ()


@pytest.mark.parametrize("text", ["[]", "a", "- a", "a: 1\n---\nb: 1\n", "a: [", "\0"])
def test_what_is_no_map_is_refused(text: str) -> None:
    refused(text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RulekitError, match="no such file or directory"):
        read_config(tmp_path / "nowhere.yaml")


def test_routes_and_wishes_choose_the_sinks(tmp_path: Path) -> None:
    config = parsed(
        "spool: {memory: true}\n"
        "sinks:\n  a: {type: file, path: a}\n  b: {type: file, path: b, min_priority: error}\n"
        "  c: {type: file, path: c, when: proc.name = cat}\n"
        "routes:\n  - {when: alert.rule startswith Keep, to: [a], go_on: true}\n"
        "  - {when: alert.tags intersects (noise), to: []}\n"
        "  - {min_priority: notice, to: [b, c]}\n"
    )
    delivery = build_delivery(config)
    choose = delivery._router.sinks

    def alert(rule: str = "r", priority: str = "Error", **more: object) -> Alert:
        return Alert(1, rule, priority, "m", {"proc.name": "cat"}, **more)  # type: ignore[arg-type]

    assert choose(alert()) == [1, 2]
    assert choose(alert("Keep it")) == [0, 1, 2]
    assert choose(alert("Keep it", tags=("noise", "x"))) == [0]
    assert choose(alert(tags=("noise",))) == []
    assert choose(alert(priority="Notice")) == [2]
    assert choose(alert(priority="Debug")) == []
    # What the engine says of itself goes everywhere unless a route takes it.
    assert choose(alert(priority="Debug", source="internal")) == [0, 2]
    assert choose(alert(priority="Critical", source="internal")) == [1, 2]
    delivery.close()


def test_service_and_prometheus_sink_do_not_take_each_others_port() -> None:
    listen = ServiceOptions().listen
    assert listen is not None
    assert int(listen.rpartition(":")[2]) != PrometheusOptions().port


def test_the_published_schema_is_the_one_of_the_types() -> None:
    assert published() == schema_text(plugins=False), (
        "rulekit config schema > rulekit/config/rulekit.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(make_schema())


def test_the_schema_accepts_what_the_reader_accepts() -> None:
    validate(FULL)


KEYS = ["rules", "spool", "sinks", "routes", "drain", "a", "type", "path", "keep", "to", "when"]
VALUES = st.recursive(
    st.sampled_from([0, -1, 3, True, None, "", "x", "10s", "64MiB", "file", "stdout", "block"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_the_reader_accepts_nothing_that_the_schema_refuses(data: dict[str, object]) -> None:
    text = yaml.safe_dump(data)
    try:
        parsed(text)
    except RuleError:
        return
    validate(text)


def validate(text: str) -> None:
    validator = jsonschema.Draft202012Validator(make_schema())
    problems = [
        f"{error.json_path}: {error.message[:200]}"
        for error in validator.iter_errors(json.loads(json.dumps(yaml.safe_load(text))))
    ]
    assert problems == []


def test_spools_are_where_the_system_keeps_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/rulekit-x")
    assert default_spool_folder() == Path("/var/lib/rulekit-x/spool")
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/me/state")
    assert default_spool_folder() == Path("/home/me/state/rulekit/spool")

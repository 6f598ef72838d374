"""``rulekit fields`` lists every field there is."""

from __future__ import annotations

import json

from rulekit.schema.fields import current_fields


def test_every_field_is_listed(cli) -> None:
    listed = {
        line.split()[0]
        for line in cli("fields").stdout.splitlines()
        if line.startswith("  ") and not line.startswith("   ")
    }
    assert listed == {f.name for f in current_fields() if "hidden" not in f.restrictions}


def test_json_has_the_shape_of_the_peers(cli) -> None:
    classes = json.loads(cli("fields", "--format", "json", "--source", "syscall").stdout)
    fields = {f["name"]: f for c in classes["fieldclasses"] for f in c["fields"]}
    assert fields["proc.name"]["argument"] is None
    assert fields["proc.aname"]["argument"] == {"required": False, "type": ["INDEX"]}
    assert fields["evt.arg"]["argument"] == {"required": True, "type": ["INDEX", "KEY"]}
    assert (
        fields["proc.env"]["argument"]["type"] == ["KEY"]
        or "KEY" in (fields["proc.env"]["argument"]["type"])
    )
    assert fields["fd.types"]["is_list"]
    assert all(
        set(c) == {"name", "desc", "event_sources", "fields"} for c in classes["fieldclasses"]
    )
    assert "ka.verb" not in fields


def test_a_source_keeps_only_its_fields(cli) -> None:
    text = cli("fields", "--source", "k8s_audit").stdout
    assert "ka.verb" in text
    assert "proc.name" not in text
    assert "evt.time" in text


def test_an_unknown_source_or_prefix_is_an_error(cli) -> None:
    done = cli("fields", "--source", "nosuch")
    assert done.returncode == 2
    assert done.stderr == "rulekit: `nosuch` is no source; say one of k8s_audit, syscall\n"
    done = cli("fields", "nosuch.")
    assert (done.returncode, done.stderr) == (2, "rulekit: no field begins with `nosuch.`\n")

"""What engines answer → what captures carry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.sources.containers.docker import container_of, read_event
from rulekit.sources.containers.engine import EngineSpec, parse_engine
from rulekit.sources.containers.metadata import (
    MAX_ITEMS,
    Container,
    first_digest,
    kept_labels,
    split_image,
)


def test_docker_inspect(shared: Path) -> None:
    (found,) = json.loads((shared / "captures/containers/docker-inspect.json").read_text())
    made = container_of(found)
    assert made is not None
    assert made.id == "78eeea216a80a37af2324cbea10b3aad29945d9d28048d2f80c1b53d6a0eecdc"
    assert made.short_id == "78eeea216a80"
    assert made.name == "ctw"
    assert made.image == "rk/bb:1.0"
    assert (made.image_repository, made.image_tag) == ("rk/bb", "1.0")
    assert made.image_id == "854deacc4d9b1b41f989fedfa10a3560591e78cb43ea9d9da41ceaa900c84618"
    assert (made.privileged, made.host_network, made.host_pid, made.host_ipc) == (False,) * 4
    assert made.labels == {}
    assert made.mounts == ()
    inner = json.loads(made.as_json())["container"]
    assert inner["id"] == "78eeea216a80"
    assert inner["type"] == 0


def test_docker_events(shared: Path) -> None:
    lines = (shared / "captures/containers/docker-events.jsonl").read_text().splitlines()
    told = [read_event(json.loads(line)) for line in lines]
    assert len(told) > 20
    about = [each for each in told if each is not None]
    web = "39db3765f2cb1b56b53e70e5cbcfd1f81e90d36d2711905b69056093b241b16b"
    actions = [action for action, id in about if id == web]
    assert actions[:2] == ["create", "start"]
    assert "die" in actions
    # Images and networks are none of it.
    assert all(len(id) == 64 for _, id in about)
    assert len(about) < len(told)


def test_what_a_container_may_do() -> None:
    made = container_of(
        {
            "Id": "ab" * 32,
            "Name": "/db",
            "HostConfig": {
                "Privileged": True, "NetworkMode": "host", "PidMode": "host", "IpcMode": "host"
            },
            "Config": {"Image": "reg.example:5000/a/b@sha256:12", "User": "postgres",
                       "Labels": {"app": "db", "long": "x" * 101, "number": 1}},
            "Mounts": [{"Source": "/a", "Destination": "/b", "Mode": "ro", "RW": False,
                        "Propagation": "rprivate"}, "nonsense"],
            "NetworkSettings": {"IPAddress": "", "Networks": {"n": {"IPAddress": "10.1.2.3"}}},
        },
        {"Id": "sha256:99", "RepoDigests": ["other@sha256:34"], "RepoTags": []},
    )  # fmt: skip
    assert made is not None
    assert (made.privileged, made.host_network, made.host_pid, made.host_ipc) == (True,) * 4
    assert made.image_repository == "reg.example:5000/a/b"
    assert made.image_digest == "sha256:12"
    assert made.image_id == "99"
    assert made.user == "postgres"
    assert made.labels == {"app": "db"}, "long values and numbers are left out"
    assert made.ip == "10.1.2.3"
    (mount,) = made.mounts
    assert (mount.source, mount.destination, mount.mode, mount.writable) == (
        "/a",
        "/b",
        "ro",
        False,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["Id", "Name", "Config", "HostConfig", "NetworkSettings", "Networks", "Mounts",
             "Labels", "Image", "RW", "IPAddress", "RepoDigests", "RepoTags", "Type",
             "Action", "Actor", "ID"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON, JSON)
def test_odd_answers_do_no_harm(answer: Any, image: Any) -> None:
    made = container_of(answer, image if isinstance(image, dict) else None)
    if made is not None:
        json.loads(made.as_json())
    read_event(answer)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("busybox", ("busybox", "", "")),
        ("rk/bb:1.0", ("rk/bb", "1.0", "")),
        ("localhost:5000/rk/bb", ("localhost:5000/rk/bb", "", "")),
        ("localhost:5000/rk/bb:1", ("localhost:5000/rk/bb", "1", "")),
        ("a/b:1@sha256:ff", ("a/b", "1", "sha256:ff")),
        ("sha256:ff", ("", "", "sha256:ff")),
        ("", ("", "", "")),
    ],
)
def test_image_references(reference: str, expected: tuple[str, str, str]) -> None:
    assert split_image(reference) == expected


def test_digests_of_several_repositories() -> None:
    assert first_digest(["a@sha256:1", "b@sha256:2"], "b") == "sha256:2"
    assert first_digest(["a@sha256:1", "b@sha256:2"], "c") == ""
    assert first_digest(["a@sha256:1"], "c") == "sha256:1"
    assert first_digest([None, "no digest"], "c") == ""


def test_labels_are_bounded() -> None:
    assert len(kept_labels({str(i): "x" for i in range(MAX_ITEMS * 2)})) == MAX_ITEMS
    assert kept_labels(["a"]) == {}


def test_texts_that_are_no_unicode_are_kept() -> None:
    made = Container("ab" * 32, "docker", name="caf\udce9")
    assert b"caf\xe9" in made.as_json()


def test_engines_by_name() -> None:
    assert parse_engine("docker:/x/sock") == EngineSpec("docker", "/x/sock")
    assert parse_engine("podman").socket == "/run/podman/podman.sock"
    for wrong in ("rkt", "docker:", "docker:relative", ""):
        with pytest.raises(ValueError, match=r"no container engine|no socket"):
            parse_engine(wrong)


def test_half_of_a_surrogate_pair_is_carried() -> None:
    made = Container("7" * 64, "cri", image=json.loads('"a\\ud800"'))
    inner = json.loads(made.as_json())["container"]
    assert inner["image"] == "a\ud800"

"""Messages of the Container Runtime Interface, and what is made of them.

`python tests/sources/containers/test_cri_messages.py --update` writes cri.json from cri.proto.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[3] / "rulekit" / "sources" / "containers"


def described(folder: Path) -> str:
    """Return what the compiler makes of cri.proto."""
    from google.protobuf import json_format

    from tests.sources.containers.pods import compiled

    return json_format.MessageToJson(compiled(SOURCES / "cri.proto", folder), indent=1) + "\n"


def test_the_description_is_that_of_the_file(tmp_path: Path) -> None:
    assert json.loads(described(tmp_path)) == json.loads((SOURCES / "cri.json").read_text())


def test_a_container_of_cri_o() -> None:
    cri = pytest.importorskip("rulekit.sources.containers.cri")
    from rulekit.sources.containers.cri_messages import message

    answer = message("ContainerStatusResponse")(
        status={
            "id": "ab" * 32,
            "metadata": {"name": "web"},
            "image": {"image": "sha256:11"},
            "image_ref": "quay.io/shop/web@sha256:22",
            "image_id": "sha256:33",
            "labels": {"io.kubernetes.pod.name": "old", "app": "shop"},
            "mounts": [
                {"container_path": "/b", "host_path": "/a", "readonly": True, "propagation": 1}
            ],
            "user": {"linux": {"uid": 1001}},
        },
        info={
            "info": json.dumps(
                {
                    "sandboxID": "cd" * 32,
                    "privileged": True,
                    "runtimeSpec": {
                        "annotations": {"io.kubernetes.cri-o.ImageName": "quay.io/shop/web:3"}
                    },
                }
            )
        },
    )
    sandbox = message("PodSandboxStatusResponse")(
        status={
            "id": "cd" * 32,
            "metadata": {"name": "web-0", "uid": "u-1", "namespace": "shop"},
            "network": {"ip": "10.0.0.7"},
            "linux": {"namespaces": {"options": {"network": "POD", "pid": "NODE"}}},
            "labels": {"tier": "front"},
        },
        info={"info": json.dumps({"runtimeSpec": {"annotations": {
            "io.kubernetes.cri-o.CNIResult": '{"cniVersion":"1.0.0"}'}}})},
    )  # fmt: skip
    made = cri.container_of(answer, sandbox, "cri-o")
    assert made.name == "web"
    assert made.image == "quay.io/shop/web:3"
    assert (made.image_repository, made.image_tag) == ("quay.io/shop/web", "3")
    assert made.image_digest == "sha256:22"
    assert made.image_id == "33"
    assert made.user == "1001"
    assert made.ip == "10.0.0.7"
    assert made.privileged
    assert (made.host_pid, made.host_network) == (True, False)
    assert made.labels["io.kubernetes.pod.name"] == "web-0"
    assert made.labels["io.kubernetes.pod.namespace"] == "shop"
    assert made.labels["io.kubernetes.pod.uid"] == "u-1"
    assert made.labels["app"] == "shop"
    assert made.sandbox_id == "cd" * 32
    assert made.sandbox_labels == {"tier": "front"}
    assert made.cni_json == '{"cniVersion":"1.0.0"}'
    (mount,) = made.mounts
    assert (mount.source, mount.writable, mount.propagation) == ("/a", False, "rslave")


@pytest.mark.parametrize("info", ["", "[]", "{", '{"config": 1}', '{"runtimeSpec": []}'])
def test_odd_information_is_left_out(info: str) -> None:
    cri = pytest.importorskip("rulekit.sources.containers.cri")
    from rulekit.sources.containers.cri_messages import message

    answer = message("ContainerStatusResponse")(status={"id": "ab" * 32}, info={"info": info})
    made = cri.container_of(answer, None, "cri")
    assert not made.privileged
    assert made.image == ""
    json.loads(made.as_json())


if __name__ == "__main__" and "--update" in sys.argv:
    (SOURCES / "cri.json").write_text(described(Path(tempfile.mkdtemp())))

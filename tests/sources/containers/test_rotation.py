"""Files of a row: each knows the containers that were told in an earlier one."""

from __future__ import annotations

from pathlib import Path

from rulekit.capture._reader import CaptureReader
from rulekit.capture.builder import Builder, container_cgroup
from rulekit.engine._loop import EventLoop
from rulekit.engine._slice import SliceLoop
from rulekit.engine.alerts import compile_output

ID = "ab" * 32
FIELDS = (
    "container.name container.full_id container.image.repository container.image.tag"
    " container.label[app] container.labels container.mounts container.privileged container.ip"
    " k8s.pod.name k8s.pod.label[tier] container.type container.host_pid"
)


def fields(data: bytes, path: Path) -> list[dict[str, object]]:
    """Return the fields of every event of the container's process."""
    path.write_bytes(data)
    loop = EventLoop(CaptureReader(str(path)))
    output = compile_output(" ".join(f"%{name}" for name in FIELDS.split()))
    found = []
    while (shown := loop.next()) is not None:
        if shown and loop.tid == 100:
            found.append(loop.fields(output))
    loop.close()
    return found


def test_the_next_file_knows_the_container(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(1, "init")
    b.add_event("openat", {"fd": 3, "name": "/etc/hosts"}, tid=1)
    b.add_container(
        ID, "web", image="shop/web:2", imagerepo="shop/web", imagetag="2", privileged=True,
        ip="10.0.0.7", host_pid=True, type=7,
        labels={"app": "shop", "io.kubernetes.pod.name": "web-0"},
        pod_sandbox_labels={"tier": "front"}, pod_sandbox_id="cd" * 32,
        Mounts=[{"Source": "/a", "Destination": "/b", "Mode": "ro", "RW": False,
                 "Propagation": "rslave"}],
    )  # fmt: skip
    b.spawn(100, "sh", parent=1, cgroups=container_cgroup(ID))
    half = len(b.build())
    b.add_event("openat", {"fd": 4, "name": "/etc/passwd"}, tid=100)
    whole = b.build()
    first = tmp_path / "first"
    first.write_bytes(whole[:half])
    loop = SliceLoop(CaptureReader(str(first)), keeps_state=True)
    while loop.next() is not None:
        pass
    start = loop.snapshot()
    loop.close()
    expected = fields(whole, tmp_path / "whole")[-1:]
    assert expected[0]["container.name"] == "web"
    assert expected[0]["container.mounts"] == "/a:/b:ro:false:rslave"
    assert fields(start + whole[half:], tmp_path / "next") == expected

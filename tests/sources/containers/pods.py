"""Runs pods on a runtime, as kubelet would: one container in each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

UID = "6c2d1f7e-3b0a-4a55-9d6e-0f2b8c1a7e44"
NAMESPACE = "shop-floor"
POD_LABELS = {"tier": "front", "team": "blue"}


def compiled(proto: Path, folder: Path) -> Any:
    """Return the description of a .proto file, as the compiler makes it."""
    protoc = pytest.importorskip("grpc_tools.protoc")
    from google.protobuf import descriptor_pb2

    target = folder / "description"
    code = protoc.main(
        ["protoc", f"-I{proto.parent}", f"--descriptor_set_out={target}", proto.name]
    )
    assert code == 0
    return descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file[0]


class Pods:
    """A client of a runtime.

    Args:
        socket: Of the runtime.
        folder: For its logs.
        group: Control group below which pods are put.
    """

    def __init__(self, socket: str, folder: Path, group: str) -> None:
        from google.protobuf import descriptor_pool, message_factory

        pool = descriptor_pool.DescriptorPool()
        pool.Add(compiled(Path(__file__).with_name("pods.proto"), folder))
        self._class = lambda name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"runtime.v1.{name}")
        )
        self._folder = folder
        self._group = group
        self._channel = grpc.insecure_channel(
            f"unix:{socket}", (("grpc.default_authority", "localhost"),)
        )
        self._sandboxes: dict[str, str] = {}

    def call(self, method: str, **values: Any) -> Any:
        """Call a method with the fields of its request; return its response."""
        request, response = self._class(f"{method}Request"), self._class(f"{method}Response")
        stub = self._channel.unary_unary(
            f"/runtime.v1.RuntimeService/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return stub(request(**values), timeout=60)

    def answers(self) -> bool:
        """Return whether the runtime can be used."""
        try:
            self.call("Version")
        except grpc.RpcError:
            return False
        return True

    def sandbox_of(self, id: str) -> str:
        """Return the sandbox of a container."""
        return self._sandboxes[id]

    def run(self, name: str, image: str, script: str, mount: Path | None) -> str:
        """Start a pod and in it a container that runs a script; return the id of the latter."""
        host = {"network": "NODE"}
        pod = {
            "metadata": {"name": f"{name}-0", "uid": UID, "namespace": NAMESPACE},
            "log_directory": str(self._folder),
            "labels": POD_LABELS,
            "linux": {
                "cgroup_parent": f"{self._group}/kubepods/burstable/pod{UID}",
                "security_context": {"namespace_options": host, "privileged": True},
            },
        }
        sandbox = self.call("RunPodSandbox", config=pod).pod_sandbox_id
        config = {
            "metadata": {"name": name},
            "image": {"image": image},
            "command": ["sh", "-c", script],
            "labels": {"app": "shop"},
            "log_path": f"{name}.log",
            "linux": {"security_context": {"privileged": True, "namespace_options": host}},
        }
        if mount is not None:
            config["mounts"] = [
                {"container_path": "/data", "host_path": str(mount), "readonly": True}
            ]
        made = self.call(
            "CreateContainer", pod_sandbox_id=sandbox, config=config, sandbox_config=pod
        )
        self.call("StartContainer", container_id=made.container_id)
        self._sandboxes[made.container_id] = sandbox
        return str(made.container_id)

    def execute(self, id: str, command: Sequence[str]) -> None:
        """Run a command in a container, to its end."""
        done = self.call("ExecSync", container_id=id, cmd=list(command), timeout=60)
        assert done.exit_code == 0, done.stderr

    def remove(self, id: str) -> None:
        """Kill and remove a container with its pod."""
        sandbox = self._sandboxes.pop(id)
        self.call("StopPodSandbox", pod_sandbox_id=sandbox)
        self.call("RemovePodSandbox", pod_sandbox_id=sandbox)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

"""Container engines of our own: roots and sockets in a folder of the test, in a control group of
the test, which is all that is watched. The usual sockets are never opened."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from tests.sources.containers import image
from tests.sources.ebpf.live import REQUIRED
from tests.waiting import PATIENCE_S

UNIFIED = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")


class Missing(Exception):
    """What keeps an engine from being started here."""


def need(name: str, reason: str) -> None:
    """Skip the test for a reason, or fail it where the engine is required."""
    if name in REQUIRED:
        pytest.fail(f"RULEKIT_REQUIRE={name}: {reason}")
    pytest.skip(f"no {name} here: {reason}")


class Group:
    """A control group (v2) for an engine and all that it starts.

    Engines put their containers into groups of their own, in every hierarchy: below this one when
    they are told so.

    Attributes:
        path: Its folder; `name`: the same from the root of the hierarchy.
    """

    def __init__(self, name: str) -> None:
        for root in UNIFIED:
            if Path(root, "cgroup.procs").exists():
                own = Path("/proc/self/cgroup").read_text().splitlines()
                mine = next((line[3:] for line in own if line.startswith("0::")), "/")
                self.name = str(Path(mine, name))
                self.path = Path(root + self.name)
                break
        else:
            raise Missing("no control groups of version 2")
        try:
            self.path.mkdir()
        except OSError as error:
            raise Missing(f"control group {self.path}: {error}") from error

    def enter(self) -> None:
        """Put the calling process into the group."""
        (self.path / "cgroup.procs").write_text("0")

    def pids(self) -> list[int]:
        """Return the processes in the group."""
        return [int(pid) for pid in (self.path / "cgroup.procs").read_text().split()]

    def end(self) -> None:
        """Kill what is left in the group and remove it."""
        until_s = time.monotonic() + 10
        while time.monotonic() < until_s:
            pids = [pid for path in self.path.rglob("cgroup.procs")
                    for pid in map(int, path.read_text().split())]  # fmt: skip
            if not pids:
                break
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        for root in Path("/sys/fs/cgroup").iterdir():
            top = root / self.name.lstrip("/")
            if root.is_symlink() or not top.is_dir():
                continue
            for path in (*sorted(top.rglob("*"), reverse=True), top):
                if path.is_dir():
                    with contextlib.suppress(OSError):
                        path.rmdir()
        with contextlib.suppress(OSError):
            self.path.rmdir()


class Daemon(ABC):
    """An engine that runs in a group of its own.

    Attributes:
        kind: What `--containers` calls it; `type`: what `container.type` does.
        socket: Where it answers.
    """

    kind = ""
    type = ""
    programs: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        for program in self.programs:
            if shutil.which(program) is None:
                raise Missing(f"{program} is not installed")
        if image.busybox() is None:
            raise Missing("no static busybox (Debian's busybox-static)")
        if os.geteuid() != 0:
            raise Missing("not root")
        self.folder = folder
        self.socket = str(folder / "sock")
        self.log = folder / "log"
        self.group = Group(f"rulekit-{self.kind}-{os.getpid()}")
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start()
        except BaseException:
            self.end()
            raise

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the command of the daemon."""

    @abstractmethod
    def _answers(self) -> bool:
        """Return whether it can be used by now."""

    def _start(self) -> None:
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, preexec_fn=self.group.enter,
                env=self.environment(),
            )  # fmt: skip
        until_s = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until_s:
                raise Missing(f"{self.programs[0]} does not start: {self.said()}")
            time.sleep(0.1)

    def said(self) -> str:
        """Return the end of its log."""
        return self.log.read_text("utf-8", "replace")[-2000:]

    def environment(self) -> dict[str, str]:
        """Return the variables for its commands: nothing of ours leads them to other engines."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def call(self, *command: str) -> str:
        """Run a command in its group and return what it printed."""
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S,
            preexec_fn=self.group.enter, env=self.environment(),
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}\n{self.said()}"
        return done.stdout.strip()

    @abstractmethod
    def run(self, name: str, script: str, mount: Path | None = None) -> str:
        """Start a container with the label app=shop that runs a script; return its id."""

    @abstractmethod
    def execute(self, id: str, *command: str) -> None:
        """Run a command in a container, to its end."""

    @abstractmethod
    def remove(self, id: str) -> None:
        """Kill and remove a container."""

    def end(self) -> None:
        """Stop it with all that it started."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        self.group.end()
        if self._process is not None:
            self._process.wait()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        for line in reversed(mounts):
            target = line.split()[4]
            if target.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", target], check=False, capture_output=True)


class Docker(Daemon):
    """dockerd, with a containerd that it starts itself."""

    kind = type = "docker"
    programs = ("dockerd", "docker", "containerd", "runc")

    def _command(self) -> list[str]:
        d = self.folder
        return ["dockerd", "--data-root", f"{d}/data", "--exec-root", f"{d}/exec", "-p", f"{d}/pid",
                "-H", f"unix://{self.socket}", "--bridge=none", "--iptables=false",
                "--ip-forward=false", "--ip-masq=false",
                f"--cgroup-parent={self.group.name}"]  # fmt: skip

    def _answers(self) -> bool:
        return os.path.exists(self.socket) and self._docker("version", check=False) == 0

    def _docker(self, *args: str, check: bool = True) -> int:
        return subprocess.run(
            ["docker", "-H", f"unix://{self.socket}", *args], check=check, capture_output=True,
            env=self.environment(),
        ).returncode  # fmt: skip

    def _start(self) -> None:
        super()._start()
        image.write_image(self.folder / "image.tar")
        self._docker("load", "-i", str(self.folder / "image.tar"))

    def run(self, name: str, script: str, mount: Path | None = None) -> str:
        volume = [] if mount is None else ["-v", f"{mount}:/data:ro"]
        return self.call(
            "docker", "-H", f"unix://{self.socket}", "run", "-d", "--net=none", "--name",
            name, "--label", "app=shop", *volume, f"{image.NAME}:{image.TAG}",
            "sh", "-c", script,
        )  # fmt: skip

    def execute(self, id: str, *command: str) -> None:
        self.call("docker", "-H", f"unix://{self.socket}", "exec", id, *command)

    def remove(self, id: str) -> None:
        self.call("docker", "-H", f"unix://{self.socket}", "rm", "-f", id)


class Podman(Daemon):
    """The service of podman; containers are started by the command, as people do."""

    kind = type = "podman"
    programs = ("podman", "runc", "conmon")

    def _base(self) -> list[str]:
        d = self.folder
        return ["podman", "--root", f"{d}/root", "--runroot", f"{d}/run", "--tmpdir", f"{d}/tmp",
                "--cgroup-manager", "cgroupfs", "--runtime", "runc",
                "--events-backend", "file"]  # fmt: skip

    def _command(self) -> list[str]:
        return [*self._base(), "system", "service", "--time=0", f"unix://{self.socket}"]

    def _answers(self) -> bool:
        return os.path.exists(self.socket)

    def _start(self) -> None:
        image.write_image(self.folder / "image.tar")
        loaded = subprocess.run(
            [*self._base(), "load", "-i", str(self.folder / "image.tar")], capture_output=True,
            text=True, env=self.environment(), check=False,
        )  # fmt: skip
        if loaded.returncode:
            raise Missing(f"podman load: {loaded.stderr}")
        super()._start()

    def run(self, name: str, script: str, mount: Path | None = None) -> str:
        volume = [] if mount is None else ["-v", f"{mount}:/data:ro"]
        return self.call(
            *self._base(), "run", "-d", "--net=none", "--privileged", "--name", name,
            "--label", "app=shop", "--cgroup-parent", self.group.name,
            "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", *volume,
            f"{image.NAME}:{image.TAG}", "sh", "-c", script,
        )  # fmt: skip

    def execute(self, id: str, *command: str) -> None:
        self.call(*self._base(), "exec", id, *command)

    def remove(self, id: str) -> None:
        self.call(*self._base(), "rm", "-f", "-t", "0", id)


_CONTAINERD = """\
version = 2
root = "{d}/root"
state = "{d}/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{socket}"
[ttrpc]
  address = "{socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{d}/cni/bin"
    conf_dir = "{d}/cni/conf"
"""


class Containerd(Daemon):
    """containerd, asked to run pods as kubelet would."""

    kind = "cri"
    type = "containerd"
    programs = ("containerd", "ctr", "runc")

    def _command(self) -> list[str]:
        config = self.folder / "config.toml"
        config.write_text(_CONTAINERD.format(d=self.folder, socket=self.socket, pause=image.PAUSE))
        return ["containerd", "-c", str(config)]

    def _answers(self) -> bool:
        if not os.path.exists(self.socket):
            return False
        if self.pods is None:
            from tests.sources.containers.pods import Pods

            self.pods = Pods(self.socket, self.folder, self.group.name)
        return self.pods.answers()

    def _start(self) -> None:
        self.pods = None
        super()._start()
        archive = self.folder / "image.tar"
        image.write_image(archive)
        self.call("ctr", "-a", self.socket, "-n", "k8s.io", "images", "import", str(archive))

    def run(self, name: str, script: str, mount: Path | None = None) -> str:
        return self.pods.run(name, f"{image.NAME}:{image.TAG}", script, mount)

    def execute(self, id: str, *command: str) -> None:
        self.pods.execute(id, command)

    def remove(self, id: str) -> None:
        self.pods.remove(id)


def inspect(text: str) -> dict[str, object]:
    """Return the first object of what an engine's `inspect` printed."""
    found: dict[str, object] = json.loads(text)[0]
    return found

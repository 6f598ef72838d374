"""An image of nothing but busybox, as `docker save` would write it."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

NAME = "localhost/rk/app"
TAG = "2.1"
LINKS = ("sh", "cp", "id", "sleep", "cat", "ls", "true")


def busybox() -> str | None:
    """Return the path of a busybox that needs no libraries, None where there is none."""
    path = shutil.which("busybox")
    if path is None or b"/ld-linux" in Path(path).read_bytes()[:4096]:
        return None
    return path


PAUSE = "localhost/rk/pause:1"


def write_image(path: Path) -> None:
    """Write an archive of two images: `NAME:TAG` and `PAUSE`, which sleeps."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder in ("bin", "tmp", "proc", "dev", "sys", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        program = busybox()
        assert program is not None
        data = Path(program).read_bytes()
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(data), 0o755
        tar.addfile(entry, io.BytesIO(data))
        for link in LINKS:
            entry = tarfile.TarInfo(f"bin/{link}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    blob = layer.getvalue()
    files = {"layer.tar": blob}
    manifest = []
    for name, command in ((f"{NAME}:{TAG}", ["sh"]), (PAUSE, ["sleep", "3600"])):
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": command, "Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(blob)}"]},
            }
        ).encode()
        files[f"{_digest(config)}.json"] = config
        manifest.append(
            {
                "Config": f"{_digest(config)}.json",
                "RepoTags": [name],
                "Layers": ["layer.tar"],
            }
        )
    files["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

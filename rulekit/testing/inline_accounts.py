"""Accounts and containers of inline events, made when they are first named."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from rulekit.capture.builder import Builder, container_cgroup
from rulekit.capture.writer import NONE_ID, Group, User, encode_accounts
from rulekit.testing.inline_values import (
    InlineError,
    Path,
    boolean,
    fitting,
    keys_of,
    number,
    text,
)

FIRST_UID = 1000
CONTAINER_KEYS = (
    "name", "id", "image", "digest", "privileged", "labels", "pod", "user", "mounts",
    "host_network", "host_pid", "host_ipc",
)  # fmt: skip
_POD = {"name": "pod", "namespace": "default", "uid": "00000000-0000-0000-0000-000000000001"}
POD_KEYS = (*_POD, "labels")


class Belongings:
    """Who processes run as and where: accounts of the host, containers."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self._containers: dict[str, str] = {}  # name → long id

    def user(self, spec: Any, path: Path) -> User:
        """Return an account: a name, a uid, or a map of both; made when it is new."""
        known = self.builder.users
        if isinstance(spec, int) and not isinstance(spec, bool):
            if not 0 <= spec <= NONE_ID:
                raise InlineError(path, "a uid is a number from 0 to 4294967295")
            return next((u for u in known if u.uid == spec), User(spec, "", spec))
        if isinstance(spec, Mapping):
            keys = keys_of(spec, ("name", "uid", "gid", "home", "shell"), path, "a user")
            name = text(keys.get("name", ""), (*path, "name"), "a name")
            uid = number(keys.get("uid", self._new_uid()), (*path, "uid"), "`uid`")
            gid = number(keys.get("gid", uid), (*path, "gid"), "`gid`")
            home = text(keys.get("home", f"/home/{name}"), (*path, "home"), "`home`")
            shell = text(keys.get("shell", "/bin/bash"), (*path, "shell"), "`shell`")
            made = User(uid, name, gid, home, shell)
            same = next((u for u in known if u.name == name or u.uid == uid), None)
            if same is not None and same != made:
                raise InlineError(path, f"`{same.name}` is already the account of uid {same.uid}")
            if same is None:
                self._keep(made, path)
            return made
        name = text(spec, path, "a user")
        for user in known:
            if user.name == name:
                return user
        uid = self._new_uid()
        made = User(uid, name, uid, f"/home/{name}", "/bin/bash")
        self._keep(made, path)
        return made

    def _keep(self, user: User, path: Path) -> None:
        group = Group(user.gid, user.name)
        with fitting(path):
            encode_accounts([user], [group])
        self.builder.users.append(user)
        if all(known.gid != user.gid for known in self.builder.groups):
            self.builder.groups.append(group)

    def _new_uid(self) -> int:
        return max([FIRST_UID - 1, *(u.uid for u in self.builder.users if u.uid < 60000)]) + 1

    def container_of(self, spec: Mapping[str, Any], path: Path) -> str | None:
        given = spec.get("container")
        if given is None:
            return None
        here: Path = (*path, "container")
        if not isinstance(given, Mapping):
            given = {"name": text(given, here, "a container")}
        keys = keys_of(given, CONTAINER_KEYS, here, "a container")
        name = text(keys.get("name", keys.get("id", "")), (*here, "name"), "a name")
        if not name:
            raise InlineError(here, "a container needs a `name` or an `id`")
        if name in self._containers:
            if len(keys) > 1:
                raise InlineError(here, f"container `{name}` is described already; name it only")
            return name
        self._containers[name] = self._announce(name, keys, here)
        return name

    def _announce(self, name: str, keys: Mapping[str, Any], path: Path) -> str:
        short = text(keys.get("id", ""), (*path, "id"), "`id`")
        if not re.fullmatch(r"[0-9a-f]{0,64}", short):
            raise InlineError((*path, "id"), "an id has up to 64 hexadecimal digits")
        full = short + hashlib.sha256(name.encode()).hexdigest()[len(short) :]
        image = text(keys.get("image", f"{name}:latest"), (*path, "image"), "`image`")
        repository, _, tag = image.rpartition(":")
        if not repository or "/" in tag:
            repository, tag = image, "latest"
        about: dict[str, Any] = {
            "image": image, "imagerepo": repository, "imagetag": tag, "privileged": False,
            "imagedigest": keys.get("digest", ""),
            "imageid": hashlib.sha256(image.encode()).hexdigest()[:12],
        }  # fmt: skip
        for key in ("privileged", "host_network", "host_pid", "host_ipc"):
            if key in keys:
                about[key] = boolean(keys[key], (*path, key), f"`{key}`")
        if "user" in keys:
            about["User"] = text(keys["user"], (*path, "user"), "`user`")
        if "mounts" in keys:
            about["Mounts"] = _mounts(keys["mounts"], (*path, "mounts"))
        about["labels"] = _labels(keys, path)
        self.builder.add_container(full, name, **about)
        return full

    def cgroups_of(self, container: str | None) -> dict[str, Any]:
        if container is None:
            return {}
        return {"cgroups": container_cgroup(self._containers[container])}


def _labels(keys: Mapping[str, Any], path: Path) -> dict[str, str]:
    found = _texts(keys, path)
    if "pod" in keys:
        here = (*path, "pod")
        pod = keys["pod"]
        pod = keys_of(pod if isinstance(pod, Mapping) else {"name": pod}, POD_KEYS, here, "a pod")
        for key, usual in _POD.items():
            name = text(pod.get(key, usual), (*here, key), f"`{key}`")
            found[f"io.kubernetes.pod.{key}"] = name
        found |= _texts(pod, here)
    return found


def _texts(keys: Mapping[str, Any], path: Path) -> dict[str, str]:
    labels = keys.get("labels") or {}
    if not isinstance(labels, Mapping):
        raise InlineError((*path, "labels"), "`labels` is a map")
    return {str(k): text(v, (*path, "labels", k), "a label") for k, v in labels.items()}


def _mounts(value: Any, path: Path) -> list[dict[str, Any]]:
    """Return mounts of texts ``source:destination[:ro]``."""
    found = []
    for i, item in enumerate(value if isinstance(value, list) else [value]):
        parts = text(item, (*path, i), "a mount").split(":")
        if len(parts) not in (2, 3):
            raise InlineError((*path, i), "a mount is `source:destination` or with `:ro`")
        mode = parts[2] if len(parts) == 3 else ""
        found.append({
            "Source": parts[0], "Destination": parts[1], "Mode": mode, "RW": mode != "ro",
            "Propagation": "rprivate",
        })  # fmt: skip
    return found

"""Fields in every form of their argument, on events of captures: what belongs together agrees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.errors import RuleError
from rulekit.schema.events import event_types
from rulekit.schema.fields import Field, current_fields
from tests.properties.conditions import bound

CAPTURES = ["attack-docker-all", "attack-host-2025-all", "attack-host-all"]
NUMBERS = [0, 1, 2, 3, 7, 31, 100_000, 2**31 - 1]
KEYS = ["HOME", "PATH", "/*", "/etc*", "io.kubernetes.pod.name", "cpu", "memory", "maintainer"]
FAR = f"[{2**31 - 1}]"
ANCESTORS = {"aname": "pname", "aexe": "pexe", "aexepath": "pexepath", "acmdline": "pcmdline",
             "apid": "ppid"}  # fmt: skip
# By the kind of a field what its values are in JSON; some numbers print in hex or octal.
KINDS: dict[str, tuple[type, ...]] = {
    "text": (str, int), "bytes": (str,), "int": (int, str), "uint": (int, str), "bool": (bool,),
    "double": (float,), "address": (str,), "network": (str,), "port": (int,),
}  # fmt: skip


def parameters() -> dict[str, list[set[str]]]:
    """Return the names of parameters by name of event and position, of all its versions."""
    found: dict[str, list[set[str]]] = defaultdict(list)
    for kind in event_types():
        for at, parameter in enumerate(kind.params):
            names = found[kind.name]
            names += [set() for _ in range(at + 1 - len(names))]
            names[at].add(parameter.name)
    return found


def forms() -> list[tuple[Field, str]]:
    """Return every field with every argument that a condition may have, and that outputs print."""
    names = sorted({p.name for kind in event_types() for p in kind.params})
    found = []
    for field in current_fields("syscall"):
        if field.cls in ("json", "jevt") or "filter_only" in field.restrictions:
            continue
        tried = [""]
        if field.arg != "none":
            tried += [f"[{key}]" for key in (*NUMBERS, *KEYS)] + [f".{key}" for key in KEYS]
            tried += [".src", ".dst", ".openat"]
            if field.name.startswith("evt."):
                tried += [f".{name}" for name in names]
        for argument in tried:
            text = field.name + argument
            try:
                bound(f"{text} exists")
                compile_output(f"%{text}")
            except (RuleError, AssertionError):
                continue
            found.append((field, text))
    return found


def words(value: str | None) -> list[str]:
    return (value or "").split(" ")


def check_process(v: Callable[[str], Any]) -> None:
    """Check the values of one event against one another."""
    for of_ancestors, of_parent in ANCESTORS.items():
        assert v(f"proc.{of_ancestors}[1]") == v(f"proc.{of_parent}")
        assert v(f"proc.{of_ancestors}{FAR}") is None
    if v("thread.ismain"):
        for name in ("name", "exe", "exepath", "cmdline", "pid"):
            assert v(f"proc.a{name}[0]") == v(f"proc.{name}")
    if v("proc.name") is None:
        return
    count, args = v("proc.cmdnargs"), v("proc.args")
    for number in NUMBERS:
        one = v(f"proc.args[{number}]")
        assert one in args if number < count else one is None or one == ""
    if count == 1:
        assert v("proc.args[0]").strip() == args.strip()
    environment = v("proc.env")
    for name in ("HOME", "PATH"):
        found = v(f"proc.env[{name}]")
        assert not found or f"{name}={found}" in environment
        above = v(f"proc.aenv[{name}]")
        if above and (nearest := v("proc.aenv[1]")) and f" {name}=" in f" {nearest}":
            assert f"{name}={above}" in nearest
    groups = words(v("thread.cgroups"))
    for name in ("cpu", "memory"):
        found = v(f"thread.cgroup.{name}")
        assert f"{name}={found}" in groups if found else f"{name}=" not in " ".join(groups)


def check_fds(v: Callable[[str], Any]) -> None:
    every = v("fd.types")
    for number in NUMBERS:
        one = v(f"fd.types[{number}]")
        assert one is None or set(one) <= set(every)


def check_container(v: Callable[[str], Any]) -> None:
    for number in NUMBERS:
        whole = v(f"container.mount[{number}]")
        parts = [v(f"container.mount.{part}[{number}]") for part in
                 ("source", "dest", "mode", "rdwr", "propagation")]  # fmt: skip
        assert whole is None or whole == ":".join(map(str, parts))
        assert whole is None or whole in v("container.mounts")
    labels = v("container.labels")
    found = v("container.label.maintainer")
    assert found is None or f"maintainer:{found}" in labels


def check_arguments(v: Callable[[str], Any], names: list[set[str]]) -> None:
    everything = v("evt.args") or ""
    for number in NUMBERS:
        value = v(f"evt.arg[{number}]")
        if number >= len(names):
            assert value is None
            continue
        same = {name for name in names[number] if v(f"evt.arg.{name}") == value}
        assert same
        # Nothing is listed of calls without a type of their own.
        assert not (value and everything) or any(f"{name}=" in everything for name in same)


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("every", [40, pytest.param(1, marks=pytest.mark.long)])
def test_values_in_all_forms_agree(shared: Path, capture: str, every: int) -> None:
    named = forms()
    texts = [text for _, text in named]
    assert len(texts) > 600
    by_name = parameters()
    output = compile_output(" ".join(f"%{text}" for text in texts))
    present = [("always", bound("evt.num exists"), None)]
    present += [(text, bound(f"{text} exists"), None) for text in texts]
    matcher = Matcher(compile_ruleset(present))
    seen: set[str] = set()
    n = 0
    with (shared / f"captures/own/{capture}.scap.gz").open("rb") as stream:
        loop = EventLoop(CaptureReader(stream), matcher)
        while (found := loop.next()) is not None:
            n += bool(found)
            if not found or n % every:
                continue
            values = loop.fields(output)
            holds = {present[rule][0] for rule in loop.matched()}
            for field, text in named:
                value = values[text]
                if value is None:
                    continue
                # What prints exists; the ends of a socket and the like exist, and do not print.
                # Of all ancestors the process itself prints, whether it has any or not.
                if text != field.name or field.quantifier != "ancestors":
                    assert text in holds, f"{text} of event {loop.raw}"
                seen.add(text)
                for one in value if field.is_list else [value]:
                    assert isinstance(one, KINDS[field.kind.value]), (text, value)
            where = f"event {loop.raw} of {capture}"
            try:
                check_process(values.get)
                check_fds(values.get)
                check_container(values.get)
                # Calls without a type of their own, now or when recorded, share `syscall`.
                kind = values["evt.type"]
                shared_type = values["evt.arg.ID"] == kind or kind not in by_name
                names = by_name["syscall" if shared_type else kind]
                check_arguments(values.get, names)
            except AssertionError as error:
                raise AssertionError(f"{where}: {error}") from error
    assert n > 10_000
    assert {"proc.aname[2]", "proc.args[1]", "proc.env[HOME]", "proc.aenv[PATH]", "evt.arg[3]",
            "thread.cgroup.cpu", "fd.types[3]"} <= seen  # fmt: skip

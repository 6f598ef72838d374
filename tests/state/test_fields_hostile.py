"""No parameter, however wrong, stops a field from being read."""

from __future__ import annotations

import random

import pytest

from rulekit.capture.builder import Builder
from rulekit.capture.writer import FdEntry
from rulekit.schema.events import event_types
from rulekit.schema.fields import field_table
from rulekit.state._fields import extractable
from tests.state.rendered import render_all

ARGUMENTS = {
    "evt.arg": "[1]",
    "evt.rawarg": ".res",
    "evt.type.is": ".open",
    "evt.around": "[1700000000000000000]",
    "thread.cgroup": ".cpu",
    "container.mount": "[0]",
    "container.label": "[a]",
}
LENGTHS = (0, 1, 2, 3, 4, 7, 8, 12, 13, 18, 37, 40)


def every_field() -> str:
    """Return an output that names each field, with an argument where it needs one."""
    texts = []
    for name in extractable():
        field = field_table()[name]
        if field.source == "k8s_audit" or field.provider == "json plugin":
            continue  # of documents, not of system calls
        argument = ARGUMENTS.get(name, "[x]") if field.arg == "required" else ""
        texts.append(f"%{name}{argument}")
        if field.arg == "optional" and name != "evt.abspath":
            texts.append(f"%{name}[1]")
    return "\x1f".join(texts)


def random_bytes(source: random.Random) -> bytes:
    length = source.choice(LENGTHS)
    kind = source.random()
    if kind < 0.3:
        return bytes(length)
    if kind < 0.4:
        return b"\xff" * length
    if kind < 0.6:
        return source.choice((b"\x01", b"\x02", b"\x0a", b"\x00")) + source.randbytes(length)
    if kind < 0.8:
        return source.choice((b"a/b\0", b"/x\0y\0", b"(NULL)\0", b"\0", b"../..\0", b"n"))
    return source.randbytes(length)


@pytest.mark.parametrize("seed", range(4))
def test_random_parameters_of_every_event(seed: int) -> None:
    source = random.Random(seed)
    b = Builder()
    b.add_process(100, "bash", args=["a"], env=["A=b"], cgroups=["cpu=/"], cwd="/")
    b.add_fd(100, FdEntry(0, "file", "/dev/null"))
    b.add_fd(100, FdEntry(3, "ipv4", local=("1.2.3.4", 1), peer=("5.6.7.8", 2)))
    n = 0
    for kind in event_types():
        if {"UNUSED", "OLD_VERSION"} & kind.flags or not kind.params:
            continue
        for tid in (100, 100, source.randrange(1, 300)):
            params = [random_bytes(source) for _ in kind.params]
            b.add_raw(kind.id, params, tid=tid)
            n += 1
    rendered = render_all(b, every_field())
    assert n // 2 < len(rendered) <= n
    width = every_field().count("\x1f")
    assert all(text.count("\x1f") >= width for text, _ in rendered)

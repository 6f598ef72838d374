"""Every current field of system call sources has an extractor with an honest scope."""

from __future__ import annotations

import pytest

from rulekit.schema.fields import field_table
from rulekit.state._fields import extractable

# Of plugins whose payload no system call has.
FOREIGN_CLASSES = {"json", "jevt"}


def test_every_current_field_has_an_extractor() -> None:
    missing = [
        f.name
        for f in field_table().values()
        if not f.removed
        and f.source in ("syscall", "any")
        and f.cls not in FOREIGN_CLASSES
        and f.name not in extractable()
    ]
    assert missing == []


def test_no_extractor_is_without_a_field() -> None:
    assert [name for name in extractable() if name not in field_table()] == []


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("evt.time", "event"),
        ("proc.name", "thread"),
        ("proc.duration", "event"),
        ("proc.aname", "ancestry"),
        ("proc.sname", "ancestry"),
        ("proc.nthreads", "event"),
        ("proc.fdopencount", "event"),
        ("proc.vmsize", "event"),
        ("user.name", "thread"),
        ("container.duration", "event"),
        ("fd.name", "fd"),
        ("fd.lip", "event"),
        ("k8smeta.pod.name", "const"),
        ("k8s.rc.name", "const"),
    ],
)
def test_what_changes_without_the_thread_is_not_kept_for_it(name: str, scope: str) -> None:
    assert extractable()[name] == scope

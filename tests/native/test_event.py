"""The native tables say the same as the JSON ones."""

from __future__ import annotations

import pytest

from rulekit.native._event import describe_event, describe_names
from rulekit.schema.events import event_table
from rulekit.schema.values import value_tables


def test_every_event_type_is_the_one_of_the_schema() -> None:
    table, values = event_table(), value_tables()["flag_tables"]
    for event in table["events"]:
        native = describe_event(event["id"])
        assert native is not None
        category = table["categories"]["EC_" + event["category"]]
        if event["source"]:
            category |= table["categories"]["EC_" + event["source"]]
        assert native["name"] == event["name"]
        assert native["category"] == category
        assert native["flags"] == sum(table["event_flags"]["EF_" + f] for f in event["flags"])
        assert native["fd_param"] == event.get("fd_param", -1)
        assert [p["name"] for p in native["params"]] == [p["name"] for p in event["params"]]
        for got, want in zip(native["params"], event["params"], strict=True):
            assert got["type"] == table["param_types"][want["type"]]
            assert got["fmt"] == table["print_formats"][want["fmt"]]
            assert got["dirfd_param"] == want.get("dirfd_param", -1)
            rows = None if want.get("values") is None else values[want["values"]]
            assert got["flags"] == (None if rows is None else [tuple(r) for r in rows])
            assert (got["n_dyn"] > 0) == (want.get("dyn") is not None)


@pytest.mark.parametrize("type_id", [-1, 454, 511, 512, 70000])
def test_an_id_outside_the_table_is_unknown(type_id: int) -> None:
    assert describe_event(type_id) is None


@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [
        ("syscall", 3, "read"),
        ("native_syscall", 2, "open"),
        ("errno", 2, "ENOENT"),
        ("signal", 9, "SIGKILL"),
        ("capability", 0, "CAP_CHOWN"),
        ("errno", 0, None),
        ("errno", -2, None),
        ("signal", 1000, None),
        ("syscall", 100000, None),
    ],
)
def test_numbers_have_the_names_of_the_tables(kind: str, number: int, name: str | None) -> None:
    assert describe_names(kind, number) == name

"""Outdated forms become what the rules, applied one by one, make of them."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rulekit.capture._convert import plan_of
from rulekit.capture._reader import iter_events
from rulekit.capture.builder import Builder
from rulekit.errors import SourceError
from rulekit.schema.events import event_types

from .reference import EVENTS, RULES, ConversionError, Converter, Raw
from .walk import raw_events

TYPES = {e.enum: e.id for e in event_types()}
FORMS = sorted(RULES)


def decode(events: list[Raw]) -> list[tuple[int, int, tuple[bytes, ...]]]:
    """Return (raw position, type, parameters) of what is delivered."""
    b = Builder()
    for event in events:
        b.add_raw(event.type, event.params, tid=event.tid)
    found = iter_events(io.BytesIO(b.build()))
    return [(raw, kind, params) for raw, _, _, _, kind, params in found]


def expected(events: list[Raw]) -> list[tuple[int, int, tuple[bytes, ...]]]:
    converter = Converter()
    made = [(i, converter.convert(e)) for i, e in enumerate(events, 1)]
    return [(i, e.type, e.params) for i, e in made if e is not None]


@pytest.mark.parametrize(("type_id", "n"), FORMS)
def test_every_rule_agrees_with_its_reference(type_id: int, n: int) -> None:
    params = tuple(bytes([i + 1]) * (i * 3) for i in range(n))
    event = Raw(type_id, 7, params)
    enter = Raw(type_id - 1, 7, tuple(bytes([i + 65]) * 9 for i in range(4)))
    alone = [event]
    assert decode(alone) == expected(alone)
    form = EVENTS[enter.type]
    if type_id % 2 and "UNUSED" not in form["flags"]:
        for count in range(8):
            if RULES.get((enter.type, count), {}).get("action", "").startswith("store"):
                stored = Raw(enter.type, 7, tuple(bytes([i + 65]) * 9 for i in range(count)))
                assert decode([stored, event]) == expected([stored, event])


def test_no_form_that_a_recorder_wrote_is_without_a_rule() -> None:
    for event in EVENTS:
        for n in map(int, event["nparams_history"]):
            assert plan_of(event["id"], n) not in ("no_rule", "too_many"), (event["enum"], n)


def test_enter_events_are_shown_only_of_calls_that_change_the_state() -> None:
    # An exit event has the fd of an enter event shown before it. The short way of the engine
    # (`_quick.pxd`) does not look for one: none of these calls goes it.
    shown = set()
    for event in EVENTS:
        for n in range(34):
            plan = plan_of(event["id"], n)
            if plan == "deliver":
                shown.add(event["id"])
            elif isinstance(plan, tuple) and plan[0] in ("deliver", "store_and_pass"):
                shown.add(plan[1])
    calls = set()
    for kind in shown:
        if kind % 2 == 0 and "SKIPPARSERESET" not in EVENTS[kind]["flags"]:
            exit_event = EVENTS[kind + 1]
            if "UNUSED" not in exit_event["flags"]:
                calls.add(exit_event["enum"].removeprefix("PPME_SYSCALL_").removesuffix("_X"))
    assert calls == {
        "OPEN", "CREAT", "OPENAT_2", "OPENAT2", "EXECVE_19", "EXECVEAT", "PPME_SOCKET_CONNECT"
    }  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(FORMS),
            st.sampled_from([1, 2, 1 + 8192]),
            st.lists(st.binary(max_size=40) | st.binary(min_size=60, max_size=300), max_size=6),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_sequences_agree_with_the_reference(
    steps: list[tuple[tuple[int, int], int, list[bytes]]],
) -> None:
    events = []
    for (type_id, n), tid, values in steps:
        params = tuple(
            (values or [b"\1\2\3\4\5\6\7\x08"])[i % max(len(values), 1)] for i in range(n)
        )
        events.append(Raw(type_id, tid, params))
    assert decode(events) == expected(events)


@pytest.mark.parametrize(
    "name",
    ["cat_write", "curl_google", "sf_files", "sf_setns", "psp_run_as_user_0_container"],
)
def test_old_captures_agree_with_the_reference(shared: Path, name: str) -> None:
    path = shared / "captures" / "public" / f"{name}.scap"
    converter = Converter()
    want = []
    for i, event in enumerate(raw_events(path.read_bytes()), 1):
        made = converter.convert(event)
        if made is not None:
            want.append((i, made.tid, made.type, made.params))
    assert [(raw, tid, t, p) for raw, _, _, tid, t, p in iter_events(path)] == want


def test_an_old_container_event_becomes_json() -> None:
    params = (b'a"b\0', struct.pack("<I", 4294967295), b"web\n\\\0", b"nginx:\xff\0")
    (event,) = decode([Raw(TYPES["PPME_CONTAINER_E"], 1, params)])
    assert event[1] == TYPES["PPME_CONTAINER_JSON_2_E"]
    text = event[2][0]
    assert text.endswith(b"\0")
    assert json.loads(text[:-1].decode("latin-1")) == {
        "id": 'a"b',
        "type": 4294967295,
        "name": "web\n\\",
        "image": "nginx:\xff",
    }


def test_a_mismatched_enter_event_counts_as_missing() -> None:
    b = Builder()
    b.add_raw(TYPES["PPME_SYSCALL_READ_E"], [b"\x05" * 8, b"\x06" * 4], tid=1)
    b.add_raw(TYPES["PPME_SYSCALL_CLOSE_X"], [bytes(8)], tid=1)
    events = iter_events(io.BytesIO(b.build()))
    assert [e[5] for e in events] == [(bytes(8), bytes(8))]
    assert events.stats["enters_mismatched"] == 1


def test_a_form_that_nobody_can_convert_is_an_error_with_its_place() -> None:
    b = Builder()
    b.add_event("getcwd", {"res": 0, "path": "/"}, tid=1)
    b.add_raw(TYPES["PPME_SYSCALL_CLOSE_X"], [b""] * 5, tid=1)
    events = iter_events(io.BytesIO(b.build()))
    assert next(events)[0] == 1
    with pytest.raises(SourceError, match="more parameters") as caught:
        next(events)
    assert caught.value.offset is not None
    with pytest.raises(ConversionError):
        Converter().convert(Raw(TYPES["PPME_SYSCALL_CLOSE_X"], 1, (b"",) * 5))


def test_lenient_reading_skips_and_counts_what_cannot_be_converted() -> None:
    b = Builder()
    b.add_raw(TYPES["PPME_SYSCALL_CLOSE_X"], [b""] * 5, tid=1)
    b.add_event("getcwd", {"res": 0, "path": "/"}, tid=1)
    events = iter_events(io.BytesIO(b.build()), lenient=True)
    assert [e[:2] for e in events] == [(2, 1)]
    assert events.stats["bad_events"] == 1


def test_remembered_enter_events_are_bounded_and_evictions_counted() -> None:
    b = Builder()
    enter, leave = TYPES["PPME_SYSCALL_CLOSE_E"], TYPES["PPME_SYSCALL_CLOSE_X"]
    tids = [7 + 8192 * i for i in range(5)]  # all of one set of four
    for tid in tids:
        b.add_raw(enter, [struct.pack("<q", tid)], tid=tid)
    for tid in tids:
        b.add_raw(leave, [bytes(8)], tid=tid)
    events = iter_events(io.BytesIO(b.build()))
    fds = [struct.unpack("<q", e[5][1])[0] for e in events]
    assert fds == [0, *tids[1:]]
    assert events.stats["enters_evicted"] == 1


def test_large_enter_events_do_not_hold_more_than_their_share() -> None:
    b = Builder()
    for tid in range(1500):
        b.add_raw(TYPES["PPME_SYSCALL_WRITE_E"], [bytes(8), b"x" * 60000], tid=tid)
    b.add_raw(TYPES["PPME_SYSCALL_WRITE_X"], [bytes(8), b""], tid=1499)
    events = iter_events(io.BytesIO(b.build()))
    ((_, _, _, _, _, params),) = events
    assert params[2:] == (bytes(8), b"xxxx")
    assert events.stats["enters_evicted"] > 0

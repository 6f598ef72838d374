"""How long calls took: only where the enter event is recorded, and is that of the exit."""

from __future__ import annotations

from pathlib import Path

from rulekit.capture import Builder
from rulekit.tools.look import open_loop

READ_E, READ_X = 6, 7
WRITE_E, WRITE_X = 8, 9
SIGNAL = "signaldeliver"


def number(value: int, width: int = 8) -> bytes:
    return value.to_bytes(width, "little", signed=True)


class Calls:
    """Calls in the layout with enter and exit events."""

    def __init__(self) -> None:
        self.b = Builder()
        self.b.add_process(7, "cat")
        self.b.add_process(8, "dd")
        self.at = self.b.now_ns

    def enter(self, kind: int, after_ns: int, tid: int = 7) -> None:
        self._add(kind, [number(3), number(80, 4)], after_ns, tid)

    def exit(self, kind: int, after_ns: int, tid: int = 7) -> None:
        self._add(kind, [number(5), b"hello"], after_ns, tid)

    def _add(self, kind: int, params: list[bytes], after_ns: int, tid: int) -> None:
        self.b.add_raw(kind, params, tid=tid, ts_ns=self.at + after_ns)

    def found(self, tmp_path: Path) -> list[tuple[int, int | None]]:
        self.b.save(tmp_path / "c.scap")
        loop = open_loop(tmp_path / "c.scap")
        loop.time_calls()
        found = []
        while (shown := loop.next()) is not None:
            if shown:
                found.append((loop.raw, loop.latency_ns))
        return found


def test_the_time_between_enter_and_exit(tmp_path: Path) -> None:
    calls = Calls()
    calls.enter(READ_E, 10)
    calls.exit(READ_X, 35)
    assert calls.found(tmp_path) == [(2, 25)]


def test_threads_do_not_mix(tmp_path: Path) -> None:
    calls = Calls()
    calls.enter(READ_E, 10)
    calls.enter(READ_E, 20, tid=8)
    calls.exit(READ_X, 35)
    calls.exit(READ_X, 50, tid=8)
    assert calls.found(tmp_path) == [(3, 25), (4, 30)]


def test_an_exit_without_its_enter_has_none(tmp_path: Path) -> None:
    calls = Calls()
    calls.exit(READ_X, 10)
    calls.enter(READ_E, 20)
    calls.exit(WRITE_X, 30)  # the exit of the read was lost, and the enter of the write
    calls.exit(READ_X, 40)
    assert calls.found(tmp_path) == [(1, None), (3, None), (4, None)]


def test_a_signal_in_between_changes_nothing(tmp_path: Path) -> None:
    calls = Calls()
    calls.enter(READ_E, 10)
    calls.b.add_event(SIGNAL, {}, tid=7, ts_ns=calls.at + 20)
    calls.exit(READ_X, 35)
    assert calls.found(tmp_path)[-1] == (3, 25)


def test_times_that_go_back_are_not_believed(tmp_path: Path) -> None:
    calls = Calls()
    calls.enter(READ_E, 10)
    calls.exit(READ_X, 5)
    assert calls.found(tmp_path) == [(2, None)]


def test_more_threads_than_the_table_holds_are_forgotten_oldest_first(tmp_path: Path) -> None:
    calls = Calls()
    same_set = [8192 * i + 5 for i in range(1, 6)]
    for i, tid in enumerate(same_set):
        calls.enter(READ_E, i, tid)
    for i, tid in enumerate(same_set):
        calls.exit(READ_X, 100 + i, tid)
    assert [ns for _, ns in calls.found(tmp_path)] == [None, 100, 100, 100, 100]


def test_nobody_knows_when_only_exits_are_recorded(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    b.add_event("read", {"res": 1, "fd": 3}, tid=7)
    b.save(tmp_path / "c.scap")
    loop = open_loop(tmp_path / "c.scap")
    assert loop.next()
    assert loop.latency_ns is None
    loop.time_calls()
    assert loop.latency_ns is None
    assert loop.n_enters == 0


def test_slow_calls_are_chosen_before_they_are_shown(tmp_path: Path) -> None:
    calls = Calls()
    for start, took in ((0, 10), (100, 30), (200, 20)):
        calls.enter(READ_E, start)
        calls.exit(READ_X, start + took)
    calls.exit(WRITE_X, 500)
    calls.b.save(tmp_path / "c.scap")
    loop = open_loop(tmp_path / "c.scap")
    loop.slower_than(20)
    found = []
    while (shown := loop.next()) is not None:
        if shown:
            found.append(loop.latency_ns)
    assert found == [30, 20]

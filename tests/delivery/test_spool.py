"""The spool: nothing is lost within its bounds, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rulekit.delivery.spool import Spool, SpoolPlan
from rulekit.errors import SinkError
from rulekit.sinks.base import Record
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent


def record(number: int, priority: int = 4, size: int = 40) -> Record:
    body = b"x" * size + b"\n"
    return Record(f"{number:032x}", number, priority, "r", "syscall", "h", body)


def numbers(batch: list[Record]) -> list[int]:
    return [int(one.id, 16) for one in batch]


def drain(spool: Spool) -> list[int]:
    found: list[int] = []
    while batch := spool.take(100, 1 << 20, timeout_s=0):
        found += numbers(batch)
        spool.settle()
    return found


def test_records_come_in_the_order_in_which_they_were_put(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path))
    for i in range(1000):
        assert spool.put(record(i, i % 8))
    assert drain(spool) == list(range(1000))
    assert len(spool) == 0
    spool.close()


def test_what_was_not_settled_comes_again_after_a_restart(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path, full="block"))
    for i in range(10):
        spool.put(record(i))
    assert numbers(spool.take(4, 1 << 20)) == [0, 1, 2, 3]
    spool.settle()
    assert numbers(spool.take(4, 1 << 20)) == [4, 5, 6, 7]
    spool.close()
    spool = Spool(SpoolPlan(tmp_path, full="block"))
    spool.put(record(10))
    assert drain(spool) == [4, 5, 6, 7, 8, 9, 10]
    spool.close()


def test_a_half_record_at_the_end_is_cut_off(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path, full="block"))
    for i in range(3):
        spool.put(record(i))
    spool.close()
    (file,) = tmp_path.glob("*.spool")
    os.truncate(file, file.stat().st_size - 1)
    spool = Spool(SpoolPlan(tmp_path, full="block"))
    assert spool.dropped == {"damaged": 1}
    spool.put(record(3))
    assert drain(spool) == [0, 1, 3]
    spool.close()


def test_a_damaged_byte_is_noticed_and_the_rest_goes_on(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path, max_bytes=1 << 18, full="block"))
    for i in range(200):
        spool.put(record(i, size=200))
    file = sorted(tmp_path.glob("*.spool"))[0]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(bytes(data))
    found = drain(spool)
    assert found == sorted(found)
    assert len(found) + spool.dropped["damaged"] == 200
    assert found[-1] == 199
    spool.close()


def test_a_record_of_another_version_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path, full="block"))
    spool.put(record(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "_encode", lambda record: b"\x81\xa1a\x01")
        spool.put(record(1))
    spool.put(record(2))
    assert drain(spool) == [0, 2]
    assert spool.dropped == {"damaged": 1}
    spool.close()


def test_two_processes_cannot_use_one_spool(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path))
    with pytest.raises(SinkError, match="another process uses this spool"):
        Spool(SpoolPlan(tmp_path))
    spool.close()
    Spool(SpoolPlan(tmp_path)).close()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"file/spool: not a directory"):
        Spool(SpoolPlan(tmp_path / "file" / "spool"))


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_full_spool_drops_the_oldest(tmp_path: Path, on_disk: bool) -> None:
    spool = Spool(SpoolPlan(tmp_path if on_disk else None, 1 << 17, "drop_oldest"))
    for i in range(5000):
        assert spool.put(record(i, i % 8))
        assert spool.n_bytes <= 1 << 17
    found = drain(spool)
    assert len(found) + spool.dropped["full"] == 5000
    assert found == list(range(5000 - len(found), 5000))
    # What is dropped goes file by file: not much more than had to.
    assert len(found) * 130 > (1 << 17) * 0.7
    spool.close()


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_full_spool_drops_the_least_urgent(tmp_path: Path, on_disk: bool) -> None:
    spool = Spool(SpoolPlan(tmp_path if on_disk else None, 1 << 17, "drop_lowest"))
    taken = [spool.put(record(i, 7 if i % 10 else 1)) for i in range(3000)]
    assert all(taken[::10])
    found = drain(spool)
    assert [i for i in found if i % 10 == 0] == list(range(0, 3000, 10))
    assert len(found) + spool.dropped["full"] == 3000
    spool.close()


def test_the_least_urgent_is_dropped_itself_when_all_else_is_more_urgent(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path, 1 << 16, "drop_lowest"))
    n = 0
    while not spool.dropped:
        spool.put(record(n, 0))
        n += 1
    before = dict(spool.dropped)
    while spool.n_bytes + 200 < 1 << 16:
        spool.put(record(n, 0))
        n += 1
    assert not spool.put(record(n, 7, 4000))
    assert spool.dropped["full"] == before["full"] + 1
    spool.close()


def test_block_waits_for_room(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path, 1 << 16, "block"))
    put = 0

    def fill() -> None:
        nonlocal put
        for i in range(2000):
            assert spool.put(record(i))
            put += 1

    thread = threading.Thread(target=fill)
    thread.start()
    wait_until(lambda: spool.n_bytes + 200 > 1 << 16, "it is full")
    assert 0 < put < 2000
    found: list[int] = []
    while len(found) < 2000:
        found += numbers(spool.take(100, 1 << 20, timeout_s=PATIENCE_S))
        spool.settle()
    thread.join(PATIENCE_S)
    assert found == list(range(2000))
    assert spool.dropped == {}
    spool.close()


def test_stop_ends_the_waiting_for_room(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path, 1 << 16, "block"))
    results: list[bool] = []

    def fill() -> None:
        while not results or results[-1]:
            results.append(spool.put(record(1)))

    thread = threading.Thread(target=fill)
    thread.start()
    wait_until(lambda: spool.n_bytes + 200 > 1 << 16, "it is full")
    spool.stop()
    thread.join(PATIENCE_S)
    assert results[-1] is False
    assert spool.dropped == {"full": 1}
    spool.close()


def test_a_record_larger_than_the_spool_is_counted(tmp_path: Path) -> None:
    spool = Spool(SpoolPlan(tmp_path, 1 << 16))
    assert not spool.put(record(1, size=1 << 16))
    assert spool.dropped == {"too_large": 1}
    spool.close()


WRITER = """
import sys
from pathlib import Path
from rulekit.delivery.spool import Spool, SpoolPlan
from tests.delivery.test_spool import record
spool = Spool(SpoolPlan(Path(sys.argv[1])))
n = 0
while True:
    spool.put(record(n, n % 8))
    print(n, flush=True)
    n += 1
"""


def test_a_killed_process_loses_nothing_that_was_put(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "s")],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )
    assert process.stdout is not None
    put: list[int] = []
    while len(put) < 500:
        put.append(int(process.stdout.readline()))
    process.send_signal(signal.SIGKILL)
    put += [int(line) for line in process.stdout.read().split(b"\n") if line]
    process.wait()
    spool = Spool(SpoolPlan(tmp_path / "s"))
    found = drain(spool)
    assert found[: len(put)] == put
    assert len(found) <= len(put) + 1
    spool.close()


def test_a_full_disk_goes_on_in_memory_and_is_counted(small_disk: Path) -> None:
    spool = Spool(SpoolPlan(small_disk / "s", 64 << 20, "drop_oldest"))
    n = 0
    while not spool.disk_full:
        assert spool.put(record(n, size=2000))
        n += 1
    while not spool.dropped:
        spool.put(record(n, size=2000))
        n += 1
        assert n < 10_000
    found = drain(spool)
    assert len(found) + sum(spool.dropped.values()) == n
    assert found == sorted(found)
    assert found[-1] == n - 1
    assert spool.put(record(n))
    assert not spool.disk_full
    spool.close()


class SpoolMachine(RuleBasedStateMachine):
    """Any order of putting, taking, settling and restarting, against a list."""

    @initialize(policy=st.sampled_from(["block", "drop_lowest"]))
    def begin(self, policy: str) -> None:
        self.folder = Path(self.made.name)  # type: ignore[attr-defined]
        self.plan = SpoolPlan(self.folder, 1 << 20, policy)  # type: ignore[arg-type]
        self.spool = Spool(self.plan)
        self.waiting: list[int] = []
        self.taken: list[int] = []
        self.n = 0

    def __init__(self) -> None:
        import tempfile

        super().__init__()
        self.made = tempfile.TemporaryDirectory()

    @rule(priority=st.integers(0, 7), size=st.sampled_from([1, 300, 9000]))
    def put(self, priority: int, size: int) -> None:
        assert self.spool.put(record(self.n, priority, size))
        self.waiting.append(self.n)
        self.n += 1

    @rule(most=st.integers(1, 5))
    def take(self, most: int) -> None:
        if self.taken:
            return
        self.taken = numbers(self.spool.take(most, 1 << 20, timeout_s=0))
        assert self.taken == self.waiting[:most]
        self.waiting = self.waiting[most:]

    @rule()
    def settle(self) -> None:
        self.spool.settle()
        self.taken = []

    @rule()
    def restart(self) -> None:
        self.spool.close()
        self.spool = Spool(self.plan)
        self.waiting = [*self.taken, *self.waiting]
        self.taken = []

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "spool"):
            assert len(self.spool) == len(self.waiting)
            on_disk = sum(file.stat().st_size for file in self.folder.glob("*.spool"))
            assert self.spool.n_bytes == on_disk

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
        self.made.cleanup()


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

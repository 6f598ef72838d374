"""Containers put into a live stream: before the first event, within a time, or late."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rulekit.capture._reader import CaptureReader
from rulekit.capture.builder import Builder
from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.engine.pipeline import Engine
from rulekit.rules.loader import load_files
from rulekit.sources.containers import stream as stream_module
from rulekit.sources.containers._sightings import Sightings
from rulekit.sources.containers.engine import ContainerEngine, EngineUnavailable
from rulekit.sources.containers.lookup import Lookup
from rulekit.sources.containers.metadata import Container
from rulekit.sources.containers.stream import ContainerStream
from rulekit.text.source import SourceText
from tests.waiting import PATIENCE_S

WEB, DB, OLD = "1a" * 32, "2b" * 32, "3c" * 32


class Scripted(ContainerEngine):
    """An engine that answers when the test lets it."""

    knows_first = True

    def __init__(self, *known: Container) -> None:
        super().__init__("docker", "/nowhere")
        self.known = {each.id: each for each in known}
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.down = ""
        self.asked: list[str] = []
        self._ended = threading.Event()
        self.told: list[tuple[str, str]] = []
        self._tell = threading.Condition()

    def find(self, id: str) -> Container | None:
        self.asked.append(id)
        if self.down:
            raise EngineUnavailable(self.down)
        self.may_answer.wait()
        return self.known.get(id)

    def watch(self, on_sight: Callable[[str], None], on_end: Callable[[str], None]) -> None:
        while not self._ended.is_set():
            with self._tell:
                self._tell.wait_for(lambda: self.told or self._ended.is_set())
                told, self.told = self.told, []
            for what, id in told:
                (on_sight if what == "sight" else on_end)(id)

    def tell(self, what: str, id: str) -> None:
        with self._tell:
            self.told.append((what, id))
            self._tell.notify()

    def close(self) -> None:
        self._ended.set()
        self.may_answer.set()
        with self._tell:
            self._tell.notify()


class Chunks:
    """A live stream of given chunks; an empty one is a moment without events."""

    path = "chunks"
    cut = False

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)
        self.filled = 0.0
        self.losses: dict[str, int] = {}
        self._until_s = time.monotonic() + PATIENCE_S

    def go_on(self) -> None:
        """Have another moment without events, unless it takes too long."""
        if time.monotonic() < self._until_s:
            time.sleep(0.001)
            self.chunks.append(b"")

    def next_chunk(self) -> bytes | None:
        return self.chunks.pop(0) if self.chunks else None

    def stats(self) -> dict[str, int]:
        return {}

    def stop(self) -> None: ...

    def close(self) -> None: ...


def container(id: str, name: str) -> Container:
    return Container(id, "docker", name=name, image=f"shop/{name}:1", labels={"b": "2", "a": "1"})


def cgroups(id: str) -> list[str]:
    return [f"cpu=/docker/{id}", f"memory=/docker/{id}"]


def world(*ids: str, old: str = "") -> tuple[bytes, bytes]:
    """Return the snapshot and the events of a host where containers start one after the other."""
    b = Builder()
    b.add_process(1, "init")
    if old:
        b.add_process(50, "old", cgroups=cgroups(old))
    start = b.build()
    for tid, id in enumerate(ids, 100):
        b.add_event("openat", {"fd": 3, "name": "/etc/hosts"}, tid=1)
        b.spawn(tid, "sh", parent=1, cgroups=cgroups(id))
        b.add_event("openat", {"fd": 3, "name": "/etc/passwd"}, tid=tid)
    if old:
        b.add_event("openat", {"fd": 3, "name": "/etc/old"}, tid=50)
    return start, b.build()[len(start) :]


@pytest.fixture
def run() -> Iterator[Callable[..., list[tuple[str, str]]]]:
    """Return a function that reads a stream to its end: (type, container name) of each event."""
    opened: list[ContainerStream] = []

    def read(
        engine: Scripted,
        *chunks: bytes,
        wait_s: float = 60.0,
        filled: float = 0.0,
        at: Callable[[EventLoop, Chunks], None] = lambda loop, source: None,
    ) -> list[tuple[str, str]]:
        source = Chunks(*chunks)
        source.filled = filled
        stream = ContainerStream(source, Lookup([engine], give_up_s=0.2), wait_s=wait_s)
        opened.append(stream)
        loop = EventLoop(CaptureReader(stream))
        output = compile_output("%evt.type %container.name %container.labels")
        found = []
        while (shown := loop.next()) is not None:
            if shown:
                fields = loop.fields(output)
                found.append((fields["evt.type"], fields["container.name"]))
            at(loop, source)
        loop.close()
        return found

    yield read
    for each in opened:
        each.close()


def test_known_before_the_first_event(run: Callable[..., list[tuple[str, str]]]) -> None:
    start, events = world(WEB, DB)
    found = run(Scripted(container(WEB, "web"), container(DB, "db")), start, events)
    assert [name for type, name in found if type == "container"] == ["web", "db"]
    for name in ("web", "db"):
        at = found.index(("container", name))
        assert found[at + 1 :][:1] == [("clone", "host")] or found[at + 1][1] == name
    assert ("execve", "web") in found
    assert ("execve", "db") in found
    assert None not in {name for _, name in found}


def test_what_runs_at_the_start_is_no_event(run: Callable[..., list[tuple[str, str]]]) -> None:
    start, events = world(old=OLD)
    found = run(Scripted(container(OLD, "old")), start, events)
    assert found == [("openat", "old")]


def test_waiting_has_an_end_and_what_comes_late_is_put_in(
    run: Callable[..., list[tuple[str, str]]],
) -> None:
    engine = Scripted(container(WEB, "web"))
    engine.may_answer.clear()
    start, events = world(WEB)

    def let_go(loop: EventLoop, source: Chunks) -> None:
        if not source.chunks and loop.n_events == 4:
            engine.may_answer.set()
            source.go_on()  # until it is there

    found = run(engine, start, events, wait_s=0.05, at=let_go)
    assert ("execve", None) in found, "the event went out without"
    assert found[-1] == ("container", "web")


def test_nobody_waits_when_events_would_be_lost(
    run: Callable[..., list[tuple[str, str]]],
) -> None:
    engine = Scripted(container(WEB, "web"))
    engine.may_answer.clear()
    start, events = world(WEB)
    found = run(engine, start, events, wait_s=600.0, filled=0.9)
    assert ("execve", None) in found


@pytest.mark.parametrize("down", ["", "connection refused"])
def test_nobody_waits_for_an_engine_that_cannot_know(
    down: str, run: Callable[..., list[tuple[str, str]]]
) -> None:
    engine = Scripted()
    engine.down = down
    start, events = world(WEB)
    found = run(engine, start, events, wait_s=600.0)
    assert ("execve", None) in found
    assert engine.asked


def test_the_engine_speaks_first(run: Callable[..., list[tuple[str, str]]]) -> None:
    engine = Scripted(container(WEB, "web"))
    start, events = world(WEB, old=OLD)

    def tell(loop: EventLoop, source: Chunks) -> None:
        if engine.told or WEB in engine.asked:
            return
        engine.tell("sight", WEB)

    found = run(engine, start, *([b""] * 50), events, at=tell)
    assert ("execve", "web") in found


def test_the_end_of_a_container_is_told(run: Callable[..., list[tuple[str, str]]]) -> None:
    engine = Scripted(container(WEB, "web"))
    start, events = world(WEB)
    told: list[int] = []

    def end(loop: EventLoop, source: Chunks) -> None:
        if loop.n_events == 5 and not source.chunks:
            if not told:
                told.append(1)
                engine.tell("end", WEB)
            source.go_on()

    found = run(engine, start, events, at=end)
    assert found[-1] == ("container_removed", "web")


GONE = """\
- rule: Gone
  desc: as the guide says it
  condition: evt.asynctype = container_removed
  output: "%container.id"
  priority: INFO
  warn_evttypes: false
"""


def test_rules_name_the_end_of_a_container() -> None:
    builder = Builder()
    builder.add_process(10, "sh")
    builder.add_container("7" * 64, "web")
    builder.add_event("close", {"res": 0, "fd": 3}, tid=10)
    data = '{"container": {"id": "777777777777"}}\0'
    gone = {"plugin_id": 0, "name": "container_removed", "data": data}
    builder.add_event("asyncevent", gone, tid=-1)
    result = load_files([SourceText("rules.yaml", GONE)])
    assert not result.diagnostics
    alerts = list(Engine(result.require()).run(io.BytesIO(builder.build())))
    assert [alert.message for alert in alerts] == ["777777777777"]


def test_containers_are_forgotten_and_told_again(
    run: Callable[..., list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "MAX_TOLD", 1)
    start, first = world(WEB, DB)
    _, second = world(WEB)
    found = run(Scripted(container(WEB, "web"), container(DB, "db")), start, first, second)
    assert [name for type, name in found if type == "container"] == ["web", "db", "web"]
    assert None not in {name for _, name in found}


def test_patience_wears_out() -> None:
    class Never(Scripted):
        knows_first = False

    start, events = world(*(f"{i:012x}{i:052x}" for i in range(1, 7)))
    stream = ContainerStream(Chunks(start, events), Lookup([Never()], give_up_s=600.0), wait_s=0.4)
    began_s = time.monotonic()
    while stream.next_chunk() is not None:
        pass
    assert stream.stats()["containers_waited_in_vain"] == 6
    # Not six times: the second wait is half as long, and so on.
    assert stream._patience_s < 0.4 / 32
    assert time.monotonic() - began_s >= 0.4
    stream.close()


def test_sightings_of_a_real_control_group(shared: Path) -> None:
    lines = (shared / "captures/containers/docker-proc-cgroup-hybrid.txt").read_text().splitlines()
    groups = []
    for line in lines:
        _, names, path = line.split(":", 2)
        groups.append(f"{names.removeprefix('name=') or 'unified'}={path}")
    b = Builder()
    b.add_process(1, "init")
    start = b.build()
    b.spawn(100, "sh", parent=1, cgroups=groups)
    events = b.build()[len(start) :]
    sightings = Sightings()
    ((offset, ts_ns, id, full_id),) = sightings.scan(events)
    assert full_id == "3e915143579d23a0662d7ac742ca1e112e625f5e18bdd32ce768f761eb0f67ee"
    assert id == full_id[:12]
    assert ts_ns > 0
    assert offset % 4 == 0
    assert sightings.scan(events) == []
    sightings.forget(id)
    assert len(sightings.scan(events)) == 1


def test_sightings_of_damaged_blocks() -> None:
    _, events = world(WEB, DB)
    for cut in range(0, len(events), 7):
        Sightings().scan(events[:cut])
        damaged = bytearray(events)
        damaged[cut : cut + 4] = b"\xff\xff\xff\xff"
        Sightings().scan(bytes(damaged))

"""A live source that is told of other rules while it runs."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import rulekit
from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.schema.events import event_types
from rulekit.sources.ebpf.routes import all_events, events_for, state_events
from rulekit.sources.ebpf.scope import Scope
from rulekit.sources.ebpf.source import EbpfSource

# It does what it is told, and says when it is done.
SERVANT = """
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
print("ready", flush=True)
for line in sys.stdin:
    if line == "ask\\n":
        for _ in range(100):
            os.getuid()
    else:
        os.kill(os.getpid(), signal.SIGUSR1)
    print("done", flush=True)
"""


class Servant:
    """A process that makes calls when it is told."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVANT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answer()

    def answer(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() in ("ready\n", "done\n")

    def do(self, what: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        self.answer()


@pytest.fixture
def servant(bpf: None) -> Iterator[Servant]:
    one = Servant()
    yield one
    one.process.kill()
    one.process.communicate()


def program(tmp_path: Path, condition: str) -> rulekit.Engine:
    path = tmp_path / "rules.yaml"
    path.write_text(
        f"- rule: R\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n"
    )
    return rulekit.Engine(rulekit.load(path))


def seen(source: EbpfSource) -> list[str]:
    """Return the types of all events up to the end."""
    source.stop()
    loop = EventLoop(source.open())
    output = compile_output("%evt.type")
    found = []
    while (answer := loop.next()) is not None:
        if answer:
            found.append(loop.fields(output)["evt.type"])
    return found


def test_another_program_gets_its_events_from_when_the_source_is_told(
    servant: Servant, tmp_path: Path
) -> None:
    first = program(tmp_path, "evt.type = openat")
    second = program(tmp_path, "evt.type in (getuid, signaldeliver)")
    with EbpfSource(Scope("tree", servant.process.pid), events_for(first.program)) as source:
        source.open()
        servant.do("ask")
        servant.do("signal")
        # As a reload does: from another thread than the one that reads.
        thread = threading.Thread(target=source.prepare, args=(second.program,))
        thread.start()
        thread.join()
        servant.do("ask")
        servant.do("signal")
        source.prepare(first.program)  # nothing is taken away
        servant.do("ask")
        found = seen(source)
    assert found.count("getuid") == 200
    assert found.count("signaldeliver") == 1


def test_telling_a_source_that_has_ended_does_no_harm(servant: Servant, tmp_path: Path) -> None:
    engine = program(tmp_path, "evt.type = signaldeliver")
    with EbpfSource(Scope("tree", servant.process.pid), state_events()) as source:
        source.open()
        source.stop()
        seen(source)
        source.prepare(engine.program)
    source.prepare(engine.program)


def test_events_of_rules_are_what_they_name_and_what_the_state_needs(tmp_path: Path) -> None:
    by_name = {event.name: event.id for event in event_types() if not event.flags & {"OLD_VERSION"}}
    named = events_for(program(tmp_path, "evt.type = getuid").program).slots
    assert named > state_events().slots | {by_name["getuid"]}
    assert len(named) < len(state_events().slots) + 8
    assert by_name["mprotect"] not in named
    everything = events_for(program(tmp_path, "proc.name = cat").program)
    assert everything >= all_events()
    memory = events_for(program(tmp_path, "evt.type = openat and proc.vmsize > 1").program).slots
    assert {by_name["brk"], by_name["mmap"], by_name["munmap"]} <= memory
    # What there is too much of comes only to those who ask.
    assert by_name["switch"] not in all_events().slots
    assert by_name["switch"] in events_for(program(tmp_path, "evt.type = switch").program).slots

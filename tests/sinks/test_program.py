"""The program sink: real programs that read, confirm, end, hang and are missing."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from rulekit.errors import SinkError
from rulekit.sinks.program import ProgramOptions, ProgramSink
from tests.sinks.records import ids, records
from tests.waiting import PATIENCE_S, wait_until

CONFIRMING = """\
import json, os, sys
out = open(sys.argv[1], "a")
limit = int(sys.argv[2])
for n, line in enumerate(sys.stdin, 1):
    out.write(line)
    out.flush()
    print(json.loads(line)["id"], flush=True)
    if n == limit:
        os._exit(3)
"""


def sink(command: object, **options: object) -> ProgramSink:
    return ProgramSink(ProgramOptions(command=command, timeout=PATIENCE_S, **options))  # type: ignore[arg-type]


def received(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_a_program_gets_every_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = sink(f"cat >> {out}")
    for start in range(0, 3000, 1000):
        assert made.send(records(1000, start, size=200)) is None
    made.close()
    assert received(out) == ids(3000)
    assert made.counters() == {"starts": 1, "possibly_lost": 0}


def test_a_command_in_words_needs_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out $HOME"
    made = sink(["dd", f"of={out}", "status=none"])
    made.send(records(5))
    made.close()
    assert received(out) == ids(5)


def test_a_program_per_batch(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = sink(f"cat >> {out}", keep_alive=False)
    for start in range(3):
        assert made.send(records(1, start)) is None
        assert len(received(out)) == start + 1
    assert made.counters()["starts"] == 3
    with pytest.raises(SinkError, match="exit code 4"):
        sink("cat > /dev/null; exit 4", keep_alive=False).send(records(1))


def test_what_a_program_confirmed_is_not_sent_again(tmp_path: Path) -> None:
    script = tmp_path / "confirm.py"
    script.write_text(CONFIRMING)
    out = tmp_path / "out"
    made = sink([sys.executable, str(script), str(out), "30"], ack=True)
    assert made.acknowledges
    todo = records(100)
    for _ in range(10):
        receipt = made.send(todo)
        if receipt is None:
            break
        assert "exit code 3" in receipt.reason
        todo = [todo[i] for i in receipt.again]
    made.close()
    found = received(out)
    assert set(found) == set(ids(100))
    assert len(found) < 140
    assert made.counters()["starts"] == 4


def test_a_program_that_confirms_nothing_is_given_up() -> None:
    made = ProgramSink(ProgramOptions(command="cat > /dev/null", ack=True, timeout=0.3))  # type: ignore[arg-type]
    with pytest.raises(SinkError, match="confirms nothing"):
        made.send(records(2))
    made.close()


def test_a_program_that_does_not_read_is_given_up() -> None:
    made = ProgramSink(ProgramOptions(command=["sleep", "1000"], timeout=0.3))  # type: ignore[arg-type]
    started_s = time.monotonic()
    with pytest.raises(SinkError, match="does not read its input"):
        made.send(records(1000, size=1000))
    made.close()
    assert time.monotonic() - started_s < PATIENCE_S


def test_a_program_that_ends_is_started_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = sink(f"head -n 3 >> {out}")
    made.send(records(3))

    def sent() -> bool:
        try:
            made.send(records(3, 3))
        except SinkError:
            return False
        return True

    wait_until(sent)
    made.close()
    assert set(received(out)) == set(ids(6))


def test_what_a_killed_program_may_have_lost_is_bounded_by_its_count(tmp_path: Path) -> None:
    # Reads eagerly, writes slowly, and is killed with what it holds.
    script = tmp_path / "slow.py"
    script.write_text(
        "import os, sys, time\n"
        "out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
        "open(sys.argv[1] + '.pid', 'w').write(str(os.getpid()))\n"
        "while lines := os.read(0, 1 << 20).splitlines(True):\n"
        "    for line in lines:\n"
        "        time.sleep(0.002)\n"
        "        os.write(out, line)\n"
    )
    out = tmp_path / "out"
    made = sink([sys.executable, str(script), str(out)])
    n = 0
    for _ in range(3):
        for _ in range(5):
            try:
                made.send(records(20, n))
            except SinkError:
                made.send(records(20, n))
            n += 20
        os.kill(int((tmp_path / "out.pid").read_text()), signal.SIGKILL)
    time.sleep(0.1)
    with pytest.raises(SinkError, match="SIGKILL"):
        made.send(records(20, n))
    made.close()
    lost = len(set(ids(n)) - set(received(out)))
    counted = made.counters()["possibly_lost"]
    assert 0 < lost <= counted <= n


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["/no/such/program"], "no such file or directory"),
        (["/etc/passwd"], "permission denied"),
        ("exec /no/such/program", "exit code 127"),
        ("kill -9 $$", "SIGKILL"),
    ],
)
def test_why_a_program_cannot_run(command: object, why: str) -> None:
    made = sink(command)
    with pytest.raises(SinkError, match=why):
        made.send(records(100, size=2000))
    made.close()


def test_children_do_not_stay_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = textwrap.dedent(f"""
        trap '' TERM
        sleep 60 & echo $! > {pid_file}
        cat > /dev/null
        wait
    """)
    made = sink(script)
    made.send(records(1))
    pid = int(pid_file.read_text())
    made.close()
    wait_until(lambda: not is_running(pid), "the end of the child")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_a_program_that_a_signal_ended_is_told_by_its_name_or_number(tmp_path: Path) -> None:
    for number, name in ((9, "SIGKILL"), (40, "signal 40")):
        script = f"import os; os.kill(os.getpid(), {number})"
        made = sink([sys.executable, "-c", script], keep_alive=False)
        with pytest.raises(SinkError, match=f"was ended by {name}"):
            made.send(records(1))


@pytest.mark.parametrize("command", ["", []])
def test_a_command_without_words_is_a_mistake(command: object) -> None:
    with pytest.raises(SinkError, match="says nothing to run"):
        sink(command)

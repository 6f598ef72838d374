"""`rulekit record`: captures of what happens now, compared with what the workload wrote down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rulekit.capture._reader import iter_events
from rulekit.capture.encode import encode_param, find_type
from rulekit.cli.main import main
from rulekit.schema.events import EventType, event_types
from tests.sources.ebpf.forms import check_forms, lengths
from tests.sources.ebpf.live import Decoy
from tests.waiting import PATIENCE_S

CALLS = Path(__file__).parent / "calls.py"


def record(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Record a command and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "record", *map(str, args)],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def value(name: str, kind: str, given: Any) -> Any:
    """Return a value of the truth in the form that it is encoded from."""
    if kind == "PT_BYTEBUF" and given is not None:
        return bytes.fromhex(given)
    if kind in ("PT_SOCKADDR", "PT_SOCKTUPLE", "PT_DYN") and isinstance(given, list):
        return tuple(tuple(each) if isinstance(each, list) else each for each in given)
    return given


def expected(event: EventType, params: dict[str, Any]) -> dict[int, bytes]:
    """Return the bytes of the parameters that the truth tells of, by their place."""
    by_name = {param.name: (i, param) for i, param in enumerate(event.params)}
    found = {}
    for name, given in params.items():
        if name in by_name:
            i, param = by_name[name]
            found[i] = encode_param(param, value(name, param.type, given))
    return found


@pytest.fixture(scope="module")
def calls(bpf: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Return the capture of the workload and what it wrote down."""
    folder = tmp_path_factory.mktemp("calls")
    (folder / "files").mkdir()
    decoy = Decoy(folder / "decoy-file-of-nobody")
    try:
        done = record("-w", folder / "calls.scap", "--", sys.executable, CALLS, folder / "files")
        decoy.absent_from_capture(folder / "calls.scap")
    finally:
        decoy.end()
    assert ", 0 drops" in done.stderr
    return folder / "calls.scap", [json.loads(line) for line in done.stdout.splitlines()]


def test_values_are_those_that_the_workload_wrote_down(
    calls: tuple[Path, list[dict[str, Any]]],
) -> None:
    capture, truth = calls
    assert len(truth) >= 150
    events = [(type, params) for *_, type, params in iter_events(str(capture))]
    at = 0
    for line in truth:
        event = event_types()[1] if line["event"] == "syscall" else find_type(line["event"])
        wanted = expected(event, line["params"])
        for i in range(at, len(events)):
            type, params = events[i]
            if type == event.id and all(params[k] == v for k, v in wanted.items()):
                at = i + 1
                break
        else:
            near = [p for t, p in events[at:] if t == event.id][:2]
            names = [p.name for p in event.params]
            shown = [{n: (v, wanted.get(k)) for k, (n, v) in enumerate(zip(names, p, strict=True))}
                     for p in near]  # fmt: skip
            pytest.fail(f"{line}: no such event behind number {at}; the next are {shown}")


def test_every_event_has_the_form_of_its_type(calls: tuple[Path, list[dict[str, Any]]]) -> None:
    assert len(check_forms(calls[0])) > 130


def test_form_is_that_of_other_recorders(
    calls: tuple[Path, list[dict[str, Any]]], shared: Path
) -> None:
    forms: dict[int, set[tuple[int, ...]]] = {}
    for name in ("attack-host-all", "attack-docker-all"):
        path = shared / "captures" / "own" / f"{name}.scap.gz"
        for *_, type, params in iter_events(str(path)):
            forms.setdefault(type, set()).add(tuple(map(len, params)))
    compared = 0
    for raw, *_, type, params in iter_events(str(calls[0])):
        if type not in forms:
            continue
        for i, param in enumerate(event_types()[type].params):
            if lengths(param.type) is not None:
                theirs = {form[i] for form in forms[type]}
                assert len(params[i]) in theirs, (raw, event_types()[type].name, param.name, theirs)
                compared += 1
    assert compared > 1000


def names(capture: Path) -> list[str]:
    return [event_types()[type].name for *_, type, _ in iter_events(str(capture))]


def test_a_capture_ends_after_so_many_events(bpf: None, tmp_path: Path) -> None:
    record("-w", tmp_path / "a.scap", "-n", "20", "--", "ls", "/")
    assert len(names(tmp_path / "a.scap")) == 20


def test_a_capture_ends_after_so_many_seconds(bpf: None, tmp_path: Path) -> None:
    record("-w", tmp_path / "a.scap.gz", "-M", "0.5", "--", "sh", "-c", "sleep 0.1; exec sleep 30")
    assert "execve" in names(tmp_path / "a.scap.gz")


def test_a_condition_keeps_what_its_fields_need(bpf: None, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x" * 10)
    record("-w", tmp_path / "a.scap", "evt.type = read and fd.name endswith /secret", "--",
           "cat", tmp_path / "secret")  # fmt: skip
    shown = subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", tmp_path / "a.scap", "-p",
         "%evt.type %proc.name %proc.cmdline %fd.name %evt.res", "evt.type = read"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert shown[0] == f"read cat cat {tmp_path}/secret {tmp_path}/secret SUCCESS"


def test_files_rotate_and_each_can_be_read_by_itself(bpf: None, tmp_path: Path) -> None:
    (tmp_path / "held").write_text("x")
    script = (
        f"exec 9<{tmp_path}/held; for i in 1 2 3 4 5 6 7 8; do read a <&9; ls / >/dev/null; done"
    )
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "record", "-w", "a.scap", "-e", "300", "-W", "3", "--",
         "bash", "-c", script],
        capture_output=True, text=True, timeout=PATIENCE_S, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept = sorted(tmp_path.glob("a.scap*"), key=lambda path: int(path.suffix.removeprefix(".scap")))
    assert len(kept) == 3
    for path in kept[:-1]:
        assert len(names(path)) == 300
    # The shell and its descriptor were there long before the last file began.
    shown = subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", kept[-2], "-p",
         "%proc.cmdline|%fd.name", "fd.num = 9 and proc.name = bash"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert shown
    assert set(shown) == {f"bash -c {script}|{os.path.realpath(tmp_path)}/held"}


def test_snaplen(bpf: None, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"z" * 5000)
    record("-w", tmp_path / "a.scap", "-s", "3000", "--", "cat", tmp_path / "data")
    reads = [p[1] for *_, t, p in iter_events(str(tmp_path / "a.scap")) if t == 7]
    assert b"z" * 3000 in reads
    assert max(map(len, reads)) == 3000


def many_calls(folder: Path) -> list[str]:
    """Return a command of some ten thousand calls, with a file open from before them."""
    (folder / "held").write_text("x")
    script = (
        f"import os, time\nfd = os.open({str(folder / 'held')!r}, 0)\n"
        "for i in range(8000):\n os.pread(fd, 1, 0)\n if i % 80 == 0: time.sleep(0.01)\n"
    )
    return [sys.executable, "-c", script]


def in_order(folder: Path) -> list[Path]:
    """Return the files of a row of captures."""
    return sorted(folder.glob("a.scap*"), key=lambda path: int(path.name.split(".scap")[1] or 0))


def reads_of_held(path: Path) -> list[str]:
    return subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", path, "-p", "%fd.name %proc.exepath",
         "evt.type = pread and fd.name endswith /held"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip


def test_files_rotate_by_size(bpf: None, tmp_path: Path) -> None:
    folder = tmp_path / "row"
    folder.mkdir()
    record("-w", folder / "a.scap", "-C", "0.2", "--", *many_calls(tmp_path))
    files = in_order(folder)
    assert len(files) >= 2
    assert all(path.stat().st_size >= 200_000 for path in files[:-1])
    held = [reads_of_held(path) for path in files]
    assert sum(map(len, held)) == 8000
    expected = f"{os.path.realpath(tmp_path)}/held {os.path.realpath(sys.executable)}"
    assert {line for lines in held for line in lines} == {expected}


def test_files_rotate_by_time_and_are_named_by_it(bpf: None, tmp_path: Path) -> None:
    folder = tmp_path / "row"
    folder.mkdir()
    record("-w", folder / "%Y-%H.scap", "-G", "0.3", "--", *many_calls(tmp_path))
    files = list(folder.iterdir())
    assert len(files) >= 2
    assert all(path.name.startswith("20") and ".scap" in path.name for path in files)
    assert sum(len(reads_of_held(path)) for path in files) == 8000


def test_compressed_without_a_name_that_says_so(bpf: None, tmp_path: Path) -> None:
    record("-w", tmp_path / "a.scap", "-z", "--", "ls", "/")
    assert (tmp_path / "a.scap").read_bytes()[:2] == b"\x1f\x8b"
    assert "execve" in names(tmp_path / "a.scap")


def test_onto_standard_output(bpf: None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "record", "-w", "-", "-n", "30", "--", "sleep", "30"],
        capture_output=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    read = subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", "-", "-p", "%evt.type"],
        input=done.stdout, capture_output=True, check=True,
    )  # fmt: skip
    assert len(read.stdout.splitlines()) == 30


def test_only_what_rules_look_at(bpf: None, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "- rule: R\n  desc: d\n  condition: evt.type = unlinkat\n  output: o\n  priority: INFO\n"
    )
    record("-w", tmp_path / "a.scap", "-r", tmp_path / "rules.yaml", "--", "rm", "-f",
           tmp_path / "rules.yaml")  # fmt: skip
    found = set(names(tmp_path / "a.scap"))
    assert {"unlinkat", "execve", "openat", "close", "procexit"} <= found
    assert not {"read", "mprotect", "newfstatat", "access", "write"} & found


def test_a_command_that_cannot_be_started(bpf: None, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/nonexistent/interpreter\n")
    program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "record", "-w", tmp_path / "a.scap", "--", program],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 2
    assert "its interpreter /nonexistent/interpreter is missing" in done.stderr
    assert not (tmp_path / "a.scap").exists()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["-s", "99999"], "from 0 to 32767 bytes"),
        (["--buffer", "2GiB"], "up to 1024 MiB"),
        (["--buffer", "much"], "a size is written"),
        (["-n", "some"], "no whole number"),
        (["evt.typ = open"], "evt.typ"),
    ],
)
def test_options_that_are_none(bpf: None, args: list[str], expected: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "record", "-w", tmp_path / "a.scap", *args, "--", "true"],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.scap").exists()


SLOW = "import time\nwhile True:\n time.sleep(0.02)\n"


def test_time_is_up_also_while_few_events_keep_coming(bpf: None, tmp_path: Path) -> None:
    done = record("-w", tmp_path / "a.scap", "-M", "1", "--", sys.executable, "-c", SLOW)
    assert ", 0 drops" in done.stderr
    times = [ts for _, _, ts, *_ in iter_events(str(tmp_path / "a.scap"))]
    assert times[-1] - times[0] < 30_000_000_000


def test_a_full_disk(bpf: None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "record", "-w", "/dev/full", "--", "sleep", "30"],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 2
    assert "/dev/full: no space left on device; the file is partial" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-n", "-5"), "no whole number"),
        (("-W", "-1"), "no whole number"),
        (("-e", "0"), "no whole number"),
        (("-C", "nan"), "no number above 0"),
        (("-M", "-1"), "no number above 0"),
        (("-G", "inf"), "no number above 0"),
    ],
)
def test_numbers_that_cannot_be(
    arguments: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["record", "-w", str(tmp_path / "a.scap"), *arguments, "--", "true"])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", ["/nonexistent", "", "no-program-of-that-name"])
def test_a_command_that_is_none(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.scap"
    assert main(["record", "-w", str(path), "--", command, "x"]) == 2
    assert "there is no such program" in capsys.readouterr().err
    assert not path.exists()

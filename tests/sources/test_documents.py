"""JSON documents from files: lines, lists, compression, and what is wrong with them."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rulekit.engine.pipeline import Engine
from rulekit.errors import SourceError
from rulekit.rules.loader import load_files
from rulekit.sources.detect import detect_source
from rulekit.sources.documents import DocumentFiles
from tests.state.documents import audit_event

RULES = """\
- rule: Seen
  desc: d
  condition: ka.verb exists
  output: verb=%ka.verb number=%evt.num
  priority: INFO
  source: k8s_audit
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES)
    ruleset = load_files([path], sources=("syscall", "k8s_audit")).require()
    return Engine(ruleset, source="k8s_audit")


def event(verb: str) -> dict[str, Any]:
    return audit_event(verb=verb)


def line(verb: str) -> bytes:
    return json.dumps(event(verb)).encode() + b"\n"


def run(engine: Engine, data: bytes | Path) -> tuple[list[str], list[str]]:
    """Return the verbs that were seen, and the problems that were told."""
    problems: list[str] = []
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    alerts = engine.run(source, on_problem=problems.append)
    return [alert.output_fields["ka.verb"] for alert in alerts], problems


def items(*verbs: str) -> list[dict[str, Any]]:
    found = [event(verb) for verb in verbs]
    for each in found:
        del each["kind"]
    return found


LIST = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items("a", "b")}


@pytest.mark.parametrize(
    ("data", "verbs"),
    [
        (line("a") + line("b"), "ab"),
        (line("a") + b"\n \r\n" + line("b")[:-1], "ab"),
        (line("a").replace(b"\n", b"\r\n") + line("b"), "ab"),
        (b"\xef\xbb\xbf" + line("a"), "a"),
        (json.dumps([event("a"), event("b")]).encode(), "ab"),
        (json.dumps([[event("a")], [[event("b")]], LIST]).encode(), "abab"),
        (json.dumps(LIST).encode() + b"\n" + line("c"), "abc"),
        (json.dumps(LIST, indent=2).encode(), "ab"),
        (json.dumps([event("a"), event("b")], indent=1).encode(), "ab"),
        (b"\n".join(json.dumps(event(v), indent=4).encode() for v in "abc"), "abc"),
        (b"[" + line("a").strip() + b",\n" + line("b") + b"]", "ab"),
        (line("a").strip() + b" " + line("b"), "ab"),
        (b"", ""),
        (b"[]", ""),
    ],
    ids=range(14),
)
def test_forms(engine: Engine, data: bytes, verbs: str, tmp_path: Path) -> None:
    assert run(engine, data) == (list(verbs), [])
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(data[:50]) + gzip.compress(data[50:]))
    assert run(engine, path) == (list(verbs), [])


def test_zstd(engine: Engine, tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "log.zst"
    first, second = zstandard.compress(line("a")), zstandard.compress(line("b") * 9000)
    path.write_bytes(first + second)
    assert run(engine, path) == (["a"] + ["b"] * 9000, [])
    assert detect_source(path)[0] == "k8s_audit"
    path.write_bytes(first + second[:-20])
    verbs, _ = run(engine, path)
    assert verbs[:1] == ["a"]
    assert engine.stats.counters["files_cut_short"] == 1
    path.write_bytes(first + b"\xff" * 20)
    with pytest.raises(SourceError, match="damaged zstd"):
        run(engine, path)


def test_a_folder_is_read_oldest_first(engine: Engine, tmp_path: Path) -> None:
    for i, verb in enumerate("cab"):
        path = tmp_path / f"audit-{verb}.log"
        path.write_bytes(line(verb)[:-1])  # a file need not end with a line feed
        os.utime(path, (1000 + i, 1000 + i))
    (tmp_path / "folder").mkdir()
    assert run(engine, tmp_path) == (["c", "a", "b"], [])


@pytest.mark.parametrize(
    ("bad", "counter", "message"),
    [
        (b'{"kind": "Event', "malformed_documents", "log:2: no JSON: Input data was truncated"),
        (b"nonsense", "malformed_documents", "no JSON: JSON is malformed"),
        (b'{"a": 01}', "malformed_documents", "byte 7"),
        (b"[" * 100000, "malformed_documents", "recursion"),
        (b'{"a": "\\ud800", }', "malformed_documents", "no JSON"),
        (b'{"kind": 0}', "unknown_documents", 'no list of them: {"kind": 0}'),
        (b'{"kind": "Pod"}', "unknown_documents", "no Kubernetes audit event"),
        (b'{"kind": "EventList", "items": {}}', "unknown_documents", "no Kubernetes audit"),
        (b'{"kind": "EventList"}', "unknown_documents", "no Kubernetes audit event"),
        (b"17", "unknown_documents", "no list of them: 17"),
        (b'"Event"', "unknown_documents", "no Kubernetes audit event"),
        (b'[{"kind": "Pod"}]', "unknown_documents", "no Kubernetes audit event"),
        (b"[" * 20 + b"]" * 20, "unknown_documents", "more than 16 lists"),
        (b'{"kind": "Event"}', "events_without_time", "without a stageTimestamp"),
        (b'{"kind": "EventList", "items": [7]}', "events_without_time", "stageTimestamp"),
    ],
)
def test_what_is_bad_is_left_out_counted_and_told(
    engine: Engine, bad: bytes, counter: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.write_bytes(line("a") + bad + b"\n" + line("b"))
    verbs, problems = run(engine, path)
    assert verbs == ["a", "b"]
    assert engine.stats.counters == {counter: 1}
    assert engine.stats.complete
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}:2: ")
    assert message in problems[0]
    assert len(problems[0]) < 400


def test_one_bad_item_does_not_reject_its_neighbours(engine: Engine) -> None:
    found = {**LIST, "items": [items("a")[0], {"stageTimestamp": "x"}, None, items("b")[0]]}
    verbs, problems = run(engine, json.dumps(found).encode())
    assert verbs == ["a", "b"]
    assert len(problems) == engine.stats.counters["events_without_time"] == 2
    verbs, problems = run(engine, json.dumps([event("a"), {"kind": 0}, event("b")]).encode())
    assert (verbs, len(problems)) == (["a", "b"], 1)


def test_only_the_first_problems_are_told(engine: Engine) -> None:
    verbs, problems = run(engine, b"x\n" * 100 + line("a"))
    assert verbs == ["a"]
    assert engine.stats.counters == {"malformed_documents": 100}
    assert len(problems) == 11
    assert problems[9].startswith("<stream>:10: ")
    assert "counted only" in problems[10]


def test_a_half_written_last_line(engine: Engine) -> None:
    verbs, problems = run(engine, line("a") + line("b")[:40])
    assert verbs == ["a"]
    assert len(problems) == 1


@pytest.mark.parametrize("size", [100, 1 << 20])
def test_lines_that_are_too_long(size: int, engine: Engine) -> None:
    big = json.dumps(audit_event(verb="big", pad="x" * size)).encode() + b"\n"
    # Chunks of the stream are 256 KiB: the big line begins and ends inside of one, or spans many.
    data = line("a") + big + line("b") + big + big + line("c")
    reader = DocumentFiles(io.BytesIO(data), max_document_bytes=400_000)
    verbs = [alert.output_fields["ka.verb"] for alert in engine.run(reader)]
    if size == 100:
        assert verbs == ["a", "big", "b", "big", "big", "c"]
        assert engine.stats.counters == {}
    else:
        assert verbs == ["a", "b", "c"]
        assert engine.stats.counters == {"documents_too_long": 3}


def test_a_document_of_ten_megabytes(engine: Engine) -> None:
    pad = {f"key {i}": ["x" * 100, {"deep": i}] for i in range(80_000)}
    big = json.dumps(audit_event(requestObject=pad, verb="big")).encode()
    assert len(big) > 10_000_000
    assert run(engine, big + b"\n" + line("a")) == (["big", "a"], [])


def _chunks(parts: Sequence[bytes]) -> Any:
    rest = list(parts)

    class Slow:
        name = "slow"

        def read(self, size: int) -> bytes:
            return rest.pop(0) if rest else b""

    return Slow()


def test_a_first_line_that_only_looks_like_one_of_many(engine: Engine) -> None:
    bad = line("x")[:40].rpartition(b",")[0] + b",\n"
    verbs, problems = run(engine, bad + line("a") + line("b"))
    assert verbs == ["a", "b"]
    assert len(problems) == 1
    assert problems[0].startswith("<stream>:1: no JSON")
    # Also where there is too much of it to be held.
    reader = DocumentFiles(io.BytesIO(bad + line("a") * 5000), max_document_bytes=100_000)
    assert len(list(engine.run(reader))) == 5000
    assert engine.stats.counters == {"malformed_documents": 1}


def test_any_split_of_the_stream_gives_the_same_events(engine: Engine) -> None:
    data = line("a") + b"\n" + line("b") + b"bad\n" + line("c")
    for at in range(4, len(data), 7):
        source = DocumentFiles(_chunks([data[:4], data[4:at], data[at:]]))
        problems: list[str] = []
        alerts = list(engine.run(source, on_problem=problems.append))
        assert [a.output_fields["ka.verb"] for a in alerts] == ["a", "b", "c"], at
        assert [p.split(" ")[0] for p in problems] == ["slow:4:"], at


def test_numbers_and_times_go_on_over_files(engine: Engine, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(line(name) * 2)
    alerts = list(engine.run(tmp_path))
    assert [alert.event for alert in alerts] == [1, 2, 3, 4]
    assert {alert.time_ns for alert in alerts} == {1714557600250000000}
    assert {alert.source for alert in alerts} == {"k8s_audit"}
    assert all(alert.hostname for alert in alerts)


def test_what_a_file_holds_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    def kind(data: bytes) -> str:
        path = tmp_path / "file"
        path.write_bytes(data)
        source, opened = detect_source(path)
        assert opened is path
        return source

    audit, capture = "k8s_audit", "syscall"
    assert kind(b' \n{"a"') == kind(b"\xef\xbb\xbf[") == kind(gzip.compress(b"{}")) == audit
    assert kind(b"\n\r\r\n....") == kind(gzip.compress(b"\n\r\r\n")) == capture
    assert kind(b"") == kind(b"text") == kind(b"\x1f\x8bxx") == capture
    assert detect_source(tmp_path)[0] == capture
    (tmp_path / "other").write_bytes(b"{}")
    assert detect_source(tmp_path)[0] == audit
    assert detect_source(tmp_path / "missing")[0] == capture


def test_a_missing_file(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be opened"):
        run(engine, tmp_path / "missing")

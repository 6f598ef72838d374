"""Events as Arrow record batches."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

import rulekit
from rulekit.errors import RuleError, RulekitError, SourceError
from tests.fuzz.mutate import block_starts, plain

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = ROOT / "rulesets" / "captures" / "attack-host.scap.gz"
pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install '.[arrow]'")

FIELDS = ["evt.num", "evt.is_io", "proc.name", "proc.ppid", "fd.types", "evt.buffer", "proc.pname",
          "thread.cpu", "evt.rawarg.res", "fd.sport"]  # fmt: skip


def test_columns_have_the_types_of_their_fields() -> None:
    with rulekit.open_source(HOST).to_arrow(FIELDS) as reader:
        assert reader.schema == pa.schema(
            [
                ("evt.num", pa.uint64()),
                ("evt.is_io", pa.bool_()),
                ("proc.name", pa.string()),
                ("proc.ppid", pa.int64()),
                ("fd.types", pa.list_(pa.string())),
                ("evt.buffer", pa.binary()),
                ("proc.pname", pa.string()),
                ("thread.cpu", pa.float64()),
                ("evt.rawarg.res", pa.string()),
                ("fd.sport", pa.uint64()),
            ]
        )
        table = reader.read_all()
    table.validate(full=True)


def test_a_table_holds_what_events_show() -> None:
    source = rulekit.open_source(HOST)
    table = source.to_arrow(FIELDS[:5], "evt.type in (openat, clone)").read_all()
    events = source.events("evt.type in (openat, clone)")
    assert table.to_pylist() == [{name: event[name] for name in FIELDS[:5]} for event in events]
    assert table.num_rows > 1000


def test_batches_are_of_the_size_asked_for() -> None:
    source = rulekit.open_source(HOST)
    sizes = [batch.num_rows for batch in source.to_arrow(["evt.num"], batch_size=5000)]
    assert sizes == [5000, 5000, 2567]
    assert [b.num_rows for b in source.to_arrow(["evt.num"], "proc.name = nosuch")] == []
    table = source.to_arrow(["evt.num"], first="100", last="199").read_all()
    assert table.column(0).to_pylist() == list(range(100, 200))


def test_damage_comes_after_the_rows_before_it() -> None:
    data = plain(HOST)
    cut = data[: block_starts(data)[-20] + 13]
    reader = rulekit.open_source(io.BytesIO(cut)).to_arrow(["evt.num"], batch_size=10000)
    assert reader.read_next_batch().num_rows == 10000
    assert reader.read_next_batch().num_rows > 2000
    with pytest.raises(SourceError, match="truncated"):
        reader.read_next_batch()


def test_mistakes_are_told_before_anything_is_read(tmp_path: Path) -> None:
    source = rulekit.open_source(HOST)
    with pytest.raises(RuleError, match="nosuch"):
        source.to_arrow(["proc.nosuch"])
    with pytest.raises(RuleError):
        source.to_arrow(["evt.num"], "proc.nosuch = 1")
    with pytest.raises(RulekitError, match="list of names"):
        source.to_arrow("evt.num")  # type: ignore[arg-type]
    with pytest.raises(RulekitError, match="batch_size"):
        source.to_arrow(["evt.num"], batch_size=0)
    with pytest.raises(SourceError, match="missing"):
        rulekit.open_source(tmp_path / "missing").to_arrow()


def test_without_pyarrow_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import rulekit\n"
        f"try: rulekit.open_source({str(HOST)!r}).to_arrow()\n"
        "except rulekit.RulekitError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "to_arrow needs pyarrow: pip install 'rulekit[arrow]'\n", done.stderr

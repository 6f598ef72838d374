"""Sources are found by what the user names."""

from __future__ import annotations

import importlib.metadata
import io
from pathlib import Path

import pytest

from rulekit.capture._reader import CaptureReader
from rulekit.capture.builder import Builder
from rulekit.errors import SourceError
from rulekit.sources.base import Source, open_source
from rulekit.sources.scap import ScapSource


def write_capture(path: Path) -> None:
    b = Builder()
    b.add_event("switch", tid=1)
    b.save(path)


def test_a_path_is_a_capture(tmp_path: Path) -> None:
    write_capture(tmp_path / "a.scap")
    with open_source(tmp_path / "a.scap") as source:
        assert isinstance(source, ScapSource)
        assert source.stats() == {}
        assert isinstance(source.open(), CaptureReader)
        assert source.open() is source.open()
        assert source.path == str(tmp_path / "a.scap")
        assert source.stats()["headers"] == 0
    source.close()


def test_a_file_object_is_a_capture() -> None:
    assert isinstance(open_source(io.BytesIO(b"")), ScapSource)


def test_opening_is_what_fails(tmp_path: Path) -> None:
    source = open_source(str(tmp_path / "none.scap"))
    with pytest.raises(SourceError, match=r"none\.scap"):
        source.open()


class _Plugin:
    def __init__(self, made: object) -> None:
        self.made = made

    def load(self) -> object:
        return self.made


def test_a_plugin_is_asked_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plugins: dict[str, object] = {
        "other": lambda rest: ScapSource(rest + ".scap"),
        "broken": lambda rest: 1 / 0,
        "odd": lambda rest: rest,
    }
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda group, name: [_Plugin(plugins[name])] if name in plugins else [],
    )
    source: Source = open_source("other:thing")
    assert source.path == "thing.scap"
    with pytest.raises(SourceError, match="division"):
        open_source("broken:x")
    with pytest.raises(SourceError, match="did not return a source"):
        open_source("odd:x")
    assert open_source("unknown:x").path == "unknown:x"
    write_capture(tmp_path / "other:thing")
    assert open_source("other:thing").path == "other:thing"

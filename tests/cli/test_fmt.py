"""``rulekit fmt``: what it writes, what it refuses, how it exits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MESSY = "- macro:   a\n  condition:   evt.type in (open,openat)\n- list: l\n  items: [ x,y ]"
TIDY = "- macro: a\n  condition: evt.type in (open, openat)\n\n- list: l\n  items: [x, y]\n"


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(MESSY)
    return path


def test_a_file_is_changed_in_place_and_keeps_its_mode(cli, messy: Path) -> None:
    messy.chmod(0o640)
    assert cli("fmt", messy).returncode == 0
    assert messy.read_text() == TIDY
    assert messy.stat().st_mode & 0o777 == 0o640
    assert os.listdir(messy.parent) == [messy.name]


def test_a_link_stays_a_link(cli, messy: Path) -> None:
    link = messy.with_name("link.yaml")
    link.symlink_to(messy)
    assert cli("fmt", link).returncode == 0
    assert link.is_symlink()
    assert messy.read_text() == TIDY


def test_check_names_the_file_and_changes_nothing(cli, messy: Path) -> None:
    done = cli("fmt", "--check", messy)
    assert (done.returncode, done.stdout) == (1, f"{messy}\n")
    assert messy.read_text() == MESSY
    messy.write_text(TIDY)
    assert cli("fmt", "--check", messy).returncode == 0


def test_diff_prints_the_changes_and_changes_nothing(cli, messy: Path) -> None:
    done = cli("fmt", "--diff", messy)
    assert done.returncode == 1
    assert "-- macro:   a\n" in done.stdout
    assert "+- macro: a\n" in done.stdout
    assert messy.read_text() == MESSY


def test_standard_input_goes_to_standard_output(cli) -> None:
    done = cli("fmt", "-", input=MESSY)
    assert (done.returncode, done.stdout) == (0, TIDY)


def test_a_folder_means_its_rules_files(cli, messy: Path) -> None:
    other = messy.with_name("tests.yaml")
    other.write_text("cases:   {}\n")
    (messy.parent / "sub").mkdir()
    inner = messy.parent / "sub" / "x.yml"
    inner.write_text(MESSY)
    assert cli("fmt", messy.parent).returncode == 0
    assert inner.read_text() == messy.read_text() == TIDY
    assert other.read_text() == "cases:   {}\n"


def test_a_bad_file_is_shown_and_the_others_are_formatted(cli, messy: Path) -> None:
    bad = messy.with_name("bad.yaml")
    bad.write_text("- rule: a\n  tags: [a, b\n- rule: c\n")
    done = cli("fmt", bad, messy, messy.with_name("missing.yaml"))
    assert done.returncode == 2
    assert "bad.yaml:" in done.stderr
    assert "missing.yaml" in done.stderr
    assert messy.read_text() == TIDY


def test_bytes_that_are_no_text_are_refused(cli, messy: Path) -> None:
    messy.write_bytes(b"- list: \xff\n")
    done = cli("fmt", messy)
    assert done.returncode == 2
    assert "UTF-8" in done.stderr
    assert messy.read_bytes() == b"- list: \xff\n"

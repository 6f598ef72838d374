"""Manifests as the API server's YAML reader would take them, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rulekit.kubernetes import manifests
from rulekit.kubernetes.manifests import (
    Manifest,
    Problem,
    Skipped,
    find_manifests,
    read_manifests,
)

HEAD = "apiVersion: v1\nkind: Thing\n"


def read(tmp_path: Path, text: str | bytes) -> list[Any]:
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_manifests(str(path)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("yes", True), ("On", True), ("y", True), ("N", False), ("off", False),
        ("'yes'", "yes"), ('"true"', "true"), ("!!str true", "true"), ("truE", "truE"),
        ("0", 0), ("-0", 0), ("010", 8), ("0o10", 8), ("0x1F", 31), ("0b11", 3), ("1_000", 1000),
        ("'0'", "0"), ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("08", "08"), ("0x", "0x"),
        ("~", None), ("null", None), ("", None), ("'~'", "~"),
        ("2026-01-02", "2026-01-02"), ("1:30", "1:30"), ("=", "="), ("abc", "abc"),
        ("|\n  a\n  b\n", "a\nb\n"), ("!!int '5'", 5), ("9" * 5000, "9" * 5000), ("é", "é"),
    ],
)  # fmt: skip
def test_scalars(tmp_path: Path, text: str, value: Any) -> None:
    (found,) = read(tmp_path, f"{HEAD}a: {text}\n")
    got = json.loads(found.data)["a"]
    assert (got, type(got)) == (value, type(value))


def test_documents_lists_and_places(tmp_path: Path) -> None:
    text = (
        "# a comment\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\n"
        "---\n---\nreplicas: 3\n---\nkind: List\napiVersion: v1\nitems:\n"
        "  - apiVersion: v1\n    kind: Pod\n    metadata:\n      generateName: b-\n"
        "  - {apiVersion: v1, kind: PodList, items: [{apiVersion: v1, kind: Pod}]}\n"
    )
    found = read(tmp_path, text)
    assert [type(each) for each in found] == [Manifest, Skipped, Manifest, Manifest]
    objects = [each for each in found if isinstance(each, Manifest)]
    assert [(m.line, m.kind, m.namespace, m.name) for m in objects] == [
        (3, "Pod", "shop", "a"),
        (13, "Pod", "", "b-"),
        (17, "Pod", "", ""),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"apiVersion": "v1", "kind": "Pod"}',
        '[{"apiVersion": "v1", "kind": "Pod"}]',
        '\ufeff{"apiVersion": "v1",\n\t"kind": "Pod"}',
        "apiVersion: v1\r\nkind: Pod\r\n",
        '{"apiVersion": "v1", "kind": "Pod"}\n---\n',
    ],
)
def test_json_and_other_dresses(tmp_path: Path, text: str) -> None:
    (found,) = read(tmp_path, text)
    assert found.kind == "Pod"


def test_anchors_and_merges(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path,
        HEAD + "a: &a {v: 1, w: 2}\nb: {<<: *a, w: 3}\nc: {<<: [{z: 1}, {z: 2}]}\nd: *a\n",
    )
    value = json.loads(found.data)
    assert value["b"] == {"v": 1, "w": 3}
    assert value["c"] == {"z": 1}
    assert value["d"] == {"v": 1, "w": 2}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (HEAD + "a: 1\na: 2\n", 4, "the key `a` is there twice"),
        (HEAD + "spec:\n  {a: 1, b: 2, a: 3}\n", 4, "the key `a` is there twice"),
        (HEAD + "a: [\n", 4, "did not find expected node content"),
        (HEAD + "\tb: 1\n", 3, "tab character"),
        (HEAD + "? [a]\n: b\n", 3, "a key that is no text"),
        (HEAD + "<<: 7\n", 1, "`<<` wants a map"),
        (HEAD + "name: {{ .Values.name }}\n{{- end }}", 5, "helm template CHART"),
        (b"\xff\xfe\n", 1, "not UTF-8"),
        (HEAD.encode() + b"a: \xff", 3, "not UTF-8"),
        (HEAD + "a: \x01", 0, "control characters are not allowed"),
        (HEAD + "a: " + "[" * 3000 + "]" * 3000, 3, "nesting depth"),
        (HEAD + "a: *b\n", 3, "undefined alias"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, text: str | bytes, line: int, problem: str
) -> None:
    (found,) = [each for each in read(tmp_path, text) if isinstance(each, Problem)]
    assert problem in found.text
    if line:
        assert found.line == line
        assert str(found).startswith(f"{tmp_path / 'file.yaml'}:{line}: ")


def test_documents_before_the_bad_one_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEAD}---\n{HEAD}---\na: [\n")
    assert [type(each) for each in found] == [Manifest, Manifest, Problem]


def test_aliases_cannot_explode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "MAX_NODES", 10_000)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (found,) = read(tmp_path, HEAD + "\n".join(lines))
    assert "more than 10,000 values" in found.text


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "MAX_FILE_BYTES", 1000)
    (found,) = read(tmp_path, HEAD + "a: " + "x" * 1000)
    assert "MiB" in found.text


def test_folders(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "d.txt", ".e.yaml", "sub/f.yaml", ".git/g.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [str(each).removeprefix(f"{tmp_path}/") for each in find_manifests([str(tmp_path)])]
    assert found == ["a.yml", "b.yaml", "c.json", "sub/f.yaml"]
    (tmp_path / "empty").mkdir()
    (problem,) = find_manifests([str(tmp_path / "empty")])
    assert isinstance(problem, Problem)
    (missing,) = read_manifests(str(tmp_path / "missing.yaml"))
    assert str(missing) == f"{tmp_path / 'missing.yaml'}: no such file or directory"

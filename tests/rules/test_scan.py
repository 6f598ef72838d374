"""The quick reader of YAML gives the nodes that libyaml gives, or leaves the file to it."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from rulekit.errors import RuleError
from rulekit.rules._scan import control_in, scan_document
from rulekit.rules.nodes import Mapping, PackedScalars, Scalar, Sequence, YamlNode
from rulekit.rules.yaml import _read_documents
from rulekit.text.source import SourceText

ROOT = Path(__file__).resolve().parents[2]

_PIECES = (
    *("\n", "  ", " ", "\t", ": ", ":", "- ", "-", "'", '"', "#", " #", "|", "|-\n", ">", "> \n"),
    *(">+", "[", "]", "{", "}", ",", "\n\n", "\n  \n", "~", "null", "---\n", "...", "\\", "\\\n"),
    *("&a ", "*a", "&b\n    ", "*b\n", "!", "?", "%", "é", "''", "[a, b]", "{a: b}", "\n- "),
)


def _plain(node: YamlNode) -> tuple[Any, ...]:
    if isinstance(node, Scalar):
        return node.start, node.end, node.value, node.style, node.null
    if isinstance(node, Sequence):
        return node.start, node.end, [_plain(item) for item in node.items]
    pairs = [(_plain(key), _plain(value)) for key, value in node.pairs]
    first: dict[str, YamlNode] = {}
    for key, value in node.pairs:
        if isinstance(key, Scalar) and not key.null:
            first.setdefault(key.value, value)
    assert all(node.get(name) is value for name, value in first.items())
    return node.start, node.end, pairs


def _by_libyaml(text: str) -> list[YamlNode] | None:
    notes: list[Any] = []
    try:
        roots = _read_documents(SourceText("rules.yaml", text), notes)
    except RuleError:
        return None
    return None if notes else roots


def _same(text: str) -> bool:
    root = scan_document(text)
    if root is None or control_in(text) >= 0:
        return True
    roots = _by_libyaml(text)
    return roots is not None and len(roots) == 1 and _plain(roots[0]) == _plain(root)


@pytest.fixture(scope="module")
def texts(shared: Path) -> list[str]:
    files = [*(ROOT / "tests/golden").rglob("*.yaml"), *(ROOT / "rulesets").rglob("*.yaml")]
    files += [*(shared / "rules").rglob("*.yaml"), *(shared / "reference").rglob("*.yaml")]
    return [path.read_bytes().decode("utf-8", "replace") for path in sorted(files)]


def test_rule_files_have_the_nodes_of_libyaml(texts: list[str]) -> None:
    assert [text[:200] for text in texts if not _same(text)] == []


def test_rule_files_of_falco_need_no_libyaml(shared: Path) -> None:
    for path in sorted((shared / "rules/upstream").glob("falco*.yaml")):
        assert scan_document(path.read_text("utf-8")) is not None, path.name


def test_files_with_odd_pieces_have_the_nodes_of_libyaml(texts: list[str]) -> None:
    rng = random.Random(20260701)
    wrong = []
    for _ in range(2500):
        text = rng.choice(texts)
        begin = text.find("\n- ", rng.randrange(len(text) + 1)) + 1
        text = _with_slips(text[begin:][: rng.randint(50, 1200)], rng)
        if not _same(text):
            wrong.append(text)
    assert wrong == []


def _with_slips(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text) + 1)
        if rng.random() < 0.6:
            text = text[:at] + rng.choice(_PIECES) + text[at:]
        else:
            text = text[:at] + text[at + rng.randint(1, 4) :]
    return text


@pytest.mark.parametrize(
    "text",
    [
        "- a: &x\n  - b\n  - c\n  d: *x\n- e: &y v\n  f: *y\n",
        "- &x\n  a: b\n- *x\n",
        "- a: &x |\n    b\n  d: *x\n",
        "- a: &x # c\n    - b\n  d: *x # c\n",
        "- a: >-\n    b\n     c\n\n    d\n\n\n  e: |+\n   f\n\n- 'g': \"h\\n \\\n   i\"\n",
        "- [a, 'b', [c, d], {e: f}]\n- a\n  b\n\n  c # d\n",
    ],
)
def test_forms_that_need_no_libyaml(text: str) -> None:
    assert scan_document(text) is not None
    assert _same(text)


@pytest.mark.parametrize(
    "text",
    [
        "- a: *b\n", "- &a b: c\n", "- !t a\n", "---\n- a\n", "a: b\n", "- a:\n- b\n",
        "- a: b: c\n", "- a\n---\n- b\n", "-\ta\n", "- a\r\n- b\n", "- 'a\n", "- [a\n", "- {a: }\n",
        "- ? a\n", "-\n", "- |\n  a", "", "# a\n", "- a: &x\n  d: *x\n",
    ],
)  # fmt: skip
def test_what_is_left_to_libyaml(text: str) -> None:
    assert scan_document(text) is None


def test_long_lists_are_packed() -> None:
    text = "- items:\n" + "".join(f"  - item{i}\n" for i in range(1300)) + "  - 'x y'\n"
    root = scan_document(text)
    assert root is not None
    items = root.items[0].get("items").items  # type: ignore[union-attr]
    assert isinstance(items, PackedScalars)
    assert len(items) == 1301
    assert _same(text)
    mixed = scan_document(text + "  - [a]\n")
    assert mixed is not None
    assert isinstance(mixed.items[0].get("items").items, list)  # type: ignore[union-attr]
    assert _same(text + "  - [a]\n")


def test_aliases_cannot_blow_up() -> None:
    text = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for i in range(8):
        text += f"- &a{i + 1}\n" + f"  - *a{i}\n" * 10
    assert scan_document(text) is None
    with pytest.raises(RuleError):
        _read_documents(SourceText("bomb.yaml", text), [])


def test_maps_find_the_first_of_equal_keys() -> None:
    root = scan_document("- a: 1\n  a: 2\n")
    assert root is not None
    item = root.items[0]
    assert isinstance(item, Mapping)
    first = item.get("a")
    assert isinstance(first, Scalar)
    assert first.value == "1"


def test_characters_that_yaml_does_not_hold() -> None:
    odd = re.compile(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff\ud800-\udfff]"
    )
    for code in [*range(0x100), *range(0xD7F0, 0xE010), 0xFEFF, *range(0xFFF0, 0x10010)]:
        for text in f"a{chr(code)}b", f"{chr(code)}\U0001f600":
            found = odd.search(text)
            assert control_in(text) == (-1 if found is None else found.start()), code

"""Makes many rules of few: copies in which half of the literals are fresh.

python benchmarks/many_rules.py COUNT RULES.yaml ... > many.yaml

A copy has the names of its lists, macros and rules changed, and each text literal and list item
replaced, with even odds, by a fresh one of the same length and shape. Event types, numbers and
the values of fields that have few stay. The same seed gives the same rules.
"""

from __future__ import annotations

import random
import re
import string
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

SEED = 20260701
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[(),]|[^\s(),"\']+|\s+')
_OPERATORS = frozenset((
    "=", "==", "!=", "<", "<=", ">", ">=", "in", "intersects", "pmatch", "contains", "icontains",
    "bcontains", "startswith", "bstartswith", "endswith", "glob", "iglob", "regex",
))  # fmt: skip
_FUNCTIONS = frozenset(("val", "tolower", "toupper", "b64", "basename", "len", "concat", "join"))
# Literals of these fields decide about event types, or are all the values that there are.
_KEPT = re.compile(r"^(evt\.(?!arg|rawarg)|syscall\.|fd\.(type|typechar|l4proto)|container\.type)")
_PLAIN = re.compile(r"^(-?\d[\d./:]*|true|false|0x[0-9a-f]+|exists|and|or|not)$", re.I)


class _Loader(yaml.CSafeLoader):
    """YAML in which `=` is text, as rule files write it; YAML 1.1 gives it a type of its own."""


_Loader.add_constructor("tag:yaml.org,2002:value", yaml.CSafeLoader.construct_scalar)


def many_rules(files: Sequence[Path], count: int, seed: int = SEED) -> str:
    """Return a rules file of `count` rules, copies of those of source ``syscall`` in `files`."""
    items: list[dict[str, Any]] = []
    for path in files:
        items += [item for item in yaml.load(path.read_text("utf-8"), _Loader) if _copied(item)]
    if not any("rule" in item for item in items):
        raise ValueError("there are no rules to copy")
    rng = random.Random(seed)
    out: list[dict[str, Any]] = []
    made = copy = 0
    while made < count:
        maker = _Copy(items, copy, rng)
        for item in items:
            if "rule" in item:
                if made == count:
                    continue
                made += 1
            out.append(maker.item(item))
        copy += 1
    return yaml.dump(out, sort_keys=False, width=1000, Dumper=yaml.CSafeDumper)


def _copied(item: dict[str, Any]) -> bool:
    if "rule" in item:
        return item.get("source", "syscall") == "syscall"
    return "list" in item or "macro" in item


class _Copy:
    def __init__(self, items: list[dict[str, Any]], number: int, rng: random.Random) -> None:
        self.number, self.rng = number, rng
        self.lists = {item["list"] for item in items if "list" in item}
        self.names = self.lists | {item["macro"] for item in items if "macro" in item}
        # Items of lists that tell event types stay.
        text = " ".join(str(i["condition"]) for i in items if "condition" in i)
        kept = re.findall(r"(?:evt\.type|syscall\.type)\s+(?:in|=)\s*\(([^)]*)\)", text)
        self.kept = {name for group in kept for name in re.findall(r"[\w.]+", group)}

    def item(self, item: dict[str, Any]) -> dict[str, Any]:
        made = dict(item)
        if "list" in item:
            made["list"] = self.name(item["list"])
            keep = item["list"] in self.kept
            made["items"] = [self.value(each, keep) for each in item["items"]]
            return made
        kind = "rule" if "rule" in item else "macro"
        made[kind] = f"{item[kind]} {self.number}" if kind == "rule" else self.name(item[kind])
        if "condition" in item:
            made["condition"] = self.condition(str(item["condition"]))
        return made

    def name(self, name: str) -> str:
        return f"{name}_{self.number}"

    def value(self, value: Any, keep: bool) -> Any:
        if not isinstance(value, str):
            return value
        if value in self.lists:
            return self.name(value)
        return value if keep else self.fresh(value)

    def condition(self, text: str) -> str:
        out: list[str] = []
        field, operator, depth = "", "", -1
        words: list[str] = []
        for token in _TOKEN.findall(text):
            made = token
            if not token.isspace():
                if operator and token == "(":
                    depth = 1
                elif depth > 0 and token == ")":
                    operator, depth = "", -1
                elif operator and depth < 0 and token in _FUNCTIONS:
                    operator = ""  # what it is of is a field
                elif operator and token != ",":
                    # A regular expression with other letters is another language, or none.
                    keep = operator == "regex" or bool(_KEPT.match(field))
                    made = self.value(token, keep)
                    if depth < 0:
                        operator = ""
                elif token in _OPERATORS and words:
                    field, operator = words[-1], token
                elif token in self.names:
                    made = self.name(token)
                words.append(token)
            out.append(made)
        return "".join(out)

    def fresh(self, literal: str) -> str:
        bare = literal.strip("\"'")
        if len(bare) < 3 or _PLAIN.match(bare) or "\\" in bare or self.rng.random() < 0.5:
            return literal
        letters = string.ascii_lowercase
        made = "".join(self.rng.choice(letters) if c.isalnum() else c for c in bare)
        return literal.replace(bare, made)


if __name__ == "__main__":
    sys.stdout.write(many_rules([Path(name) for name in sys.argv[2:]], int(sys.argv[1])))

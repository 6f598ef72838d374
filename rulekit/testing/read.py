"""Test files → cases. Every mistake is a diagnostic with its place; all of a file are told."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from itertools import product
from math import prod
from pathlib import Path

from rulekit.errors import RuleError, RulekitError, reason
from rulekit.rules.yaml import (
    Mapping,
    Scalar,
    Sequence,
    YamlNode,
    decode_text,
    parse_documents,
)
from rulekit.testing.case import Case, CaseError
from rulekit.testing.nodes import Nodes, Stop, filled
from rulekit.testing.read_case import CASE_KEYS, CaseReader, Defaults
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.text.source import SourceText, Span
from rulekit.text.whole import read_text, read_whole

DEFAULT_NAMES = ("tests.yaml", "tests.yml", "*.tests.yaml", "*_tests.yaml")
MAX_VARIANTS = 1000
_LEFT_OUT = frozenset({"build", "dist", "node_modules", "site-packages", "venv", "__pycache__"})

# A rule's own cases: looked for before a rule file is parsed.
_HOLDS_TESTS = re.compile(r"^[ -] +tests[ \t]*:", re.MULTILINE).search
_IS_RULES = re.compile(r"^[ \t]*-[ \t]+(rule|macro|list|required_\w+)[ \t]*:", re.MULTILINE).search


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the test files below folders, and files as they are named; sorted, each once.

    Below a folder also rule files are taken whose rules hold cases. Hidden folders and those that
    hold what was built or installed are left out.

    Raises:
        RulekitError: A path does not exist or a folder holds no case.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_file():
            found[path] = None
            continue
        if not path.is_dir():
            raise RulekitError(f"{path}: no such file or folder")
        below = files_below(path)
        if not below:
            raise RulekitError(f"{path}: no {DEFAULT_NAMES[0]} and no rule with `tests` in it")
        found.update(dict.fromkeys(below))
    return list(found)


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder that hold cases, sorted."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and name not in _LEFT_OUT]
        for name in names:
            file = Path(place, name)
            if any(fnmatch(name, form) for form in DEFAULT_NAMES) or (
                file.suffix in (".yaml", ".yml") and file.is_file() and _has_cases(file)
            ):
                found.append(file)
    return sorted(found)


def _has_cases(file: Path) -> bool:
    try:
        text = read_text(file)
    except (OSError, UnicodeDecodeError):
        return False
    return bool(_HOLDS_TESTS(text) and _IS_RULES(text))


def load_cases(path: Path) -> list[Case]:
    """Read the cases of one file: a list of cases, or rules with a key ``tests``.

    Raises:
        RulekitError: The file cannot be read.
        CaseError: With every mistake found.
    """
    try:
        content = read_whole(path)
    except OSError as error:
        raise RulekitError(f"{path}: {reason(error)}") from None
    try:
        file = decode_text(str(path), content)
        roots = parse_documents(file, [])
    except RuleError as error:
        raise CaseError(error.diagnostics) from None
    reader = _FileReader(path, file)
    cases = list(reader.cases(roots))
    if reader.nodes.found:
        raise CaseError(sorted(reader.nodes.found, key=lambda found: found.span.start))
    return cases


class _FileReader:
    def __init__(self, path: Path, file: SourceText) -> None:
        self.path = path
        self.file = file
        self.nodes = Nodes(file)
        self.seen: dict[str, Span] = {}

    def cases(self, roots: list[YamlNode]) -> Iterator[Case]:
        whole = self.file.span(0, len(self.file.text.partition("\n")[0]))
        if not roots or all(isinstance(root, Scalar) and root.null for root in roots):
            self.nodes.fail(whole, "RK601", "the file holds no case")
            return
        n = 0
        for root in roots:
            if isinstance(root, Scalar) and root.null:
                continue
            if not isinstance(root, Sequence):
                self.nodes.fail(root, "RK601", "a test file is a list of cases")
                continue
            rules = _is_rules(root)
            for item in root.items:
                for case in self.in_rule(item) if rules else self.variants(item, None):
                    n += 1
                    yield case
        if not n and not self.nodes.found:
            self.nodes.fail(whole, "RK601", "the file holds no case")

    def in_rule(self, item: YamlNode) -> Iterator[Case]:
        """Yield the cases that a rule holds."""
        if not isinstance(item, Mapping):
            return
        rule, tests = item.get("rule"), item.get("tests")
        if not isinstance(rule, Scalar) or tests is None:
            return
        if not isinstance(tests, Sequence):
            self.nodes.fail(tests, "RK601", "`tests` is a list of cases")
            return
        for node in tests.items:
            yield from self.variants(node, rule.value)

    def variants(self, node: YamlNode, within: str | None) -> Iterator[Case]:
        """Yield a case, or one for each set of values under ``each``."""
        each = node.get("each") if isinstance(node, Mapping) else None
        try:
            if each is None:
                yield self.case(node, within, "")
                return
            assert isinstance(node, Mapping)
            plain = Mapping(
                node.start,
                node.end,
                [
                    (k, v)
                    for k, v in node.pairs
                    if not (isinstance(k, Scalar) and k.value == "each")
                ],
            )
            for name, values in self.values(each):
                try:
                    put = filled(plain, values)
                except KeyError as error:
                    help_ = f"`each` gives {', '.join(values)}"
                    message = f"nothing gives `${{{error.args[0]}}}` a value"
                    self.nodes.fail(node, "RK603", message, "", help_)
                    return
                yield self.case(put, within, f" [{name}]")
        except Stop:
            return

    def values(self, each: YamlNode) -> Iterator[tuple[str, dict[str, YamlNode]]]:
        """Yield name and values of every variant: a list of maps, or a map of lists (all pairs)."""
        if isinstance(each, Mapping):
            keys = list(self.nodes.mapping(each, "`each`", None).items())
            lists = [self.nodes.items(value, f"`{key}` is a list of values") for key, value in keys]
            self.bounded(each, prod(map(len, lists)))
            sets: list[dict[str, YamlNode]] = [
                dict(zip([key for key, _ in keys], values, strict=True))
                for values in product(*lists)
            ]
        else:
            items = self.nodes.items(each, "`each` is a list of maps, or a map of lists")
            self.bounded(each, len(items))
            sets = [self.nodes.mapping(item, "an item of `each`", None) for item in items]
        for values in sets:
            shown = [v.value for v in values.values() if isinstance(v, Scalar)]
            yield "-".join(shown), values

    def bounded(self, each: YamlNode, n: int) -> None:
        if not 0 < n <= MAX_VARIANTS:
            message = f"`each` makes {n} cases; from 1 to {MAX_VARIANTS} are allowed"
            raise self.nodes.fail(each, "RK603", message)

    def case(self, node: YamlNode, within: str | None, suffix: str) -> Case:
        n_found = len(self.nodes.found)
        keys = self.nodes.mapping(node, "a case", CASE_KEYS)
        defaults = Defaults(self.path, within, suffix, self.nodes.span(node), n_found)
        case = CaseReader(self.nodes, defaults).read(node, keys)
        if case.name in self.seen:
            label = Label(self.seen[case.name], "the first one")
            message = f"`{case.name}` is already the name of a case"
            raise self.nodes.fail(case.span, "RK601", message, "", None, label)
        self.seen[case.name] = case.span
        return case


def _is_rules(root: Sequence) -> bool:
    """Tell a rule file from a test file: its items are rules, macros, lists."""
    return any(
        isinstance(item, Mapping)
        and item.get("case") is None
        and any(item.get(key) is not None for key in ("condition", "macro", "list"))
        for item in root.items
    )


def load_all(paths: Iterable[Path]) -> list[Case]:
    """Read the cases of several files.

    Raises:
        RulekitError: A file cannot be read.
        CaseError: With the mistakes of all files.
    """
    cases: list[Case] = []
    found: list[Diagnostic] = []
    for path in paths:
        try:
            cases += load_cases(path)
        except CaseError as error:
            found += error.diagnostics
    if found:
        raise CaseError(found)
    return cases

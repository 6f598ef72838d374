"""Cases: a capture, the rules to run over it, and the alerts that must come out.

A file of cases (``tests.yaml``) is a list:

    - case: reading of password hashes is seen
      capture: captures/attack-host.scap.gz
      rules: rules.yaml                # or a list; relative to this file
      matching: all                    # or first
      expect:
        - rule: Password hashes read by an unexpected program
          count: 2                     # default: at least 1
          priority: Warning
          fields: {fd.name: /etc/shadow}
          output: program=cat          # a part of the message
      silent:
        - Shell history removed
      only: true                       # no rule but those under expect may alert
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from rulekit.alert import PRIORITIES, Alert, priority_number
from rulekit.errors import RulekitError, reason

DEFAULT_NAMES = ("tests.yaml", "tests.yml", "*.tests.yaml", "*_tests.yaml")


class CaseError(RulekitError):
    """A file of cases that cannot be used; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Alerts that a case must yield.

    Attributes:
        count: Exact number of alerts that fit all of the rest; None means at least one.
        fields: Output fields with the values they must have; None is null.
        output: Text that the message must contain.
    """

    rule: str
    line: int
    count: int | None = None
    priority: str | None = None
    fields: tuple[tuple[str, Any], ...] = ()
    output: str | None = None

    def fits(self, alert: Alert) -> bool:
        """Tell whether an alert is one of those that are expected."""
        return (
            alert.rule == self.rule
            and self.priority in (None, alert.priority)
            and (self.output is None or self.output in alert.message)
            and all(
                name in alert.output_fields and same_value(alert.output_fields[name], value)
                for name, value in self.fields
            )
        )


def same_value(found: Any, wanted: Any) -> bool:
    """Compare a field's value with what a case says; true and 1 are different."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, (list, tuple)) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same_value, found, wanted))
    return bool(found == wanted)


@dataclass(frozen=True, slots=True)
class Case:
    """One entry of a file of cases; paths are absolute or relative to the working directory."""

    name: str
    file: Path
    line: int
    capture: Path
    rules: tuple[Path, ...]
    matching: str = "all"
    all_rules: bool = False
    expect: tuple[Expectation, ...] = ()
    silent: tuple[tuple[str, int], ...] = field(default=())
    only: bool = False


def find_files(paths: list[Path]) -> list[Path]:
    """Return the files of cases below folders, and files as they are named; sorted, each once.

    Raises:
        CaseError: A path does not exist or a folder holds no file of cases.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_file():
            found[path] = None
            continue
        if not path.is_dir():
            raise CaseError(f"{path}: no such file or folder")
        below = sorted({file for name in DEFAULT_NAMES for file in path.rglob(name)})
        if not below:
            raise CaseError(f"{path}: no {DEFAULT_NAMES[0]} in this folder")
        found.update(dict.fromkeys(below))
    return list(found)


def load_cases(path: Path) -> list[Case]:
    """Read a file of cases.

    Raises:
        CaseError: Unreadable, not YAML, an unknown key, a value of the wrong kind.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise CaseError(f"{path}: {reason(error)}") from None
    except UnicodeDecodeError as error:
        raise CaseError(f"{path}: not UTF-8 at byte {error.start}") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark else ""
        raise CaseError(f"{path}{where}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise CaseError(f"{path}: not YAML: {error}") from None
    if root is None or root.tag == "tag:yaml.org,2002:null":
        raise CaseError(f"{path}: holds no case")
    return list(_Reader(path).cases(root))


class _Reader:
    """Reads the node tree of one file; every error names the line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scalars = yaml.SafeLoader("")

    def fail(self, node: yaml.Node, message: str) -> CaseError:
        return CaseError(f"{self.path}:{node.start_mark.line + 1}: {message}")

    def cases(self, root: yaml.Node) -> Iterator[Case]:
        seen: dict[str, int] = {}
        for node in self.items(root, "a file of cases is a list of cases"):
            case = self.case(node)
            if case.name in seen:
                raise self.fail(
                    node, f"`{case.name}` is already the case of line {seen[case.name]}"
                )
            seen[case.name] = case.line
            yield case
        if not seen:
            raise self.fail(root, "holds no case")

    def items(self, node: yaml.Node, message: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self.fail(node, message)
        return cast("list[yaml.Node]", node.value)

    def mapping(self, node: yaml.Node, what: str, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        """Return the values of a map by key; `known` empty allows any key."""
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(node, f"{what} is a map of keys")
        values: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.fail(key, "a key is text")
            if known and key.value not in known:
                raise self.fail(key, f"unknown key `{key.value}`; {what} has {', '.join(known)}")
            if key.value in values:
                raise self.fail(key, f"`{key.value}` is given twice")
            values[key.value] = value
        return values

    def scalar(self, node: yaml.Node) -> Any:
        try:
            return self.scalars.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise self.fail(node, "a value that YAML cannot read") from None

    def text(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            raise self.fail(node, f"{what} is text")
        return str(node.value)

    def boolean(self, node: yaml.Node, what: str) -> bool:
        value = self.scalar(node)
        if not isinstance(value, bool):
            raise self.fail(node, f"{what} is true or false")
        return value

    def file(self, node: yaml.Node, what: str) -> Path:
        path = self.path.parent / self.text(node, what)
        if not path.is_file():
            raise self.fail(node, f"{what} {path} does not exist")
        return path

    def case(self, node: yaml.Node) -> Case:
        known = ("case", "capture", "rules", "matching", "all_rules", "expect", "silent", "only")
        keys = self.mapping(node, "a case", known)
        for key in ("case", "capture", "rules"):
            if key not in keys:
                raise self.fail(node, f"the case lacks `{key}`")
        rules = keys["rules"]
        files = rules.value if isinstance(rules, yaml.SequenceNode) else [rules]
        if not files:
            raise self.fail(rules, "`rules` names no file")
        matching = "all"
        if "matching" in keys:
            matching = self.text(keys["matching"], "`matching`")
            if matching not in ("all", "first"):
                raise self.fail(keys["matching"], "`matching` is all or first")
        expect = keys.get("expect")
        silent = keys.get("silent")
        case = Case(
            name=self.text(keys["case"], "the name of a case"),
            file=self.path,
            line=node.start_mark.line + 1,
            capture=self.file(keys["capture"], "capture"),
            rules=tuple(self.file(file, "rules file") for file in files),
            matching=matching,
            all_rules="all_rules" in keys and self.boolean(keys["all_rules"], "`all_rules`"),
            expect=tuple(
                self.expectation(item)
                for item in (self.items(expect, "`expect` is a list") if expect else ())
            ),
            silent=tuple(
                (self.text(item, "the name of a rule"), item.start_mark.line + 1)
                for item in (self.items(silent, "`silent` is a list of rules") if silent else ())
            ),
            only="only" in keys and self.boolean(keys["only"], "`only`"),
        )
        if not (case.expect or case.silent or case.only):
            raise self.fail(node, "the case checks nothing; say expect, silent or only")
        return case

    def expectation(self, node: yaml.Node) -> Expectation:
        known = ("rule", "count", "priority", "fields", "output")
        keys = self.mapping(node, "an expectation", known)
        if "rule" not in keys:
            raise self.fail(node, "the expectation lacks `rule`")
        count = self.scalar(keys["count"]) if "count" in keys else None
        if "count" in keys and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
            raise self.fail(keys["count"], "`count` is a number from 0")
        priority = None
        if "priority" in keys:
            try:
                number = priority_number(self.text(keys["priority"], "`priority`"))
            except ValueError as error:
                raise self.fail(keys["priority"], str(error)) from None
            priority = PRIORITIES[number]
        fields = self.mapping(keys["fields"], "`fields`", ()) if "fields" in keys else {}
        return Expectation(
            rule=self.text(keys["rule"], "the name of a rule"),
            line=node.start_mark.line + 1,
            count=count,
            priority=priority,
            fields=tuple((name, self.scalar(value)) for name, value in fields.items()),
            output=self.text(keys["output"], "`output`") if "output" in keys else None,
        )

"""Rules compiled before: a program with what alerts need, in a file, without the text of the rules.

Reading one imports nothing of the rule language and takes milliseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rulekit import __version__
from rulekit.compiler.saved import MAGIC, load_saved, save_program
from rulekit.compiler.tables import Program
from rulekit.errors import RuleError
from rulekit.native.garbage import without_collecting
from rulekit.rules.priority import Priority
from rulekit.schema.types import Kind

if TYPE_CHECKING:
    from rulekit.rules.ruleset import Rule

SUFFIX = ".rkc"


class _Read:
    """Part of an output, with the attributes that `OutputProgram` reads of it."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


@dataclass(frozen=True, slots=True)
class Template:
    """An output text, as `OutputProgram` reads it."""

    parts: tuple[Any, ...]
    fields: tuple[tuple[str, Any], ...]
    constants: dict[str, str]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """What an engine reads of a `Rule`, and its fingerprint."""

    name: str
    source: str
    priority: Priority
    tags: tuple[str, ...]
    desc: str
    template: Template
    rule_hash: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRules:
    """Rules that an `Engine` runs without compiling them; immutable.

    Attributes:
        source: Event source that they were compiled for.
        static_fields: Constants of the configuration that they were compiled with.
        warnings: How many warnings loading them gave.
    """

    source: str
    rules: tuple[CompiledRule, ...]
    program: Program
    static_fields: Mapping[str, str]
    warnings: int = 0

    def save(self, path: str | PathLike[str]) -> None:
        """Write a file for `load_compiled`; it appears whole or not at all."""
        with without_collecting():
            # Outputs of the same words are one template; it is written once.
            templates = {id(rule.template): rule.template for rule in self.rules}
            numbers = {identity: number for number, identity in enumerate(templates)}
            about = {
                "rulekit": __version__,
                "build": build_id(),
                "source": self.source,
                "static_fields": dict(self.static_fields),
                "warnings": self.warnings,
                "templates": [_written_template(each) for each in templates.values()],
                "rules": [_written_rule(rule, numbers[id(rule.template)]) for rule in self.rules],
            }
            save_program(self.program, path, about)


def load_compiled(path: str | PathLike[str], *, same_build: bool = False) -> CompiledRules:
    """Read what `CompiledRules.save` wrote.

    Args:
        same_build: Also refuse what other sources of the same version of rulekit wrote.

    Raises:
        RuleError: The file is none of that kind, damaged, or of another version.
        OSError: It cannot be read.
    """
    with without_collecting():
        return _loaded(path, same_build)


def _loaded(path: str | PathLike[str], same_build: bool) -> CompiledRules:
    program, about = load_saved(path)
    try:
        version, build = about["rulekit"], about["build"]
        if version != __version__ or (same_build and build != build_id()):
            raise RuleError(
                f"{path}: compiled by rulekit {version}, this is {__version__}: compile the rules"
                " again"
            )
        reader = _Reader()
        templates = [reader.template(each) for each in about["templates"]]
        rules = tuple(_read_rule(each, templates) for each in about["rules"])
        if tuple(rule.name for rule in rules) != program.names:
            raise ValueError("rules and program differ")
        constants = {str(key): str(value) for key, value in about["static_fields"].items()}
        warnings = int(about.get("warnings", 0))
        return CompiledRules(str(about["source"]), rules, program, constants, warnings)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RuleError(f"{path}: inconsistent: {error}") from error


def is_compiled(path: str | PathLike[str]) -> bool:
    """Return whether a file begins as compiled rules do, or is named so."""
    if Path(path).suffix == SUFFIX:
        return True
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def compiled_rules(
    rules: Sequence[Rule | CompiledRule],
    program: Program,
    source: str,
    constants: Mapping[str, str],
    warnings: int = 0,
) -> CompiledRules:
    """Return rules and their program without what only the compiler needed."""
    templates: dict[int, Template] = {}
    with without_collecting():
        reduced = [
            rule if isinstance(rule, CompiledRule) else _reduced(rule, templates) for rule in rules
        ]
    return CompiledRules(
        source,
        tuple(reduced),
        program,
        dict(constants),
        warnings,
    )


def _reduced(rule: Rule, templates: dict[int, Template]) -> CompiledRule:
    from rulekit.rules.fingerprint import fingerprint

    said = rule.template.unplaced
    template = templates.get(id(said))
    if template is None:
        template = templates[id(said)] = Template(said.parts, said.fields, said.constants)
    return CompiledRule(
        rule.name, rule.source, rule.priority, rule.tags, rule.desc, template, fingerprint(rule)
    )


@cache
def build_id() -> str:
    """Return what changes with the code of rulekit, also while its version stays."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for folder in ("", "compiler", "compiler/passes", "engine", "native", "rules", "schema",
                   "schema/tables", "state", "text"):  # fmt: skip
        for file in sorted((package / folder).iterdir(), key=lambda path: path.name):
            if file.suffix in (".py", ".so", ".lark", ".json", ".pyd"):
                status = file.stat()
                digest.update(
                    f"{folder}/{file.name} {status.st_size} {status.st_mtime_ns}".encode()
                )
    return digest.hexdigest()


# ---- as JSON ------------------------------------------------------------------------------------


def _written_rule(rule: CompiledRule, template: int) -> list[Any]:
    return [
        rule.name,
        rule.source,
        int(rule.priority),
        list(rule.tags),
        rule.desc,
        rule.rule_hash,
        template,
    ]


def _written_template(template: Template) -> list[Any]:
    return [
        [_written_part(part) for part in template.parts],
        [[key, _written_operand(operand)] for key, operand in template.fields],
        template.constants,
    ]


def _written_part(part: Any) -> Any:
    operand = getattr(part, "operand", None)
    if operand is None:
        return part.text
    names = [key for key, _ in part.fields]
    # Fields stand under their key among those of the template; only calls are told here.
    return [part.width, names, *([] if hasattr(operand, "field") else [_written_operand(operand)])]


def _written_operand(operand: Any) -> Any:
    # Told apart by what they have, as where they are read.
    if hasattr(operand, "field"):
        return ["f", operand.field.name, operand.index, operand.key, operand.kind.value,
                operand.is_list]  # fmt: skip
    if hasattr(operand, "items"):
        return ["t", [_written_operand(item) for item in operand.items]]
    if hasattr(operand, "args"):
        return ["c", operand.name, operand.key, [_written_operand(arg) for arg in operand.args]]
    return ["l", operand.value.decode("latin-1")]


def _read_rule(written: list[Any], templates: Sequence[Template]) -> CompiledRule:
    name, source, priority, tags, desc, rule_hash, template = written
    if not 0 <= template < len(templates):
        raise ValueError(f"an output of the number {template}")
    return CompiledRule(
        str(name), str(source), Priority(priority), tuple(map(str, tags)), str(desc),
        templates[template], str(rule_hash),
    )  # fmt: skip


class _Reader:
    """Reads templates; what stands in many of them, as most fields do, is made once."""

    def __init__(self) -> None:
        self._fields: dict[tuple[Any, ...], _Read] = {}

    def template(self, written: list[Any]) -> Template:
        parts, fields, constants = written
        made = tuple((str(key), self.operand(operand)) for key, operand in fields)
        named = dict(made)
        read = tuple(
            _Read(text=part) if part.__class__ is str else self.part(part, named) for part in parts
        )
        return Template(read, made, {str(key): str(value) for key, value in constants.items()})

    def part(self, written: list[Any], named: Mapping[str, Any]) -> _Read:
        width, names, *call = written
        if width is not None and not 0 <= width <= 65536:
            raise ValueError(f"a width of {width}")
        fields = [(key, named[key]) for key in names]
        return _Read(
            operand=self.operand(call[0]) if call else fields[0][1], width=width, fields=fields
        )

    def operand(self, written: list[Any]) -> _Read:
        form, *rest = written
        if form == "f":
            known = self._fields.get(tuple(rest))
            if known is None:
                name, index, key, kind, is_list = rest
                known = self._fields[tuple(rest)] = _Read(
                    field=_Read(name=str(name)), index=index, key=key, kind=Kind(kind),
                    is_list=bool(is_list),
                )  # fmt: skip
            return known
        if form == "t":
            return _Read(items=tuple(map(self.operand, rest[0])))
        if form == "c":
            name, key, args = rest
            return _Read(name=str(name), key=key, args=tuple(map(self.operand, args)))
        if form == "l":
            return _Read(value=str(rest[0]).encode("latin-1"))
        raise ValueError(f"an operand of the form {form!r}")

"""Rule files → `Ruleset`: the path of a rule file from bytes to checked rules.

Files are read in order. After each of them everything known so far is put together again, as
Falco does, so that each file gets the verdict that Falco gives. When something is wrong, the files
are gone through a second time without stopping, to report all problems at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from rulekit.errors import RuleError
from rulekit.native.garbage import without_collecting
from rulekit.rules import static
from rulekit.rules.assemble import Assembled, Assembler, text_of
from rulekit.rules.falco_config import AppendOutput
from rulekit.rules.findings import Context, Finding, Findings, LoadStop, tidy
from rulekit.rules.items import read_documents
from rulekit.rules.merge import Collector
from rulekit.rules.requirements import PLUGINS, format_version, providers
from rulekit.rules.ruleset import Macro, NamedList, Ruleset
from rulekit.rules.shape import check_shape
from rulekit.rules.yaml import YamlNode, decode_text, parse_documents
from rulekit.schema.mapped import mapped_sources
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText

MAX_FILE_BYTES = 64 * 1024 * 1024
_SUFFIXES = (".yaml", ".yml")

RuleFile: TypeAlias = "str | os.PathLike[str] | SourceText"


@dataclass(slots=True)
class FileResult:
    """What Falco would say about one file.

    Attributes:
        errors: At most one; the first in Falco's order.
        warnings: Those of reading, and of putting everything together after this file.
        schema_valid: Verdict of Falco's schema; None when the file holds no document.
    """

    name: str
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    schema_valid: bool | None = None
    schema_warnings: list[str] = field(default_factory=list)

    @property
    def successful(self) -> bool:
        """Whether the file can be used."""
        return not self.errors


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of loading.

    Attributes:
        ruleset: None when a file could not be used.
        files: One result per file, in order.
        diagnostics: Everything found in all files, sorted by place, at most 100.
        fatal: Problems of the whole: a required plugin that nobody has.
    """

    ruleset: Ruleset | None
    files: tuple[FileResult, ...]
    diagnostics: tuple[Diagnostic, ...]
    fatal: tuple[Diagnostic, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the rules can be run."""
        return self.ruleset is not None and not self.fatal

    def require(self) -> Ruleset:
        """Return the ruleset.

        Raises:
            RuleError: With all diagnostics, when the rules cannot be run.
        """
        if self.ruleset is None or self.fatal:
            errors = [d for d in self.diagnostics if d.severity == "error"]
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise RuleError(f"{errors[0].message}{more}", self.diagnostics)
        return self.ruleset


@dataclass(slots=True)
class _File:
    """A file as read: its text and documents, or why there are none."""

    text: SourceText
    roots: list[YamlNode] = field(default_factory=list)
    notes: list[Diagnostic] = field(default_factory=list)
    failure: Diagnostic | None = None


def load_files(
    files: Iterable[RuleFile],
    *,
    sources: Iterable[str] = ("syscall",),
    append_output: Sequence[AppendOutput] = (),
    static_fields: Mapping[str, str] | None = None,
) -> LoadResult:
    """Load rule files, in the order given, as one ruleset.

    Args:
        files: Paths, or texts with the name to call them by. A folder stands for the ``.yaml``
            and ``.yml`` files in it, sorted by name.
        sources: Event sources that rules may be for; plugins that the files require add theirs.
        append_output: Texts to append to outputs.
        static_fields: Constant texts, by the name that follows ``static.`` in rules.
    """
    constants = dict(static_fields or {})
    with static.static_fields(constants), without_collecting():
        return _load(files, frozenset((*sources, *mapped_sources())), append_output, constants)


def _load(
    files: Iterable[RuleFile],
    sources: frozenset[str],
    append_output: Sequence[AppendOutput],
    constants: dict[str, str],
) -> LoadResult:
    read = [_read(file) for file in _spread(files)]
    assembler = Assembler(append_output)
    collector = Collector(set(sources))
    results: list[FileResult] = []
    found: list[Diagnostic] = []
    last = Findings(strict=True)
    assembled = Assembled()
    for file in read:
        result, reading, last, assembled = _load_strictly(file, collector, assembler)
        results.append(result)
        found += file.notes + reading.diagnostics
    if any(result.errors for result in results):
        texts = [file.text for file in read]
        everything = tidy(_everything(read, set(sources), assembler), texts)
        return LoadResult(None, tuple(results), tuple(everything))
    fatal = _unmet_plugins(collector)
    texts_read = tuple(file.text for file in read)
    diagnostics = tidy([*found, *last.diagnostics, *fatal], texts_read)
    ruleset = replace(
        _ruleset(collector, assembled, texts_read),
        static_fields=constants,
        warnings=sum(found.severity == "warning" for found in diagnostics),
    )
    return LoadResult(ruleset, tuple(results), tuple(diagnostics), tuple(fatal))


def _spread(files: Iterable[RuleFile]) -> Iterable[RuleFile]:
    for file in files:
        if not isinstance(file, SourceText) and os.path.isdir(file):
            names = sorted(n for n in os.listdir(file) if n.endswith(_SUFFIXES))
            yield from (Path(file, name) for name in names)
        else:
            yield file


def _read(file: RuleFile) -> _File:
    if isinstance(file, SourceText):
        read = _File(file)
    else:
        name = os.fspath(file)
        try:
            read = _File(_read_bytes(name))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return _unreadable(name, f"cannot read `{name}`: {reason}", "RK001")
        except RuleError as error:
            found = error.diagnostics[0]
            return _File(found.span.source, failure=found)
    try:
        read.roots = parse_documents(read.text, read.notes)
    except RuleError as error:
        read.failure = error.diagnostics[0]
    return read


def _read_bytes(name: str) -> SourceText:
    with open(name, "rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES >> 20} MiB")
    return decode_text(name, content)


def _unreadable(name: str, message: str, code: str) -> _File:
    text = SourceText(name, "")
    found = Diagnostic(code, "error", message, text.span(0, 0), falco="LOAD_ERR_FILE_READ")
    return _File(text, failure=found)


def _load_strictly(
    file: _File, collector: Collector, assembler: Assembler
) -> tuple[FileResult, Findings, Findings, Assembled]:
    """Read one file and put everything together; the first error stops it."""
    result = FileResult(file.text.name)
    reading, putting = Findings(strict=True), Findings(strict=True)
    assembled = Assembled()
    try:
        if file.failure is not None:
            reading.error(file.failure, _place_of_failure(file))
        if file.roots:
            # As in Falco, the first document alone decides; all are looked at.
            verdicts = [check_shape(root) for root in file.roots]
            result.schema_valid = not verdicts[0]
            if not result.schema_valid:
                result.schema_warnings = [text for verdict in verdicts for text in verdict]
        read_documents(file.text, file.roots, collector, reading)
        assembled = assembler.assemble(collector, putting)
    except LoadStop:
        pass
    result.errors = reading.errors + putting.errors
    result.warnings = reading.warnings + putting.warnings
    return result, reading, putting, assembled


def _place_of_failure(file: _File) -> Context:
    assert file.failure is not None
    outside = Context(file.text, None, "rules content")
    if file.failure.falco == "LOAD_ERR_FILE_READ" or file.failure.code == "RK002":
        return outside
    start = file.failure.span.start
    return Context(file.text, outside, "value for", "", start)


def _everything(read: list[_File], sources: set[str], assembler: Assembler) -> list[Diagnostic]:
    """Go through all files without stopping; return all diagnostics."""
    collector = Collector(sources)
    out = Findings(strict=False)
    # What an unreadable file defines is missing; nothing that follows from that is news.
    collector.incomplete = any(file.failure is not None for file in read)
    try:
        for file in read:
            out.diagnostics += file.notes
            if file.failure is not None:
                out.note(file.failure)
            read_documents(file.text, file.roots, collector, out)
        assembler.assemble(collector, out)
    except LoadStop:
        pass
    return out.diagnostics + _unmet_plugins(collector)


def _unmet_plugins(collector: Collector) -> list[Diagnostic]:
    found = []
    for need in collector.plugin_needs:
        if providers(need.alternatives):
            continue
        wanted = " or ".join(f"`{name}` {version}" for name, version in need.alternatives)
        have = ", ".join(f"{p.name} {format_version(p.version)}" for p in PLUGINS.values())
        found.append(
            Diagnostic(
                "RK024",
                "error",
                f"the rules need plugin {wanted}",
                need.span,
                "nothing here provides it",
                f"built in are: {have}",
            )
        )
    return found


def _ruleset(collector: Collector, assembled: Assembled, files: tuple[SourceText, ...]) -> Ruleset:
    macros = {}
    for name, condition in assembled.macros.items():
        macro, written = collector.macros[name], assembled.written[name]
        macros[name] = Macro(
            name,
            text_of(macro.condition),
            written.text,
            written.node,
            condition.node,
            macro.name_span,
        )
    lists = {}
    for name, entry in assembled.lists.items():
        items = as_written = tuple(entry.items.texts)
        if entry.inner:
            as_written = tuple(entry.definition.items.texts)
        lists[name] = NamedList(name, items, as_written, entry.definition.name_span)
    return Ruleset(
        tuple(assembled.rules),
        macros,
        lists,
        format_version(collector.engine_version),
        tuple(need.alternatives for need in collector.plugin_needs),
        tuple(name for name in assembled.macros if name not in assembled.used_macros),
        tuple(name for name, entry in assembled.lists.items() if not entry.used),
        files,
    )

"""What loading finds: our diagnostics, and beside them what Falco would report.

A `Context` is Falco's chain of places (rules content, rule, rule condition...); a `Finding` is a
diagnostic under such a chain; `Findings` collects them, strictly (the first error of a file stops
it, as in Falco) or leniently (everything is reported).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rulekit.errors import RuleError
from rulekit.rules.yaml import YamlNode
from rulekit.text.diagnostic import Diagnostic, Fix, Label
from rulekit.text.source import SourceText, Span

MAX_DIAGNOSTICS = 100
# Looking for more errors than anybody is shown would only take time.
MAX_ERRORS = 3 * MAX_DIAGNOSTICS
# Falco prints all warnings; a file of nothing else must not fill the memory.
MAX_WARNINGS = 10_000
_NAME_WIDTH = 20
_SNIPPET_WIDTH = 160

# Falco's codes and the short text that stands beside each.
CODE_DESCRIPTIONS = {
    "LOAD_ERR_FILE_READ": "File read error",
    "LOAD_ERR_YAML_PARSE": "YAML parse error",
    "LOAD_ERR_YAML_VALIDATE": "Error validating internal structure of YAML file",
    "LOAD_ERR_COMPILE_CONDITION": "Error compiling condition",
    "LOAD_ERR_COMPILE_OUTPUT": "Error compiling output",
    "LOAD_ERR_VALIDATE": "Error validating rule/macro/list/exception objects",
    "LOAD_ERR_EXTENSION": "Error in extension item",
    "LOAD_UNKNOWN_SOURCE": "Unknown event source",
    "LOAD_UNSAFE_NA_CHECK": "Unsafe <NA> comparison in condition",
    "LOAD_NO_EVTTYPE": "Condition has no event-type restriction",
    "LOAD_UNKNOWN_FILTER": "Unknown field or event-type in condition or output",
    "LOAD_UNUSED_MACRO": "Unused macro",
    "LOAD_UNUSED_LIST": "Unused list",
    "LOAD_UNKNOWN_ITEM": "Unknown rules file item",
    "LOAD_DEPRECATED_ITEM": "Used deprecated item",
    "LOAD_WARNING_EXTENSION": "Warning in extension item",
    "LOAD_APPEND_NO_VALUES": "Overriding/appending with no values",
    "LOAD_EXCEPTION_NAME_NOT_UNIQUE": "Multiple exceptions defined with the same name",
    "LOAD_INVALID_MACRO_NAME": "Invalid macro name",
    "LOAD_INVALID_LIST_NAME": "Invalid list name",
    "LOAD_COMPILE_CONDITION": "Warning in rule condition",
    "LOAD_UNKNOWN_KEY": "Unknown key in item definition",
}


@dataclass(slots=True, eq=False)
class Context:
    """One link of the chain; `parent` is the link outside of it. Never changed once made.

    Attributes:
        offset: Character offset of the item in `file`; in `condition` when that is given.
        condition: Text of a condition that failed, for the link ``condition expression``.
    """

    file: SourceText
    parent: Context | None
    item_type: str
    item_name: str = ""
    offset: int = 0
    condition: str | None = None

    def child(self, item_type: str, node: YamlNode | None, item_name: str = "") -> Context:
        """Return the context of something inside."""
        offset = self.offset if node is None else node.start
        return Context(self.file, self, item_type, item_name, offset)

    def expression(self, condition: str, offset: int) -> Context:
        """Return the context of a place in a condition's text."""
        return Context(self.file, self, "condition expression", "", offset, condition)

    def chain(self) -> list[Context]:
        """Return the links, outermost first."""
        links: list[Context] = []
        link: Context | None = self
        while link is not None:
            links.append(link)
            link = link.parent
        return links[::-1]

    def as_json(self) -> dict[str, Any]:
        """Return ``{"locations": [...], "snippet": ...}`` in Falco's form."""
        return {
            "locations": [link._location() for link in self.chain()],
            "snippet": self.snippet(),
        }

    def _location(self) -> dict[str, Any]:
        if self.condition is None:
            text = self.file
            name = self.file.name
        else:
            text = SourceText("", self.condition)
            short = self.condition
            if len(short) > _NAME_WIDTH:
                short = short[: _NAME_WIDTH - 3] + "..."
            name = '"' + short.replace("\n", " ").replace("\r", " ") + '"'
        line, column = text.locate(self.offset)
        position = {"name": name, "line": line - 1, "column": column - 1, "offset": self.offset}
        return {"item_type": self.item_type, "item_name": self.item_name, "position": position}

    def snippet(self) -> str:
        """Return the line that holds the innermost place, and a caret below it."""
        text = self.file.text if self.condition is None else self.condition
        if not text:
            return "<No context available>\n"
        at = min(self.offset, len(text) - 1)
        while at > 0 and text[at] == "\n":
            at -= 1
        half = _SNIPPET_WIDTH // 2
        start = text.rfind("\n", 0, at) + 1
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        left, right = max(start, at - half), min(end, at + half)
        shown = text[left:right].replace("\t", " ").rstrip("\r")
        if left > start:
            shown = "..." + shown[3:]
        if right < end:
            shown = shown[:-3] + "..."
        return f"{shown}\n{' ' * (at - left)}^\n"


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic that Falco reports, too, under its code and chain of places."""

    diagnostic: Diagnostic
    context: Context

    def as_json(self) -> dict[str, Any]:
        """Return the entry of ``errors`` or ``warnings`` in Falco's form."""
        code = self.diagnostic.falco or "LOAD_ERR_VALIDATE"
        return {
            "code": code,
            "codedesc": CODE_DESCRIPTIONS[code],
            "message": self.diagnostic.message,
            "context": self.context.as_json(),
        }


class LoadStop(RuleError):
    """The first error of a file, where Falco stops reading or compiling it."""


@dataclass(slots=True)
class Findings:
    """Collects what is found; strict collectors raise `LoadStop` at the first error."""

    strict: bool
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def error(self, found: Diagnostic, context: Context) -> None:
        """Record an error.

        Raises:
            LoadStop: When this collector is strict, or has enough.
        """
        self.errors.append(Finding(found, context))
        self.diagnostics.append(found)
        if self.strict or len(self.errors) >= MAX_ERRORS:
            raise LoadStop(found.message, [found])

    @property
    def full(self) -> bool:
        """Whether no more warnings are kept."""
        return len(self.warnings) >= MAX_WARNINGS

    def warn(self, found: Diagnostic, context: Context) -> None:
        """Record a warning that Falco gives, too."""
        if not self.full:
            self.warnings.append(Finding(found, context))
            self.diagnostics.append(found)

    def note(self, found: Diagnostic) -> None:
        """Record something that Falco says nothing about."""
        if found.severity == "error" or len(self.diagnostics) < 2 * MAX_WARNINGS:
            self.diagnostics.append(found)

    def fail(
        self,
        code: str,
        falco: str,
        message: str,
        span: Span,
        context: Context,
        *,
        label: str = "",
        help: str | None = None,
        labels: tuple[Label, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        """Record an error given by its parts; see `error`."""
        found = Diagnostic(code, "error", message, span, label, help, falco, labels, fix)
        self.error(found, context)

    def caution(
        self,
        code: str,
        falco: str,
        message: str,
        span: Span,
        context: Context,
        *,
        label: str = "",
        help: str | None = None,
        labels: tuple[Label, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        """Record a warning given by its parts; see `warn`."""
        found = Diagnostic(code, "warning", message, span, label, help, falco, labels, fix)
        self.warn(found, context)


def tidy(found: Iterable[Diagnostic], files: Sequence[SourceText] = ()) -> list[Diagnostic]:
    """Return diagnostics sorted by place, each problem once, at most `MAX_DIAGNOSTICS`.

    A problem in a macro or list is found again in every rule that uses it; the first use keeps
    its trail, the others are counted in a further label. Errors are kept before warnings when
    there are too many.
    """
    order = {id(file): i for i, file in enumerate(files)}
    first: dict[tuple[Any, ...], int] = {}
    kept: list[Diagnostic] = []
    repeats: list[int] = []
    keys: list[tuple[int, int, int]] = []
    for diagnostic in found:
        place = diagnostic.span.outermost()
        key = (diagnostic.code, id(place.source), place.start, place.end, diagnostic.message)
        if key in first:
            repeats[first[key]] += 1
            continue
        first[key] = len(kept)
        kept.append(diagnostic)
        repeats.append(0)
        keys.append((order.get(id(place.source), len(order)), place.start, place.end))
    for i, count in enumerate(repeats):
        if count and kept[i].labels:
            more = "1 more use of it fails" if count == 1 else f"{count} more uses of it fail"
            last = kept[i].labels[-1]
            counted = Label(last.span, f"{last.text} ({more} the same way)")
            kept[i] = replace(kept[i], labels=(*kept[i].labels[:-1], counted))
    ranked = sorted(range(len(kept)), key=lambda i: keys[i])
    if len(ranked) > MAX_DIAGNOSTICS:
        errors = [i for i in ranked if kept[i].severity == "error"]
        others = [i for i in ranked if kept[i].severity != "error"]
        chosen = set((errors + others)[:MAX_DIAGNOSTICS])
        ranked = [i for i in ranked if i in chosen]
    return [kept[i] for i in ranked]

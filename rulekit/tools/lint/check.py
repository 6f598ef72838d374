"""What a lint check is, and what it gets to look at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from rulekit.errors import RuleError
from rulekit.rules.ast import FieldNode, Node
from rulekit.rules.names import BadArgument, NamedField, UnknownField, find_field
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode, parse_documents
from rulekit.text.diagnostic import Diagnostic, Fix, Label, Severity
from rulekit.text.source import SourceText, Span

Kind = Literal["rule", "macro", "list"]
_KINDS: tuple[Kind, ...] = ("list", "macro", "rule")
_TRUE = frozenset({"true", "yes", "on", "y"})


@dataclass(frozen=True, slots=True)
class Check:
    """A lint check; one module declares one of these.

    Attributes:
        code: ``RK4nn``, stable.
        name: Words joined by dashes, as unique as the code.
        what: One sentence: what is found.
        why: Why that is bad; a paragraph.
        bad, good: Rule files; `bad` makes this check report and no other, `good` none.
        fix: What ``--fix`` does, or None when a person has to decide.
        run: Yields what it finds.
        optional: Only run when it is selected by its code or name.
    """

    code: str
    name: str
    what: str
    why: str
    bad: str
    good: str
    run: Callable[[LintContext], Iterable[Diagnostic]]
    severity: Severity = "warning"
    fix: str | None = None
    optional: bool = False

    def report(
        self,
        message: str,
        span: Span,
        label: str = "",
        help: str | None = None,
        labels: Iterable[Label] = (),
        fix: Fix | None = None,
        falco: str | None = None,
    ) -> Diagnostic:
        """Return a finding of this check."""
        return Diagnostic(
            self.code, self.severity, message, span, label, help, falco, tuple(labels), fix
        )


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """An element of a rule file as written.

    Attributes:
        changes: It appends to or overrides an earlier element of its name.
    """

    kind: Kind
    name: str
    file: SourceText
    node: Mapping
    changes: bool

    @property
    def name_span(self) -> Span:
        """The name."""
        node = self.node.get(self.kind)
        assert node is not None
        return Span(self.file, node.start, node.end)

    def key(self, name: str) -> Scalar | None:
        """Return the key of this name, or None."""
        for key, _ in self.node.pairs:
            if isinstance(key, Scalar) and key.value == name:
                return key
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """A rule or macro: what has a condition of its own.

    Attributes:
        text: The text of the condition; places in it are the owner's own, others those of macros.
        written: The tree with names of macros in it.
        node: The tree, macros put in.
        rule: None for a macro.
    """

    name: str
    text: SourceText
    written: Node
    node: Node
    span: Span
    rule: Rule | None = None

    @property
    def title(self) -> str:
        """``rule `NAME` `` or ``macro `NAME` ``."""
        return f"{'rule' if self.rule else 'macro'} `{self.name}`"

    @property
    def source(self) -> str:
        """Event source; macros are taken to be about system calls."""
        return self.rule.source if self.rule else "syscall"


@dataclass(eq=False)
class LintContext:
    """A loaded ruleset, its elements as written, and what checks share."""

    ruleset: Ruleset
    shared: dict[object, object] = field(default_factory=dict)

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """Every rule, macro and list element of all files, in order."""
        found: list[Element] = []
        for file in self.ruleset.files:
            try:
                roots = parse_documents(file, [])
            except RuleError:
                continue
            for root in roots:
                found += _elements(file, root)
        return tuple(found)

    @cached_property
    def owners(self) -> tuple[Owner, ...]:
        """Every macro and rule."""
        macros = self.ruleset.macros.values()
        found = [Owner(m.name, m.text, m.written, m.node, m.span) for m in macros]
        found += [Owner(r.name, r.text, r.written, r.node, r.span, r) for r in self.ruleset.rules]
        return tuple(found)

    @cached_property
    def _starts(self) -> dict[str, list[tuple[int, Element]]]:
        starts: dict[str, list[tuple[int, Element]]] = {}
        for element in self.elements:
            starts.setdefault(element.file.name, []).append((element.node.start, element))
        return starts

    def element_at(self, span: Span) -> Element | None:
        """Return the element that holds a place, or None."""
        place = span.outermost()
        starts = self._starts.get(place.source.name, [])
        at = bisect_right(starts, place.start, key=lambda entry: entry[0])
        return starts[at - 1][1] if at else None


def _elements(file: SourceText, root: YamlNode) -> Iterable[Element]:
    for node in root.items if isinstance(root, Sequence) else ():
        if not isinstance(node, Mapping):
            continue
        for kind in _KINDS:
            name = node.get(kind)
            if isinstance(name, Scalar):
                append, override = node.get("append"), node.get("override")
                changes = isinstance(append, Scalar) and append.value.lower() in _TRUE
                changes = changes or (isinstance(override, Mapping) and bool(override.pairs))
                changes = changes or (kind == "rule" and node.get("condition") is None)
                yield Element(kind, name.value, file, node, changes)
                break


def named_field(node: FieldNode) -> NamedField | None:
    """Return what a field of a condition stands for, or None when no source knows it."""
    text = node.name if node.arg is None else f"{node.name}[{node.arg}]"
    for source in ("syscall", "k8s_audit"):
        try:
            return find_field(text, source)
        except (UnknownField, BadArgument):
            continue
    return None

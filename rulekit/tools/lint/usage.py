"""Who names which macro and list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rulekit.rules.ast import AndNode, MacroNode, Node, NotNode, OrNode
from rulekit.tools.lint.check import LintContext, Owner

Name = tuple[str, str]  # ("macro", name) or ("list", name)
_words = re.compile(r"[^ \t\n\r(),=]+").findall


@dataclass(frozen=True, slots=True)
class Usage:
    """Names that rules use, and for each name what names it directly.

    Attributes:
        used: Reached from some rule.
        by: Titles of what names a macro or list.
    """

    used: frozenset[Name]
    by: dict[Name, list[str]]

    @classmethod
    def of(cls, context: LintContext) -> Usage:
        """Return the usage of a ruleset, worked out once."""
        found = context.shared.get("usage")
        if found is None:
            found = context.shared["usage"] = _usage(context)
        assert isinstance(found, Usage)
        return found

    def users(self, kind: str, name: str) -> str:
        """Return what names a macro or list directly: one title, shortened when there are more."""
        titles = self.by.get((kind, name), ["nothing"])
        return titles[0] if len(titles) == 1 else f"{titles[0]} and {len(titles) - 1} more"


def macros_in(node: Node) -> Iterator[MacroNode]:
    """Yield the macro names of a written condition, in order."""
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, MacroNode):
            yield part
        elif isinstance(part, NotNode):
            stack.append(part.child)
        elif isinstance(part, (AndNode, OrNode)):
            stack.extend(reversed(part.children))


def _usage(context: LintContext) -> Usage:
    ruleset = context.ruleset
    by: dict[Name, list[str]] = {}
    names: dict[str, list[Name]] = {}
    for owner in context.owners:
        found: list[Name] = [("macro", m.name) for m in macros_in(owner.written)]
        lists = owner.rule.lists if owner.rule else _lists_of(owner, context)
        found += [("list", name) for name in lists]
        names[owner.title] = list(dict.fromkeys(found))
    for name, entry in ruleset.lists.items():
        title = f"list `{name}`"
        names[title] = [("list", i) for i in dict.fromkeys(entry.written) if i in ruleset.lists]
    for title, found in names.items():
        for inner in found:
            by.setdefault(inner, []).append(title)
    todo = [n for owner in context.owners if owner.rule for n in names[owner.title]]
    used: set[Name] = set()
    while todo:
        reached = todo.pop()
        if reached not in used:
            used.add(reached)
            todo += names.get(f"{reached[0]} `{reached[1]}`", [])
    return Usage(frozenset(used), by)


def _lists_of(owner: Owner, context: LintContext) -> list[str]:
    """Return the lists that a macro's text names: words between delimiters."""
    written = context.ruleset.macros[owner.name].condition
    lists = context.ruleset.lists
    return [word for word in dict.fromkeys(_words(written)) if word in lists]

"""Which cases are run: names, tags, rules, and those that failed the last time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rulekit.errors import RulekitError
from rulekit.rules.names import close_to
from rulekit.testing.case import Case
from rulekit.testing.judge import Result
from rulekit.testing.report import shown

_TOKEN = re.compile(r"\s*(?:(\(|\))|(\"[^\"]*\"|'[^']*'|[^\s()]+))")
LAST_FAILED = Path(".rulekit") / "lastfailed.json"


class Expression:
    """``-k``: words joined with and, or, not and parentheses; a word is looked for in the name.

    Without and, or, not the whole text is one word. A word also fits a tag, a rule that the case
    speaks of, or the path of its file.

    Raises:
        RulekitError: The expression is not complete.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        tokens = [m[1] or m[2] for m in _TOKEN.finditer(text)]
        if not {"and", "or", "not", "(", ")"} & set(tokens):
            tokens = [text.strip()]
        self.tokens = [token for token in tokens if token]
        self.at = 0
        self.tree = self._or()
        if self.at != len(self.tokens):
            raise self._wrong()

    def matches(self, case: Case) -> bool:
        """Tell whether a case is meant."""
        rules = " ".join(case.named_rules()).lower()
        text = f"{case.name}\n{rules}\n{' '.join(case.tags)}\n{shown(case.file)}"
        return _holds(self.tree, text.lower())

    def _wrong(self) -> RulekitError:
        return RulekitError(f"-k `{self.text}`: a word, and, or, not, ( and ) are understood")

    def _or(self) -> tuple[object, ...]:
        parts = [self._and()]
        while self._next("or"):
            parts.append(self._and())
        return ("or", *parts)

    def _and(self) -> tuple[object, ...]:
        parts = [self._not()]
        while self._next("and"):
            parts.append(self._not())
        return ("and", *parts)

    def _not(self) -> tuple[object, ...]:
        if self._next("not"):
            return ("not", self._not())
        if self._next("("):
            inner = self._or()
            if not self._next(")"):
                raise self._wrong()
            return inner
        if self.at >= len(self.tokens) or self.tokens[self.at] in ("and", "or", ")"):
            raise self._wrong()
        self.at += 1
        return ("word", self.tokens[self.at - 1].strip("\"'").lower())

    def _next(self, token: str) -> bool:
        found = self.at < len(self.tokens) and self.tokens[self.at] == token
        self.at += found
        return found


def _holds(tree: tuple[object, ...], text: str) -> bool:
    kind, *parts = tree
    if kind == "word":
        return str(parts[0]) in text
    inner = (_holds(part, text) for part in parts)  # type: ignore[arg-type]
    if kind == "not":
        return not next(inner)
    return any(inner) if kind == "or" else all(inner)


def select(
    cases: Sequence[Case], expression: str | None = None, rules: Iterable[str] = ()
) -> list[Case]:
    """Return the cases that ``-k`` and ``--rule`` mean.

    Raises:
        RulekitError: An expression that is not one, or a rule of which no case speaks.
    """
    chosen = list(cases)
    wanted = list(rules)
    for rule in wanted:
        if not any(rule in case.named_rules() or rule == case.within for case in cases):
            close = close_to(rule, [name for case in cases for name in case.named_rules()])
            hint = f"; did you mean `{close}`?" if close else ""
            raise RulekitError(f"no case speaks of a rule `{rule}`{hint}")
    if wanted:
        chosen = [
            case
            for case in chosen
            if case.within in wanted or set(wanted) & set(case.named_rules())
        ]
    if expression is not None:
        asked = Expression(expression)
        chosen = [case for case in chosen if asked.matches(case)]
        if not chosen:
            raise RulekitError(f"no case has `{expression}` in its name, rules, tags or path")
    return chosen


def last_failed(cases: Sequence[Case]) -> list[Case]:
    """Return the cases that were not good when they ran last; all when none is known."""
    known = _read()
    chosen = [case for case in cases if _key(case) in known]
    return chosen or list(cases)


def remember(results: Iterable[Result]) -> None:
    """Keep which cases were not good; those that did not run stay as they were."""
    known = _read()
    for result in results:
        if result.good:
            known.discard(_key(result.case))
        else:
            known.add(_key(result.case))
    if not known and not LAST_FAILED.exists():
        return
    try:
        LAST_FAILED.parent.mkdir(exist_ok=True)
        (LAST_FAILED.parent / ".gitignore").write_text("*\n", "utf-8")
        LAST_FAILED.write_text(json.dumps(sorted(known), indent=1) + "\n", "utf-8")
    except OSError:
        return  # a folder that cannot be written only costs --lf its memory


def _key(case: Case) -> str:
    return f"{case.file.resolve()}::{case.name}"


def _read() -> set[str]:
    try:
        found = json.loads(LAST_FAILED.read_text("utf-8"))
    except (OSError, ValueError):
        return set()
    return {item for item in found if isinstance(item, str)} if isinstance(found, list) else set()

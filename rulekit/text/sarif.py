"""Diagnostics → SARIF 2.1.0, which code hosts and editors read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from rulekit.text.codes import code_named
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.render import range_of
from rulekit.text.source import Span

_INFORMATION_URI = "https://github.com/rulekit/rulekit"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def sarif(diagnostics: Iterable[Diagnostic], version: str) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log of one run.

    Args:
        version: Version of rulekit to put into the log.
    """
    found = list(diagnostics)
    codes = sorted({diagnostic.code for diagnostic in found})
    results = [_sarif_result(d, codes.index(d.code)) for d in found]
    return sarif_log(version, [_sarif_rule(code) for code in codes], results)


def sarif_log(
    version: str,
    rules: Sequence[dict[str, Any]],
    results: Sequence[dict[str, Any]],
    problems: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log of one run.

    Args:
        rules: What was looked for, as the driver describes it.
        results: What was found.
        problems: Notifications about what could not be looked at.
    """
    driver = {
        "name": "rulekit",
        "version": version,
        "informationUri": _INFORMATION_URI,
        "rules": rules,
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    if problems:
        run["invocations"] = [
            {"executionSuccessful": False, "toolExecutionNotifications": problems}
        ]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }


def _sarif_rule(code: str) -> dict[str, Any]:
    known = code_named(code)
    if known is None:
        return {"id": code}
    # GitHub shows the help beside a finding, and takes no rule without.
    examples = [("Instead of", known.bad), ("write", known.good)]
    markdown = "\n\n".join(
        [known.summary, *(f"{why}\n\n```yaml\n{file}```" for why, file in examples if file)]
    )
    return {
        "id": code,
        "name": "".join(part.capitalize() for part in known.slug.split("-")),
        "shortDescription": {"text": known.summary},
        "fullDescription": {"text": known.summary},
        "help": {"text": known.summary, "markdown": markdown},
    }


def _sarif_result(found: Diagnostic, index: int) -> dict[str, Any]:
    text = found.message if not found.label else f"{found.message}: {found.label}"
    if found.help:
        text += f" ({found.help})"
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": _LEVELS[found.severity],
        "message": {"text": text},
        "locations": [_sarif_location(found.span)],
    }
    if found.labels:
        result["relatedLocations"] = [
            {"id": i, "message": {"text": label.text}, **_sarif_location(label.span)}
            for i, label in enumerate(found.labels)
        ]
    if found.fix is not None:
        span = found.fix.span.outermost()
        change = {
            "deletedRegion": _sarif_region(span),
            "insertedContent": {"text": found.fix.replacement},
        }
        artifact = {
            "artifactLocation": {"uri": sarif_uri(span.source.name)},
            "replacements": [change],
        }
        result["fixes"] = [
            {"description": {"text": found.fix.title}, "artifactChanges": [artifact]}
        ]
    return result


def _sarif_location(span: Span) -> dict[str, Any]:
    outer = span.outermost()
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": sarif_uri(outer.source.name)},
            "region": _sarif_region(outer),
        }
    }


def _sarif_region(span: Span) -> dict[str, int]:
    place = range_of(span)
    return {
        "startLine": place["line"],
        "startColumn": place["column"],
        "endLine": place["end_line"],
        "endColumn": place["end_column"],
    }


def sarif_uri(name: str) -> str:
    """Return how SARIF names a file."""
    path = PurePath(name)
    if path.is_absolute():
        return path.as_uri()
    return quote(os.fsencode(path.as_posix()), safe="/._-~")

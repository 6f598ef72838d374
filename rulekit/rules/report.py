"""Results of loading in the forms that Falco prints them in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rulekit.rules.findings import CODE_DESCRIPTIONS, Finding
from rulekit.rules.loader import FileResult, LoadResult
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.render import diagnostic_json


def file_json(result: FileResult) -> dict[str, Any]:
    """Return one entry of ``falco_load_results``."""
    entry: dict[str, Any] = {
        "name": result.name,
        "successful": result.successful,
        "errors": [finding.as_json() for finding in result.errors],
        "warnings": [finding.as_json() for finding in result.warnings],
    }
    if result.schema_valid is not None:
        entry["schema_valid"] = result.schema_valid
        entry["schema_warnings"] = list(result.schema_warnings)
    return entry


def load_json(
    result: LoadResult, diagnostics: Iterable[Diagnostic] | None = None
) -> dict[str, Any]:
    """Return the JSON of a validation run; our own diagnostics stand under ``rulekit``.

    Args:
        diagnostics: What to put there instead of `result.diagnostics` (with lint findings).
    """
    found = result.diagnostics if diagnostics is None else diagnostics
    return {
        "falco_load_results": [file_json(file) for file in result.files],
        "rulekit": {
            "ok": result.ok,
            "fatal": [diagnostic_json(diagnostic) for diagnostic in result.fatal],
            "diagnostics": [diagnostic_json(diagnostic) for diagnostic in found],
        },
    }


def load_summary(result: LoadResult) -> str:
    """Return Falco's short text: one line per file with the codes of what was found."""
    lines: list[str] = []
    for file in result.files:
        state = "Invalid" if file.errors else "Ok, with warnings" if file.warnings else "Ok"
        lines.append(f"{file.name}: {state}")
        for kind, findings in (("errors", file.errors), ("warnings", file.warnings)):
            if findings:
                lines.append(f" {len(findings)} {kind}: [{_codes(findings)}]")
    lines.extend(f"error: {diagnostic.message}" for diagnostic in result.fatal)
    return "\n".join(lines)


def _codes(findings: Iterable[Finding]) -> str:
    codes = [finding.diagnostic.falco or "" for finding in findings]
    return " ".join(f"{code} ({CODE_DESCRIPTIONS[code]})" for code in codes)
